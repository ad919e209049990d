// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.filigree.Engine;
import dev.filigree.Model;
import dev.filigree.ModelConfig;
import dev.filigree.Plan;
import dev.filigree.Precision;
import dev.filigree.TrainConfig;
import dev.filigree.Trainer;
import java.util.ArrayList;
import java.util.List;

/** Times steps of the fast plan while one size of the model changes and the others stay. */
public final class GrowthBench {
  private static final int VOCABULARY = 1024;

  /** Tokens of a step, whatever its sequences are. */
  private static final int TOKENS = 2048;

  private static final int LENGTH = 128;

  /** Width at which the nonzeros are counted that all widths have. */
  private static final int LEAST_WIDTH = 128;

  private static final double KEPT_AT_LEAST_WIDTH = 0.25;

  private final Engine engine;
  private final Precision precision;
  private final int repeats;

  /** What changes, one layer and 2,048 tokens a step throughout. */
  public enum Series {
    /** Width, with as many nonzeros in every tensor; a tensor's kept fraction falls with it. */
    @JsonProperty("width")
    WIDTH(128, 256, 512, 1024, 2048),
    /** One over the kept fraction, at width 512. */
    @JsonProperty("sparsity")
    SPARSITY(1, 2, 4, 8, 16, 32, 64, 128, 256),
    /** Tokens of a sequence, at width 256 and a kept fraction of 1/32. */
    @JsonProperty("length")
    LENGTH(32, 64, 128, 256, 512, 1024);

    private final int[] points;

    Series(int... points) {
      this.points = points;
    }

    private Point at(int x) {
      return switch (this) {
        case WIDTH -> {
          double line = KEPT_AT_LEAST_WIDTH * LEAST_WIDTH / x;
          double matrix = line * LEAST_WIDTH / x;
          yield new Point(
              x, GrowthBench.LENGTH, new TrainConfig.Fractions(matrix, line, line, line, line));
        }
        case SPARSITY -> new Point(512, GrowthBench.LENGTH, all(1.0 / x));
        case LENGTH -> new Point(256, x, all(1.0 / 32));
      };
    }

    private static TrainConfig.Fractions all(double kept) {
      return new TrainConfig.Fractions(kept, kept, kept, kept, kept);
    }
  }

  /** A model and its steps. */
  private record Point(int width, int length, TrainConfig.Fractions fractions) {}

  /**
   * How long steps take along one series.
   *
   * @param series what changes
   * @param x its values
   * @param stepSeconds median step at each
   * @param slope of the straight line that fits the logarithms best: the power of x that the time
   *     grows with
   * @param lastSlope the same of the last two points
   */
  public record Result(
      Series series,
      List<Integer> x,
      @JsonProperty("step_s") List<Double> stepSeconds,
      double slope,
      double lastSlope) {
    public Result {
      x = List.copyOf(x);
      stepSeconds = List.copyOf(stepSeconds);
    }
  }

  /**
   * @param precision of the products
   * @param repeats steps at each point
   */
  public GrowthBench(Engine engine, Precision precision, int repeats) {
    this.engine = engine;
    this.precision = precision;
    this.repeats = repeats;
  }

  /**
   * Measure one series.
   *
   * @param points how many of its points, from the least on; at least 2
   */
  public Result run(Series series, int points) {
    List<Integer> x = new ArrayList<>();
    List<Double> seconds = new ArrayList<>();
    for (int i = 0; i < Math.min(points, series.points.length); i++) {
      x.add(series.points[i]);
      seconds.add(step(series.at(series.points[i])));
    }
    int n = x.size();
    return new Result(
        series,
        x,
        seconds,
        slope(x, seconds),
        slope(x.subList(n - 2, n), seconds.subList(n - 2, n)));
  }

  private double step(Point point) {
    ModelConfig config = ModelConfig.sparse(1, point.width, point.length, VOCABULARY);
    TrainConfig train = StepBench.steady(TOKENS / point.length, point.length, point.fractions);
    try (RandomText text = new RandomText(VOCABULARY);
        Model model = engine.createModel(config, StepBench.init(precision, Plan.FAST));
        Trainer trainer = model.trainer(train, text.streams())) {
      trainer.step(StepBench.WARM_UP);
      double[] seconds = new double[repeats];
      for (int i = 0; i < repeats; i++) {
        seconds[i] = StepBench.seconds(trainer);
      }
      return StepBench.median(seconds);
    }
  }

  /** Least squares on the logarithms. */
  static double slope(List<Integer> x, List<Double> y) {
    double meanX = x.stream().mapToDouble(Math::log).average().orElseThrow();
    double meanY = y.stream().mapToDouble(Math::log).average().orElseThrow();
    double both = 0;
    double square = 0;
    for (int i = 0; i < x.size(); i++) {
      double dx = Math.log(x.get(i)) - meanX;
      both += dx * (Math.log(y.get(i)) - meanY);
      square += dx * dx;
    }
    return both / square;
  }
}
