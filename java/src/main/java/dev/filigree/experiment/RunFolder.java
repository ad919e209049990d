// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.circuit.Circuit;
import dev.filigree.circuit.Evidence;
import dev.filigree.data.AtomicFile;
import dev.filigree.json.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * One run on disk: {@code run.json}, {@code metrics.jsonl}, {@code tokenizer/}, {@code data/},
 * {@code checkpoints/}, {@code circuits/}, {@code evidence/}.
 */
public final class RunFolder {
  /** Where runs are unless a folder is named. */
  public static final Path RUNS = Path.of("runs");

  private static final String MANIFEST = "run.json";
  private static final String EXTENSION = ".json";
  private static final int DEEPEST = 3; // folders below runs/ that are looked into

  private final Path path;

  private RunFolder(Path path) {
    this.path = path;
  }

  /** Whether there is a run in a folder. */
  public static boolean exists(Path path) {
    return Files.isRegularFile(path.resolve(MANIFEST));
  }

  /**
   * Open an existing run; of a folder that holds a sparse and a dense one, the sparse one.
   *
   * @throws RunException when there is no run in the folder
   */
  public static RunFolder open(Path path) {
    Path sparse = path.resolve(Quickstart.MODELS.getFirst());
    if (!exists(path) && exists(sparse)) {
      return new RunFolder(sparse);
    }
    if (!exists(path)) {
      throw new RunException(
          "there is no run in %s (no %s); ./filigree train makes one".formatted(path, MANIFEST));
    }
    return new RunFolder(path);
  }

  /**
   * Open the run below a folder that was written to last, of those with a checkpoint if any has,
   * and of a sparse and a dense one side by side the sparse one.
   *
   * @throws RunException when there is none
   */
  public static RunFolder newest(Path runs) {
    RunFolder newest = newestOf(runs);
    Path sparse = newest.path.resolveSibling(Quickstart.MODELS.getFirst());
    return newest.name().equals(Quickstart.MODELS.getLast()) && exists(sparse)
        ? new RunFolder(sparse)
        : newest;
  }

  private static RunFolder newestOf(Path runs) {
    return all(runs).stream()
        .max(
            Comparator.comparing((RunFolder run) -> !run.checkpoints().all().isEmpty())
                .thenComparing(run -> lastWritten(run.path)))
        .orElseThrow(
            () ->
                new RunException(
                    "there is no run in %s; ./filigree train makes one, --run names another"
                        .formatted(runs)));
  }

  /** List the runs below a folder by path, nested ones such as runs/quickstart/sparse too. */
  public static List<RunFolder> all(Path runs) {
    List<RunFolder> found = new ArrayList<>();
    try {
      collect(runs, DEEPEST, found);
    } catch (IOException e) {
      throw new RunException("cannot read " + runs + ": " + e.getMessage(), e);
    }
    return found;
  }

  private static void collect(Path folder, int depth, List<RunFolder> found) throws IOException {
    if (depth == 0 || !Files.isDirectory(folder)) {
      return;
    }
    List<Path> entries;
    try (Stream<Path> listed = Files.list(folder)) {
      entries = listed.sorted().toList();
    }
    for (Path entry : entries) {
      if (exists(entry)) {
        found.add(new RunFolder(entry));
      } else {
        collect(entry, depth - 1, found);
      }
    }
  }

  private static long lastWritten(Path folder) {
    return Stream.of(MANIFEST, "metrics.jsonl")
        .map(folder::resolve)
        .mapToLong(file -> file.toFile().lastModified())
        .max()
        .orElse(0);
  }

  /**
   * Make a folder for a new run. One that holds a run without a checkpoint is started over.
   *
   * @throws RunException when the folder holds a run that has got somewhere, or something else
   */
  static RunFolder create(Path path, ObjectNode manifest) {
    RunFolder folder = new RunFolder(path);
    try {
      if (exists(path)) {
        if (!folder.checkpoints().all().isEmpty()) {
          throw new RunException(
              "%s holds a run with checkpoints; go on with --resume, or name another folder with --run"
                  .formatted(path));
        }
        Files.deleteIfExists(folder.metrics());
      } else if (Files.isDirectory(path)) {
        try (Stream<Path> entries = Files.list(path)) {
          if (entries.findAny().isPresent()) {
            throw new RunException(path + " is not empty and holds no run; name another folder");
          }
        }
      }
      Files.createDirectories(path);
      folder.writeManifest(manifest);
      return folder;
    } catch (IOException e) {
      throw new RunException("cannot write to " + path + ": " + e.getMessage(), e);
    }
  }

