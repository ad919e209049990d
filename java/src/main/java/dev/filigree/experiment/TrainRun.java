// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.Engine;
import dev.filigree.EngineException;
import dev.filigree.Model;
import dev.filigree.TrainStats;
import dev.filigree.Trainer;
import dev.filigree.data.TokenFileInfo;
import dev.filigree.experiment.Checkpoints.Checkpoint;
import dev.filigree.json.Json;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/**
 * Trains the model of a run: makes the tokenizer and the token files if they are missing, trains in
 * chunks of steps, writes metrics, held-out losses and checkpoints as the configuration says.
 */
public final class TrainRun {
  /** A chunk of steps takes about this long, so that progress moves and a stop is heard. */
  private static final double CHUNK_SECONDS = 0.5;

  private final Engine engine;
  private final RunFolder folder;
  private final RunConfig config;
  private final Progress progress;
  private volatile boolean stop;

  TrainRun(Engine engine, RunFolder folder, Progress progress) {
    this.engine = engine;
    this.folder = folder;
    this.config = folder.config();
    this.progress = progress;
  }

  /**
   * How a training run ended.
   *
   * @param finished false when it was asked to stop
   * @param stats of the last steps; null when a resumed run had none left to do
   * @param loss held-out loss over the mix, nats per token; NaN when it was asked to stop
   * @param losses the same by corpus
   * @param checkpoint the last one
   * @param seconds wall time, preparation and all processes included that worked on the run
   */
  public record Result(
      boolean finished,
      TrainStats stats,
      double loss,
      Map<String, Double> losses,
      Checkpoint checkpoint,
      double seconds) {}

  /** Ask the run to write a checkpoint and return, after the steps it is at; any thread. */
  public void stop() {
    stop = true;
  }

  /** Train from step 0. */
  public Result start() {
    Elapsed elapsed = Elapsed.anew(folder.path());
    try (PreparedData data = PreparedData.prepare(folder, config, progress)) {
      record(data);
      folder.truncateMetrics(-1);
      try (Model model = engine.createModel(config.model(), config.init());
          Trainer trainer = model.trainer(config.train(), data.trainStreams())) {
        teach(trainer, data);
        recordPlan(trainer.profile());
        return loop(model, trainer, data, 0, elapsed);
      }
    }
  }

  /**
   * Go on from a checkpoint, the last one if none is asked for. The outcome is that of a run that
   * was never interrupted, bit for bit.
   */
  public Result resume(OptionalLong step) {
    Elapsed elapsed = Elapsed.goingOn(folder.path());
    Checkpoint from =
        step.isPresent() ? folder.checkpoints().at(step.getAsLong()) : folder.checkpoints().last();
    try (PreparedData data = PreparedData.open(folder, config)) {
      requireSameCorpora(data);
      folder.truncateMetrics(from.step());
      progress.phase("going on from step " + from.step());
      try (Model model = engine.loadModel(from.path(), config.init().execution());
          Trainer trainer = model.resume(from.path(), data.trainStreams())) {
        teach(trainer, data);
        return loop(model, trainer, data, from.step(), elapsed);
      }
    }
  }

  /** Give the trainer the teacher that run.json names, if the configuration asks for one. */
  private void teach(Trainer trainer, PreparedData data) {
    if (config.train().distill().weight() == 0) {
      return;
    }
    Teacher teacher = folder.teacher().orElseThrow(() -> new ConfigException(Teacher.MISSING));
    progress.phase("learning from " + teacher.run());
    Checkpoint checkpoint = teacher.checkpoint(data.tokenizer());
    // The trainer keeps it alive.
    try (Model model = engine.loadModel(checkpoint.path(), config.init().execution())) {
      trainer.teacher(model);
    }
  }

  private Result loop(Model model, Trainer trainer, PreparedData data, long from, Elapsed elapsed) {
    RunConfig.Cadence cadence = config.run();
    long steps = config.train().steps();
    long step = from;
    long chunk = 1;
    Window window = new Window();
    TrainStats stats = null;
    Checkpoint checkpoint = null;
    Map<String, Double> losses = Map.of();
    boolean finished = step == steps;
    if (step == 0) {
      evaluate(model, data, 0);
    } else if (finished || cadence.stopLoss() != null && step % cadence.evalEvery() == 0) {
      // In the metrics already.
      losses = losses(model, data);
      finished |= reached(data, losses);
    }
    while (!finished && !stop) {
      long boundary =
          Math.min(
              Math.min(next(step, cadence.logEvery()), next(step, cadence.evalEvery())),
              Math.min(next(step, cadence.checkpointEvery()), steps));
      try {
        stats = trainer.step(Math.min(chunk, boundary - step));
      } catch (EngineException.Diverged e) {
        throw diverged(e);
      }
      long done = stats.step() - step;
      step = stats.step();
      window.add(stats, done);
      chunk = Math.max(1, (long) (CHUNK_SECONDS * done / Math.max(stats.seconds(), 1e-6)));
      double tokensPerSecond = done * tokensPerStep() / Math.max(stats.seconds(), 1e-9);
      progress.trained(stats, steps, tokensPerSecond);
      if (step % cadence.logEvery() == 0 || step == steps) {
        log(trainer, stats, window);
        window = new Window();
      }
      finished = step == steps;
      if (step % cadence.evalEvery() == 0 || finished) {
        losses = evaluate(model, data, step);
        finished |= reached(data, losses);
      }
      if (step % cadence.checkpointEvery() == 0 && !finished) {
        checkpoint = save(trainer, step);
        elapsed.remember();
      }
    }
    if (step > from || folder.checkpoints().all().isEmpty()) {
      checkpoint = save(trainer, step);
    } else {
      checkpoint = folder.checkpoints().at(step);
    }
    double loss = finished ? data.mean(losses) : Double.NaN;
    elapsed.remember();
    double seconds = elapsed.seconds();
    if (finished && folder.result().isEmpty()) {
      long tokens = Math.round(step * tokensPerStep());
      folder.writeResult(new RunFolder.Result(step, tokens, loss, losses, seconds));
    }
    return new Result(finished, stats, loss, losses, checkpoint, seconds);
  }

