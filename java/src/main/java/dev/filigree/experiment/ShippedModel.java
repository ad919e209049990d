// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.data.AtomicFile;
import dev.filigree.data.DataException;
import dev.filigree.data.Hashes;
import dev.filigree.data.SparseSafetensors;
import dev.filigree.data.TokenFile;
import dev.filigree.data.TokenFileInfo;
import dev.filigree.experiment.Checkpoints.Checkpoint;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.LocalDateTime;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.zip.Deflater;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import java.util.zip.ZipOutputStream;

/**
 * A trained model in one small file: a zip archive of its run folder, with the last checkpoint
 * without the zeros of its matrices ({@link SparseSafetensors}) and, of the token files, the
 * windows that losses and node means are taken over. Unpacked it is a run folder again, whose
 * checkpoint is that of the run byte for byte, so that circuits and evidence go on to hold.
 *
 * <p>Filigree comes with one, called {@value #NAME}.
 */
public final class ShippedModel {
  /** Name of the model that comes with Filigree. */
  public static final String NAME = "shipped";

  /** System property: folder to unpack models in, in place of the user's cache. */
  public static final String CACHE = "filigree.models";

  private static final String RESOURCE = "/dev/filigree/shipped/model.zip";
  private static final String SPARSE = "model.sparse.safetensors";
  private static final String DENSE = "model.safetensors";
  private static final LocalDateTime TIME = LocalDateTime.of(1980, 1, 1, 0, 0); // the earliest
  private static final int ALL_WINDOWS = 1024; // in place of all there are

  private ShippedModel() {}

  /**
   * Open a model by its name: {@value #NAME}, or the path of an archive.
   *
   * <p>It is unpacked into {@code filigree/models} of the user's cache folder ({@code
   * XDG_CACHE_HOME}, else {@code ~/.cache}) when it is not there yet. Circuits and evidence that
   * are found later are written there too.
   *
   * @throws RunException when there is no such model
   */
  public static RunFolder open(String name) {
    byte[] archive;
    try {
      archive = name.equals(NAME) ? resource() : Files.readAllBytes(Path.of(name));
    } catch (NoSuchFileException e) {
      throw new RunException(
          "there is no model \"%s\": there is %s, and any file that ./filigree ship wrote"
              .formatted(name, NAME),
          e);
    } catch (IOException e) {
      throw new RunException("cannot read %s: %s".formatted(name, e.getMessage()), e);
    }
    Path folder = cache().resolve(Hashes.hex(archive).substring(0, 16)).resolve(NAME);
    if (!RunFolder.exists(folder)) {
      unpack(archive, folder);
    }
    return RunFolder.open(folder);
  }

  private static byte[] resource() throws IOException {
    try (InputStream in = ShippedModel.class.getResourceAsStream(RESOURCE)) {
      if (in == null) {
        throw new RunException(
            "this build of Filigree comes without a model; ./filigree ship makes one of a run");
      }
      return in.readAllBytes();
    }
  }

  private static Path cache() {
    String property = System.getProperty(CACHE);
    if (property != null) {
      return Path.of(property);
    }
    String set = System.getenv("XDG_CACHE_HOME");
    Path base =
        set == null || set.isEmpty()
            ? Path.of(System.getProperty("user.home"), ".cache")
            : Path.of(set);
    return base.resolve("filigree").resolve("models");
  }

  // ---- Writing ---------------------------------------------------------------------------------

  /**
   * Pack a finished run. The same run gives the same bytes.
   *
   * @param most bytes that it may have
   * @return how many it has
   * @throws RunException when the run is not finished, or the file would be larger
   */
  public static long write(RunFolder run, Path file, long most) {
    if (run.result().isEmpty()) {
      throw new RunException(run.path() + " is not trained to its end, so it is not to be shipped");
    }
    try {
      byte[] archive = archive(run);
      if (archive.length > most) {
        throw new RunException(
            "%s would have %,d bytes, more than the %,d that are allowed"
                .formatted(file, archive.length, most));
      }
      AtomicFile.write(file, archive);
      return archive.length;
    } catch (IOException e) {
      throw new RunException("cannot pack %s: %s".formatted(run.path(), e.getMessage()), e);
    }
  }

