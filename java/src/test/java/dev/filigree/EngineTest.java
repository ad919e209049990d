// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.filigree.data.TokenFile;
import dev.filigree.ffi.Filigree;
import dev.filigree.nativelib.Status;
import dev.filigree.task.Example;
import dev.filigree.task.ExampleSet;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Tag("native")
@ExtendWith(LiveResources.class)
class EngineTest {
  @TempDir Path folder;

  @Test
  void describesItself() {
    try (Engine engine = open()) {
      assertThat(engine.info().library()).exists();
      assertThat(engine.info().build().path("abi").asInt()).isEqualTo(Filigree.FG_ABI_VERSION());
      assertThat(engine.info().runtime().path("threads").asInt()).isEqualTo(1);
    }
  }

  @Test
  void aProcessHasOneOpenEngine() {
    try (Engine first = open()) {
      assertThatThrownBy(EngineTest::open)
          .isInstanceOf(EngineException.InvalidState.class)
          .hasMessageContaining("open in this process already");
      assertThat(first.info()).isNotNull();
    }
    open().close();
  }

  @Test
  void closingTwiceDoesNothing() {
    Engine engine = open();
    Model model = engine.createModel(TestModels.model(), ModelInit.seeded(1));
    model.close();
    model.close();
    engine.close();
    engine.close();
    model.close();
  }

  @Test
  void closingTheEngineClosesWhatCameFromIt() {
    Engine engine = open();
    Model model = engine.createModel(TestModels.model(), ModelInit.seeded(1));
    TokenFile text = TestModels.tokens(folder, 1000);
    Trainer trainer = model.trainer(TestModels.training(10), List.of(new TokenStream(text, 1)));
    text.close();
    engine.close();

    assertThatThrownBy(model::info)
        .isInstanceOf(EngineException.InvalidState.class)
        .hasMessageContaining("closed");
    assertThatThrownBy(() -> trainer.step(1)).isInstanceOf(EngineException.InvalidState.class);
    assertThatThrownBy(() -> engine.createModel(TestModels.model(), ModelInit.seeded(1)))
        .isInstanceOf(EngineException.InvalidState.class)
        .hasMessage("the engine is closed");
    trainer.close();
  }

  @Test
  void closedModelNamesItselfWhileItsTrainerGoesOn() {
    try (Engine engine = open();
        TokenFile text = TestModels.tokens(folder, 1000)) {
      Model model = engine.createModel(TestModels.model(), ModelInit.seeded(1));
      try (Trainer trainer =
          model.trainer(TestModels.training(10), List.of(new TokenStream(text, 1)))) {
        model.close();

        assertThatThrownBy(model::info)
            .isInstanceOf(EngineException.InvalidState.class)
            .hasMessage("the model is closed");
        assertThat(trainer.step(2).step()).isEqualTo(2);
      }
    }
  }

  @Test
  void trainerKeepsTheTextWhenItsFileIsClosed() {
    try (Engine engine = open();
        Model model = engine.createModel(TestModels.model(), ModelInit.seeded(1))) {
      TokenFile text = TestModels.tokens(folder, 1000);
      try (Trainer trainer =
          model.trainer(TestModels.training(10), List.of(new TokenStream(text, 1)))) {
        text.close();
        assertThat(trainer.step(10).step()).isEqualTo(10);
        assertThatThrownBy(() -> trainer.step(1)).isInstanceOf(EngineException.InvalidState.class);
      }
    }
  }

  @Test
  void callsOfSeveralThreadsAreServedInTurn() throws InterruptedException, ExecutionException {
    try (Engine engine = open();
        Model model = engine.createModel(TestModels.model(), ModelInit.seeded(1));
        ExecutorService threads = Executors.newFixedThreadPool(4)) {
      float[] expected = model.readTensor("lm_head.weight");
      List<Future<float[]>> readings = new ArrayList<>();
      for (int i = 0; i < 32; i++) {
        readings.add(threads.submit(() -> model.readTensor("lm_head.weight")));
      }
      for (Future<float[]> reading : readings) {
        assertThat(reading.get()).isEqualTo(expected);
      }
    }
  }

  @Test
  void interruptedCallerGetsTheResultAndStaysInterrupted() {
    try (Engine engine = open()) {
      Thread.currentThread().interrupt();
      assertThat(engine.info()).isNotNull();
      assertThat(Thread.interrupted()).isTrue();
    }
  }

