// SPDX-License-Identifier: Apache-2.0
package dev.filigree.report;

import dev.filigree.experiment.SampleCells;
import java.io.IOException;
import java.nio.file.Path;

/** Makes the folder of a comparison without training anything. */
final class SampleComparison {
  private SampleComparison() {}

  /** Fill an empty folder: the result, and the run of the middle of the grid. */
  static void write(Path folder) throws IOException {
    SampleRuns.sparse(folder.resolve(SampleCells.MIDDLE_RUN));
    SampleCells.write(folder, "<b onclick=x>&amp;", SampleRuns.HOSTILE);
  }
}
