// SPDX-License-Identifier: Apache-2.0
package dev.filigree.report;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.Calibration;
import dev.filigree.PruneOptions;
import dev.filigree.TaskStats;
import dev.filigree.circuit.Checks;
import dev.filigree.circuit.Checks.Ablations;
import dev.filigree.circuit.Checks.Binarised;
import dev.filigree.circuit.Checks.Difference;
import dev.filigree.circuit.Checks.Draws;
import dev.filigree.circuit.Checks.Faithful;
import dev.filigree.circuit.Checks.Final;
import dev.filigree.circuit.Checks.Gate;
import dev.filigree.circuit.Checks.Interchange;
import dev.filigree.circuit.Checks.Necessary;
import dev.filigree.circuit.Checks.NodeDelta;
import dev.filigree.circuit.Checks.RandomInit;
import dev.filigree.circuit.Checks.Relaxation;
import dev.filigree.circuit.Checks.Resample;
import dev.filigree.circuit.Checks.Seeds;
import dev.filigree.circuit.Checks.Sufficient;
import dev.filigree.circuit.Checks.Variants;
import dev.filigree.circuit.Circuit;
import dev.filigree.circuit.Circuit.Counts;
import dev.filigree.circuit.Circuit.Edge;
import dev.filigree.circuit.Circuit.Losses;
import dev.filigree.circuit.Circuit.Node;
import dev.filigree.circuit.Circuit.Pair;
import dev.filigree.circuit.Circuit.Source;
import dev.filigree.circuit.Circuit.SplitHashes;
import dev.filigree.circuit.Circuit.TokenWeight;
import dev.filigree.circuit.Estimate;
import dev.filigree.circuit.Evidence;
import dev.filigree.circuit.Evidence.Answers;
import dev.filigree.circuit.Evidence.Probabilities;
import dev.filigree.circuit.Evidence.Prompt;
import dev.filigree.circuit.Evidence.Scores;
import dev.filigree.experiment.Experiment;
import dev.filigree.experiment.Presets;
import dev.filigree.experiment.QuickstartResult;
import dev.filigree.experiment.QuickstartResult.Pretraining;
import dev.filigree.experiment.QuickstartResult.Side;
import dev.filigree.experiment.QuickstartResult.TaskRow;
import dev.filigree.experiment.RunConfig;
import dev.filigree.json.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;

/**
 * Makes the folder of a quickstart without training anything: its shapes are right, its numbers are
 * drawn.
 */
final class SampleRuns {
  /** Would run, load or turn around text if a page took it for more than text. */
  static final String HOSTILE =
      "</script><img src=x"
          + " onerror=\"document.title='taken'\"><!--<script>&lt;\u202eevil\u0007\u2028";

  /** Tasks: both sides, the sparse side alone, none; and one whose file has a name that bites. */
  static final List<String> TASKS =
      List.of("single_double_quote", "bracket_counting", "set_or_string", "<b onclick=x>&amp;");

  private static final int LAYERS = 2;
  private static final int HEAD_SIZE = 16;

  private final SplittableRandom random = new SplittableRandom(5);

  private SampleRuns() {}

  /** Fill an empty folder. */
  static void quickstart(Path folder) throws IOException {
    SampleRuns samples = new SampleRuns();
    samples.run(folder.resolve("sparse"), 128, 0.04, 20_000);
    samples.run(folder.resolve("dense"), 64, 1, 45_000);
    Side unknown = new Side(null, null, null, null, null, false, false, false, null);
    QuickstartResult result =
        new QuickstartResult(
            1312.4,
            new Pretraining(2.61, 2.6),
            TASKS.stream().map(task -> new TaskRow(task, unknown, unknown, null, null)).toList());
    Files.writeString(folder.resolve("quickstart.json"), Json.write(result));
    samples.found(folder.resolve("sparse"), TASKS.get(0), 128, 31, 46);
    samples.found(folder.resolve("dense"), TASKS.get(0), 64, 150, 1000);
    samples.found(folder.resolve("sparse"), TASKS.get(1), 128, 58, 120);
    notLearnt(folder.resolve("dense"), TASKS.get(1));
    notLearnt(folder.resolve("sparse"), TASKS.get(2));
    notLearnt(folder.resolve("dense"), TASKS.get(2));
    samples.found(folder.resolve("sparse"), TASKS.get(3), 128, 12, 9);
    samples.found(folder.resolve("dense"), TASKS.get(3), 64, 90, 310);
  }

  /** Fill an empty folder with a sparse run that has no circuits. */
  static void sparse(Path folder) throws IOException {
    new SampleRuns().run(folder, 128, 0.04, 20_000);
  }