  @Test
  void cancelStopsTheNextCallAndNoOther() {
    try (Engine engine = open();
        TokenFile text = TestModels.tokens(folder, 1000);
        Model model = engine.createModel(TestModels.model(), ModelInit.seeded(1));
        Trainer trainer =
            model.trainer(TestModels.training(100), List.of(new TokenStream(text, 1)))) {
      model.cancel();
      assertThatThrownBy(() -> trainer.step(50)).isInstanceOf(EngineException.Cancelled.class);
      assertThat(trainer.step(1).step()).isGreaterThanOrEqualTo(1);
    }
  }

  @ParameterizedTest
  @EnumSource(value = Status.class, mode = EnumSource.Mode.EXCLUDE, names = "OK")
  void everyStatusBecomesItsExceptionWithTheCallersStack(Status status) {
    try (Engine engine = open()) {
      assertThatThrownBy(() -> raise(engine, "error:FG_" + status))
          .isInstanceOf(EngineException.of(status, "").getClass())
          .hasMessageNotContaining("null")
          .satisfies(
              e ->
                  assertThat(e.getStackTrace())
                      .extracting(StackTraceElement::getMethodName)
                      .contains("everyStatusBecomesItsExceptionWithTheCallersStack"));
    }
  }

  @Test
  void foreignExceptionsAreMapped() {
    try (Engine engine = open()) {
      assertThatThrownBy(() -> raise(engine, "bad_alloc"))
          .isInstanceOf(EngineException.OutOfMemory.class);
      assertThatThrownBy(() -> raise(engine, "std")).isInstanceOf(EngineException.Internal.class);
      assertThatThrownBy(() -> raise(engine, "unknown"))
          .isInstanceOf(EngineException.Internal.class);
    }
  }

  @Test
  void configurationOfTheCoreIsNamedInErrors() {
    ModelConfig config = TestModels.model();
    String text = config.toJson().replace("\"rms_norm\":true", "\"rms_norm\":false");
    try (Engine engine = open()) {
      assertThatThrownBy(() -> engine.createModel(ModelConfig.fromJson(text), ModelInit.seeded(1)))
          .isInstanceOf(EngineException.Unsupported.class)
          .hasMessageContaining("rms_norm");
    }
  }

  @Test
  void minimumAliveThatCannotBeMetIsAnErrorAtTheStart() {
    TrainConfig config = TestModels.training(10);
    TrainConfig impossible =
        config.withSparsity(
            new TrainConfig.Sparsity(
                config.sparsity().fractions(), config.sparsity().anneal(), 30, false));
    try (Engine engine = open();
        TokenFile text = TestModels.tokens(folder, 1000);
        Model model = engine.createModel(TestModels.model(), ModelInit.seeded(1))) {
      assertThatThrownBy(() -> model.trainer(impossible, List.of(new TokenStream(text, 1))))
          .isInstanceOf(EngineException.InvalidConfig.class);
    }
  }

  @Test
  void aTeacherIsNeededFittingAndKeptAlive() {
    TrainConfig config = TestModels.training(10).withDistill(new TrainConfig.Distill(0.5, 2));
    try (Engine engine = open();
        TokenFile text = TestModels.tokens(folder, 4000);
        Model model = engine.createModel(TestModels.model(), ModelInit.seeded(1));
        Trainer trainer = model.trainer(config, List.of(new TokenStream(text, 1)))) {
      assertThatThrownBy(() -> trainer.step(1))
          .isInstanceOf(EngineException.InvalidState.class)
          .hasMessageContaining("teacher");
      assertThatThrownBy(() -> trainer.teacher(model))
          .isInstanceOf(EngineException.InvalidArgument.class);
      try (Model teacher = engine.createModel(TestModels.model(), ModelInit.seeded(2))) {
        trainer.teacher(teacher);
      }
      assertThat(trainer.step(2).step()).isEqualTo(2);
    }
  }

  @Test
  void tokensThatDoNotFitTheVocabularyAreRefused() {
    ModelConfig small = ModelConfig.sparse(1, 32, 16, TestModels.VOCABULARY - 1);
    try (Engine engine = open();
        TokenFile text = TestModels.tokens(folder, 4000);
        Model model = engine.createModel(small, ModelInit.seeded(1))) {
      assertThatThrownBy(
              () -> model.trainer(TestModels.training(10), List.of(new TokenStream(text, 1))))
          .isInstanceOf(EngineException.InvalidArgument.class);
      assertThatThrownBy(() -> model.logits(new int[][] {{1 << 16}}))
          .isInstanceOf(EngineException.InvalidArgument.class);
    }
  }

