// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.Engine;
import dev.filigree.EngineException;
import dev.filigree.circuit.Circuit;
import dev.filigree.data.AtomicFile;
import dev.filigree.data.Tokenizer;
import dev.filigree.experiment.CompareCellResult.Outcome;
import dev.filigree.experiment.CompareCellResult.Point;
import dev.filigree.experiment.CompareCellResult.Search;
import dev.filigree.experiment.StopRequest.Stopped;
import dev.filigree.json.Json;
import dev.filigree.task.ExampleBuilder;
import dev.filigree.task.TaskException;
import dev.filigree.task.Tasks;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * The searches of a comparison: the same ones in every cell, each a file that is named by all that
 * it comes from.
 */
final class CompareSearches {
  private final Engine engine;
  private final CompareConfig plan;
  private final Progress progress;
  private final StopRequest stop;
  private final String git = Experiment.git();
  private final Map<String, String> examples; // what they are, by task

  /**
   * Prepare.
   *
   * @param text that the cells read
   * @param stop ends a search
   */
  CompareSearches(
      Engine engine, CompareConfig plan, RunFolder text, Progress progress, StopRequest stop) {
    this.engine = engine;
    this.plan = plan;
    this.progress = progress;
    this.stop = stop;
    progress.phase("making the examples of %d tasks".formatted(plan.tasks().size()));
    this.examples = examples(plan, text);
  }

  /** Searches of other examples are other searches: a task may have changed. */
  private static Map<String, String> examples(CompareConfig plan, RunFolder text) {
    Map<String, String> examples = new HashMap<>();
    Tokenizer tokenizer = Tokenizer.load(text.tokenizer());
    int longest = plan.base().model().blockSize();
    for (String task : plan.tasks()) {
      ExampleBuilder builder = new ExampleBuilder(Tasks.named(task), tokenizer, longest);
      try {
        examples.put(task, Json.write(TaskExamples.hashes(builder, plan.base().prune())));
      } catch (TaskException e) {
        examples.put(task, e.getMessage());
      }
    }
    return examples;
  }

  /** How many tasks have not been searched in a cell. */
  int open(CompareCellFolder place) {
    if (place.hasDiverged()) {
      return 0;
    }
    return (int) plan.tasks().stream().filter(task -> read(place, task).isEmpty()).count();
  }

  /** Find the circuits that have not been looked for. */
  void search(CompareCellFolder place) throws Stopped {
    List<String> open = plan.tasks().stream().filter(task -> read(place, task).isEmpty()).toList();
    if (open.isEmpty()) {
      return;
    }
    RunFolder run = RunFolder.open(place.path());
    try (CircuitSearch search =
            CircuitSearch.open(
                engine, run, place.cell().config(), List.of(), OptionalLong.empty(), progress);
        StopRequest.Part _ = stop.begin(search::cancel)) {
      for (String task : open) {
        stop.check();
        CompareCellFolder.write(
            file(place, task), Json.tree(find(search, place, task)).toPrettyString() + "\n");
      }
    } catch (EngineException.Cancelled _) {
      throw new Stopped();
    }
  }

  /** Make the circuits of the run those that count: another plan may have left its own there. */
  void showCounted(CompareCellFolder place) {
    if (place.hasDiverged()) {
      return;
    }
    RunFolder run = RunFolder.open(place.path());
    try {
      for (String task : plan.tasks()) {
        Path counted = circuitFile(place, task);
        Path shown = run.circuit(task);
        if (Files.exists(counted)
            && (!Files.exists(shown) || Files.mismatch(counted, shown) >= 0)) {
          run.forgetEvidence(task);
          AtomicFile.write(shown, Files.readAllBytes(counted));
        }
      }
    } catch (IOException e) {
      throw new RunException("cannot write to " + run.path() + ": " + e.getMessage(), e);
    }
  }

  /**
   * Search the circuits of a task for all losses at once, in every model alike: each is the
   * smallest that was found for its loss or a stricter one. The one that counts is kept beside the
   * figures.
   */
  private Search find(CircuitSearch search, CompareCellFolder place, String task) {
    long begin = System.nanoTime();
    try {
      List<Circuit> circuits = search.find(task, plan.losses(), plan.target());
      Circuit counted = circuits.get(plan.losses().indexOf(plan.target()));
      counted.write(circuitFile(place, task));
      Circuit.Losses losses = counted.losses();
      return new Search(
          task,
          Outcome.SEARCHED,
          losses.validation().model().loss(),
          losses.last().model().loss(),
          (System.nanoTime() - begin) / 1e9,
          git,
          circuits.stream().map(CompareSearches::point).toList());
    } catch (PruneRun.NotLearntException e) {
      progress.phase(e.getMessage());
      return new Search(
          task,
          Outcome.NOT_LEARNT,
          e.model().validation().loss(),
          e.model().last().loss(),
          (System.nanoTime() - begin) / 1e9,
          git,
          List.of());
    } catch (TaskException e) {
      progress.phase(e.getMessage());
      double seconds = (System.nanoTime() - begin) / 1e9;
      return new Search(task, Outcome.IMPOSSIBLE, null, null, seconds, git, List.of());
    } catch (IOException e) {
      throw new RunException("cannot write to " + place.path() + ": " + e.getMessage(), e);
    }
  }

  private static Point point(Circuit circuit) {
    return new Point(
        circuit.targetLoss(),
        circuit.reached(),
        circuit.counts().nodes(),
        circuit.counts().edges(),
        circuit.counts().weights(),
        circuit.counts().extendedEdges(),
        circuit.losses().validation().circuit().loss(),
        circuit.losses().last().circuit().loss());
  }

  /** A search; its name says how it was made, so another one is never taken for it. */
  private Path file(CompareCellFolder place, String task) {
    return place.path().resolve("searches").resolve(searchName(place, task) + ".json");
  }

  /** The circuit of the search that counts. */
  private Path circuitFile(CompareCellFolder place, String task) {
    return place.path().resolve("searches").resolve(searchName(place, task) + ".circuit.json");
  }

  private String searchName(CompareCellFolder place, String task) {
    return task
        + "-"
        + CompareCellFolder.hash(
            "%d %d %d %s %s %s %s"
                .formatted(
                    CompareCellFolder.FORMAT,
                    Circuit.FORMAT,
                    plan.base().prune().method().version(),
                    Experiment.version(),
                    examples.get(task),
                    plan.target() + " " + plan.losses(),
                    Json.write(place.cell().config().prune())));
  }

  /** Return a search that was made in this very way. */
  Optional<Search> read(CompareCellFolder place, String task) {
    Path file = file(place, task);
    if (!Files.exists(file)) {
      return Optional.empty();
    }
    try {
      Search search = Json.read(Files.readString(file), Search.class);
      boolean complete =
          search.outcome() != Outcome.SEARCHED || Files.exists(circuitFile(place, task));
      return complete ? Optional.of(search) : Optional.empty();
    } catch (IOException | IllegalArgumentException e) {
      throw new RunException("cannot read " + file + ": " + e.getMessage(), e);
    }
  }
}
