// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import com.fasterxml.jackson.databind.JsonNode;
import dev.filigree.ModelConfig;
import dev.filigree.TrainConfig.Fractions;
import dev.filigree.experiment.CompareCellResult.Kind;
import dev.filigree.experiment.RunConfig.Setting;
import dev.filigree.json.Json;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.stream.Stream;

/**
 * What is compared: a ladder of dense models, and a grid of sparse ones over width and number of
 * kept weights. All read the same text and are searched in the same way.
 *
 * <p>Models of one kept fraction have as many nonzeros at every width: that fraction is of the
 * preset's width, block matrices of another one keep (preset's width / width)^2 of it, and the
 * other tensors preset's width / width.
 *
 * @param preset that the models are variations of
 * @param base configuration of the preset's sparse model; that of all searches is its {@code prune}
 * @param widths of the sparse models
 * @param kept fractions of the block matrices at the preset's width
 * @param denseWidths of the dense models
 * @param steps of training; the first is that of the grid, with each further one the ladder and the
 *     middle of the grid are trained once more
 * @param tasks whose circuits are searched
 * @param target loss of the circuits that are counted, nats per sequence
 * @param curve further losses, for which circuits are found by the same search
 * @param dense changes of the configuration of the dense models
 * @param variants the middle of the grid, trained otherwise; one with a weight of distillation
 *     learns from the widest dense model
 */