  @Test
  void savedModelLoadsWithTheSameLogits() {
    int[][] tokens = {{1, 2, 3, 4}, {5, 6, 7, 8}};
    try (Engine engine = open();
        Model model = engine.createModel(TestModels.model(), ModelInit.seeded(3))) {
      model.save(folder);
      try (Model loaded = engine.loadModel(folder, Execution.DEFAULT)) {
        assertThat(loaded.config()).isEqualTo(model.config());
        assertThat(Arrays.deepEquals(loaded.logits(tokens), model.logits(tokens))).isTrue();
      }
    }
  }

  @Test
  void truncatedWeightsAreABadCheckpoint() throws IOException {
    try (Engine engine = open();
        Model model = engine.createModel(TestModels.model(), ModelInit.seeded(3))) {
      model.save(folder);
      Path weights = folder.resolve("model.safetensors");
      byte[] bytes = Files.readAllBytes(weights);
      Files.write(weights, Arrays.copyOf(bytes, bytes.length - 100));

      assertThatThrownBy(() -> engine.loadModel(folder, Execution.DEFAULT))
          .isInstanceOf(EngineException.BadCheckpoint.class);
      assertThatThrownBy(() -> engine.loadModel(folder.resolve("none"), Execution.DEFAULT))
          .isInstanceOf(EngineException.NotFound.class);
    }
  }

  @Test
  void writtenTensorIsReadBack() {
    try (Engine engine = open();
        Model model = engine.createModel(TestModels.model(), ModelInit.seeded(3))) {
      float[] values = new float[32];
      for (int i = 0; i < values.length; i++) {
        values[i] = i / 4f;
      }
      model.writeTensor("transformer.ln_f.weight", values);

      assertThat(model.readTensor("transformer.ln_f.weight")).isEqualTo(values);
      assertThatThrownBy(() -> model.readTensor("no.such.tensor"))
          .isInstanceOf(EngineException.NotFound.class);
    }
  }

  @Test
  void nonFiniteWeightsMakeTrainingDiverge() {
    try (Engine engine = open();
        TokenFile text = TestModels.tokens(folder, 1000);
        Model model = engine.createModel(TestModels.model(), ModelInit.seeded(3));
        Trainer trainer =
            model.trainer(TestModels.training(10), List.of(new TokenStream(text, 1)))) {
      float[] values = new float[32];
      Arrays.fill(values, Float.NaN);
      model.writeTensor("transformer.ln_f.weight", values);

      assertThatThrownBy(() -> trainer.step(1)).isInstanceOf(EngineException.Diverged.class);
    }
  }

  @Test
  void resumedTrainingIsBitIdentical() throws IOException {
    Path saved = Files.createDirectory(folder.resolve("saved"));
    try (Engine engine = open();
        TokenFile text = TestModels.tokens(folder, 2000)) {
      List<TokenStream> streams = List.of(new TokenStream(text, 1));
      float[] whole;
      try (Model model = engine.createModel(TestModels.model(), ModelInit.seeded(3));
          Trainer trainer = model.trainer(TestModels.training(20), streams)) {
        trainer.step(9);
        trainer.save(saved);
        trainer.step(11);
        whole = model.readTensor("transformer.h.1.mlp.c_fc.weight");
      }
      try (Model model = engine.loadModel(saved, Execution.DEFAULT);
          Trainer trainer = model.resume(saved, streams)) {
        assertThat(trainer.step(11).step()).isEqualTo(20);
        assertThat(model.readTensor("transformer.h.1.mlp.c_fc.weight")).isEqualTo(whole);
      }
    }
  }

  @Test
  void pruningKeepsSomeNodesAndFindsTheirEdges() {
    try (Engine engine = open();
        TokenFile text = TestModels.tokens(folder, 2000);
        Model model = engine.createModel(TestModels.model(), ModelInit.seeded(3));
        Examples examples = model.examples(TestModels.examples(8))) {
      float[] means = model.nodeMeans(text, 4, 0);
      assertThat(means).hasSize(Math.toIntExact(model.info().nodes()));
      assertThat(model.info().nodes()).isEqualTo(model.config().nodes());
      try (Pruner pruner =
          model.pruner(TestModels.pruning(6), PruneOptions.PUBLISHED, examples, means)) {
        assertThat(pruner.step(6).step()).isEqualTo(6);
        assertThat(pruner.scores()).hasSize(means.length);
        Discretized chosen = pruner.discretize(examples, 10);
        int kept = 0;
        for (boolean keep : chosen.keep()) {
          kept += keep ? 1 : 0;
        }
        assertThat(chosen.stats().nodes()).isEqualTo(kept);
      }
      boolean[] all = new boolean[means.length];
      Arrays.fill(all, true);
      CircuitMask everything = new CircuitMask(all, means);
      assertThat(model.evaluate(examples, everything, 1, 0).loss())
          .isEqualTo(model.evaluate(examples).loss());
      assertThat(model.differences(examples, everything)).isEqualTo(model.differences(examples));
      assertThat(model.edges(all))
          .isNotEmpty()
          .allSatisfy(edge -> assertThat(edge.weight()).isNotZero());
      assertThat(model.edges(new boolean[means.length])).isEmpty();
    }
  }