  private void run(Path folder, int width, double density, double speed) throws IOException {
    RunConfig config =
        Presets.TINY
            .config()
            .with("train.batch_size", "16")
            .with("model.afrac", density == 1 ? "null" : "0.25");
    Experiment.create(folder, config, Presets.TINY);
    ObjectNode manifest = (ObjectNode) Json.parse(Files.readString(folder.resolve("run.json")));
    ((ObjectNode) manifest.at("/config/model"))
        .put("d_model", width)
        .put("n_head", width / HEAD_SIZE);
    manifest.putArray("corpora").addObject().put("name", HOSTILE).put("share", 0.5);
    manifest.withArray("corpora").addObject().put("name", "tinypython").put("share", 0.5);
    ObjectNode engine = manifest.putObject("engine").put("device", "cpu");
    engine.putObject("build").put("abi", 1).put("libtorch", "2.13.0");
    engine.putObject("runtime").put("threads", 2).put("cpu", "AVX512");
    Files.writeString(folder.resolve("run.json"), manifest.toString());

    StringBuilder metrics = new StringBuilder();
    int parameters = 5_000 * width;
    for (int step = 0; step <= 2000; step += 20) {
      double left = Math.exp(-step / 500.0);
      double kept = Math.max(density, Math.pow(0.01, Math.min(1, step / 600.0)));
      if (step % 500 == 0) {
        metrics
            .append(
                Json.object()
                    .put("step", step)
                    .put("test_xent", 2.6 + 4 * left)
                    .put("test_xent/" + HOSTILE, 2.9 + 4 * left)
                    .put("test_xent/tinypython", 2.3 + 4 * left))
            .append('\n');
      }
      if (step > 0) {
        metrics
            .append(
                Json.object()
                    .put("step", step)
                    .put("elapsed_tokens", 2048L * step)
                    .put("xent", 2.55 + 4 * left + random.nextDouble(0.2))
                    .put("pfrac", kept)
                    .put("tokens_per_second", speed * random.nextDouble(0.9, 1.1))
                    .put("L0", Math.round(parameters * kept))
                    .put(
                        "weight_sparsity", 1 - Math.round(parameters * kept) / (double) parameters))
            .append('\n');
      }
    }
    // A run that is being written to.
    metrics.append("{\"step\":2020,\"elap");
    Files.writeString(folder.resolve("metrics.jsonl"), metrics);
  }

  /** Write a circuit and its evidence. */
  private void found(Path run, String task, int width, int nodeCount, int edgeCount)
      throws IOException {
    // At most this many channels of each kind, so that the parts of a small circuit meet.
    int choice = Math.max(3, nodeCount / 8);
    List<Node> nodes = nodes(width, nodeCount, choice);
    List<Edge> edges = edges(nodes, edgeCount);
    Pair pair = new Pair(stats(nodeCount, 0.116), stats(2816, 0.042));
    new Circuit(
            Circuit.FORMAT,
            task,
            source(run),
            1,
            new Circuit.Method("fast", PruneOptions.PUBLISHED),
            0.1,
            true,
            new Counts(nodeCount, edges.size(), edges.size() + 40, edges.size() + 3, 2816),
            new Calibration(2, -0.5),
            new Losses(pair, pair),
            nodes,
            edges,
            tokenWeights(
                nodes, "_in", List.of("(\"", "('", " the", "print", HOSTILE, " x", " =", "\n")),
            tokenWeights(nodes, "_out", List.of("\")\n", "')\n")),
            List.of(new Circuit.Token(5, HOSTILE), new Circuit.Token(6, "('")),
            Json.object())
        .write(run.resolve("circuits").resolve(task + ".json"));
    evidence(run, task, nodeCount);
  }

  private List<Node> nodes(int width, int count, int choice) {
    String[] sites = {
      "attn_in", "attn_q", "attn_k", "attn_v", "attn_out", "mlp_in", "mlp_neuron", "mlp_out"
    };
    Set<List<Integer>> chosen = new LinkedHashSet<>();
    while (chosen.size() < count) {
      int site = random.nextInt(LAYERS * sites.length);
      int channels = sites[site % sites.length].equals("mlp_neuron") ? 4 * width : width;
      int channel = (int) ((long) random.nextInt(choice) * channels / choice);
      chosen.add(List.of(site, channel));
    }
    List<Node> nodes = new ArrayList<>();
    for (List<Integer> at : chosen) {
      String kind = sites[at.get(0) % sites.length];
      int layer = at.get(0) / sites.length;
      boolean perHead = kind.matches("attn_[qkv]");
      Float bias =
          kind.endsWith("_in") ? null : Float.valueOf(random.nextInt(3) == 0 ? signed(0.5) : 0);
      nodes.add(
          new Node(
              1000 * at.get(0) + at.get(1),
              "%d.%s".formatted(layer, kind),
              layer,
              kind,
              at.get(1),
              perHead ? Integer.valueOf(at.get(1) / HEAD_SIZE) : null,
              bias,
              signed(0.3)));
    }
    return nodes;
  }

  /** Join nodes as the matrices of a layer do, with many weak weights and few strong ones. */
  private List<Edge> edges(List<Node> nodes, int most) {
    List<Edge> edges = new ArrayList<>();
    for (Node from : nodes) {
      for (Node to : nodes) {
        boolean joined =
            switch (from.kind()) {
              case "attn_in" -> to.kind().matches("attn_[qkv]");
              case "attn_v" -> to.kind().equals("attn_out");
              case "mlp_in" -> to.kind().equals("mlp_neuron");
              case "mlp_neuron" -> to.kind().equals("mlp_out");
              default -> false;
            };
        if (joined && from.layer() == to.layer()) {
          edges.add(new Edge(from.index(), to.index(), signed(1.5)));
        }
      }
    }
    while (edges.size() > most) {
      edges.remove(random.nextInt(edges.size()));
    }
    return edges;
  }

