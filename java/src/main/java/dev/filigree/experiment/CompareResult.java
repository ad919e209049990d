// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.filigree.experiment.CompareCellResult.Kind;
import dev.filigree.experiment.CompareCellResult.Outcome;
import dev.filigree.experiment.CompareCellResult.Point;
import dev.filigree.experiment.CompareCellResult.Search;
import dev.filigree.experiment.DenseLadder.Pair;
import dev.filigree.experiment.DenseLadder.Rung;
import dev.filigree.experiment.DenseLadder.Size;
import dev.filigree.statistics.Bootstrap;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Sparse models against a ladder of dense ones.
 *
 * <p>A ratio says how many times as large the circuit of a dense model with the sparse one's
 * held-out loss is: its size is interpolated between the two dense models around that loss, task by
 * task. It is taken over the tasks that all three do, as a geometric mean, with the 95% interval
 * that resampling of the tasks gives. Where the loss lies outside of the ladder there is none.
 *
 * @param preset that the models are variations of
 * @param target two-way loss at which circuits are counted, nats per sequence
 * @param middle name of the sparse model that the ratios are about
 * @param edgeRatio edges of dense over those of sparse; null where there is none
 * @param interval its 95% interval; null with fewer than two tasks
 * @param nodeRatio the same of nodes
 * @param nodeInterval its 95% interval
 * @param weightRatio the same of all nonzero weights between the nodes, which the published method
 *     counts as edges
 * @param weightInterval its 95% interval
 * @param tasks one row for each, about the middle of the grid
 * @param cells every model
 * @param curve sizes against loss, of the middle of the grid and of its dense match
 * @param curveTasks that the curve is over: those with a circuit on both sides at every loss
 * @param common tasks that the sizes of cells are over: those with a circuit in all cells that do
 *     at least half as many tasks as the best
 * @param trendTasks that the ratios of the trends are over: those that count in all sparse cells
 *     that have a ratio and do at least half as many tasks as the best
 * @param limits what keeps this from saying more, in sentences
 * @param seconds of work
 */
