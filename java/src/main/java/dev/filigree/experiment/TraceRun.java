// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.Calibration;
import dev.filigree.CircuitMask;
import dev.filigree.Examples;
import dev.filigree.Model;
import dev.filigree.ModelInfo.Site;
import dev.filigree.TokenMask;
import dev.filigree.circuit.Circuit;
import dev.filigree.circuit.Circuit.Edge;
import dev.filigree.circuit.Circuit.Node;
import dev.filigree.circuit.Trace;
import dev.filigree.circuit.Trace.Activity;
import dev.filigree.circuit.Trace.Answer;
import dev.filigree.circuit.Trace.Answers;
import dev.filigree.circuit.Trace.Channel;
import dev.filigree.circuit.Trace.Head;
import dev.filigree.circuit.Trace.Look;
import dev.filigree.circuit.Trace.Move;
import dev.filigree.circuit.Trace.Passage;
import dev.filigree.circuit.Trace.Readout;
import dev.filigree.circuit.Trace.Token;
import dev.filigree.circuit.Trace.Write;
import dev.filigree.data.Tokenizer;
import dev.filigree.task.Example;
import dev.filigree.task.ExampleSet;
import dev.filigree.task.Split;
import dev.filigree.task.Task;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.IntStream;

/** Follows one prompt through a circuit. */
final class TraceRun {
  private static final int WRITES_PER_CHANNEL = 2;
  private static final int LOOKS = 8;
  private static final double LEAST_LOOK = 0.005;

  private final CircuitSearch session;
  private final Model model;
  private final Tokenizer tokenizer;

  TraceRun(CircuitSearch session) {
    this.session = session;
    this.model = session.model();
    this.tokenizer = session.tokenizer();
  }

  Trace run(Task task, String prompt, List<String> answers) {
    Circuit circuit =
        session.folder().readCircuit(task.name()).orElseGet(() -> session.prune(task.name()));
    CircuitConfig search = new EvidenceRun(session).searchOf(circuit);
    try (TaskExamples examples = session.examples(task, search)) {
      String hash = session.source(examples).modelHash();
      if (!hash.equals(circuit.source().modelHash())) {
        throw new RunException(
            "the circuit in %s was found in another model; find it anew with ./filigree prune --task %s"
                .formatted(session.folder().circuit(task.name()), task.name()));
      }
      int[] targets = answers == null ? targets(task, examples.lastSet()) : tokens(answers);
      Calibration fit = model.calibrate(examples.train()).calibration();
      session.progress().phase("following the prompt");
      return new Prompt(circuit, session.mask(circuit, search), fit, prompt, targets).trace();
    }
  }

  /** The answers of most examples of the task; where they are names there are none. */
  private static int[] targets(Task task, ExampleSet examples) {
    Map<List<Integer>, Integer> counts = new LinkedHashMap<>();
    for (Example example : examples.examples()) {
      counts.merge(List.of(example.targetA(), example.targetB()), 1, Integer::sum);
    }
    Map.Entry<List<Integer>, Integer> most =
        counts.entrySet().stream().max(Map.Entry.comparingByValue()).orElseThrow();
    if (2 * most.getValue() < examples.pairs()) {
      throw new IllegalArgumentException(
          "the answers of %s differ from prompt to prompt; name the two of this one with --answers"
              .formatted(task.name()));
    }
    return most.getKey().stream().mapToInt(Integer::intValue).toArray();
  }

  private int[] tokens(List<String> answers) {
    return answers.stream()
        .mapToInt(
            answer ->
                tokenizer
                    .tokenOf(answer)
                    .orElseThrow(
                        () ->
                            new IllegalArgumentException(
                                "\"%s\" is not one token of this vocabulary".formatted(answer))))
        .toArray();
  }

  /** One prompt in one circuit. */
  private final class Prompt {
    private final Circuit circuit;
    private final CircuitMask mask;
    private final Calibration fit;
    private final int[] targets;
    private final int[] tokens;
    private final List<Node> nodes;
    private final Map<Integer, Integer> places = new HashMap<>(); // in nodes, by flat index