  @Test
  void theFastSearchFindsACircuitOfEveryTaskAndTarget() {
    try (Engine engine = open();
        TokenFile text = TestModels.tokens(folder, 2000);
        Model model = engine.createModel(TestModels.model(), ModelInit.seeded(3));
        Examples train = model.examples(TestModels.examples(8));
        Examples validation = model.examples(TestModels.examples(5))) {
      float[] means = model.nodeMeans(text, 4, 0);
      FastPruner.Task task = new FastPruner.Task(train, validation);
      List<Double> targets = List.of(0.9, 1e-6);
      try (FastPruner pruner =
          model.fastPruner(TestModels.fastPruning(targets), List.of(task, task), means)) {
        assertThatThrownBy(() -> pruner.circuit(0, 0))
            .isInstanceOf(EngineException.InvalidState.class);
        FastPruneStats stats = pruner.advance();
        while (stats.phase() != FastPruneStats.Phase.DONE) {
          long before = stats.pieces();
          stats = pruner.advance();
          assertThat(stats.pieces()).isEqualTo(before + 1);
        }
        assertThat(pruner.advance()).isEqualTo(stats);
        for (int i = 0; i < 2; i++) {
          FoundCircuit guess = pruner.circuit(i, 0);
          assertThat(guess.reached()).as("guessing is below 0.9").isTrue();
          assertThat(guess.nodes()).isLessThan(means.length / 4);
          assertThat(pruner.circuit(i, 1).reached()).isFalse();
          assertThat(model.edges(guess.keep())).containsAll(guess.edges());
          CircuitMask mask = new CircuitMask(guess.keep(), means, guess.edges(), false);
          assertThat(
                  model
                      .evaluate(
                          validation,
                          mask,
                          guess.calibration().scale(),
                          guess.calibration().shift())
                      .loss())
              .isLessThan(0.9);
        }
        assertThatThrownBy(() -> pruner.circuit(2, 0))
            .isInstanceOf(EngineException.InvalidArgument.class);
        assertThatThrownBy(() -> pruner.circuit(0, 2))
            .isInstanceOf(EngineException.InvalidArgument.class);
      }
    }
  }

  @Test
  void edgesThatAreLeftOutGiveTheirMeans() {
    try (Engine engine = open();
        TokenFile text = TestModels.tokens(folder, 2000);
        Model model = engine.createModel(TestModels.model(), ModelInit.seeded(3));
        Examples examples = model.examples(TestModels.examples(4))) {
      float[] means = model.nodeMeans(text, 4, 0);
      boolean[] keep = new boolean[means.length];
      Arrays.fill(keep, true);
      List<Edge> edges = model.edges(keep);
      float[] whole = model.differences(examples);
      assertThat(model.differences(examples, new CircuitMask(keep, means, edges, false)))
          .usingComparatorWithPrecision(1e-5f)
          .containsExactly(whole);
      float[] none = model.differences(examples, new CircuitMask(keep, means, List.of(), false));
      assertThat(none).isNotEqualTo(whole);
      List<Edge> strange = List.of(edges.getFirst(), edges.getFirst());
      assertThatThrownBy(
              () -> model.differences(examples, new CircuitMask(keep, means, strange, false)))
          .isInstanceOf(EngineException.InvalidArgument.class)
          .hasMessageContaining("listed twice");
    }
  }

