// SPDX-License-Identifier: Apache-2.0
package dev.filigree.report;

import com.fasterxml.jackson.databind.JsonNode;
import dev.filigree.data.DataException;
import dev.filigree.data.Hashes;
import dev.filigree.experiment.RunFolder;
import dev.filigree.json.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * One run: what run.json says of it, and what happened by metrics.jsonl.
 *
 * @param label "sparse", "dense", or the name of the run
 * @param preset null where it was started from none
 * @param configHash SHA-256 of the configuration
 * @param git commit of the sources; null where unknown
 * @param versions of Filigree, JVM, LibTorch and the C interface, by name
 * @param machine in words
 * @param layers of the model
 * @param width of the residual stream
 * @param heads per layer
 * @param headSize channels per head
 * @param neurons per layer
 * @param vocabulary number of tokens
 * @param kept fraction of activations that AbsTopK keeps; null for all
 * @param corpora names and relative weights
 * @param steps finished
 * @param tokens trained on
 * @param seconds spent in training steps
 * @param wallSeconds of the whole training, preparation included; null while it is not finished
 * @param nonzeros weights that are not zero; null before the first line of metrics
 * @param parameters weights in all; null before the first line of metrics
 * @param loss last held-out loss, nats per token; null before the first
 * @param losses the same by corpus
 * @param curves of training
 */
