// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import dev.filigree.TrainConfig.Adam;
import dev.filigree.TrainConfig.Anneal;
import dev.filigree.TrainConfig.Fractions;
import dev.filigree.TrainConfig.Gradient;
import dev.filigree.TrainConfig.Shape;
import dev.filigree.TrainConfig.Sparsity;
import dev.filigree.data.TokenFile;
import dev.filigree.data.TokenFileInfo;
import dev.filigree.task.Example;
import dev.filigree.task.ExampleSet;
import dev.filigree.task.Split;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;

/** The smallest things that the engine takes. */
public final class TestModels {
  /** Number of tokens of every test model. */
  public static final int VOCABULARY = 40;

  private TestModels() {}

  /** Two layers of 32 channels, sequences of 16 tokens. */
  public static ModelConfig model() {
    return ModelConfig.sparse(2, 32, 16, VOCABULARY);
  }

  public static TrainConfig training(long steps) {
    return new TrainConfig(
        steps,
        4,
        16,
        7,
        0.02,
        0.1,
        new Adam(0.9, 0.95, 0.1),
        0.1,
        Gradient.NORMALIZE,
        new Sparsity(
            new Fractions(0.25, 0.5, 0.5, 0.5, 0.5),
            new Anneal(Shape.LINEAR, 0.1, 0.6, 1),
            0,
            true));
  }

  public static PruneConfig pruning(long steps) {
    return new PruneConfig(
        steps, 4, 7, 0.01, 0.9, 0.95, 1e-8, 1e-3, 1e-3, 1e-2, 0.1, 1.0, 0.0, 1.0);
  }

  public static FastPruneConfig fastPruning(List<Double> targets) {
    return new FastPruneConfig(
        pruning(12), PruneOptions.PUBLISHED, List.of(1.0, 3.0), targets, 1, 4, 2, 8, 4, 4096, true);
  }

  /** Tokens that repeat with a little noise, so that there is something to learn. */
  public static TokenFile tokens(Path folder, int count) {
    Path path = folder.resolve("text.train.u16");
    SplittableRandom random = new SplittableRandom(11);
    try (TokenFile.Writer writer = new TokenFile.Writer(path)) {
      for (int i = 0; i < count; i++) {
        writer.append(random.nextInt(4) == 0 ? random.nextInt(VOCABULARY) : i % 8);
      }
      writer.commit(
          new TokenFileInfo(
              "text", "train", 1, 1, count, count, VOCABULARY, "none", "none", new TreeMap<>()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return TokenFile.open(path);
  }

  /** Pairs whose answer is one of two tokens that depend on the first. */
  public static ExampleSet examples(int pairs) {
    List<Example> examples = new ArrayList<>();
    for (int i = 0; i < pairs; i++) {
      examples.add(
          new Example(
              "test/" + i,
              "test",
              List.of(1, 3 + i % 20, 5),
              List.of(2, 3 + i % 20, 5),
              30,
              31,
              "a",
              "b"));
    }
    return new ExampleSet("test", Split.TRAIN, 0, "none", examples, Map.of());
  }
}
