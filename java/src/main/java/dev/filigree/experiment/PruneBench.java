// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.Calibration;
import dev.filigree.CircuitMask;
import dev.filigree.FoundCircuit;
import dev.filigree.Model;
import dev.filigree.TaskStats;
import dev.filigree.circuit.Checks;
import dev.filigree.circuit.Evidence;
import dev.filigree.data.AtomicFile;
import dev.filigree.data.Hashes;
import dev.filigree.json.Json;
import dev.filigree.statistics.Bootstrap;
import dev.filigree.task.Task;
import dev.filigree.task.TaskException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;

/**
 * Times both pruning methods on the tasks that a model does, each alone and with the same examples,
 * means and target. What they have in common is made before the clock starts.
 */
public final class PruneBench {
  private final CircuitSearch session;
  private final int runs;
  private final Path record;

  /**
   * Prepare.
   *
   * @param runs of the published method's search
   * @param record file that is written after every task, so that a bench that was stopped goes on;
   *     what else it holds stays. Null for none
   */
  public PruneBench(CircuitSearch session, int runs, Path record) {
    this.session = session;
    this.runs = runs;
    this.record = record;
  }

  /**
   * What one method found for a task.
   *
   * @param seconds wall time of the search
   * @param weights nonzero weights between the nodes: edges as the published method counts them
   * @param reached whether the target is kept on validation examples
   * @param holds whether the final loss is low enough for evidence to count the circuit
   * @param git commit of the sources that searched; null where unknown
   * @param madeBy hash of the model, the examples, the search, the version of the methods, the
   *     device and the threads: a search that has it is not made again
   */
  public record Found(
      double seconds,
      int nodes,
      int edges,
      int weights,
      double lossValidation,
      double lossFinal,
      boolean reached,
      boolean holds,
      String git,
      String madeBy) {}

  /**
   * One task that the model does.
   *
   * @param modelLossFinal of the whole model
   */
  public record Row(String task, double modelLossFinal, Found fast, Found published) {
    private List<Found> both() {
      return List.of(fast, published);
    }
  }

  /**
   * Over all rows.
   *
   * @param secondsRatio wall time of the published method for one second of the fast one
   */
  public record Totals(Sum fast, Sum published, double secondsRatio) {}

  /**
   * One method over all rows.
   *
   * @param nodes geometric mean over the tasks where both methods reached the target; null where
   *     there is none
   * @param edges the same, a circuit without edges counted as one
   * @param weights the same of what the published method counts as edges
   * @param holds circuits that hold on final examples
   */
  public record Sum(
      double seconds, double mostSeconds, Double nodes, Double edges, Double weights, int holds) {}

  /**
   * Everything.
   *
   * @param threads of the native core
   * @param totals null without rows
   * @param target two-way loss of the searches, nats
   * @param runs of the published method's search
   * @param skipped tasks that the model does not do or its vocabulary cannot express
   */
  public record Result(
      String run,
      long step,
      String device,
      int threads,
      double target,
      int runs,
      List<Row> tasks,
      List<String> skipped,
      Totals totals) {}

  /**
   * Measure some tasks, one after the other, but for the searches that the record has already.
   *
   * @throws RunException when the record cannot be read or written
   */
  public Result run(List<Task> tasks) {
    CircuitConfig search = session.config().prune().withRuns(runs);
    CircuitConfig fast = search.withMethod(PruneMethod.FAST);
    float[] means = session.means(search);
    List<Row> recorded = recorded();
    List<Row> rows = new ArrayList<>();
    List<String> skipped = new ArrayList<>();
    for (Task task : tasks) {
      try (TaskExamples examples = session.examples(task, search)) {
        Evidence.Scores whole = session.whole(examples);
        if (!Checks.Gate.admits(whole, Checks.Gate.limitOfSearch(search.targetLoss()))) {
          skipped.add(task.name());
          continue;
        }
        Function<CircuitConfig, Found> measured =
            how -> {
              String madeBy = madeBy(examples, how);
              return recorded.stream()
                  .flatMap(row -> row.both().stream())
                  .filter(found -> found.madeBy().equals(madeBy))
                  .findFirst()
                  .orElseGet(() -> measure(how, examples, means, whole, madeBy));
            };
        rows.add(
            new Row(
                task.name(),
                whole.last().loss(),
                measured.apply(fast),
                measured.apply(search.withMethod(PruneMethod.PUBLISHED))));
        write(result(search, rows, others(recorded, rows), skipped));
      } catch (TaskException e) {
        session.progress().phase(e.getMessage());
        skipped.add(task.name());
      }
    }
    write(result(search, rows, others(recorded, rows), skipped)); // with those skipped at the end
    return result(search, rows, List.of(), skipped);
  }