    Prompt(Circuit circuit, CircuitMask mask, Calibration fit, String text, int[] targets) {
      this.circuit = circuit;
      this.nodes = circuit.nodes();
      this.fit = fit;
      this.targets = targets;
      this.tokens = encode(text);
      for (int i = 0; i < nodes.size(); i++) {
        places.put(nodes.get(i).index(), i);
      }
      this.mask = mask;
    }

    private int[] encode(String text) {
      int[] all = tokenizer.encode(text);
      if (all.length == 0) {
        throw new IllegalArgumentException("the prompt is empty");
      }
      int most = session.config().model().blockSize();
      return Arrays.copyOfRange(all, Math.max(0, all.length - most), all.length);
    }

    Trace trace() {
      List<Integer> prompt = Arrays.stream(tokens).boxed().toList();
      // Examples come in pairs: here both members are the prompt.
      Example twice = new Example("trace", "trace", prompt, prompt, targets[0], targets[1], "", "");
      ExampleSet set =
          new ExampleSet(
              circuit.task(), Split.FINAL, 0, tokenizer.hash(), List.of(twice), Map.of());
      try (Examples example = model.examples(set)) {
        Calibration calibration = circuit.calibration();
        double ofModel = fit.z(model.differences(example)[0]);
        double ofCircuit = calibration.z(model.differences(example, mask)[0]);
        int[] indices = nodes.stream().mapToInt(Node::index).toArray();
        float[][] values = new float[0][];
        if (indices.length > 0) {
          values =
              Arrays.stream(model.activations(example, mask, indices))
                  .map(sequences -> sequences[0])
                  .toArray(float[][]::new);
        }
        List<Activity> activities =
            activities(example, indices, values, calibration, ofCircuit, ofModel);
        return new Trace(
            circuit.task(),
            session.folder().name(),
            session.checkpoint().step(),
            IntStream.range(0, tokens.length)
                .mapToObj(i -> new Token(i, tokens[i], tokenizer.decode(tokens[i])))
                .toList(),
            new Answers(tokenizer.decode(targets[0]), tokenizer.decode(targets[1])),
            answer(ofModel),
            answer(ofCircuit),
            writes(),
            activities,
            heads(example, activities, values),
            edges(example, values, calibration, ofCircuit),
            readout(example, values));
      }
    }

    private static Answer answer(double z) {
      return new Answer(z, Calibration.probabilityOf(z));
    }

    private List<Activity> activities(
        Examples example,
        int[] indices,
        float[][] values,
        Calibration calibration,
        double ofCircuit,
        double ofModel) {
      if (indices.length == 0) {
        return List.of();
      }
      float[][] circuitWithout = model.ablations(example, mask, indices);
      float[][] modelWithout = model.ablations(example, mask.everything(), indices);
      List<Activity> activities = new ArrayList<>();
      for (int i = 0; i < indices.length; i++) {
        Node node = nodes.get(i);
        int peak = peak(values[i], node.mean());
        activities.add(
            new Activity(
                node.index(),
                node.layer(),
                node.kind(),
                node.channel(),
                node.head(),
                node.mean(),
                peak,
                values[i][peak],
                values[i][tokens.length - 1],
                ofCircuit - calibration.z(circuitWithout[i][0]),
                ofModel - fit.z(modelWithout[i][0])));
      }
      return activities;
    }

    /** Position furthest from the mean; of equal ones the last. */
    private static int peak(float[] values, double mean) {
      int peak = 0;
      for (int t = 1; t < values.length; t++) {
        if (Math.abs(values[t] - mean) >= Math.abs(values[peak] - mean)) {
          peak = t;
        }
      }
      return peak;
    }

    /** The strongest tokens of every channel that the circuit reads. */
    private List<Write> writes() {
      int d = session.config().model().dModel();
      float[] wte = model.readTensor("transformer.wte.weight");
      float[] wpe = model.readTensor("transformer.wpe.weight");
      TreeSet<Integer> channels = new TreeSet<>();
      nodes.stream()
          .filter(node -> node.kind().endsWith("_in"))
          .forEach(node -> channels.add(node.channel()));
      List<Write> writes = new ArrayList<>();
      for (int channel : channels) {
        IntStream.range(0, tokens.length)
            .mapToObj(
                t -> new Write(t, channel, embedded(wte, tokens[t], channel), wpe[t * d + channel]))
            .filter(write -> write.embedding() != 0)
            .sorted(
                Comparator.comparing((Write write) -> -Math.abs(write.embedding()))
                    .thenComparing(write -> -write.position()))
            .limit(WRITES_PER_CHANNEL)
            .forEach(writes::add);
      }
      return writes;
    }

