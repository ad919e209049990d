// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.Engine;
import dev.filigree.EngineException;
import dev.filigree.Model;
import dev.filigree.Trainer;
import dev.filigree.data.TokenFileInfo;
import dev.filigree.experiment.CompareCellResult.Outcome;
import dev.filigree.experiment.CompareCellResult.Search;
import dev.filigree.experiment.StopRequest.Stopped;
import dev.filigree.json.Json;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Consumer;
import java.util.function.Predicate;

/**
 * Makes a comparison: trains what is not trained, searches what is not searched, and writes {@value
 * #FILE}.
 *
 * <p>The folder gets {@code text/<hash>}, the tokenizer and the token files that all models share,
 * and {@code cells/<kind>-<width>-<hash>}, an ordinary run for every model. The hash is that of
 * everything the model comes from, so a cell that another plan asks for again is found again, and
 * one that was made from something else never is. Several processes may work on one folder: each
 * takes cells that no other has, and waits for the others at the end.
 */
public final class CompareRun {
  /** File of the result in the folder. */
  public static final String FILE = "compare.json";

  /** What a search for all losses takes on two cores, until some have shown how long. */
  private static final double SEARCH_SECONDS = 60;

  /** Of a run over its annealed steps: the dense beginning, losses on held-out text, files. */
  private static final double OVERHEAD = 1.4;

  private static final int PROBE_STEPS = 3;
  private static final long WAIT_MILLIS = 1000;

  private final Engine engine;
  private final Path folder;
  private final Path source; // of text and cells
  private final CompareConfig plan;
  private final Progress progress;
  private String waitingFor = "";
  private final StopRequest stop = new StopRequest();

  /**
   * Prepare.
   *
   * @param folder of the comparison; it may hold another one, whose cells are used where they fit
   */
  public CompareRun(Engine engine, Path folder, CompareConfig plan, Progress progress) {
    this(engine, folder, folder, plan, progress);
  }

  /**
   * Prepare one whose models are those of another comparison, as far as they fit.
   *
   * @param folder gets the result
   * @param source folder of the other comparison, which gets the models and searches that it lacks;
   *     the circuits of its runs stay its own
   */
  public CompareRun(
      Engine engine, Path folder, Path source, CompareConfig plan, Progress progress) {
    this.engine = engine;
    this.folder = folder.toAbsolutePath().normalize();
    this.source = source.toAbsolutePath().normalize();
    this.plan = plan;
    this.progress = progress;
  }

  /**
   * How much there is to do.
   *
   * @param cells that are to be made, of how many
   * @param trainSeconds on this machine, from a few steps of every model
   * @param searchSeconds as if every model did every task
   */
  public record Estimate(int cells, int allCells, double trainSeconds, double searchSeconds) {}

  /** Ask it to end soon, with a checkpoint if it is training; any thread. */
  public void stop() {
    stop.request();
  }

  /**
   * Do everything that has not been done.
   *
   * @param begun hears how much that is before it starts
   * @return the comparison; empty when it was asked to stop
   */
  public Optional<CompareResult> run(Consumer<Estimate> begun) {
    List<CompareCell> cells = plan.cells();
    try {
      RunFolder text = text();
      List<CompareCellFolder> places = places(cells, text);
      CompareSearches searches = new CompareSearches(engine, plan, text, progress, stop);
      Map<CompareCellFolder, Double> costs = new LinkedHashMap<>();
      begun.accept(estimate(places, text, searches, costs));
      work(places, text, searches, costs);
      return Optional.of(result(places, searches));
    } catch (EngineException.Cancelled _) {
      return Optional.empty();
    } catch (Stopped _) {
      return Optional.empty();
    }
  }

  /** Make the text that all cells read, or take what is there. */
  private RunFolder text() throws Stopped {
    String made = Json.write(plan.base().data()) + plan.base().model().vocabSize();
    Path path = source.resolve("text").resolve(CompareCellFolder.hash(made));
    while (!stop.isRequested()) {
      Optional<WorkLock> lock = WorkLock.tryTake(path.resolveSibling(path.getFileName() + ".lock"));
      if (lock.isPresent()) {
        try (WorkLock _ = lock.get()) {
          RunFolder text = RunFolder.forText(path);
          PreparedData.prepare(text, plan.base(), progress).close();
          return text;
        }
      }
      pause("another process prepares the text");
    }
    throw new Stopped();
  }

