// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.Engine;
import dev.filigree.EngineException;
import dev.filigree.Model;
import dev.filigree.Trainer;
import dev.filigree.circuit.Circuit;
import dev.filigree.data.AtomicFile;
import dev.filigree.data.Hashes;
import dev.filigree.data.TokenFileInfo;
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
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Consumer;

/**
 * Makes a comparison: trains what is not trained, searches what is not searched, and writes {@value
 * #FILE}.
 *
 * <p>The folder gets {@code text/<hash>}, the tokenizer and the token files that all models share,
 * and {@code cells/<kind>-<width>-<hash>}, an ordinary run for every model. The hash is that of
 * everything the model comes from, so a cell that another plan asks for again is found again, and
 * one that was made otherwise never is. Several processes may work on one folder: each takes cells
 * that no other has, and waits for the others at the end.
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
  private static final int FORMAT = 2; // part of every hash: raise it to make all cells anew
  private static final int HASH_LENGTH = 12;
  private static final String DIVERGED = "diverged";

  private final Engine engine;
  private final Path folder;
  private final CompareConfig plan;
  private final Progress progress;
  private final String git = Experiment.git();
  private final Map<String, String> examples = new HashMap<>(); // what they are, by task
  private String waitingFor = "";
  private final StopRequest stop = new StopRequest();

  /**
   * Prepare.
   *
   * @param folder of the comparison; it may hold another one, whose cells are used where they fit
   */
  public CompareRun(Engine engine, Path folder, CompareConfig plan, Progress progress) {
    this.engine = engine;
    this.folder = folder;
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

  /** A cell and its folder, which has its hash in its name. */
  private record Place(CompareCell cell, Path path) {
    boolean trained() {
      return RunFolder.exists(path) && RunFolder.open(path).result().isPresent() || hasDiverged();
    }

    boolean hasDiverged() {
      return Files.exists(path.resolve(DIVERGED));
    }
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
      List<Place> places = places(cells, text);
      hashExamples(text);
      Map<Place, Double> costs = new LinkedHashMap<>();
      begun.accept(estimate(places, text, costs));
      work(places, text, costs);
      return Optional.of(result(places));
    } catch (EngineException.Cancelled _) {
      return Optional.empty();
    } catch (Stopped _) {
      return Optional.empty();
    }
  }

  /** Make the text that all cells read, or take what is there. */
  private RunFolder text() throws Stopped {
    String made = Json.write(plan.base().data()) + plan.base().model().vocabSize();
    Path path = folder.resolve("text").resolve(hash(made));
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
  private List<Place> places(List<CompareCell> cells, RunFolder text) {
    ObjectNode shared = Json.object();
    shared.put("format", FORMAT);
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
    List<Place> places = new ArrayList<>();
    for (CompareCell cell : cells) {
      ObjectNode from = shared.deepCopy();
      ObjectNode config = (ObjectNode) Json.tree(cell.config());
      config.remove("prune"); // of the searches, which have a hash of their own
      from.set("config", config);
      if (cell.teacher() != null) {
        from.put("teacher", paths.get(cell.teacher()).getFileName().toString());
      }
      Path path =
          folder
              .resolve("cells")
              .resolve(
                  "%s-%d-%s"
                      .formatted(
                          Json.tree(cell.kind()).asText(), cell.width(), hash(from.toString())));
      paths.put(cell.name(), path);
      places.add(new Place(cell, path));
    }
    return places;
  }

  /** Searches of other examples are other searches: a task may have changed. */
  private void hashExamples(RunFolder text) {
    progress.phase("making the examples of %d tasks".formatted(plan.tasks().size()));
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
  }

  private static String hash(String text) {
    return Hashes.hex(text.getBytes(StandardCharsets.UTF_8)).substring(0, HASH_LENGTH);
  }

  /**
   * Estimate what is left.
   *
   * @param costs filled with the seconds of every cell
   */
  private Estimate estimate(List<Place> places, RunFolder text, Map<Place, Double> costs)
      throws Stopped {
    progress.phase("timing a few steps of every model");
    double train = 0;
    double search = 0;
    int open = 0;
    double each = searchSeconds(places);
    for (Place place : places) {
      stop.check();
      int searches = openSearches(place);
      boolean trained = place.trained();
      double own = trained ? 0 : OVERHEAD * remaining(place) * stepSeconds(place.cell(), text);
      costs.put(place, own + each * searches);
      train += own;
      search += each * searches;
      open += trained && searches == 0 ? 0 : 1;
    }
    return new Estimate(open, places.size(), train, search);
  }

  /** Mean time of the searches that were made, as far as any was. */
  private double searchSeconds(List<Place> places) {
    return places.stream()
        .flatMap(place -> plan.tasks().stream().map(task -> read(place, task)))
        .flatMap(Optional::stream)
        .filter(search -> search.outcome() == Outcome.SEARCHED)
        .mapToDouble(Search::seconds)
        .average()
        .orElse(SEARCH_SECONDS);
  }

  private static long remaining(Place place) {
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

  private int openSearches(Place place) {
    if (place.hasDiverged()) {
      return 0;
    }
    return (int) plan.tasks().stream().filter(task -> read(place, task).isEmpty()).count();
  }

  /** Take cell after cell until all are done, here or by others. */
  private void work(List<Place> places, RunFolder text, Map<Place, Double> costs) throws Stopped {
    List<Place> open = new ArrayList<>(places);
    while (!open.isEmpty()) {
      boolean worked = false;
      for (Place place : List.copyOf(open)) {
        stop.check();
        if (place.trained() && openSearches(place) == 0) {
          open.remove(place);
          continue;
        }
        if (!teacherIsTrained(place, places)) {
          continue;
        }
        Path file = place.path().resolveSibling(place.path().getFileName() + ".lock");
        Optional<WorkLock> lock = WorkLock.tryTake(file);
        if (lock.isEmpty()) {
          continue;
        }
        try (WorkLock _ = lock.get()) {
          progress.phase(
              "model %d of %d: %s"
                  .formatted(places.indexOf(place) + 1, places.size(), place.cell().name()));
          if (train(place, text, teacher(place, places))) {
            search(place);
            showCounted(place);
          }
        }
        open.remove(place);
        worked = true;
        double left = open.stream().mapToDouble(costs::get).sum();
        progress.phase(
            "%d of %d models are done%s"
                .formatted(
                    done(places),
                    places.size(),
                    open.isEmpty() ? "" : ", about %.0f minutes are left".formatted(left / 60)));
      }
      if (!open.isEmpty() && !worked) {
        pause("%d models are left, all taken by other processes".formatted(open.size()));
      }
    }
  }

  private static boolean teacherIsTrained(Place place, List<Place> places) {
    return teacher(place, places).map(Place::trained).orElse(true);
  }

  private static Optional<Place> teacher(Place place, List<Place> places) {
    return places.stream()
        .filter(other -> other.cell().name().equals(place.cell().teacher()))
        .findFirst();
  }

  private long done(List<Place> places) {
    return places.stream().filter(place -> place.trained() && openSearches(place) == 0).count();
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
  private boolean train(Place place, RunFolder text, Optional<Place> teacher) throws Stopped {
    if (place.trained()) {
      return !place.hasDiverged();
    }
    if (teacher.filter(Place::hasDiverged).isPresent()) {
      String reason = "its teacher, %s, has diverged".formatted(teacher.get().cell().name());
      write(place.path().resolve(DIVERGED), reason + "\n");
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
      write(place.path().resolve(DIVERGED), e.getCause().getMessage() + "\n");
      progress.phase(place.cell().name() + " has diverged: " + e.getCause().getMessage());
      return false;
    }
  }

  /** Find the circuits that have not been looked for. */
  private void search(Place place) throws Stopped {
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
        write(file(place, task), Json.tree(find(search, place, task)).toPrettyString() + "\n");
      }
    } catch (EngineException.Cancelled _) {
      throw new Stopped();
    }
  }

  /** Make the circuits of the run those that count: another plan may have left its own there. */
  private void showCounted(Place place) {
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
          AtomicFile.write(shown, Files.readAllBytes(counted));
          run.forgetEvidence(task);
        }
      }
    } catch (IOException e) {
      throw new RunException("cannot write to " + run.path() + ": " + e.getMessage(), e);
    }
  }

  /**
   * Search the circuits of a task. The one that counts is searched alone, in every model alike, and
   * kept beside the figures; those of the curve come in a search of their own.
   */
  private Search find(CircuitSearch search, Place place, String task) {
    long begin = System.nanoTime();
    try {
      List<Circuit> circuits =
          new ArrayList<>(search.find(task, List.of(plan.target()), plan.target()));
      circuits.getFirst().write(circuitFile(place, task));
      List<Double> curve = plan.curveOf(place.cell());
      if (!curve.isEmpty()) {
        circuits.addAll(search.find(task, curve, plan.target()));
      }
      Circuit.Losses losses = circuits.getFirst().losses();
      return new Search(
          task,
          Outcome.SEARCHED,
          losses.validation().model().loss(),
          losses.last().model().loss(),
          (System.nanoTime() - begin) / 1e9,
          git,
          circuits.stream().map(CompareRun::point).toList());
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
  private Path file(Place place, String task) {
    return place.path().resolve("searches").resolve(searchName(place, task) + ".json");
  }

  /** The circuit of the search that counts. */
  private Path circuitFile(Place place, String task) {
    return place.path().resolve("searches").resolve(searchName(place, task) + ".circuit.json");
  }

  private String searchName(Place place, String task) {
    return task
        + "-"
        + hash(
            "%d %d %d %s %s %s %s"
                .formatted(
                    FORMAT,
                    Circuit.FORMAT,
                    PruneMethod.VERSION,
                    Experiment.version(),
                    examples.get(task),
                    plan.target() + " " + plan.curveOf(place.cell()),
                    Json.write(place.cell().config().prune())));
  }

  /** Return a search that was made in this very way. */
  private Optional<Search> read(Place place, String task) {
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

  private CompareResult result(List<Place> places) throws Stopped {
    List<CompareCellResult> models = new ArrayList<>();
    double seconds = 0;
    for (Place place : places) {
      CompareCellResult model = result(place);
      models.add(model);
      seconds += model.seconds();
      seconds += model.searches().stream().mapToDouble(Search::seconds).sum();
    }
    CompareResult result = CompareResult.of(plan, models, seconds);
    while (!stop.isRequested()) {
      Optional<WorkLock> lock = WorkLock.tryTake(folder.resolve(FILE + ".lock"));
      if (lock.isPresent()) {
        try (WorkLock _ = lock.get()) {
          places.forEach(this::showCounted);
          write(folder.resolve(FILE), Json.tree(result).toPrettyString() + "\n");
          return result;
        }
      }
      pause("another process writes the result");
    }
    throw new Stopped();
  }

  private CompareCellResult result(Place place) {
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
        trained.isPresent() ? null : diverged(place),
        trained.map(RunFolder.Result::elapsedTokens).orElse(0L),
        trained.map(RunFolder.Result::testXent).orElse(null),
        run.map(one -> RunSummary.of(folder, one).nonzeros()).orElse(0L),
        trained.map(RunFolder.Result::seconds).orElse(0.0),
        trained.isPresent()
            ? plan.tasks().stream().map(task -> read(place, task).orElseThrow()).toList()
            : List.of());
  }

  private static String diverged(Place place) {
    try {
      return Files.readString(place.path().resolve(DIVERGED)).strip();
    } catch (IOException e) {
      throw new RunException("cannot read " + place.path() + ": " + e.getMessage(), e);
    }
  }

  private static void write(Path file, String text) {
    try {
      AtomicFile.write(file, text.getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new RunException("cannot write " + file + ": " + e.getMessage(), e);
    }
  }
}