  private List<TokenWeight> tokenWeights(List<Node> nodes, String end, List<String> texts) {
    List<TokenWeight> weights = new ArrayList<>();
    nodes.stream()
        .filter(node -> node.kind().endsWith(end))
        .mapToInt(Node::channel)
        .distinct()
        .forEach(
            channel -> {
              for (int i = 0; i < texts.size(); i++) {
                if (random.nextInt(3) == 0) {
                  String member = i == 0 ? "a" : i == 1 ? "b" : null;
                  weights.add(new TokenWeight(i, texts.get(i), member, channel, signed(1)));
                }
              }
            });
    return weights;
  }

  private static Estimate loss(double mean) {
    return new Estimate(mean, 0.8 * mean, 1.3 * mean);
  }

  private static Scores scores(double validation, double last) {
    return new Scores(stats(2816, validation), stats(2816, last));
  }

  private static TaskStats stats(int nodes, double loss) {
    return new TaskStats(nodes, 256, loss, loss, 1, 0.98, 1.3, 0.1);
  }

  private static Source source(Path run) {
    return new Source(
        run.getFileName().toString(), 2000, "aa", "bb", new SplitHashes("c", "d", "e"));
  }

  private void evidence(Path run, String task, int nodes) throws IOException {
    Scores whole = scores(0.005, 0.042);
    List<Difference> differences = new ArrayList<>();
    for (int i = 0; i < 256; i++) {
      double model = (i % 2 == 0 ? 4 : -4) + 8 * signed(1);
      differences.add(new Difference(model, 0.7 * model + signed(2)));
    }
    Checks checks =
        new Checks(
            Gate.of(loss(0.005), loss(0.042)),
            Final.of(loss(0.116), whole),
            Sufficient.of(0.1, loss(0.087), loss(0.116), whole),
            Necessary.of(
                loss(0.69),
                new Draws(loss(0.143), List.of(0.05, 0.08, 0.3)),
                new Draws(loss(0.09), List.of(0.09)),
                loss(0.042)),
            Resample.of(loss(0.31), List.of(0.3, 0.32), whole),
            Interchange.of(0.93, 250, 0.02, loss(0.2)),
            Faithful.of(differences),
            Relaxation.of(
                List.of(
                    new Relaxation.Step(0.25, loss(0.11), List.of(0.1, 0.12)),
                    new Relaxation.Step(0.75, loss(0.06), List.of(0.05, 0.07))),
                whole),
            new Ablations(
                32,
                List.of(
                    new NodeDelta(1000, loss(0.4), loss(0.02)),
                    new NodeDelta(1064, loss(0.1), loss(-0.001))),
                List.of(new NodeDelta(5, null, loss(0.3)))),
            task.startsWith("single")
                ? new Seeds(
                    List.of(
                        new Seeds.Found(1, nodes, 1, loss(0.116)),
                        new Seeds.Found(2, 30, 0.6, loss(0.1))),
                    0.6,
                    0.5,
                    true)
                : null,
            task.startsWith("single")
                ? RandomInit.of(loss(0.69), loss(0.6), loss(0.7), 900, 4000, 0.1, whole)
                : null,
            task.startsWith("single") ? new Binarised(loss(0.3), List.of()) : null,
            task.startsWith("single")
                ? Variants.of(
                    List.of(
                        Variants.Outcome.of(
                            HOSTILE,
                            "The lists grow. " + HOSTILE,
                            "a",
                            List.of(
                                new Variants.Level("5 elements", 5, 64, loss(0.9), loss(0.95)),
                                new Variants.Level(HOSTILE, 40, 64, loss(0.4), loss(0.2))))))
                : null);
    Evidence.of(
            Circuit.read(run.resolve("circuits").resolve(task + ".json")),
            source(run),
            whole,
            checks,
            List.of(
                prompt("print('the red house", "print(\"the red house", 0.93, 0.31),
                prompt("x = '" + HOSTILE + "\n\t'", "x = \"" + HOSTILE + "\n\t\"", 0.6, 0.999)))
        .write(run.resolve("evidence").resolve(task + ".json"));
  }

  private static Prompt prompt(String a, String b, double circuitA, double circuitB) {
    return new Prompt(
        "quote/final/1",
        HOSTILE,
        a,
        b,
        new Answers("')\n", "\")\n"),
        new Probabilities(0.99, 0.97),
        new Probabilities(circuitA, circuitB));
  }

  private static void notLearnt(Path run, String task) throws IOException {
    Scores whole = scores(0.4, 0.5);
    Evidence.gateFailed(task, source(run), whole, Gate.of(loss(0.4), loss(0.5)))
        .write(run.resolve("evidence").resolve(task + ".json"));
  }

  private float signed(double most) {
    double size = random.nextDouble();
    return (float) (most * size * size * (random.nextBoolean() ? 1 : -1));
  }
}
