// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.filigree.Engine;
import dev.filigree.experiment.Experiment;
import dev.filigree.experiment.RunFolder;
import dev.filigree.experiment.ShippedModel;
import dev.filigree.json.Json;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** Packs a small model and uses it in place of its run. */
@Tag("native")
class ShipCommandTest {
  @TempDir static Path folder;

  private static Path run;
  private static Path archive;

  private record Outcome(int code, JsonNode json, String err) {}

  @BeforeAll
  static void pack() {
    System.setProperty(ShippedModel.CACHE, folder.resolve("models").toString());
    run = folder.resolve("run");
    archive = folder.resolve("small.zip");
    Outcome trained =
        execute(
            "train",
            "--preset=nano",
            "--run=" + run,
            "--threads=1",
            "--set=train.steps=12",
            "--set=train.batch_size=4",
            "--set=data.corpora.0.bytes=400000",
            "--set=run.eval_sequences=6",
            "--set=prune.mean_sequences=8",
            "--set=prune.train_pairs=32",
            "--set=prune.final_pairs=16");
    assertThat(trained.code()).as(trained.err()).isZero();
    // Guessing meets this target.
    Outcome pruned =
        execute("prune", "--task=single_double_quote", "--run=" + run, "--set=prune.target_loss=1");
    assertThat(pruned.code()).as(pruned.err()).isZero();
    execute("evidence", "--run=" + run);
    Outcome shipped = execute("ship", "--run=" + run, "--out=" + archive);
    assertThat(shipped.code()).as(shipped.err()).isZero();
    assertThat(shipped.json().path("bytes").asLong()).isEqualTo(archive.toFile().length());
    assertThat(shipped.json().path("circuits")).hasSize(1);
  }

  @AfterAll
  static void forget() {
    System.clearProperty(ShippedModel.CACHE);
  }

  @Test
  void theCheckpointComesBackByteForByte() throws IOException {
    RunFolder packed = Experiment.packed(archive.toString()).folder();
    RunFolder own = RunFolder.open(run);
    for (String file : List.of("config.json", "model.safetensors")) {
      assertThat(packed.checkpoints().last().path().resolve(file))
          .hasSameBinaryContentAs(own.checkpoints().last().path().resolve(file));
    }
    assertThat(packed.circuit("single_double_quote"))
        .hasSameBinaryContentAs(own.circuit("single_double_quote"));
    assertThat(packed.tokenizer().resolve("vocab.bpe"))
        .hasSameBinaryContentAs(own.tokenizer().resolve("vocab.bpe"));
    assertThat(packed.config()).isEqualTo(own.config());
    assertThat(packed.result()).isEqualTo(own.result());
    long dense = Files.size(own.checkpoints().last().path().resolve("model.safetensors"));
    assertThat(archive.toFile().length()).isLessThan(dense);
  }

  @Test
  void evidenceOfThePackedModelIsThatOfTheRun() {
    JsonNode own = execute("evidence", "--run=" + run, "--again").json().at("/tasks/0");
    JsonNode packed = execute("evidence", "--model=" + archive, "--again").json().at("/tasks/0");
    // Node means are taken over the same windows, so nothing differs but the name of the run.
    for (String part :
        List.of("/model", "/checks/sufficient", "/checks/necessary", "/source/model_hash")) {
      assertThat(packed.at(part).isMissingNode()).as(part).isFalse();
      assertThat(packed.at(part)).as(part).isEqualTo(own.at(part));
    }
  }

