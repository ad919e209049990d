// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import static org.assertj.core.api.Assertions.assertThat;

import dev.filigree.Engine;
import dev.filigree.EngineOptions;
import dev.filigree.FastPruneStats;
import dev.filigree.TrainStats;
import dev.filigree.experiment.CompareConfig.Variant;
import dev.filigree.experiment.CompareRun.Estimate;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Stops a comparison in the middle of things, and goes on with it. */
@Tag("native")
class CompareRunTest {
  private static final int STEPS = 12;

  @TempDir private Path folder;

  private static final RunConfig BASE =
      Presets.NANO
          .config()
          .with("data.corpora.0.bytes", "200000")
          .with("train.batch_size", "4")
          .with("train.steps", "" + STEPS)
          .with("prune.train_pairs", "32")
          .with("prune.final_pairs", "16")
          .with("prune.mean_sequences", "8");

  private static CompareConfig plan(Variant... variants) {
    return plan(BASE, 16, variants);
  }

  private static CompareConfig plan(RunConfig base, int dense, Variant... variants) {
    return new CompareConfig(
        Presets.NANO,
        base,
        List.of(32),
        List.of(0.25),
        List.of(dense),
        List.of((long) STEPS),
        List.of("single_double_quote"),
        1, // guessing meets it
        List.of(),
        List.of(),
        List.of(variants));
  }

  /** Stops the run when something happens for the n-th time. */
  private static final class Stopping implements Progress {
    private final Consumer<Stopping> stop;
    private final List<Long> done = new ArrayList<>(); // steps
    private int trained;
    private int pruned;

    Stopping(Consumer<Stopping> stop) {
      this.stop = stop;
    }

    @Override
    public void trained(TrainStats stats, long steps, double tokensPerSecond) {
      trained++;
      done.add(stats.step());
      stop.accept(this);
    }

    @Override
    public void searched(FastPruneStats stats) {
      pruned++;
      stop.accept(this);
    }
  }

  @Test
  void stoppedInTrainingOrInASearchItGoesOnToTheSameResult() {
    try (Engine engine = Engine.open(new EngineOptions("cpu", 1))) {
      CompareResult whole =
          new CompareRun(engine, folder.resolve("whole"), plan(), Progress.SILENT)
              .run(estimate -> {})
              .orElseThrow();
      Path stopped = folder.resolve("stopped");
      // In the second step of the first model, then in its search, then in the next model.
      assertThat(interrupted(engine, stopped, s -> s.trained == 2)).isEmpty();
      assertThat(interrupted(engine, stopped, s -> s.pruned == 2)).isEmpty();
      assertThat(interrupted(engine, stopped, s -> s.trained == 1)).isEmpty();
      assertThat(stopped.resolve(CompareRun.FILE)).doesNotExist();

      List<Estimate> left = new ArrayList<>();
      Stopping rest = new Stopping(_ -> {});
      CompareResult result =
          new CompareRun(engine, stopped, plan(), rest).run(left::add).orElseThrow();
      assertThat(rest.done.getFirst()).isGreaterThan(1);
      assertThat(rest.done.getLast()).isEqualTo(STEPS);
      assertThat(left.getFirst().cells()).isEqualTo(1);
      assertThat(left.getFirst().allCells()).isEqualTo(2);
      assertThat(Files.exists(stopped.resolve(CompareRun.FILE))).isTrue();
      for (int i = 0; i < 2; i++) {
        CompareCellResult expected = whole.cells().get(i).model();
        CompareCellResult actual = result.cells().get(i).model();
        assertThat(actual.run()).isEqualTo(expected.run());
        assertThat(actual.loss()).isEqualTo(expected.loss());
        var point = actual.searches().getFirst().points().getFirst();
        var wanted = expected.searches().getFirst().points().getFirst();
        assertThat(point.edges()).isEqualTo(wanted.edges());
        assertThat(point.lossFinal()).isEqualTo(wanted.lossFinal());
      }
    }
  }

  @Test
  void aTeacherThatDivergedTeachesNobody() throws IOException {
    try (Engine engine = Engine.open(new EngineOptions("cpu", 1))) {
      CompareResult whole =
          new CompareRun(engine, folder, plan(), Progress.SILENT).run(estimate -> {}).orElseThrow();
      String dense = whole.cells().getFirst().model().run();
      Files.writeString(folder.resolve(dense).resolve("diverged"), "the loss is not finite\n");
      CompareConfig taught = plan(Variant.parse("taught:train.distill.weight=0.5"));
      CompareResult result =
          new CompareRun(engine, folder, taught, Progress.SILENT).run(estimate -> {}).orElseThrow();
      assertThat(result.cells().getLast().model().diverged())
          .isEqualTo("its teacher, dense 16, has diverged");
    }
  }

  @Test
  void modelsAndSearchesAreNamedByWhatTheyComeFrom() throws IOException {
    Variant taught = Variant.parse("taught:train.distill.weight=0.5");
    try (Engine engine = Engine.open(new EngineOptions("cpu", 1))) {
      compare(engine, plan(BASE, 16, taught));
      List<Path> cells = below("cells");
      List<Path> searches = below("searches");
      assertThat(cells).hasSize(3);
      assertThat(searches).hasSize(3);

      // Another search, of the same models.
      compare(engine, plan(BASE.with("prune.fast.margin", "0.5"), 16, taught));
      assertThat(below("cells")).isEqualTo(cells);
      assertThat(below("searches")).hasSize(6);
      // Other examples.
      compare(engine, plan(BASE.with("prune.seed", "2"), 16, taught));
      assertThat(below("cells")).isEqualTo(cells);
      assertThat(below("searches")).hasSize(9);
      // Another teacher teaches another model; the one that has none stays.
      compare(engine, plan(BASE, 32, taught));
      assertThat(below("cells")).hasSize(5).containsAll(cells);
      // Other weights at the start.
      compare(engine, plan(BASE.with("init.seed", "2"), 16));
      assertThat(below("cells")).hasSize(7).containsAll(cells);
      // Another text.
      compare(engine, plan(BASE.with("data.corpora.0.seed", "2"), 16));
      assertThat(below("cells")).hasSize(9).containsAll(cells);
    }
    // The number of threads is no part of the name.
    List<Path> all = below("searches");
    try (Engine engine = Engine.open(new EngineOptions("cpu", 2))) {
      compare(engine, plan(BASE, 16, taught));
    }
    assertThat(below("searches")).isEqualTo(all);
  }

  private void compare(Engine engine, CompareConfig plan) {
    new CompareRun(engine, folder, plan, Progress.SILENT).run(_ -> {}).orElseThrow();
  }

  /** Runs, or records of searches. */
  private List<Path> below(String parent) throws IOException {
    try (Stream<Path> files = Files.walk(folder.resolve("cells"))) {
      return files
          .filter(file -> file.getParent().endsWith(parent))
          .filter(file -> !file.toString().matches(".*\\.(lock|circuit\\.json)"))
          .sorted()
          .toList();
    }
  }

  private static Optional<CompareResult> interrupted(
      Engine engine, Path folder, Predicate<Stopping> when) {
    CompareRun[] run = new CompareRun[1];
    run[0] =
        new CompareRun(
            engine,
            folder,
            plan(),
            new Stopping(
                stopping -> {
                  if (when.test(stopping)) {
                    run[0].stop();
                  }
                }));
    return run[0].run(estimate -> {});
  }
}
