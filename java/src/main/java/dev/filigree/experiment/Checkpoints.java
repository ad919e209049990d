// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.channels.FileChannel;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * The checkpoints of a run, {@code checkpoints/<step>}. One is there completely or not at all: it
 * is written under a temporary name, hashed ({@code SHA256SUMS}, as of coreutils), synced and
 * renamed.
 */
public final class Checkpoints {
  /** Hashes of the files of a checkpoint; {@code sha256sum -c} reads it. */
  public static final String SUMS = "SHA256SUMS";

  private static final String TEMPORARY = ".tmp-";
  private static final String REPLACED = ".old-";

  private final Path folder;

  Checkpoints(Path folder) {
    this.folder = folder;
  }

  /**
   * One checkpoint.
   *
   * @param step steps that were done
   * @param path its folder
   */
  public record Checkpoint(long step, Path path) {}

  /** List the checkpoints, oldest step first, without looking inside. */
  public List<Checkpoint> all() {
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (Stream<Path> entries = Files.list(folder)) {
      return entries
          .filter(entry -> entry.getFileName().toString().matches("\\d{8,}"))
          .map(entry -> new Checkpoint(Long.parseLong(entry.getFileName().toString()), entry))
          .sorted((a, b) -> Long.compare(a.step(), b.step()))
          .toList();
    } catch (IOException e) {
      throw new RunException("cannot read " + folder + ": " + e.getMessage(), e);
    }
  }

  /**
   * Return the last checkpoint, checked against its hashes.
   *
   * @throws RunException when there is none, or it is damaged; then the newest good one is named
   */
  public Checkpoint last() {
    List<Checkpoint> all = all();
    if (all.isEmpty()) {
      throw new RunException("there is no checkpoint in " + folder + " yet");
    }
    return checked(all.getLast());
  }

  /**
   * Return the checkpoint of a step, checked against its hashes.
   *
   * @throws RunException when there is none, or it is damaged; then the newest good one is named
   */
  public Checkpoint at(long step) {
    return checked(
        all().stream()
            .filter(checkpoint -> checkpoint.step() == step)
            .findFirst()
            .orElseThrow(
                () ->
                    new RunException(
                        "there is no checkpoint of step %d in %s; there are those of %s"
                            .formatted(
                                step, folder, all().stream().map(Checkpoint::step).toList()))));
  }

  private Checkpoint checked(Checkpoint checkpoint) {
    Optional<String> damage = damage(checkpoint);
    if (damage.isEmpty()) {
      return checkpoint;
    }
    String problem = "checkpoint %s is damaged: %s".formatted(checkpoint.path(), damage.get());
    throw new RunException(
        all().reversed().stream()
            .filter(other -> other.step() < checkpoint.step() && damage(other).isEmpty())
            .findFirst()
            .map(
                good ->
                    "%s. The one of step %d is good: take it with --checkpoint %d"
                        .formatted(problem, good.step(), good.step()))
            .orElse(problem + ". There is no good one before it"));
  }

  /** Return what is wrong with a checkpoint, empty when nothing is. */
  Optional<String> damage(Checkpoint checkpoint) {
    Map<String, String> sums = new TreeMap<>();
    try {
      for (String line : Files.readAllLines(checkpoint.path().resolve(SUMS))) {
        if (line.length() < 67) {
          return Optional.of(SUMS + " is cut short");
        }
        sums.put(line.substring(66), line.substring(0, 64));
      }
      for (Map.Entry<String, String> sum : sums.entrySet()) {
        Path file = checkpoint.path().resolve(sum.getKey());
        if (!Files.isRegularFile(file)) {
          return Optional.of(sum.getKey() + " is missing");
        }
        if (!sha256(file).equals(sum.getValue())) {
          return Optional.of(sum.getKey() + " does not match its checksum");
        }
      }
      return sums.isEmpty() ? Optional.of(SUMS + " is empty") : Optional.empty();
    } catch (IOException e) {
      return Optional.of(SUMS + " cannot be read (" + e.getMessage() + ")");
    }
  }

  /** Return the recorded hash of one file of a checkpoint. */
  static String hash(Checkpoint checkpoint, String file) {
    try {
      return Files.readAllLines(checkpoint.path().resolve(SUMS)).stream()
          .filter(line -> line.substring(66).equals(file))
          .findFirst()
          .orElseThrow(() -> new RunException(checkpoint.path() + " has no " + file))
          .substring(0, 64);
    } catch (IOException e) {
      throw new RunException("cannot read " + checkpoint.path() + ": " + e.getMessage(), e);
    }
  }

  /**
   * Write a checkpoint. Nothing is left, and no other checkpoint touched, when that fails.
   *
   * @param writer fills the folder it is given
   */
  Checkpoint write(long step, Consumer<Path> writer) {
    String name = "%08d".formatted(step);
    Path temporary = folder.resolve(TEMPORARY + name);
    Path target = folder.resolve(name);
    Path replaced = folder.resolve(REPLACED + name);
    try {
      delete(temporary);
      delete(replaced);
      Files.createDirectories(temporary);
      try {
        writer.accept(temporary);
        sum(temporary);
        sync(temporary);
        if (Files.exists(target)) {
          Files.move(target, replaced, StandardCopyOption.ATOMIC_MOVE);
        }
        Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
        sync(folder);
      } catch (IOException | RuntimeException e) {
        delete(temporary);
        throw e;
      }
      delete(replaced);
      return new Checkpoint(step, target);
    } catch (IOException e) {
      throw new RunException(
          "cannot write checkpoint %s: %s; earlier checkpoints are untouched"
              .formatted(target, e.getMessage()),
          e);
    }
  }

  /** Delete all but the newest checkpoints. */
  void prune(int keep) {
    List<Checkpoint> all = all();
    try {
      for (Checkpoint old : all.subList(0, Math.max(0, all.size() - keep))) {
        delete(old.path());
      }
    } catch (IOException e) {
      throw new RunException("cannot delete an old checkpoint: " + e.getMessage(), e);
    }
  }

  private static void sum(Path checkpoint) throws IOException {
    StringBuilder sums = new StringBuilder();
    List<Path> files;
    try (Stream<Path> entries = Files.list(checkpoint)) {
      files = entries.sorted().toList();
    }
    for (Path file : files) {
      sums.append(sha256(file)).append("  ").append(file.getFileName()).append('\n');
    }
    Files.writeString(checkpoint.resolve(SUMS), sums);
    List<Path> all = new ArrayList<>(files);
    all.add(checkpoint.resolve(SUMS));
    for (Path file : all) {
      try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
        channel.force(true);
      }
    }
  }

  /** Sync a folder, so that the names in it survive a power cut. */
  private static void sync(Path folder) throws IOException {
    try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }

  private static String sha256(Path file) throws IOException {
    try (InputStream in =
        new DigestInputStream(Files.newInputStream(file), MessageDigest.getInstance("SHA-256"))) {
      in.transferTo(OutputStream.nullOutputStream());
      return HexFormat.of().formatHex(((DigestInputStream) in).getMessageDigest().digest());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  /** Delete a folder with all that is in it; one that is not there is no error. */
  static void delete(Path folder) throws IOException {
    if (!Files.exists(folder)) {
      return;
    }
    Files.walkFileTree(
        folder,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            Files.delete(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path visited, IOException failure)
              throws IOException {
            Files.delete(visited);
            return FileVisitResult.CONTINUE;
          }
        });
  }
}