public record CompareConfig(
    Presets preset,
    RunConfig base,
    List<Integer> widths,
    List<Double> kept,
    List<Integer> denseWidths,
    List<Long> steps,
    List<String> tasks,
    double target,
    List<Double> curve,
    List<Setting> dense,
    List<Variant> variants) {
  /** Loss at which the paper counts. */
  public static final double TARGET = 0.15;

  /** Losses of the curve of edges against loss, from guessing down. */
  public static final List<Double> CURVE = List.of(0.4, 0.25, 0.08, 0.04);

  /** What all cells have in common, and is set for the comparison as a whole. */
  private static final List<String> COMMON =
      List.of("train.steps", "model.vocab_size", "model.block_size", "data", "prune", "run");

  public CompareConfig {
    widths = distinct("width", widths).stream().sorted().toList();
    kept = distinct("kept fraction", kept).stream().sorted(Comparator.reverseOrder()).toList();
    denseWidths = distinct("dense width", denseWidths).stream().sorted().toList();
    steps = distinct("number of steps", steps);
    tasks = distinct("task", tasks);
    curve = curve.stream().filter(loss -> loss != target).distinct().toList();
    dense = List.copyOf(dense);
    variants = List.copyOf(variants);
    dense.forEach(setting -> requireOwn("a dense model", setting));
    variants.forEach(
        variant -> variant.settings().forEach(setting -> requireOwn(variant.name(), setting)));
    for (double loss : Stream.concat(curve.stream(), Stream.of(target)).toList()) {
      if (!(loss > 0)) {
        throw new ConfigException("a loss of circuits is above 0, not " + loss);
      }
    }
    for (long number : Stream.of(widths, denseWidths).flatMap(List::stream).toList()) {
      if (number < 1) {
        throw new ConfigException("a width is at least 1, not " + number);
      }
    }
    for (long number : steps) {
      if (number < 1) {
        throw new ConfigException("a number of steps is at least 1, not " + number);
      }
    }
    for (double fraction : kept) {
      if (!(fraction > 0 && fraction <= 1)) {
        throw new ConfigException("a kept fraction is above 0 and at most 1, not " + fraction);
      }
    }
    base = base.withAll(common(steps.getFirst(), target));
  }

  private static void requireOwn(String whose, Setting setting) {
    String key = setting.key();
    if (COMMON.stream().anyMatch(part -> (key + ".").startsWith(part + "."))) {
      throw new ConfigException(
          "%s cannot have a %s of its own: all models of a comparison have it in common"
              .formatted(whose, key));
    }
  }

  /**
   * A sparse model that is trained otherwise.
   *
   * @param name in tables
   * @param settings changes of its configuration
   */
  public record Variant(String name, List<Setting> settings) {
    public Variant {
      settings = List.copyOf(settings);
    }

    /**
     * Read {@code name:key=value,key=value}.
     *
     * @throws ConfigException when it has not that form
     */
    public static Variant parse(String text) {
      int colon = text.indexOf(':');
      if (colon < 1) {
        throw new ConfigException("\"" + text + "\" is not of the form name:key=value");
      }
      return new Variant(
          text.substring(0, colon),
          Stream.of(text.substring(colon + 1).split(",")).map(Setting::parse).toList());
    }
  }

  /**
   * Return the configuration of a preset with the effort of a comparison's searches: one mask a
   * task, whose circuits are cleaned for every loss.
   */
  public static RunConfig base(Presets preset) {
    return preset.config().withAll(List.of(new Setting("prune.fast.k_factors", "[1]")));
  }

  /** The grid of a preset: half, once and twice its width and its weights, five dense widths. */
  public static CompareConfig of(Presets preset, RunConfig base, List<String> tasks) {
    ModelConfig model = base.model();
    double matrix = base.train().sparsity().fractions().matrix();
    List<Integer> widths =
        Stream.of(0.5, 1.0, 2.0).map(scale -> width(model, scale * model.dModel())).toList();
    // Closer together where the sparse models lie, which predict as narrow dense ones do.
    List<Integer> dense =
        Stream.of(1 / 8.0, 3 / 16.0, 1 / 4.0, 3 / 8.0, 1 / 2.0)
            .map(scale -> (int) Math.round(scale * model.dModel()))
            .toList();
    return new CompareConfig(
        preset,
        base,
        widths,
        Stream.of(2.0, 1.0, 0.5).map(scale -> Math.min(1, scale * matrix)).toList(),
        dense,
        List.of(base.train().steps(), Math.max(1, base.train().steps() / 2)),
        tasks,
        TARGET,
        CURVE,
        List.of(),
        List.of());
  }

  /** The width nearest to a wanted one that is a whole number of heads. */
  private static int width(ModelConfig model, double wanted) {
    return Math.max(1, (int) Math.round(wanted / model.dHead())) * model.dHead();
  }

  /**
   * Name of the sparse model that the headline is about: the preset's own, where the grid has it.
   */
  public String middle() {
    return name(middleWidth(), middleKept());
  }

  private int middleWidth() {
    int own = base.model().dModel();
    return widths.contains(own) ? own : widths.get(widths.size() / 2);
  }

  private double middleKept() {
    double own = base.train().sparsity().fractions().matrix();
    return kept.contains(own) ? own : kept.get(kept.size() / 2);
  }

  /** Every loss at which circuits are searched, from the strictest; the same in every model. */
  List<Double> losses() {
    return Stream.concat(curve.stream(), Stream.of(target)).sorted().toList();
  }

  /**
   * Every model, in the order in which they are best made: what others need comes first.
   *
   * @throws ConfigException when one of them cannot be made
   */
  List<CompareCell> cells() {
    if (!fits(middleWidth(), middleKept())) {
      throw new ConfigException(
          middle() + " would keep more weights than its tensors have, and all ratios are about it");
    }
    List<CompareCell> cells = new ArrayList<>();
    denseWidths.forEach(width -> cells.add(dense(width, steps.getFirst())));
    for (int width : widths) {
      for (double fraction : kept) {
        if (fits(width, fraction)) {
          cells.add(sparse(name(width, fraction), width, fraction, steps.getFirst(), null));
        }
      }
    }
    for (long other : steps.subList(1, steps.size())) {
      denseWidths.forEach(width -> cells.add(dense(width, other)));
      cells.add(sparse(middle() + after(other), middleWidth(), middleKept(), other, null));
    }
    for (Variant variant : variants) {
      String name = middle() + ", " + variant.name();
      CompareCell cell = sparse(name, middleWidth(), middleKept(), steps.getFirst(), variant);
      if (cells.stream().anyMatch(other -> other.config().equals(cell.config()))) {
        throw new ConfigException("the variant " + variant.name() + " changes nothing");
      }
      cells.add(cell);
    }
    if (new LinkedHashSet<>(cells.stream().map(CompareCell::name).toList()).size() < cells.size()) {
      throw new ConfigException("two variants have the same name");
    }
    return cells;
  }

  /** Names of the sparse models that would keep more weights than they have: they are not made. */
  List<String> withoutRoom() {
    return widths.stream()
        .flatMap(
            width ->
                kept.stream()
                    .filter(fraction -> !fits(width, fraction))
                    .map(fraction -> name(width, fraction)))
        .toList();
  }

  /**
   * Whether a width has as many weights, in each tensor that the preset makes sparse, as a fraction
   * of the preset's.
   */
  private boolean fits(int width, double fraction) {
    Fractions own = base.train().sparsity().fractions();
    double narrower = (double) base.model().dModel() / width;
    double scale = fraction / own.matrix() * narrower;
    return fraction * narrower * narrower <= 1
        && Stream.of(own.embedding(), own.unembedding(), own.bias(), own.position())
            .allMatch(share -> share == 1 || share * scale <= 1);
  }

  private CompareCell dense(int width, long trainSteps) {
    String name = trainSteps == steps.getFirst() ? dense(width) : dense(width) + after(trainSteps);
    RunConfig config = prepared(Presets.dense(base, width).withAll(dense), trainSteps);
    return new CompareCell(name, Kind.DENSE, width, null, trainSteps, null, null, config);
  }

  private CompareCell sparse(
      String name, int width, double fraction, long trainSteps, Variant variant) {
    ModelConfig model = base.model();
    if (width % model.dHead() != 0) {
      throw new ConfigException(
          "width %d is not a whole number of heads of %d channels".formatted(width, model.dHead()));
    }
    double narrower = (double) model.dModel() / width;
    Fractions own = base.train().sparsity().fractions();
    double scale = fraction / own.matrix();
    List<Setting> settings = new ArrayList<>();
    set(settings, "model.d_model", width);
    set(settings, "model.n_head", (long) model.nHead() * width / model.dModel());
    set(settings, "model.d_mlp", (long) model.dMlp() * width / model.dModel());
    String fractions = "train.sparsity.fractions.";
    set(settings, fractions + "matrix", fraction * narrower * narrower);
    set(settings, fractions + "embedding", share(own.embedding() * scale * narrower));
    set(settings, fractions + "unembedding", share(own.unembedding() * scale * narrower));
    set(settings, fractions + "bias", share(own.bias() * scale * narrower));
    set(settings, fractions + "position", share(own.position() * scale * narrower));
    if (variant != null) {
      settings.addAll(variant.settings());
    }
    RunConfig config = prepared(base.withAll(settings), trainSteps);
    boolean distilled = config.train().distill().weight() > 0;
    return new CompareCell(
        name,
        Kind.SPARSE,
        width,
        fraction,
        trainSteps,
        variant == null ? null : variant.name(),
        distilled ? dense(denseWidths.getLast()) : null,
        config);
  }

  /** What all cells have in common. */
  private RunConfig prepared(RunConfig config, long trainSteps) {
    return config.withAll(common(trainSteps, target));
  }

  private static List<Setting> common(long trainSteps, double target) {
    List<Setting> settings = new ArrayList<>();
    set(settings, "train.steps", trainSteps);
    set(settings, "run.keep_checkpoints", 1);
    set(settings, "prune.target_loss", target);
    return settings;
  }

  /** What the preset was changed by, beside what the comparison sets itself. */
  List<Setting> settings() {
    RunConfig unchanged = prepared(base(preset), steps.getFirst());
    return RunComparison.changes(Json.tree(unchanged), Json.tree(base)).stream()
        .map(change -> new Setting(change.key(), text(change.second())))
        .toList();
  }

  private static String text(JsonNode value) {
    return value == null ? "" : value.isTextual() ? value.asText() : value.toString();
  }

  private static void set(List<Setting> settings, String key, Object value) {
    settings.add(new Setting(key, value.toString()));
  }

  private static double share(double fraction) {
    return Math.min(1, fraction);
  }

  private static String dense(int width) {
    return "dense " + width;
  }

  private static String after(long trainSteps) {
    return ", %,d steps".formatted(trainSteps);
  }

  private static String name(int width, double fraction) {
    return "sparse %d, %s".formatted(width, fraction(fraction));
  }

  /** Such as 1/16; in decimals where one over the fraction is no whole number. */
  public static String fraction(double value) {
    double inverse = 1 / value;
    return Math.abs(inverse - Math.rint(inverse)) < 1e-9 * inverse
        ? "1/" + Math.round(inverse)
        : "%.4g".formatted(value);
  }

  private static <T> List<T> distinct(String what, List<T> values) {
    if (values.isEmpty()) {
      throw new ConfigException("a comparison needs one " + what + " at least");
    }
    return List.copyOf(new LinkedHashSet<>(values));
  }
}