  /** Name the folder of every cell by all that its model comes from. */
  private List<CompareCellFolder> places(List<CompareCell> cells, RunFolder text) {
    ObjectNode shared = Json.object();
    shared.put("format", CompareCellFolder.FORMAT);
    shared.put("filigree", Experiment.version());
    for (String part : List.of("abi", "libtorch")) {
      shared.set(part, engine.info().build().path(part));
    }
    shared.put("device", engine.options().device());
    try (PreparedData data = PreparedData.open(text, plan.base())) {
      shared.put("tokenizer", data.tokenizer().hash());
      ArrayNode corpora = shared.putArray("corpora");
      for (TokenFileInfo info : data.infos()) {
        corpora.addObject().put("name", info.corpus()).put("hash", info.corpusHash());
      }
    }
    Map<String, Path> paths = new LinkedHashMap<>();
    List<CompareCellFolder> places = new ArrayList<>();
    for (CompareCell cell : cells) {
      ObjectNode from = shared.deepCopy();
      ObjectNode config = (ObjectNode) Json.tree(cell.config());
      config.remove("prune"); // of the searches, which have a hash of their own
      from.set("config", config);
      if (cell.teacher() != null) {
        from.put("teacher", paths.get(cell.teacher()).getFileName().toString());
      }
      Path path =
          source
              .resolve("cells")
              .resolve(
                  "%s-%d-%s"
                      .formatted(
                          Json.tree(cell.kind()).asText(),
                          cell.width(),
                          CompareCellFolder.hash(from.toString())));
      paths.put(cell.name(), path);
      places.add(new CompareCellFolder(cell, path));
    }
    return places;
  }

  /**
   * Estimate what is left.
   *
   * @param costs filled with the seconds that every cell has to be trained
   */
  private Estimate estimate(
      List<CompareCellFolder> places,
      RunFolder text,
      CompareSearches searches,
      Map<CompareCellFolder, Double> costs)
      throws Stopped {
    progress.phase("timing a few steps of every model");
    double train = 0;
    double search = 0;
    int open = 0;
    double each = searchSeconds(places, searches, one -> one.outcome() == Outcome.SEARCHED);
    for (CompareCellFolder place : places) {
      stop.check();
      int left = searches.open(place);
      boolean trained = place.trained();
      double own = trained ? 0 : OVERHEAD * remaining(place) * stepSeconds(place.cell(), text);
      costs.put(place, own);
      train += own;
      search += each * left;
      open += trained && left == 0 ? 0 : 1;
    }
    return new Estimate(open, places.size(), train, search);
  }

  /** Mean time of the searches of some kind that were made, as far as any was. */
  private double searchSeconds(
      List<CompareCellFolder> places, CompareSearches searches, Predicate<Search> kind) {
    return places.stream()
        .flatMap(place -> plan.tasks().stream().map(task -> searches.read(place, task)))
        .flatMap(Optional::stream)
        .filter(kind)
        .mapToDouble(Search::seconds)
        .average()
        .orElse(SEARCH_SECONDS);
  }

  private static long remaining(CompareCellFolder place) {
    long done = 0;
    if (RunFolder.exists(place.path())) {
      List<Checkpoints.Checkpoint> all = RunFolder.open(place.path()).checkpoints().all();
      done = all.isEmpty() ? 0 : all.getLast().step();
    }
    return place.cell().steps() - done;
  }

  /** Time a few steps of a fresh model that is as sparse as it will be at the end. */
  private double stepSeconds(CompareCell cell, RunFolder text) {
    RunConfig config = cell.config();
    try (PreparedData data = PreparedData.open(text, config);
        Model model = engine.createModel(config.model(), config.init());
        Trainer trainer = model.trainer(StepBench.settled(config.train()), data.trainStreams())) {
      trainer.step(StepBench.WARM_UP);
      return trainer.step(PROBE_STEPS).seconds() / PROBE_STEPS;
    }
  }

  /** Take cell after cell until all are done, here or by others. */
  private void work(
      List<CompareCellFolder> places,
      RunFolder text,
      CompareSearches searches,
      Map<CompareCellFolder, Double> costs)
      throws Stopped {
    List<CompareCellFolder> open = new ArrayList<>(places);
    while (!open.isEmpty()) {
      boolean worked = false;
      for (CompareCellFolder place : List.copyOf(open)) {
        stop.check();
        if (isDone(place, searches)) {
          open.remove(place);
          continue;
        }
        if (!teacherIsTrained(place, places)) {
          continue;
        }
        Optional<WorkLock> lock = WorkLock.tryTake(place.lock());
        if (lock.isEmpty()) {
          continue;
        }
        try (WorkLock _ = lock.get()) {
          if (isDone(place, searches)) { // since it was looked at
            open.remove(place);
            continue;
          }
          progress.phase(
              "model %d of %d: %s"
                  .formatted(places.indexOf(place) + 1, places.size(), place.cell().name()));
          if (train(place, text, teacher(place, places))) {
            searches.search(place);
            if (source.equals(folder)) {
              searches.showCounted(place);
            }
          }
        }
        open.remove(place);
        worked = true;
        progress.phase(
            "%d of %d models are done%s"
                .formatted(
                    places.stream().filter(one -> isDone(one, searches)).count(),
                    places.size(),
                    left(places, searches, costs)));
      }
      if (!open.isEmpty() && !worked) {
        pause("waiting for other processes; models left: %d".formatted(open.size()));
      }
    }
  }

  private static boolean teacherIsTrained(CompareCellFolder place, List<CompareCellFolder> places) {
    return teacher(place, places).map(CompareCellFolder::trained).orElse(true);
  }