  /** A folder that holds the tokenizer and the token files of runs, and no run. */
  static RunFolder forText(Path path) {
    return new RunFolder(path);
  }

  public Path path() {
    return path;
  }

  /** Name of the run: that of its folder. */
  public String name() {
    return path.toAbsolutePath().normalize().getFileName().toString();
  }

  public Path tokenizer() {
    return path.resolve("tokenizer");
  }

  public Path data() {
    return path.resolve("data");
  }

  public Path metrics() {
    return path.resolve("metrics.jsonl");
  }

  /** File of the circuit of a task. */
  public Path circuit(String task) {
    return path.resolve("circuits").resolve(task + EXTENSION);
  }

  /** List the tasks that have a circuit, in alphabetical order. */
  public List<String> circuits() {
    return tasksIn(circuit("any").getParent());
  }

  /**
   * The same where there has to be one.
   *
   * @throws RunException when there is none
   */
  public List<String> someCircuits() {
    List<String> circuits = circuits();
    if (circuits.isEmpty()) {
      throw new RunException(
          "there is no circuit in %s yet; ./filigree prune --task NAME finds one"
              .formatted(path()));
    }
    return circuits;
  }

  /** List the tasks that have evidence, in alphabetical order. */
  public List<String> evidence() {
    return tasksIn(evidence("any").getParent());
  }

