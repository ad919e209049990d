// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.CircuitMask;
import dev.filigree.Edge;
import dev.filigree.Engine;
import dev.filigree.circuit.Circuit;
import dev.filigree.circuit.Drift;
import dev.filigree.circuit.Evidence;
import dev.filigree.data.DataException;
import dev.filigree.data.Tokenizer;
import dev.filigree.experiment.Checkpoints.Checkpoint;
import dev.filigree.task.Task;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * Asks whether circuits that were found in one checkpoint still explain another one of the same
 * architecture. Text, tokenizer and examples are those of the run that the circuits belong to.
 */
public final class CheckRun {
  private final RunFolder folder;
  private final Checkpoint checkpoint;

  private CheckRun(RunFolder folder, Checkpoint checkpoint) {
    this.folder = folder;
    this.checkpoint = checkpoint;
  }

  /**
   * Prepare.
   *
   * @param run that the circuits were found in
   * @param checkpoint a folder with config.json, model.safetensors and SHA256SUMS; a run, whose
   *     last one is taken; or the step of one of the circuits' own run
   * @throws RunException when there is no such checkpoint, or it is damaged, or of another
   *     tokenizer
   */
  public static CheckRun of(Path run, String checkpoint) {
    RunFolder folder = RunFolder.open(run);
    if (checkpoint.matches("\\d+")) {
      return new CheckRun(folder, folder.checkpoints().at(Long.parseLong(checkpoint)));
    }
    Path path = Path.of(checkpoint);
    if (RunFolder.exists(path)) {
      requireSameTokenizer(folder, path);
      return new CheckRun(folder, RunFolder.open(path).checkpoints().last());
    }
    Path absolute = path.toAbsolutePath().normalize();
    Path name = absolute.getFileName(); // null for the root
    if (!Files.isDirectory(path) || name == null || !name.toString().matches("\\d{8,}")) {
      throw new RunException(
          "%s is no checkpoint, run or step; checkpoints are folders like runs/x/checkpoints/00002000"
              .formatted(checkpoint));
    }
    Path other = absolute.getParent().getParent();
    if (other != null && RunFolder.exists(other)) {
      requireSameTokenizer(folder, other);
    }
    return new CheckRun(
        folder, new Checkpoints(absolute.getParent()).at(Long.parseLong(name.toString())));
  }

  private static void requireSameTokenizer(RunFolder folder, Path other) {
    Path files = RunFolder.open(other).tokenizer();
    try {
      if (Files.isDirectory(files)
          && !Tokenizer.load(files).hash().equals(Tokenizer.load(folder.tokenizer()).hash())) {
        throw new RunException(
            "%s has another tokenizer than %s: its tokens mean other things"
                .formatted(other, folder.path()));
      }
    } catch (DataException e) {
      throw new RunException(e.getMessage(), e);
    }
  }

  /** Where it looks. */
  public Checkpoint checkpoint() {
    return checkpoint;
  }

  /** The run that the circuits were found in. */
  public RunFolder folder() {
    return folder;
  }

  /** The checkpoint, opened for several circuits. Close it before its engine. */
  public static final class Session implements AutoCloseable {
    private final CircuitSearch search;

    private Session(CircuitSearch search) {
      this.search = search;
    }

    /**
     * Check a circuit.
     *
     * @param file of the circuit
     * @param effort how much is asked
     * @param lossTolerance how much a loss may rise, nats per sequence
     * @throws RunException when the file cannot be used, or examples or tokenizer are not those it
     *     was found with
     */
    public Drift check(Path file, Effort effort, double lossTolerance) {
      requireOwnRun(file);
      Circuit circuit = read(file);
      EvidenceRun run = new EvidenceRun(search);
      Evidence now = run.elsewhere(search.task(circuit.task()), circuit, effort);
      CircuitMask mask = search.mask(circuit, run.searchOf(circuit));
      List<Edge> edges = search.model().edges(mask.keep());
      Predicate<Edge> there = mask.withEdges(edges).joins();
      long lost =
          circuit.edges().stream()
              .filter(edge -> !there.test(new Edge(edge.source(), edge.target(), edge.weight())))
              .count();
      return Drift.of(
          circuit,
          search.folder().evidenceAbout(circuit).orElse(null),
          now,
          edges.size(),
          Math.toIntExact(lost),
          lossTolerance);
    }

    /** Text, means and recorded evidence are those of one run. */
    private void requireOwnRun(Path file) {
      Optional<Path> run = someRunOf(file);
      Path own = search.folder().path().toAbsolutePath().normalize();
      if (run.isPresent() && !run.get().equals(own)) {
        throw new RunException(
            "%s belongs to %s, not to %s; check the circuits of one run at a time"
                .formatted(file, run.get(), search.folder().path()));
      }
    }

    @Override
    public void close() {
      search.close();
    }
  }

  /**
   * Open the checkpoint.
   *
   * @param own tasks beside those of Filigree
   */
  public Session open(Engine engine, List<Task> own, Progress progress) {
    return new Session(
        CircuitSearch.open(engine, folder, folder.config(), own, checkpoint, progress));
  }

  /**
   * Read a circuit.
   *
   * @throws RunException when it cannot be used
   */
  static Circuit read(Path file) {
    try {
      return Circuit.read(file);
    } catch (IOException | IllegalArgumentException e) {
      throw new RunException("cannot use " + file + ": " + e.getMessage(), e);
    }
  }

  /**
   * Return the run that a circuit file lies in: {@code <run>/circuits/<task>.json}.
   *
   * @throws RunException when it lies elsewhere
   */
  public static Path runOf(Path circuit) {
    return someRunOf(circuit)
        .orElseThrow(
            () ->
                new RunException(
                    "%s lies in no run; name the run it was found in with --run"
                        .formatted(circuit)));
  }

  private static Optional<Path> someRunOf(Path circuit) {
    return Optional.ofNullable(circuit.toAbsolutePath().normalize().getParent())
        .map(Path::getParent)
        .filter(RunFolder::exists);
  }
}