    /** What a token writes into a residual channel. */
    private float embedded(float[] wte, int token, int channel) {
      TokenMask told = mask.tokens();
      return told == null || told.keep()[token]
          ? wte[token * session.config().model().dModel() + channel]
          : told.embedding()[channel];
    }

    /**
     * Every head with a node in the circuit, where the answer is read and where its layer writes.
     */
    private List<Head> heads(Examples example, List<Activity> activities, float[][] values) {
      Map<Integer, TreeSet<Integer>> headsOf = new TreeMap<>();
      for (Node node : nodes) {
        if (node.head() != null) {
          headsOf.computeIfAbsent(node.layer(), _ -> new TreeSet<>()).add(node.head());
        }
      }
      List<Head> heads = new ArrayList<>();
      headsOf.forEach(
          (layer, members) -> {
            TreeSet<Integer> queries = new TreeSet<>(List.of(tokens.length - 1));
            activities.stream()
                .filter(node -> node.layer() == layer && node.kind().equals("attn_out"))
                .max(Comparator.comparing(node -> Math.abs(node.atPeak() - node.mean())))
                .ifPresent(node -> queries.add(node.peak()));
            for (int head : members) {
              float[][] weights = model.attention(example, mask, layer, head)[0];
              for (int query : queries.descendingSet()) {
                heads.add(head(layer, head, query, weights[query], values));
              }
            }
          });
      return heads;
    }

    private Head head(int layer, int head, int query, float[] weights, float[][] values) {
      List<Look> looks =
          IntStream.rangeClosed(0, query)
              .mapToObj(t -> new Look(t, weights[t]))
              .filter(look -> look.weight() >= LEAST_LOOK)
              .sorted(Comparator.comparing(look -> -look.weight()))
              .limit(LOOKS)
              .toList();
      List<Move> moves = new ArrayList<>();
      for (int i = 0; i < nodes.size(); i++) {
        Node node = nodes.get(i);
        if (node.layer() != layer || !node.kind().equals("attn_v") || node.head() != head) {
          continue;
        }
        double total = 0;
        int from = 0;
        double part = 0;
        for (int t = 0; t <= query; t++) {
          double brought = (double) weights[t] * values[i][t];
          total += brought;
          if (Math.abs(brought) > Math.abs(part)) {
            part = brought;
            from = t;
          }
        }
        moves.add(new Move(node.index(), total, from, part));
      }
      moves.sort(Comparator.comparing(move -> -Math.abs(move.total())));
      return new Head(layer, head, query, looks, weights[weights.length - 1], moves);
    }

    private List<Passage> edges(
        Examples example, float[][] values, Calibration calibration, double ofCircuit) {
      Map<List<Integer>, float[][]> attention = new HashMap<>(); // by layer and head
      List<Passage> passages = new ArrayList<>();
      for (Edge edge : circuit.edges()) {
        int place = places.get(edge.source());
        Node source = nodes.get(place);
        float[] shown = new float[tokens.length]; // to the target, less what a closed source shows
        for (int t = 0; t < shown.length; t++) {
          shown[t] = values[place][t] - source.mean();
        }
        if (source.kind().equals("attn_v")) {
          shown =
              seen(
                  shown,
                  attention.computeIfAbsent(
                      List.of(source.layer(), source.head()),
                      _ -> model.attention(example, mask, source.layer(), source.head())[0]));
        }
        int peak = peak(shown, 0);
        double without = calibration.z(model.differences(example, mask.withEdges(allBut(edge)))[0]);
        passages.add(
            new Passage(
                edge.source(),
                edge.target(),
                edge.weight(),
                peak,
                edge.weight() * shown[peak],
                ofCircuit - without));
      }
      return passages;
    }