public record CompareResult(
    String preset,
    double target,
    String middle,
    Double edgeRatio,
    List<Double> interval,
    Double nodeRatio,
    List<Double> nodeInterval,
    Double weightRatio,
    List<Double> weightInterval,
    List<TaskRow> tasks,
    List<Cell> cells,
    List<CurvePoint> curve,
    List<String> curveTasks,
    List<String> common,
    List<String> trendTasks,
    List<String> limits,
    double seconds) {
  private static final int FEW_TASKS = 5;

  public CompareResult {
    tasks = List.copyOf(tasks);
    cells = List.copyOf(cells);
    curve = List.copyOf(curve);
    limits = List.copyOf(limits);
  }

  /**
   * One task of the middle of the grid.
   *
   * @param sparse its circuit
   * @param modelLoss of the whole sparse model on validation examples
   * @param dense size in a dense model of the same held-out loss
   * @param edgeRatio dense over sparse; null when the task does not count
   * @param nodeRatio the same of nodes
   * @param reason why it does not count; null when it does
   */
  public record TaskRow(
      String task,
      Point sparse,
      Double modelLoss,
      DenseSize dense,
      Double edgeRatio,
      Double nodeRatio,
      String reason) {}

  /**
   * An interpolated circuit.
   *
   * @param below name of the dense model with the lower loss
   * @param above of the one with the higher loss
   * @param lossFinal the worse of their circuits' losses on final examples
   */
  public record DenseSize(
      double nodes, double edges, String below, String above, double lossFinal) {}

  /**
   * One model.
   *
   * @param model what came of it
   * @param done tasks with a circuit
   * @param edges geometric mean over the common tasks; null where there is none
   * @param nodes the same
   * @param place of its loss on the dense ladder; null for a dense model
   * @param edgeRatio dense over sparse; null for a dense model and outside of the ladder
   * @param interval of it
   * @param nodeRatio the same of nodes
   * @param nodeInterval of it
   * @param weightRatio the same of the weights between the nodes
   * @param weightInterval of it
   * @param counted number of tasks that the ratios are over
   * @param trendRatio of edges, over the tasks of the trends; null where it has no part in them
   * @param trendInterval of it
   */
  public record Cell(
      CompareCellResult model,
      int done,
      Double edges,
      Double nodes,
      Place place,
      Double edgeRatio,
      List<Double> interval,
      Double nodeRatio,
      List<Double> nodeInterval,
      Double weightRatio,
      List<Double> weightInterval,
      int counted,
      Double trendRatio,
      List<Double> trendInterval) {}

  /** Where a held-out loss lies on the dense ladder. */
  public enum Place {
    @JsonProperty("inside")
    INSIDE,
    /** Worse than every dense model. */
    @JsonProperty("above")
    ABOVE,
    /** Better than every dense model. */
    @JsonProperty("below")
    BELOW,
    /** There is no dense model. */
    @JsonProperty("empty")
    EMPTY
  }

  /** Geometric means at one target loss. */
  public record CurvePoint(
      double target,
      double sparseEdges,
      double denseEdges,
      double sparseNodes,
      double denseNodes) {}

  /** Work out a comparison from what came of its cells. */
  static CompareResult of(CompareConfig plan, List<CompareCellResult> models, double seconds) {
    return new Maker(plan, models).make(seconds);
  }

  /** Dense over sparse, of one task. */
  private record TaskRatio(double edges, double nodes, double weights) {
    static TaskRatio of(Size dense, Point sparse) {
      return new TaskRatio(
          dense.edges() / sparse.edges(),
          dense.nodes() / sparse.nodes(),
          dense.weights() / sparse.weights());
    }
  }

  private static final class Maker {
    private final CompareConfig plan;
    private final List<CompareCellResult> models;
    private final Map<Double, DenseLadder> ladders = new HashMap<>(); // by loss of the circuits
    private final Map<String, Map<String, TaskRatio>> ratios = new HashMap<>(); // by model and task

    Maker(CompareConfig plan, List<CompareCellResult> models) {
      this.plan = plan;
      this.models = models;
    }

    CompareResult make(double seconds) {
      List<String> common = common();
      List<String> trendTasks = trendTasks();
      List<Cell> cells = models.stream().map(model -> cell(model, common, trendTasks)).toList();
      Cell middle =
          cells.stream()
              .filter(cell -> cell.model().name().equals(plan.middle()))
              .findFirst()
              .orElseThrow();
      List<TaskRow> rows = plan.tasks().stream().map(task -> row(task, middle.model())).toList();
      List<String> curveTasks = curveTasks(middle.model());
      return new CompareResult(
          plan.preset().key(),
          plan.target(),
          plan.middle(),
          middle.edgeRatio(),
          middle.interval(),
          middle.nodeRatio(),
          middle.nodeInterval(),
          middle.weightRatio(),
          middle.weightInterval(),
          rows,
          cells,
          curve(middle.model(), curveTasks),
          curveTasks,
          common,
          trendTasks,
          limits(middle, rows, cells, common),
          seconds);
    }

    private DenseLadder ladder(double target) {
      return ladders.computeIfAbsent(target, this::makeLadder);
    }

    private DenseLadder makeLadder(double target) {
      List<Rung> rungs = new ArrayList<>();
      for (CompareCellResult model : models) {
        if (model.kind() == Kind.DENSE && model.loss() != null) {
          Map<String, Size> sizes = new LinkedHashMap<>();
          for (String task : plan.tasks()) {
            model.circuit(task, target).ifPresent(c -> sizes.put(task, Size.of(c)));
          }
          rungs.add(new Rung(model.name(), model.loss(), sizes));
        }
      }
      return new DenseLadder(rungs);
    }

    private Optional<Pair> around(CompareCellResult model, double target) {
      return model.loss() == null ? Optional.empty() : ladder(target).around(model.loss());
    }

    /** Ratios of a sparse model by task, of those that count. */
    private Map<String, TaskRatio> ratios(CompareCellResult model) {
      return ratios.computeIfAbsent(model.name(), _ -> makeRatios(model));
    }

    private Map<String, TaskRatio> makeRatios(CompareCellResult model) {
      Map<String, TaskRatio> ratios = new LinkedHashMap<>();
      around(model, plan.target())
          .ifPresent(
              pair -> {
                for (String task : plan.tasks()) {
                  Optional<Point> own = model.circuit(task, plan.target());
                  Optional<Size> dense = pair.size(task);
                  if (own.isPresent() && dense.isPresent()) {
                    ratios.put(task, TaskRatio.of(dense.get(), own.get()));
                  }
                }
              });
      return ratios;
    }

    private long done(CompareCellResult model) {
      return plan.tasks().stream()
          .filter(task -> model.circuit(task, plan.target()).isPresent())
          .count();
    }

    /** A model that does little would leave nothing in common with the others. */
    private boolean plotted(CompareCellResult model) {
      long best = models.stream().mapToLong(this::done).max().orElse(0);
      return done(model) > 0 && 2 * done(model) >= best;
    }

    private List<String> common() {
      List<CompareCellResult> plotted = models.stream().filter(this::plotted).toList();
      return plotted.isEmpty()
          ? List.of()
          : plan.tasks().stream()
              .filter(
                  task ->
                      plotted.stream().allMatch(m -> m.circuit(task, plan.target()).isPresent()))
              .toList();
    }

    private List<String> trendTasks() {
      List<Map<String, TaskRatio>> all =
          models.stream()
              .filter(model -> model.kind() == Kind.SPARSE && plotted(model))
              .map(this::ratios)
              .filter(ratios -> !ratios.isEmpty())
              .toList();
      return all.isEmpty()
          ? List.of()
          : plan.tasks().stream()
              .filter(task -> all.stream().allMatch(ratios -> ratios.containsKey(task)))
              .toList();
    }

    private Cell cell(CompareCellResult model, List<String> common, List<String> trendTasks) {
      List<Double> edges = new ArrayList<>();
      List<Double> nodes = new ArrayList<>();
      if (plotted(model)) {
        for (String task : common) {
          Point circuit = model.circuit(task, plan.target()).orElseThrow();
          edges.add((double) circuit.edges());
          nodes.add((double) circuit.nodes());
        }
      }
      boolean compared = model.kind() == Kind.SPARSE && model.loss() != null;
      Map<String, TaskRatio> ratios = compared ? ratios(model) : Map.of();
      List<Double> edgeRatios = ratios.values().stream().map(TaskRatio::edges).toList();
      List<Double> nodeRatios = ratios.values().stream().map(TaskRatio::nodes).toList();
      List<Double> weightRatios = ratios.values().stream().map(TaskRatio::weights).toList();
      List<Double> trend =
          ratios.keySet().containsAll(trendTasks)
              ? trendTasks.stream().map(task -> ratios.get(task).edges()).toList()
              : List.of();
      return new Cell(
          model,
          (int) done(model),
          Bootstrap.geometricMean(edges).orElse(null),
          Bootstrap.geometricMean(nodes).orElse(null),
          compared ? ladder(plan.target()).place(model.loss()) : null,
          Bootstrap.geometricMean(edgeRatios).orElse(null),
          Bootstrap.geometricInterval(edgeRatios).orElse(null),
          Bootstrap.geometricMean(nodeRatios).orElse(null),
          Bootstrap.geometricInterval(nodeRatios).orElse(null),
          Bootstrap.geometricMean(weightRatios).orElse(null),
          Bootstrap.geometricInterval(weightRatios).orElse(null),
          ratios.size(),
          Bootstrap.geometricMean(trend).orElse(null),
          Bootstrap.geometricInterval(trend).orElse(null));
    }

    private TaskRow row(String task, CompareCellResult model) {
      Optional<Point> own = model.search(task).flatMap(search -> search.at(plan.target()));
      Optional<Pair> around = around(model, plan.target());
      Optional<Size> dense = around.flatMap(pair -> pair.size(task));
      Optional<DenseSize> size =
          dense.map(
              s ->
                  new DenseSize(
                      s.nodes(),
                      s.edges(),
                      around.get().below().name(),
                      around.get().above().name(),
                      Math.max(
                          lossFinal(around.get().below(), task),
                          lossFinal(around.get().above(), task))));
      TaskRatio ratio = ratios(model).get(task);
      return new TaskRow(
          task,
          own.orElse(null),
          model.search(task).map(Search::modelLoss).orElse(null),
          size.orElse(null),
          ratio == null ? null : ratio.edges(),
          ratio == null ? null : ratio.nodes(),
          reason(model, task, own, around, dense));
    }

    private double lossFinal(Rung rung, String task) {
      return named(rung.name()).circuit(task, plan.target()).orElseThrow().lossFinal();
    }

    private CompareCellResult named(String name) {
      return models.stream().filter(model -> model.name().equals(name)).findFirst().orElseThrow();
    }

    private String reason(
        CompareCellResult model,
        String task,
        Optional<Point> own,
        Optional<Pair> around,
        Optional<Size> dense) {
      Optional<String> missing = missing(model, task, own);
      if (missing.isPresent()) {
        return missing.get();
      }
      if (around.isEmpty()) {
        return "the loss of the sparse model lies outside of the dense ladder";
      }
      if (dense.isPresent()) {
        return null;
      }
      return Stream.of(around.get().below(), around.get().above())
          .map(Rung::name)
          .distinct()
          .map(name -> denseReason(name, task))
          .flatMap(Optional::stream)
          .collect(Collectors.joining("; "));
    }

    /** Why a dense model has no circuit of a task; empty when it has one. */
    private Optional<String> denseReason(String name, String task) {
      CompareCellResult dense = named(name);
      if (dense.circuit(task, plan.target()).isPresent()) {
        return Optional.empty();
      }
      Search search = dense.search(task).orElseThrow();
      return Optional.of(
          search.outcome() == Outcome.NOT_LEARNT
              ? name + " does not do it" + losses(search)
              : search.at(plan.target()).isPresent()
                  ? "the circuit of " + name + " has no edge"
                  : "no circuit of " + name + " reaches the loss");
    }

    /** Why a model is said not to do a task. */
    private static String losses(Search search) {
      return " (%.3f on validation, %.3f on final examples)"
          .formatted(search.modelLoss(), search.modelLossFinal());
    }

    private static Optional<String> missing(
        CompareCellResult model, String task, Optional<Point> own) {
      if (model.diverged() != null) {
        return Optional.of("training of the sparse model has diverged");
      }
      Outcome outcome = model.search(task).map(Search::outcome).orElseThrow();
      return switch (outcome) {
        case IMPOSSIBLE -> Optional.of("the vocabulary cannot express it");
        case NOT_LEARNT ->
            Optional.of("the sparse model does not do it" + losses(model.search(task).get()));
        case SEARCHED -> {
          if (own.isEmpty()) {
            yield Optional.of("no circuit of the sparse model reaches the loss");
          }
          // A ratio to nothing says nothing.
          yield own.get().edges() == 0
              ? Optional.of("the circuit of the sparse model has no edge")
              : Optional.empty();
        }
      };
    }

    private List<Double> losses() {
      List<Double> losses = new ArrayList<>(plan.curve());
      losses.add(plan.target());
      losses.sort(null);
      return losses;
    }

    private List<String> curveTasks(CompareCellResult middle) {
      return plan.tasks().stream()
          .filter(
              task ->
                  losses().stream()
                      .allMatch(
                          loss ->
                              middle.circuit(task, loss).isPresent()
                                  && match(middle, task, loss).isPresent()))
          .toList();
    }

    private Optional<Size> match(CompareCellResult middle, String task, double target) {
      return around(middle, target).flatMap(pair -> pair.size(task));
    }

    private List<CurvePoint> curve(CompareCellResult middle, List<String> tasks) {
      List<CurvePoint> points = new ArrayList<>();
      if (tasks.isEmpty()) {
        return points;
      }
      for (double loss : losses()) {
        List<Point> own = tasks.stream().map(t -> middle.circuit(t, loss).orElseThrow()).toList();
        List<Size> dense = tasks.stream().map(t -> match(middle, t, loss).orElseThrow()).toList();
        points.add(
            new CurvePoint(
                loss,
                mean(own.stream().map(p -> (double) p.edges()).toList()),
                mean(dense.stream().map(Size::edges).toList()),
                mean(own.stream().map(p -> (double) p.nodes()).toList()),
                mean(dense.stream().map(Size::nodes).toList())));
      }
      return points;
    }

    private static double mean(List<Double> values) {
      return Bootstrap.geometricMean(values).orElseThrow();
    }

    private List<String> limits(
        Cell middle, List<TaskRow> rows, List<Cell> cells, List<String> common) {
      List<String> limits = new ArrayList<>(ofTasks(middle, rows));
      cells.stream().map(this::ofPlace).flatMap(Optional::stream).forEach(limits::add);
      limits.add(ofGrid(cells, common));
      for (String name : plan.withoutRoom()) {
        limits.add(name + " is not there: it would keep more weights than its matrices have.");
      }
      finals(rows).ifPresent(limits::add);
      limits.add(
          "Learning rates are fixed, not searched for each model: %s."
              .formatted(
                  Stream.of(Kind.SPARSE, Kind.DENSE)
                      .map(kind -> kind.name().toLowerCase(Locale.ROOT) + " " + rates(kind))
                      .collect(Collectors.joining(", "))));
      return limits;
    }

    /** How many tasks there are to tell from, and which. */
    private List<String> ofTasks(Cell middle, List<TaskRow> rows) {
      List<String> limits = new ArrayList<>();
      int counted = middle.counted();
      limits.add(
          "%d of %d tasks count: %s."
              .formatted(
                  counted,
                  rows.size(),
                  counted == rows.size() ? "all" : "the table says why the others do not"));
      if (counted > 0 && counted < FEW_TASKS) {
        limits.add(
            "With fewer than %d tasks an interval from resampling is too narrow: it cannot be wider"
                    .formatted(FEW_TASKS)
                + " than what was found.");
      }
      againstTheBetter(middle.model(), counted).ifPresent(limits::add);
      limits.add(
          "The interval is over tasks alone: every model has one seed, and so has every search.");
      return limits;
    }

    /** Tasks that the worse of two dense neighbours does not do count against the better alone. */
    private Optional<String> againstTheBetter(CompareCellResult model, int counted) {
      Optional<Rung> better = around(model, plan.target()).map(Pair::below);
      if (better.isEmpty()) {
        return Optional.empty();
      }
      List<Double> ratios = new ArrayList<>();
      for (String task : plan.tasks()) {
        Size dense = better.get().sizes().get(task);
        model
            .circuit(task, plan.target())
            .filter(_ -> dense != null)
            .ifPresent(own -> ratios.add(TaskRatio.of(dense, own).edges()));
      }
      return ratios.size() <= counted
          ? Optional.empty()
          : Bootstrap.geometricMean(ratios)
              .map(
                  ratio ->
                      ("Against %s alone, which predicts better (%.3f, not %.3f), the ratio is"
                              + " %.1f over %d tasks: those too that the worse dense model does not"
                              + " do.")
                          .formatted(
                              better.get().name(),
                              better.get().loss(),
                              model.loss(),
                              ratio,
                              ratios.size()));
    }

    /** Why a model has no ratio, where it has none. */
    private Optional<String> ofPlace(Cell cell) {
      String name = cell.model().name();
      if (cell.model().diverged() != null) {
        return Optional.of("%s has diverged: %s.".formatted(name, cell.model().diverged()));
      }
      if (cell.place() == Place.ABOVE || cell.place() == Place.BELOW) {
        boolean worse = cell.place() == Place.ABOVE;
        return Optional.of(
            ("%s, loss %.3f, predicts %s than every dense model, so it has no match; %s dense model"
                    + " would give one.")
                .formatted(
                    name,
                    cell.model().loss(),
                    worse ? "worse" : "better",
                    worse ? "a narrower" : "a wider"));
      }
      return cell.place() == Place.EMPTY
          ? Optional.of(name + " has no match: there is no dense model.")
          : Optional.empty();
    }

    private static String ofGrid(List<Cell> cells, List<String> common) {
      if (common.isEmpty()) {
        return "No task is done by all models that do half as many as the best, so there is nothing"
            + " to draw over the grid.";
      }
      boolean leftOut =
          cells.stream().anyMatch(cell -> cell.edges() == null && cell.model().loss() != null);
      return "Sizes over the grid are over the %d tasks that all its models do%s."
          .formatted(
              common.size(),
              leftOut ? "; models that do fewer than half as many as the best are left out" : "");
    }

    private String rates(Kind kind) {
      return plan.cells().stream()
          .filter(cell -> cell.kind() == kind)
          .map(cell -> String.valueOf(cell.config().train().lr()))
          .distinct()
          .collect(Collectors.joining(" and "));
    }

    /** What is left of the ratio when circuits have to reach the loss on final examples too. */
    private Optional<String> finals(List<TaskRow> rows) {
      List<TaskRow> counted = rows.stream().filter(row -> row.reason() == null).toList();
      List<TaskRow> sparse =
          counted.stream().filter(row -> row.sparse().lossFinal() <= plan.target()).toList();
      long dense = counted.stream().filter(row -> row.dense().lossFinal() <= plan.target()).count();
      if (sparse.size() == counted.size() && dense == counted.size()) {
        return Optional.empty();
      }
      List<Double> both =
          sparse.stream()
              .filter(row -> row.dense().lossFinal() <= plan.target())
              .map(TaskRow::edgeRatio)
              .toList();
      return Optional.of(
          "Circuits are chosen on validation examples; on final ones, %d of %d sparse ones are above"
                  .formatted(counted.size() - sparse.size(), counted.size())
              + " %s, and a dense one is for %s. %s"
                  .formatted(
                      plan.target(),
                      counted.size() - dense == 1
                          ? "1 task"
                          : "%d tasks".formatted(counted.size() - dense),
                      Bootstrap.geometricMean(both)
                          .map(
                              ratio ->
                                  "Over the others, %d, the ratio is %.1f."
                                      .formatted(both.size(), ratio))
                          .orElse("No task is left.")));
    }
  }
}