  @Test
  void tokensThatNeedNotBeToldApartAreEmbeddedAsOne() {
    try (Engine engine = open();
        Model model = engine.createModel(TestModels.model(), ModelInit.seeded(3));
        Examples examples = model.examples(TestModels.examples(4))) {
      boolean[] nodes = new boolean[Math.toIntExact(model.info().nodes())];
      Arrays.fill(nodes, true);
      boolean[] all = new boolean[model.config().vocabSize()];
      Arrays.fill(all, true);
      float[] embedding = new float[model.config().dModel()];
      CircuitMask everything =
          new CircuitMask(nodes, new float[nodes.length]).withTokens(new TokenMask(all, embedding));
      assertThat(model.differences(examples, everything)).isEqualTo(model.differences(examples));

      FoundCircuit guess = model.chooseTokens(examples, examples, everything, 0.9, true);
      assertThat(guess.reached()).isTrue();
      assertThat(guess.tokens().keep()).as("guessing needs no token").containsOnly(false);
      float[] blind = model.differences(examples, guess.mask(everything.means(), false));
      assertThat(blind).as("all prompts look the same").containsOnly(blind[0]);

      FoundCircuit strict = model.chooseTokens(examples, examples, everything, 1e-9, true);
      assertThat(strict.reached()).isFalse();
      assertThat(strict.tokens().keep()).containsOnly(true);

      CircuitMask other = everything.withTokens(new TokenMask(new boolean[3], embedding));
      assertThatThrownBy(() -> model.differences(examples, other))
          .isInstanceOf(EngineException.InvalidArgument.class)
          .hasMessageContaining("vocab_size is 3");
    }
  }

  @Test
  void interventionsOnNodesAreThoseOfTheirMasks() {
    try (Engine engine = open();
        TokenFile text = TestModels.tokens(folder, 2000);
        Model model = engine.createModel(TestModels.model(), ModelInit.seeded(3));
        Examples examples = model.examples(TestModels.examples(4))) {
      float[] means = model.nodeMeans(text, 4, 0);
      boolean[] keep = new boolean[means.length];
      Arrays.fill(keep, true);
      CircuitMask everything = new CircuitMask(keep, means);
      assertThat(examples.length()).isEqualTo(3);

      float[][] ablated = model.ablations(examples, everything, new int[] {5, 70});
      assertThat(ablated).hasDimensions(2, 8);
      float[][][] activations = model.activations(examples, null, new int[] {5, 70, 9});
      assertThat(activations).hasDimensions(3, 8);
      assertThat(activations[0][0]).hasSize(3);
      float[][][] weights = model.attention(examples, null, 1, 0);
      assertThat(weights[7][2]).hasSize(4);
      assertThat(weights[7][0][1]).as("the future is not seen").isZero();
      assertThat(weights[7][2][0] + weights[7][2][1] + weights[7][2][2] + weights[7][2][3])
          .isCloseTo(1, within(1e-6f));

      int[] own = {0, 1, 2, 3, 4, 5, 6, 7};
      assertThat(model.differencesWithDonors(examples, everything.inverted(), own))
          .usingComparatorWithPrecision(1e-6f)
          .containsExactly(model.differences(examples));
      assertThatThrownBy(() -> model.differencesWithDonors(examples, everything, new int[] {8}))
          .isInstanceOf(EngineException.InvalidArgument.class);

      BinaryLevels levels =
          model.binarise(
              examples, everything, new Calibration(1, 0), new BinarisationConfig(2, 2, 2, 0.1));
      assertThat(model.differences(examples, everything, levels)).hasSize(8);

      TaskStats fitted = model.calibrate(examples);
      Calibration fit = model.fit(model.differences(examples));
      // The core fits to doubles, Java has them as floats.
      assertThat(fit.scale()).isCloseTo(fitted.scale(), within(1e-4));
      assertThat(fit.shift()).isCloseTo(fitted.shift(), within(1e-4));
      assertThat(Arrays.stream(fit.losses(model.differences(examples))).average().orElseThrow())
          .isCloseTo(fitted.loss(), within(1e-6));
    }
  }

  @Test
  void differencesAreThoseOfTheLogits() {
    ExampleSet set = TestModels.examples(4);
    try (Engine engine = open();
        Model model = engine.createModel(TestModels.model(), ModelInit.seeded(3));
        Examples examples = model.examples(set)) {
      float[] differences = model.differences(examples);
      assertThat(differences).hasSize(8);
      for (int i = 0; i < differences.length; i++) {
        Example example = set.examples().get(i / 2);
        List<Integer> prompt = i % 2 == 0 ? example.tokensA() : example.tokensB();
        int[] tokens = prompt.stream().mapToInt(Integer::intValue).toArray();
        float[] logits = model.logits(new int[][] {tokens})[0][example.evalPosition()];
        assertThat(differences[i])
            .isCloseTo(logits[example.targetA()] - logits[example.targetB()], within(1e-6f));
      }
      assertThat(differences[0]).isNotEqualTo(differences[1]);
    }
  }

  private static Engine open() {
    return Engine.open(EngineOptions.DEFAULT.withThreads(1));
  }

  private static Void raise(Engine engine, String kind) {
    return engine.call(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            Status.check(Filigree.fg_debug_raise(arena.allocateFrom(kind)));
            return null;
          }
        });
  }
}