  @Test
  void severalMayUnpackItAtOnce() throws IOException {
    Path cache = folder.resolve("shared");
    System.setProperty(ShippedModel.CACHE, cache.toString());
    try (ExecutorService pool = Executors.newFixedThreadPool(4)) {
      List<Future<Experiment>> all = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        all.add(pool.submit(() -> Experiment.packed(archive.toString())));
      }
      assertThat(all).allSatisfy(one -> assertThat(one.get().folder().circuits()).isNotEmpty());
    } finally {
      System.setProperty(ShippedModel.CACHE, folder.resolve("models").toString());
    }
    try (Stream<Path> left = Files.walk(cache)) {
      assertThat(left).noneMatch(path -> path.getFileName().toString().startsWith(".unpacking"));
    }
  }

  @Test
  void evalMeasuresTheLossThatTrainingEndedWith() {
    JsonNode packed = execute("eval", "--model=" + archive).json();
    double recorded = RunFolder.open(run).result().orElseThrow().testXent();
    assertThat(packed.path("test_xent").asDouble()).isEqualTo(recorded);
  }

  @Test
  void everyVerbThatReadsARunTakesIt() {
    // Circuits are written to where it is unpacked: not where other tests look.
    System.setProperty(ShippedModel.CACHE, folder.resolve("other").toString());
    String model = "--model=" + archive;
    assertThat(execute("tokenize", model, "x = 1").code()).isZero();
    assertThat(execute("generate", model, "--prompt=def f(", "--tokens=3").code()).isZero();
    Outcome checked = execute("check", model, "--checkpoint=12");
    assertThat(checked.code()).as(checked.err()).isZero();
    assertThat(checked.json().path("circuits")).hasSize(1);
    Outcome traced = execute("trace", model, "--task=single_double_quote", "--prompt=x = 'a");
    assertThat(traced.code()).as(traced.err()).isZero();
    assertThat(
            execute("prune", model, "--task=single_double_quote", "--set=prune.target_loss=1")
                .code())
        .isZero();
    assertThat(execute("report", model, "--out=" + folder.resolve("page.html")).code()).isZero();
    assertThat(execute("eval", model, "--run=" + run).err()).contains("does not go with --run");
    assertThat(execute("train", model).err()).contains("made already");
    assertThat(execute("eval", "--model=" + folder.resolve("none.zip")).code())
        .isEqualTo(ExitCodes.BAD_INPUT);
    System.setProperty(ShippedModel.CACHE, folder.resolve("models").toString());
  }

  @Test
  void theJavaApiOpensIt() {
    Experiment packed = Experiment.packed(archive.toString());
    try (Engine engine = Engine.open()) {
      assertThat(packed.evaluate(engine, OptionalLong.empty()).step()).isEqualTo(12);
    }
    assertThat(packed.folder().circuits()).containsExactly("single_double_quote");
  }

  @Test
  void theSameRunGivesTheSameBytes() {
    Path again = folder.resolve("again.zip");
    assertThat(execute("ship", "--run=" + run, "--out=" + again).code()).isZero();
    assertThat(again).hasSameBinaryContentAs(archive);
  }

  @Test
  void refusesWhatIsTooLargeUnfinishedOrNoPackedModel() throws IOException {
    Path small = folder.resolve("no.zip");
    Outcome large = execute("ship", "--run=" + run, "--out=" + small, "--at-most=0.01");
    assertThat(large.code()).isEqualTo(ExitCodes.BAD_INPUT);
    assertThat(large.err()).contains("more than the 10,000 that are allowed");
    assertThat(small).doesNotExist();
    Path text = Files.writeString(folder.resolve("text.zip"), "no archive");
    assertThat(execute("eval", "--model=" + text).err()).contains("no packed model");
    Path damaged = folder.resolve("damaged.zip");
    byte[] bytes = Files.readAllBytes(archive);
    bytes[bytes.length / 2] ^= 1;
    Files.write(damaged, bytes);
    assertThat(execute("eval", "--model=" + damaged).code()).isEqualTo(ExitCodes.BAD_INPUT);
  }

  private static Outcome execute(String... arguments) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    CommandLine commandLine = Main.commandLine();
    commandLine.setOut(new PrintWriter(out, true));
    commandLine.setErr(new PrintWriter(err, true));
    List<String> all = new ArrayList<>(List.of(arguments));
    all.add("--json");
    int code = commandLine.execute(all.toArray(String[]::new));
    return new Outcome(code, Json.parse(out.toString()), err.toString());
  }
}