    private List<dev.filigree.Edge> allBut(Edge left) {
      return mask.edges().stream()
          .filter(edge -> edge.source() != left.source() || edge.target() != left.target())
          .toList();
    }

    /** What every query sees of a value: attention times it, over all positions. */
    private static float[] seen(float[] values, float[][] weights) {
      float[] seen = new float[values.length];
      for (int query = 0; query < seen.length; query++) {
        for (int t = 0; t <= query; t++) {
          seen[query] += weights[query][t] * values[t];
        }
      }
      return seen;
    }

    private Readout readout(Examples example, float[][] values) {
      int d = session.config().model().dModel();
      int last = tokens.length - 1;
      double[] written = new double[d]; // by the circuit, less the means
      double[] means = new double[d]; // of all nodes that write
      double[] embedded = new double[d];
      float[] wte = model.readTensor("transformer.wte.weight");
      float[] wpe = model.readTensor("transformer.wpe.weight");
      for (int c = 0; c < d; c++) {
        embedded[c] = (double) embedded(wte, tokens[last], c) + wpe[last * d + c];
      }
      for (Site site : writingSites()) {
        for (int c = 0; c < d; c++) {
          means[c] += mask.means()[site.offset() + c];
        }
      }
      Set<Integer> channels = new TreeSet<>();
      for (int i = 0; i < nodes.size(); i++) {
        Node node = nodes.get(i);
        if (node.kind().endsWith("_out")) {
          written[node.channel()] += values[i][last] - mask.means()[node.index()];
          channels.add(node.channel());
        }
      }
      double scale =
          mask.frozenNorms()
              ? inverseRms(residualOfModel(example, embedded))
              : inverseRms(
                  IntStream.range(0, d)
                      .mapToDouble(c -> embedded[c] + means[c] + written[c])
                      .toArray());
      double[] weights = answerWeights(d);
      List<Channel> parts =
          channels.stream()
              .filter(c -> weights[c] != 0)
              .map(c -> new Channel(c, written[c], weights[c], written[c] * weights[c] * scale))
              .sorted(Comparator.comparing(part -> -Math.abs(part.push())))
              .toList();
      return new Readout(
          model.differences(example, mask)[0],
          scale,
          parts,
          scale * product(embedded, weights),
          scale * product(means, weights),
          between(model.readTensor("final_logits_bias"), 0),
          session.config().model().enableBigramTable()
              ? between(
                  model.readTensor("bigram_table"),
                  tokens[last] * session.config().model().vocabSize())
              : 0);
    }

    private List<Site> writingSites() {
      return model.info().sites().stream().filter(site -> site.kind().endsWith("_out")).toList();
    }

    /** Unembedding of the first answer less that of the second, with the gain of the last norm. */
    private double[] answerWeights(int d) {
      float[] head = model.readTensor("lm_head.weight");
      float[] gain = model.readTensor("transformer.ln_f.weight");
      double[] weights = new double[d];
      Arrays.setAll(
          weights, c -> (double) gain[c] * (head[targets[0] * d + c] - head[targets[1] * d + c]));
      return weights;
    }

    /** The residual stream of the whole model where the answer is read. */
    private double[] residualOfModel(Examples example, double[] embedded) {
      double[] residual = embedded.clone();
      for (Site site : writingSites()) {
        int[] indices = IntStream.range(site.offset(), site.offset() + site.width()).toArray();
        float[][][] values = model.activations(example, mask.everything(), indices);
        for (int c = 0; c < residual.length; c++) {
          residual[c] += values[c][0][tokens.length - 1];
        }
      }
      return residual;
    }

    private double between(float[] values, int from) {
      return (double) values[from + targets[0]] - values[from + targets[1]];
    }

    private static double product(double[] a, double[] b) {
      return IntStream.range(0, a.length).mapToDouble(i -> a[i] * b[i]).sum();
    }

    /** One over the root mean square, as the norms of a model have it (method 1.7). */
    private static double inverseRms(double[] x) {
      double squares = Arrays.stream(x).map(value -> value * value).average().orElseThrow();
      return 1 / Math.sqrt(squares + Math.ulp(1.0f));
    }
  }
}
