// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.filigree.experiment.CompareResult;
import dev.filigree.experiment.CompareRun;
import dev.filigree.experiment.SampleCells;
import dev.filigree.json.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CompareTableTest {
  @TempDir private Path folder;

  @Test
  void saysEverythingOnceInColumns() throws IOException {
    SampleCells.write(folder, "while_return_true", "too_fast");
    CompareResult result =
        Json.read(Files.readString(folder.resolve(CompareRun.FILE)), CompareResult.class);
    String table = CompareTable.of(result);
    assertThat(table).doesNotContain("null").doesNotContain("NaN");
    result.cells().forEach(cell -> assertThat(table).contains(cell.model().name()));
    result.tasks().forEach(row -> assertThat(table).contains(row.task()));
    assertThat(table)
        .contains("diverged")
        .contains("outside of the ladder")
        .contains("the sparse model does not do it")
        .contains("At a loss of 0.15 a dense circuit has, over 5 tasks,")
        .containsPattern("  loss 0.4 +edges: sparse")
        .contains("Trained by the sources of 0123456, searched by those of 0123456; ")
        .containsPattern(
            "sparse 64, 1/16 +sparse 128, 1/16 +-0\\.130 +\\d+\\.\\d\\dx \\(.* to .*\\) over 5"
                + " +\\d");
  }

  @Test
  void saysWhatAnEdgeIs() throws IOException {
    SampleCells.write(folder, "while_return_true", "too_fast");
    String chosen = Files.readString(folder.resolve(CompareRun.FILE));
    String all = chosen.replace("\"edges\":true", "\"edges\":false");
    assertThat(CompareTable.of(Json.read(chosen, CompareResult.class)))
        .contains("here they are made small in edges");
    assertThat(CompareTable.of(Json.read(all, CompareResult.class)))
        .contains("every weight between")
        .doesNotContain("the weights between its nodes");
  }
}
