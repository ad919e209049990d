// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.filigree.data.TinyPython;
import dev.filigree.data.TokenDataset;
import dev.filigree.data.Tokenizer;
import dev.filigree.task.Cue;
import dev.filigree.task.ExampleBuilder;
import dev.filigree.task.ExampleSet;
import dev.filigree.task.Split;
import dev.filigree.task.TaskException;
import dev.filigree.task.TemplateTask;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A task of one's own in Java, as docs/tasks.md shows it. */
class OwnTaskTest {
  @TempDir Path folder;

  /** The example of docs/tasks.md. */
  private static final class FromImport extends TemplateTask {
    FromImport() {
      super(
          "from_import",
          "After its module a from goes on with import, an import ends the line.",
          List.of(new Cue("from", "import")),
          List.of(" import $noun2\n", "\n"),
          List.of("<cue> $noun1", "import $noun3\n<cue> $noun1"),
          List.of("<cue> $noun1_$attribute"),
          List.of("<cue> my_$noun1"));
    }
  }

  @Test
  void isKnownToTheRunByItsName() {
    Experiment run =
        Experiment.create(folder.resolve("run"), Presets.NANO.config())
            .with(List.of(new FromImport()));
    assertThat(run.task("from_import").description()).startsWith("After its module");
    assertThat(run.task("for_while").name()).isEqualTo("for_while");
    assertThatThrownBy(() -> run.with(List.of(new FromImport())))
        .isInstanceOf(TaskException.class)
        .hasMessageContaining("there is a task 'from_import' already");
    assertThatThrownBy(() -> Experiment.open(folder.resolve("run")).task("from_import"))
        .isInstanceOf(TaskException.class);
  }

  @Test
  void givesExamples() {
    Tokenizer tokenizer =
        TokenDataset.learnTokenizer(
            List.of(new TokenDataset.Source(new TinyPython(1), 1, 600_000)), 1024, 600_000);
    ExampleSet set = new ExampleBuilder(new FromImport(), tokenizer, 128).build(Split.FINAL, 20, 1);
    assertThat(set.examples())
        .allSatisfy(
            example -> {
              assertThat(example.textA()).contains("from my_");
              assertThat(tokenizer.decode(example.targetA())).isEqualTo(" import");
              assertThat(tokenizer.decode(example.targetB())).isEqualTo("\n");
            });
  }

  @Test
  void theDocumentationShowsIt() throws IOException {
    String page = Files.readString(Path.of("..", "docs", "tasks.md"));
    String source =
        Files.readString(Path.of("src/test/java/dev/filigree/experiment/OwnTaskTest.java"));
    String body =
        source.substring(
            source.indexOf("super(\n"),
            source.indexOf("my_$noun1\"));") + "my_$noun1\"));".length());
    assertThat(page.replaceAll("\\s+", " ")).contains(body.replaceAll("\\s+", " "));
  }
}
