// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.Engine;
import dev.filigree.EngineException;
import dev.filigree.circuit.Evidence;
import dev.filigree.data.AtomicFile;
import dev.filigree.experiment.QuickstartResult.Pretraining;
import dev.filigree.experiment.QuickstartResult.Side;
import dev.filigree.experiment.QuickstartResult.TaskRow;
import dev.filigree.experiment.StopRequest.Stopped;
import dev.filigree.json.Json;
import dev.filigree.task.TaskException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * From nothing to circuits: trains a sparse model, then a dense one to the same held-out loss,
 * prunes both for every task with the same effort, and checks the circuits.
 *
 * <p>The folder gets {@code sparse/} and {@code dense/}, two ordinary runs, and {@value #FILE}
 * ({@link QuickstartResult}). What is finished is kept: started again in the same folder it goes on
 * where it was.
 */
public final class Quickstart {
  /** File of the comparison in the folder. */
  public static final String FILE = "quickstart.json";

  /** Folders of the two runs below it. */
  public static final List<String> MODELS = List.of("sparse", "dense");

  /** The tasks of a quickstart that names no others: few enough for a quarter of an hour. */
  public static final List<String> TASKS =
      List.of(
          "single_double_quote",
          "final_kwarg",
          "set_or_string",
          "bracket_counting",
          "bracket_brace",
          "for_while");

  private final Engine engine;
  private final Path folder;
  private final RunConfig sparse;
  private final Presets preset;
  private final List<String> tasks;
  private final Progress progress;
  private boolean worked;
  private final StopRequest stop = new StopRequest();

  /**
   * Prepare.
   *
   * @param folder of the result
   * @param sparse configuration of the sparse model; the dense one is its {@link Presets#dense}
   * @param preset that it came from
   * @param tasks names of the tasks, in the order of the table
   */
  public Quickstart(
      Engine engine,
      Path folder,
      RunConfig sparse,
      Presets preset,
      List<String> tasks,
      Progress progress) {
    this.engine = engine;
    this.folder = folder;
    this.sparse = sparse;
    this.preset = preset;
    this.tasks = tasks.stream().distinct().toList();
    this.progress = progress;
  }

  /** Ask it to end soon, with a checkpoint if it is training; any thread. */
  public void stop() {
    stop.request();
  }

  /** A finished run. */
  private record Trained(Experiment run, double loss) {}

  /**
   * Do everything that has not been done.
   *
   * @return the comparison; empty when it was asked to stop
   * @throws RunException when the folder holds something made by another configuration
   */
  public Optional<QuickstartResult> run() {
    Elapsed elapsed = Elapsed.goingOn(folder);
    try {
      Trained first = train(open(MODELS.get(0), sparse));
      Experiment second = open(MODELS.get(1), Presets.dense(sparse, first.loss()));
      second.folder().takeData(first.run().folder());
      Trained other = train(second);
      List<Side> sparseSides = search(first);
      List<Side> denseSides = search(other);
      Pretraining losses = new Pretraining(first.loss(), other.loss());
      List<TaskRow> rows = new ArrayList<>();
      for (int i = 0; i < tasks.size(); i++) {
        rows.add(TaskRow.of(tasks.get(i), sparseSides.get(i), denseSides.get(i), losses.matched()));
      }
      return Optional.of(write(elapsed, losses, rows));
    } catch (Stopped _) {
      elapsed.remember();
      return Optional.empty();
    }
  }

  /** Make a run, or open the one that is there. */
  private Experiment open(String name, RunConfig config) {
    progress.phase("the %s model".formatted(name));
    Path path = folder.resolve(name);
    if (!RunFolder.exists(path)) {
      return Experiment.create(path, config, preset);
    }
    Experiment experiment = Experiment.open(path);
    if (!experiment.folder().config().equals(config)) {
      throw new RunException(
          "%s was made with another configuration; remove it or name another folder with --run"
              .formatted(path));
    }
    return experiment;
  }

  /** Train a model, or go on with it, or take the finished one. */
  private Trained train(Experiment experiment) throws Stopped {
    RunFolder run = experiment.folder();
    if (run.result().isEmpty()) {
      worked = true;
      TrainRun training = experiment.training(engine, progress);
      try (StopRequest.Part _ = stop.begin(training::stop)) {
        TrainRun.Result result =
            run.checkpoints().all().isEmpty()
                ? training.start()
                : training.resume(OptionalLong.empty());
        if (!result.finished()) {
          throw new Stopped();
        }
      }
    }
    return new Trained(experiment, run.result().orElseThrow().testXent());
  }

  /** Find and check the circuit of every task, or take what is there. */
  private List<Side> search(Trained trained) throws Stopped {
    RunFolder run = trained.run().folder();
    List<Side> sides = new ArrayList<>();
    try (CircuitSearch search = trained.run().circuits(engine, progress);
        StopRequest.Part _ = stop.begin(search::cancel)) {
      for (String task : tasks) {
        stop.check();
        sides.add(side(search, run, task));
      }
    } catch (EngineException.Cancelled _) {
      throw new Stopped();
    }
    return sides;
  }

  private Side side(CircuitSearch search, RunFolder run, String task) {
    try {
      Optional<Evidence> checked = run.currentEvidence(task);
      if (checked.isPresent()) {
        return Side.of(checked.get());
      }
      worked = true;
      if (!Files.isRegularFile(run.circuit(task))) {
        search.prune(task);
      }
    } catch (PruneRun.NotLearntException e) {
      progress.phase(e.getMessage());
    } catch (TaskException e) {
      progress.phase(e.getMessage());
      return Side.IMPOSSIBLE;
    }
    return Side.of(search.evidence(task, Effort.QUICK, false));
  }

  private QuickstartResult write(Elapsed elapsed, Pretraining losses, List<TaskRow> rows) {
    if (worked) {
      elapsed.remember();
    }
    double seconds = worked ? elapsed.seconds() : elapsed.before();
    QuickstartResult result = new QuickstartResult(seconds, losses, rows);
    try {
      AtomicFile.write(
          folder.resolve(FILE),
          (Json.tree(result).toPrettyString() + "\n").getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new RunException("cannot write the comparison: " + e.getMessage(), e);
    }
    return result;
  }
}