record RunView(
    String label,
    String name,
    String preset,
    String created,
    long seed,
    String configHash,
    String git,
    Map<String, String> versions,
    String machine,
    int layers,
    int width,
    int heads,
    int headSize,
    int neurons,
    int vocabulary,
    Double kept,
    Map<String, Double> corpora,
    long steps,
    long tokens,
    double seconds,
    Double wallSeconds,
    Long nonzeros,
    Long parameters,
    Double loss,
    Map<String, Double> losses,
    Curves curves) {

  /** Points of {@code [tokens, value]}, in order. */
  record Curves(
      List<double[]> train,
      List<double[]> heldOut,
      List<double[]> density,
      List<double[]> nonzeros,
      List<double[]> speed) {}

  /** Points that a curve is thinned to: more than a screen has columns for one chart. */
  private static final int POINTS = 300;

  private static final String BY_CORPUS = "test_xent/";

  static RunView of(String label, RunFolder run) {
    JsonNode manifest = run.manifest();
    JsonNode config = manifest.path("config");
    JsonNode model = config.path("model");
    JsonNode engine = manifest.path("engine");
    Map<String, Double> corpora = new LinkedHashMap<>();
    manifest
        .path("corpora")
        .forEach(c -> corpora.put(c.path("name").asText(), c.path("share").asDouble()));
    Optional<RunFolder.Result> result = run.result();
    Metrics metrics = new Metrics();
    long tokensPerStep =
        config.at("/train/batch_size").asLong() * config.at("/train/seq_len").asLong();
    for (JsonNode line : lines(run)) {
      metrics.add(line, tokensPerStep);
    }
    return new RunView(
        label,
        run.name(),
        text(manifest.path("preset")),
        manifest.path("created").asText(),
        manifest.path("seed").asLong(),
        Hashes.hex(config.toString().getBytes(StandardCharsets.UTF_8)),
        text(manifest.path("git")),
        versions(manifest),
        machine(manifest.path("machine"), engine),
        model.path("n_layer").asInt(),
        model.path("d_model").asInt(),
        model.path("n_head").asInt(),
        model.path("d_head").asInt(),
        model.path("d_mlp").asInt(),
        model.path("vocab_size").asInt(),
        Page.number(model.path("afrac")),
        corpora,
        result.map(RunFolder.Result::step).orElse(metrics.steps),
        result.map(RunFolder.Result::elapsedTokens).orElse(metrics.tokens),
        metrics.seconds,
        result.map(RunFolder.Result::seconds).orElse(null),
        metrics.nonzeros,
        metrics.parameters,
        metrics.loss,
        metrics.losses,
        new Curves(
            thin(metrics.train),
            thin(metrics.heldOut),
            thin(metrics.density),
            thin(metrics.nonzeroCounts),
            thin(metrics.speed)));
  }

  private static Map<String, String> versions(JsonNode manifest) {
    Map<String, String> versions = new LinkedHashMap<>();
    versions.put("Filigree", text(manifest.at("/versions/filigree")));
    versions.put("C interface", text(manifest.at("/engine/build/abi")));
    versions.put("LibTorch", text(manifest.at("/engine/build/libtorch")));
    versions.put("JVM", text(manifest.at("/versions/java")));
    return versions;
  }

  private static String machine(JsonNode machine, JsonNode engine) {
    return "%s, %s, %d cores, %s threads, device %s, %s"
        .formatted(
            machine.path("os").asText("unknown system"),
            machine.path("arch").asText("unknown processor"),
            machine.path("cores").asInt(),
            engine.at("/runtime/threads").asText("?"),
            engine.path("device").asText("?"),
            engine.at("/runtime/cpu").asText("?"));
  }

  private static String text(JsonNode node) {
    return node.isValueNode() && !node.isNull() ? node.asText() : null;
  }

  private static List<JsonNode> lines(RunFolder run) {
    List<JsonNode> lines = new ArrayList<>();
    if (!Files.exists(run.metrics())) {
      return lines;
    }
    try {
      for (String line : Files.readAllLines(run.metrics())) {
        try {
          lines.add(Json.parse(line));
        } catch (IllegalArgumentException _) {
          // The last line of a run that is writing it, or that was killed.
          continue;
        }
      }
    } catch (IOException e) {
      throw new DataException("cannot read " + run.metrics() + ": " + e.getMessage(), e);
    }
    return lines;
  }

  /** Average neighbours until there are few enough; the last point stays as it is. */
  static List<double[]> thin(List<double[]> points) {
    if (points.size() <= POINTS) {
      return points;
    }
    List<double[]> thinned = new ArrayList<>();
    int last = points.size() - 1;
    for (int i = 0; i < POINTS - 1; i++) {
      int from = (int) ((long) i * last / (POINTS - 1));
      int to = (int) ((long) (i + 1) * last / (POINTS - 1));
      double[] mean = new double[2];
      for (double[] point : points.subList(from, to)) {
        mean[0] += point[0] / (to - from);
        mean[1] += point[1] / (to - from);
      }
      thinned.add(mean);
    }
    thinned.add(points.get(last));
    return thinned;
  }

  /** What the lines of metrics.jsonl add up to. */
  private static final class Metrics {
    private final List<double[]> train = new ArrayList<>();
    private final List<double[]> heldOut = new ArrayList<>();
    private final List<double[]> density = new ArrayList<>();
    private final List<double[]> nonzeroCounts = new ArrayList<>();
    private final List<double[]> speed = new ArrayList<>();
    private final Map<String, Double> losses = new LinkedHashMap<>();
    private long steps;
    private long tokens;
    private double seconds;
    private Long nonzeros;
    private Long parameters;
    private Double loss;

    void add(JsonNode line, long tokensPerStep) {
      steps = Math.max(steps, line.path("step").asLong());
      if (line.has("test_xent")) {
        loss = line.path("test_xent").asDouble();
        heldOut.add(new double[] {line.path("step").asLong() * (double) tokensPerStep, loss});
        line.properties().stream()
            .filter(field -> field.getKey().startsWith(BY_CORPUS))
            .forEach(
                field ->
                    losses.put(
                        field.getKey().substring(BY_CORPUS.length()), field.getValue().asDouble()));
      }
      if (line.has("elapsed_tokens")) {
        long now = line.path("elapsed_tokens").asLong();
        double rate = line.path("tokens_per_second").asDouble();
        seconds += rate > 0 ? (now - tokens) / rate : 0;
        tokens = now;
        train.add(new double[] {now, line.path("xent").asDouble()});
        density.add(new double[] {now, line.path("pfrac").asDouble()});
        speed.add(new double[] {now, rate});
        nonzeros = line.path("L0").asLong();
        nonzeroCounts.add(new double[] {now, nonzeros});
        // weight_sparsity is the share of zeros.
        double live = 1 - line.path("weight_sparsity").asDouble();
        parameters = live > 0 ? Math.round(nonzeros / live) : null;
      }
    }
  }
}