  private static byte[] archive(RunFolder run) throws IOException {
    SortedMap<String, byte[]> entries = new TreeMap<>();
    entries.put("run.json", manifest(run));
    addFolder(entries, run, run.path(), "metrics.jsonl");
    for (String folder : new String[] {"tokenizer", "circuits", "evidence"}) {
      addFolder(entries, run, run.path().resolve(folder), "");
    }
    Checkpoint last = run.checkpoints().last();
    String checkpoint = "checkpoints/" + last.path().getFileName() + "/";
    entries.put(checkpoint + "config.json", read(last.path().resolve("config.json")));
    entries.put(checkpoint + SPARSE, SparseSafetensors.compress(read(last.path().resolve(DENSE))));
    StringBuilder sums = new StringBuilder();
    for (String name : new String[] {"config.json", DENSE}) {
      sums.append(Checkpoints.hash(last, name)).append("  ").append(name).append('\n');
    }
    entries.put(checkpoint + Checkpoints.SUMS, sums.toString().getBytes(StandardCharsets.UTF_8));
    addText(entries, run);
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      zip.setLevel(Deflater.BEST_COMPRESSION);
      for (Map.Entry<String, byte[]> entry : entries.entrySet()) {
        ZipEntry described = new ZipEntry(entry.getKey());
        described.setTimeLocal(TIME);
        zip.putNextEntry(described);
        zip.write(entry.getValue());
        zip.closeEntry();
      }
    }
    return bytes.toByteArray();
  }

  /** Where a teacher was means nothing elsewhere. */
  private static byte[] manifest(RunFolder run) {
    ObjectNode manifest = (ObjectNode) run.manifest();
    if (manifest.path("teacher").isObject()) {
      ObjectNode teacher = manifest.withObject("/teacher");
      teacher.put("run", Path.of(teacher.path("run").asText()).getFileName().toString());
    }
    return (manifest.toPrettyString() + "\n").getBytes(StandardCharsets.UTF_8);
  }

  private static byte[] read(Path file) throws IOException {
    return Files.readAllBytes(file);
  }

  /** Add the files of a folder whose names begin in some way; of one that is missing, none. */
  private static void addFolder(
      SortedMap<String, byte[]> entries, RunFolder run, Path folder, String prefix)
      throws IOException {
    if (!Files.isDirectory(folder)) {
      return;
    }
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        if (file.getFileName().toString().startsWith(prefix)) {
          entries.put(run.path().relativize(file).toString(), read(file));
        }
      }
    }
  }

  /** Add the windows that a run of this configuration looks at. */
  private static void addText(SortedMap<String, byte[]> entries, RunFolder run) throws IOException {
    RunConfig config = run.config();
    entries.put("data/data.json", read(run.data().resolve("data.json")));
    int length = config.model().blockSize();
    try (PreparedData data = PreparedData.open(run, config)) {
      for (PreparedData.Part part : data.parts()) {
        addExcerpt(entries, part.train(), length, config.prune().meanSequences());
        addExcerpt(entries, part.validation(), length, config.run().evalSequences());
      }
    }
  }

  /**
   * Add so many windows, evenly spread, which are those that the core takes when asked for as many.
   */
  private static void addExcerpt(
      SortedMap<String, byte[]> entries, TokenFile file, int length, int windows)
      throws IOException {
    long all = file.count() / length;
    long used = Math.min(all, windows == 0 ? ALL_WINDOWS : windows);
    byte[] tokens = new byte[Math.toIntExact(used * length * Short.BYTES)];
    for (long i = 0; i < used; i++) {
      long from = i * all / used * length;
      for (int j = 0; j < length; j++) {
        int token = file.token(from + j);
        int at = (int) (i * length + j) * Short.BYTES;
        tokens[at] = (byte) token;
        tokens[at + 1] = (byte) (token >>> Byte.SIZE);
      }
    }
    TokenFileInfo info = file.info();
    String name = file.path().getFileName().toString();
    entries.put("data/" + name, tokens);
    entries.put(
        "data/" + name.substring(0, name.length() - TokenFile.EXTENSION.length()) + ".json",
        new TokenFileInfo(
                info.corpus(),
                info.split(),
                info.share(),
                info.documents(),
                used * length,
                info.bytes(),
                info.vocabularySize(),
                info.vocabularyHash(),
                info.corpusHash(),
                info.skipped())
            .toJson()
            .getBytes(StandardCharsets.UTF_8));
  }

  // ---- Reading ---------------------------------------------------------------------------------

  /** Unpack beside the target, then rename: two processes may do it at once. */
  private static void unpack(byte[] archive, Path folder) {
    try {
      Files.createDirectories(folder.getParent());
      Path temporary = Files.createTempDirectory(folder.getParent(), ".unpacking-");
      try {
        extract(archive, temporary);
        Checkpoints checkpoints = new Checkpoints(temporary.resolve("checkpoints"));
        Optional<String> damage =
            checkpoints.all().stream()
                .map(checkpoints::damage)
                .flatMap(Optional::stream)
                .findFirst();
        if (damage.isPresent()) {
          throw new RunException("the packed model is damaged: " + damage.get());
        }
        Files.move(temporary, folder, StandardCopyOption.ATOMIC_MOVE);
      } catch (FileSystemException e) {
        // Another process may have been faster; file systems call that by several names.
        if (!RunFolder.exists(folder)) {
          throw e;
        }
      } finally {
        if (Files.exists(temporary)) {
          Checkpoints.delete(temporary);
        }
      }
    } catch (IOException e) {
      throw new RunException(
          "cannot unpack a model to %s: %s".formatted(folder, e.getMessage()), e);
    } catch (DataException e) {
      throw new RunException("the packed model is damaged: " + e.getMessage(), e);
    }
  }

  private static void extract(byte[] archive, Path folder) throws IOException {
    boolean any = false;
    try (ZipInputStream zip = new ZipInputStream(new ByteArrayInputStream(archive))) {
      for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
        Path file = folder.resolve(entry.getName()).normalize();
        if (!file.startsWith(folder) || entry.isDirectory()) {
          throw new RunException("this is no packed model: it has an entry " + entry.getName());
        }
        byte[] content = zip.readAllBytes();
        if (file.getFileName().toString().equals(SPARSE)) {
          file = file.resolveSibling(DENSE);
          content = SparseSafetensors.expand(content);
        }
        Files.createDirectories(file.getParent());
        Files.write(file, content);
        any = true;
      }
    }
    if (!any) {
      throw new RunException("this is no packed model: it is no zip archive");
    }
  }
}