  private static List<String> tasksIn(Path folder) {
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (Stream<Path> files = Files.list(folder)) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.endsWith(EXTENSION))
          .map(name -> name.substring(0, name.length() - EXTENSION.length()))
          .sorted()
          .toList();
    } catch (IOException e) {
      throw new RunException("cannot read " + folder + ": " + e.getMessage(), e);
    }
  }

  /**
   * Read the circuit of a task, empty when there is none.
   *
   * @throws RunException when the file is damaged
   */
  public Optional<Circuit> readCircuit(String task) {
    return read(circuit(task), Circuit::read);
  }

  /**
   * Read the evidence for the circuit of a task, empty when there is none.
   *
   * @throws RunException when the file is damaged
   */
  public Optional<Evidence> readEvidence(String task) {
    return read(evidence(task), Evidence::read);
  }

  /**
   * Return the evidence for a circuit as it was found; empty when there is none, when it is about
   * another circuit, and when it cannot be read: of an older version, or damaged.
   */
  public Optional<Evidence> evidenceAbout(Circuit circuit) {
    try {
      return readEvidence(circuit.task())
          .filter(evidence -> evidence.isAbout(circuit, circuit.source()));
    } catch (RunException _) {
      return Optional.empty();
    }
  }

  /**
   * Return what is known of a task: the evidence for its circuit, or, without a circuit, that the
   * model does not do it.
   *
   * @throws RunException when a file is damaged
   */
  public Optional<Evidence> currentEvidence(String task) {
    Optional<Circuit> circuit = readCircuit(task);
    return circuit.isPresent() ? evidenceAbout(circuit.get()) : readEvidence(task);
  }

  /** Remove the evidence for the circuit of a task, where there is any: it is about another one. */
  public void forgetEvidence(String task) {
    try {
      Files.deleteIfExists(evidence(task));
    } catch (IOException e) {
      throw new RunException("cannot remove " + evidence(task) + ": " + e.getMessage(), e);
    }
  }

  /** Reads one kind of file. */
  private interface Reader<T> {
    T read(Path file) throws IOException;
  }

  private static <T> Optional<T> read(Path file, Reader<T> reader) {
    try {
      return Files.exists(file) ? Optional.of(reader.read(file)) : Optional.empty();
    } catch (IOException e) {
      throw new RunException("cannot read " + file + ": " + e.getMessage(), e);
    } catch (IllegalArgumentException e) {
      throw new RunException(e.getMessage(), e);
    }
  }

  /** File of the circuits of a task at several losses. */
  public Path curve(String task) {
    return path.resolve("curves").resolve(task + EXTENSION);
  }

  /** File of the evidence for the circuit of a task. */
  public Path evidence(String task) {
    return path.resolve("evidence").resolve(task + EXTENSION);
  }

  public Checkpoints checkpoints() {
    return new Checkpoints(path.resolve("checkpoints"));
  }

  /** Read {@code run.json}. */
  public JsonNode manifest() {
    Path file = path.resolve(MANIFEST);
    try {
      return Json.parse(Files.readString(file));
    } catch (IOException | IllegalArgumentException e) {
      throw new RunException("cannot read " + file + ": " + e.getMessage(), e);
    }
  }

  /** Return the configuration the run was started with. */
  public RunConfig config() {
    JsonNode config = manifest().get("config");
    if (config == null) {
      throw new RunException(path.resolve(MANIFEST) + " has no \"config\"");
    }
    return RunConfig.ofRun(config);
  }

  /** Return the model that this one learns from. */
  Optional<Teacher> teacher() {
    JsonNode teacher = manifest().path("teacher");
    return teacher.isObject()
        ? Optional.of(Json.read(teacher.toString(), Teacher.class))
        : Optional.empty();
  }

  /**
   * What came of a run.
   *
   * @param step of the last checkpoint
   * @param elapsedTokens seen in training
   * @param testXent held-out loss over the mix, nats per token
   * @param testXentByCorpus the same by corpus
   * @param seconds wall time of the training, preparation included, over all its parts
   */
  public record Result(
      long step,
      long elapsedTokens,
      double testXent,
      Map<String, Double> testXentByCorpus,
      double seconds) {}

  /** Return what came of the run; empty while it is not finished. */
  public Optional<Result> result() {
    JsonNode result = manifest().get("result");
    return result == null
        ? Optional.empty()
        : Optional.of(Json.read(result.toString(), Result.class));
  }

  /** Write down what came of the run. That it is there says that the run is finished. */
  void writeResult(Result result) {
    ObjectNode manifest = (ObjectNode) manifest();
    manifest.set("result", Json.tree(result));
    writeManifest(manifest);
  }

  /**
   * Take over the tokenizer and the token files of another run, so that both train on the same
   * text. The files are shared where the file system can.
   */
  public void takeData(RunFolder other) {
    for (Path from : List.of(other.tokenizer(), other.data())) {
      Path to = path.resolve(from.getFileName());
      try (Stream<Path> files = Files.list(from)) {
        Files.createDirectories(to);
        for (Path file : files.toList()) {
          Path copy = to.resolve(file.getFileName());
          Files.deleteIfExists(copy);
          try {
            Files.createLink(copy, file);
          } catch (UnsupportedOperationException | FileSystemException _) {
            Files.copy(file, copy);
          }
        }
      } catch (IOException e) {
        throw new RunException("cannot copy " + from + " to " + to + ": " + e.getMessage(), e);
      }
    }
  }

  void writeManifest(JsonNode manifest) {
    String text = manifest.toPrettyString() + "\n";
    try {
      AtomicFile.write(path.resolve(MANIFEST), text.getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new RunException("cannot write " + path.resolve(MANIFEST) + ": " + e.getMessage(), e);
    }
  }

  /** Add one line to the metrics. */
  void appendMetrics(JsonNode line) {
    try {
      Files.writeString(
          metrics(), line + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw new RunException("cannot write " + metrics() + ": " + e.getMessage(), e);
    }
  }

  /** Drop the lines of steps after a given one, which a resumed run will write again. */
  void truncateMetrics(long step) {
    if (!Files.exists(metrics())) {
      return;
    }
    try {
      List<String> kept = new ArrayList<>();
      for (String line : Files.readAllLines(metrics())) {
        if (stepOf(line) <= step) {
          kept.add(line);
        }
      }
      String text = kept.isEmpty() ? "" : String.join("\n", kept) + "\n";
      AtomicFile.write(metrics(), text.getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new RunException("cannot rewrite " + metrics() + ": " + e.getMessage(), e);
    }
  }

  /** A line that a killed process left half written counts as never. */
  private static long stepOf(String line) {
    try {
      return Json.parse(line).path("step").asLong(Long.MAX_VALUE);
    } catch (IllegalArgumentException _) {
      return Long.MAX_VALUE;
    }
  }
}
