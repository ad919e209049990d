// SPDX-License-Identifier: Apache-2.0
package dev.filigree.report;

import dev.filigree.data.AtomicFile;
import dev.filigree.data.DataException;
import dev.filigree.experiment.CompareResult;
import dev.filigree.experiment.CompareRun;
import dev.filigree.experiment.Experiment;
import dev.filigree.experiment.RunFolder;
import dev.filigree.json.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;

/** A page about a comparison: one HTML file that needs nothing else, as {@link Report}. */
public final class CompareReport {
  private final Path folder;
  private final CompareResult result;

  private CompareReport(Path folder, CompareResult result) {
    this.folder = folder;
    this.result = result;
  }

  /**
   * What the page shows; its JSON is the data block that the script of the page reads.
   *
   * @param title name of the folder
   * @param written when, UTC
   * @param filigree version that wrote it
   * @param result the comparison
   * @param choosesEdges whether the edges of circuits were chosen one by one
   * @param middle the model that the headline is about
   */
  private record ComparePage(
      String title,
      String written,
      String filigree,
      CompareResult result,
      boolean choosesEdges,
      RunView middle) {}

  /** Whether a folder holds a comparison that is finished. */
  public static boolean exists(Path folder) {
    return Files.isRegularFile(folder.resolve(CompareRun.FILE));
  }

  /**
   * Read the folder of a comparison.
   *
   * @throws DataException when there is none, or its file cannot be used
   */
  public static CompareReport of(Path folder) {
    Path file = folder.resolve(CompareRun.FILE);
    try {
      return new CompareReport(folder, Json.read(Files.readString(file), CompareResult.class));
    } catch (IOException | IllegalArgumentException e) {
      throw new DataException("cannot read " + file + ": " + e.getMessage(), e);
    }
  }

  /** Return the page. */
  public String html() {
    String run =
        result.cells().stream()
            .map(CompareResult.Cell::model)
            .filter(model -> model.name().equals(result.middle()))
            .findFirst()
            .orElseThrow()
            .run();
    return Template.COMPARE.fill(
        Json.tree(
            new ComparePage(
                folder.toAbsolutePath().normalize().getFileName().toString(),
                Instant.now().truncatedTo(ChronoUnit.SECONDS).toString(),
                Experiment.version(),
                result,
                result.plan().base().prune().choosesEdges(),
                RunView.of(result.middle(), RunFolder.open(folder.resolve(run))))));
  }

  /** Write the page: it appears complete or not at all. */
  public void write(Path file) {
    try {
      AtomicFile.write(file, html().getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new DataException("cannot write " + file + ": " + e.getMessage(), e);
    }
  }
}