  private static List<Row> others(List<Row> recorded, List<Row> rows) {
    return recorded.stream()
        .filter(row -> rows.stream().allMatch(one -> disjoint(one, row)))
        .toList();
  }

  private static boolean disjoint(Row a, Row b) {
    return Collections.disjoint(
        a.both().stream().map(Found::madeBy).toList(),
        b.both().stream().map(Found::madeBy).toList());
  }

  /**
   * Put a result together.
   *
   * @param others rows of the record that were made otherwise: they are kept and not counted
   */
  private Result result(
      CircuitConfig search, List<Row> rows, List<Row> others, List<String> skipped) {
    return new Result(
        session.folder().name(),
        session.checkpoint().step(),
        session.model().info().device(),
        session.threads(),
        search.targetLoss(),
        runs,
        Stream.concat(rows.stream(), others.stream()).toList(),
        List.copyOf(skipped),
        totals(rows));
  }

  private String madeBy(TaskExamples examples, CircuitConfig search) {
    ObjectNode how = (ObjectNode) Json.tree(search);
    how.remove(search.method() == PruneMethod.FAST ? "published" : "fast"); // the other's own
    String from =
        Json.write(session.source(examples))
            + how
            + search.method().version()
            + session.model().info().device()
            + session.threads();
    return Hashes.hex(from.getBytes(StandardCharsets.UTF_8));
  }

  private List<Row> recorded() {
    if (record == null || !Files.exists(record)) {
      return List.of();
    }
    try {
      return Json.read(Files.readString(record), Result.class).tasks();
    } catch (IOException | IllegalArgumentException e) {
      throw new RunException("cannot go on with " + record + ": " + e.getMessage(), e);
    }
  }

  private void write(Result result) {
    if (record == null) {
      return;
    }
    try {
      String text = Json.tree(result).toPrettyString() + "\n";
      AtomicFile.write(record, text.getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new RunException("cannot write " + record + ": " + e.getMessage(), e);
    }
  }

  private Found measure(
      CircuitConfig search,
      TaskExamples examples,
      float[] means,
      Evidence.Scores whole,
      String madeBy) {
    Model model = session.model();
    long begin = System.nanoTime();
    FoundCircuit found = PruneRun.find(model, search, examples, means, session.progress());
    double seconds = (System.nanoTime() - begin) / 1e9;
    CircuitMask mask = found.mask(means, search.options().frozenNorms());
    Calibration fit = PruneRun.calibration(model, search, examples, found, mask);
    TaskStats validation = model.evaluate(examples.validation(), mask, fit.scale(), fit.shift());
    TaskStats last = model.evaluate(examples.last(), mask, fit.scale(), fit.shift());
    return new Found(
        seconds,
        found.nodes(),
        found.edges().size(),
        model.edges(found.keep()).size(),
        validation.loss(),
        last.loss(),
        Checks.reaches(validation.loss(), search.targetLoss()),
        last.loss() <= Checks.finalLimit(whole),
        Experiment.git(),
        madeBy);
  }

  private static Totals totals(List<Row> rows) {
    if (rows.isEmpty()) {
      return null;
    }
    List<Row> reached =
        rows.stream().filter(row -> row.fast().reached() && row.published().reached()).toList();
    Sum fast = sum(rows, reached, Row::fast);
    Sum published = sum(rows, reached, Row::published);
    return new Totals(fast, published, published.seconds() / fast.seconds());
  }

  private static Sum sum(List<Row> rows, List<Row> reached, Function<Row, Found> method) {
    List<Found> found = rows.stream().map(method).toList();
    List<Found> counted = reached.stream().map(method).toList();
    return new Sum(
        found.stream().mapToDouble(Found::seconds).sum(),
        found.stream().mapToDouble(Found::seconds).max().orElse(0),
        geometricMean(counted, Found::nodes),
        geometricMean(counted, Found::edges),
        geometricMean(counted, Found::weights),
        (int) found.stream().filter(Found::holds).count());
  }

  private static Double geometricMean(List<Found> found, ToDoubleFunction<Found> size) {
    return Bootstrap.geometricMean(
            found.stream().map(one -> Math.max(1, size.applyAsDouble(one))).toList())
        .orElse(null);
  }
}