  private static Optional<CompareCellFolder> teacher(
      CompareCellFolder place, List<CompareCellFolder> places) {
    return places.stream()
        .filter(other -> other.cell().name().equals(place.cell().teacher()))
        .findFirst();
  }

  private static boolean isDone(CompareCellFolder place, CompareSearches searches) {
    return place.trained() && searches.open(place) == 0;
  }

  /**
   * How long it will take all processes that are at work, in words, if searches go on as they went;
   * nothing when all is done.
   */
  private String left(
      List<CompareCellFolder> places,
      CompareSearches searches,
      Map<CompareCellFolder, Double> costs) {
    List<CompareCellFolder> left =
        places.stream().filter(place -> !isDone(place, searches)).toList();
    double each = searchSeconds(places, searches, _ -> true);
    double seconds =
        left.stream()
            .mapToDouble(
                place -> (place.trained() ? 0 : costs.get(place)) + each * searches.open(place))
            .sum();
    long processes = 1 + left.stream().filter(place -> WorkLock.isTaken(place.lock())).count();
    return left.isEmpty() ? "" : ", about %.0f min left".formatted(seconds / 60 / processes);
  }

  private void pause(String reason) {
    if (!reason.equals(waitingFor)) {
      waitingFor = reason;
      progress.phase(reason);
    }
    try {
      Thread.sleep(WAIT_MILLIS);
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
      stop.request();
    }
  }

  /**
   * Train a model, or go on with it, or take the finished one.
   *
   * @return false when it has diverged
   */
  private boolean train(
      CompareCellFolder place, RunFolder text, Optional<CompareCellFolder> teacher) throws Stopped {
    if (place.trained()) {
      return !place.hasDiverged();
    }
    if (teacher.filter(CompareCellFolder::hasDiverged).isPresent()) {
      String reason = "its teacher, %s, has diverged".formatted(teacher.get().cell().name());
      place.markDiverged(reason);
      return false;
    }
    boolean fresh =
        !RunFolder.exists(place.path())
            || RunFolder.open(place.path()).checkpoints().all().isEmpty();
    Experiment experiment =
        fresh
            ? Experiment.create(
                place.path(),
                place.cell().config(),
                plan.preset(),
                teacher.map(other -> RunFolder.open(other.path())).orElse(null))
            : Experiment.open(place.path());
    experiment.folder().takeData(text);
    TrainRun run = experiment.training(engine, progress);
    try (StopRequest.Part _ = stop.begin(run::stop)) {
      if (!(fresh ? run.start() : run.resume(OptionalLong.empty())).finished()) {
        throw new Stopped();
      }
      return true;
    } catch (TrainRun.DivergedException e) {
      place.markDiverged(e.getCause().getMessage());
      progress.phase(place.cell().name() + " has diverged: " + e.getCause().getMessage());
      return false;
    }
  }

  private CompareResult result(List<CompareCellFolder> places, CompareSearches searches)
      throws Stopped {
    List<CompareCellResult> models = new ArrayList<>();
    double seconds = 0;
    for (CompareCellFolder place : places) {
      CompareCellResult model = result(place, searches);
      models.add(model);
      seconds += model.seconds();
      seconds += model.searches().stream().mapToDouble(Search::seconds).sum();
    }
    CompareResult result = CompareResult.of(plan, models, seconds);
    while (!stop.isRequested()) {
      Optional<WorkLock> lock = WorkLock.tryTake(folder.resolve(FILE + ".lock"));
      if (lock.isPresent()) {
        try (WorkLock _ = lock.get()) {
          if (source.equals(folder)) {
            places.forEach(searches::showCounted);
          }
          CompareCellFolder.write(folder.resolve(FILE), Json.tree(result).toPrettyString() + "\n");
          return result;
        }
      }
      pause("another process writes the result");
    }
    throw new Stopped();
  }

  private CompareCellResult result(CompareCellFolder place, CompareSearches searches) {
    CompareCell cell = place.cell();
    Optional<RunFolder> run = // not begun, for want of a teacher
        RunFolder.exists(place.path())
            ? Optional.of(RunFolder.open(place.path()))
            : Optional.empty();
    Optional<RunFolder.Result> trained = run.flatMap(RunFolder::result);
    return new CompareCellResult(
        cell.name(),
        cell.kind(),
        cell.width(),
        cell.kept(),
        cell.steps(),
        cell.variant(),
        folder.relativize(place.path()).toString(),
        run.map(one -> one.manifest().path("git").textValue()).orElse(null),
        trained.isPresent() ? null : place.whyDiverged(),
        trained.map(RunFolder.Result::elapsedTokens).orElse(0L),
        trained.map(RunFolder.Result::testXent).orElse(null),
        trained.map(RunFolder.Result::testXentByCorpus).orElse(Map.of()),
        run.map(one -> RunSummary.of(folder, one).nonzeros()).orElse(0L),
        trained.map(RunFolder.Result::seconds).orElse(0.0),
        trained.isPresent()
            ? plan.tasks().stream().map(task -> searches.read(place, task).orElseThrow()).toList()
            : List.of());
  }
}