  private boolean reached(PreparedData data, Map<String, Double> losses) {
    Double target = config.run().stopLoss();
    return target != null && data.mean(losses) <= target;
  }

  private static long next(long step, long every) {
    return (step / every + 1) * every;
  }

  private double tokensPerStep() {
    return (double) config.train().batchSize() * config.train().seqLen();
  }

  private Checkpoint save(Trainer trainer, long step) {
    try {
      Checkpoint checkpoint = folder.checkpoints().write(step, trainer::save);
      folder.checkpoints().prune(config.run().keepCheckpoints());
      return checkpoint;
    } catch (EngineException.Diverged e) {
      throw diverged(e);
    }
  }

  private RunException diverged(EngineException.Diverged e) {
    var checkpoints = folder.checkpoints().all();
    String kept =
        checkpoints.isEmpty()
            ? "there is no checkpoint yet"
            : "the last good checkpoint is that of step " + checkpoints.getLast().step();
    return new DivergedException(
        "training has diverged: %s; %s. A lower learning rate may help: --set train.lr=%s"
            .formatted(e.getMessage(), kept, config.train().lr() / 2),
        e);
  }

  /** Training stopped because a loss or gradient was not finite. */
  public static final class DivergedException extends RunException {
    private static final long serialVersionUID = 1L;

    DivergedException(String message, Throwable cause) {
      super(message, cause);
    }
  }

  /** What happened since the last line of metrics. */
  private static final class Window {
    private double loss;
    private double seconds;
    private long steps;

    void add(TrainStats stats, long done) {
      loss += stats.meanLoss() * done;
      seconds += stats.seconds();
      steps += done;
    }
  }

  private void log(Trainer trainer, TrainStats stats, Window window) {
    ObjectNode line = Json.object();
    line.put("step", stats.step());
    line.put("elapsed_tokens", stats.tokens());
    line.put("xent", window.loss / window.steps);
    line.put("lr", stats.lr());
    line.put("pfrac", stats.density());
    line.put("grad_norm", stats.gradNorm());
    line.put("tokens_per_second", window.steps * tokensPerStep() / window.seconds);
    line.setAll((ObjectNode) trainer.metrics());
    folder.appendMetrics(line);
  }

  private Map<String, Double> losses(Model model, PreparedData data) {
    return data.losses(model, config.run().evalBatch(), config.run().evalSequences());
  }

  private Map<String, Double> evaluate(Model model, PreparedData data, long step) {
    Map<String, Double> losses = losses(model, data);
    double loss = data.mean(losses);
    ObjectNode line = Json.object();
    line.put("step", step);
    line.put("test_xent", loss);
    losses.forEach((corpus, value) -> line.put("test_xent/" + corpus, value));
    folder.appendMetrics(line);
    progress.evaluated(step, loss, losses);
    return losses;
  }

  /** Write what the run is made from, now that it is known, into run.json. */
  private void record(PreparedData data) {
    ObjectNode manifest = (ObjectNode) folder.manifest();
    ArrayNode corpora = manifest.putArray("corpora");
    for (TokenFileInfo info : data.infos()) {
      corpora
          .addObject()
          .put("name", info.corpus())
          .put("share", info.share())
          .put("hash", info.corpusHash())
          .put("documents", info.documents())
          .put("tokens", info.tokens())
          .set("skipped", Json.tree(info.skipped()));
    }
    manifest
        .putObject("tokenizer")
        .put("hash", data.tokenizer().hash())
        .put("size", data.tokenizer().vocabularySize());
    ObjectNode native_ = manifest.putObject("engine");
    native_.put("device", engine.options().device());
    native_.set("build", engine.info().build());
    native_.set("runtime", engine.info().runtime());
    folder.writeManifest(manifest);
  }

  /** Write how the core will compute into run.json. */
  private void recordPlan(JsonNode profile) {
    ObjectNode manifest = (ObjectNode) folder.manifest();
    ObjectNode plan = manifest.withObject("engine").putObject("plan");
    plan.set("name", profile.get("plan"));
    for (String key : List.of("crossover", "dense_crossover")) {
      if (profile.has(key)) {
        plan.set(key, profile.get(key));
      }
    }
    folder.writeManifest(manifest);
  }

  private void requireSameCorpora(PreparedData data) {
    for (JsonNode recorded : folder.manifest().path("corpora")) {
      String name = recorded.path("name").asText();
      for (TokenFileInfo info : data.infos()) {
        if (info.corpus().equals(name)
            && !info.corpusHash().equals(recorded.path("hash").asText())) {
          throw new RunException(
              "the token files of corpus %s are not those the run was started with"
                  .formatted(name));
        }
      }
    }
  }
}
