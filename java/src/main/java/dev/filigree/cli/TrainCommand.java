// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.Engine;
import dev.filigree.data.PythonStandardLibrary;
import dev.filigree.data.TinyPython;
import dev.filigree.experiment.ConfigException;
import dev.filigree.experiment.DataConfig;
import dev.filigree.experiment.DataConfig.Source;
import dev.filigree.experiment.Experiment;
import dev.filigree.experiment.Presets;
import dev.filigree.experiment.RunConfig;
import dev.filigree.experiment.RunFolder;
import dev.filigree.experiment.TrainRun;
import dev.filigree.json.Json;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code filigree train}. */
@Command(
    name = "train",
    description =
        "Train a model: learns a tokenizer, encodes the text, trains, and leaves a run folder."
            + " Ctrl-C writes a checkpoint and ends; --resume goes on from it.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footerHeading = "%nExamples:%n",
    footer = {
      "  filigree train --preset tiny",
      "  filigree train --preset tiny --corpus ~/projects --corpus tinypython:0.5 --run runs/mine",
      "  filigree train --preset small --set train.lr=0.01 --set"
          + " train.sparsity.fractions.matrix=0.03",
      "  filigree train --preset small --dense 128 --run runs/teacher",
      "  filigree train --preset small --teacher runs/teacher --set train.distill.weight=0.5",
      "  filigree train --resume"
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:Trained to the end.",
      "1:Something else failed, memory for example.",
      "2:The command line or the configuration is wrong.",
      "4:Training has diverged; the last good checkpoint is kept.",
      "5:A corpus, the run folder or a checkpoint cannot be used.",
      "6:The native core or the device is missing; see filigree doctor.",
      "130:Stopped with Ctrl-C after writing a checkpoint."
    })
final class TrainCommand implements Callable<Integer> {
  private static final long GENERATED_BYTES = 8_000_000;

  @Spec private CommandSpec spec;

  @Option(
      names = "--preset",
      paramLabel = "NAME",
      description = "nano, tiny (default), small, medium or paper: what to start from.")
  private String preset;

  @Option(
      names = "--set",
      paramLabel = "KEY=VALUE",
      description =
          "Change one value of the configuration, by its dotted path in run.json. Repeatable.")
  private List<String> settings = List.of();

  @Option(
      names = "--corpus",
      paramLabel = "CORPUS[:SHARE]",
      description =
          "Text to train on, instead of the preset's: a folder of .py files, \"stdlib\" (the"
              + " standard library of python3) or \"tinypython\" (generated programs), with its"
              + " share of the mix (default 1). Repeatable.")
  private List<String> corpora = List.of();

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "Seed of weights, batches, examples and masks. Default: 1.")
  private Long seed;

  @Option(
      names = "--plan",
      paramLabel = "PLAN",
      description =
          "fast (default) or reference: the core's own kernels, or plain LibTorch operations, which"
              + " take longer and give the same numbers up to rounding.")
  private String plan;

  @Option(
      names = "--dense",
      paramLabel = "WIDTH",
      description =
          "Train an ordinary transformer of this width instead: no AbsTopK, no zeros, a learning"
              + " rate of 0.02, and the preset's layers, text and number of steps.")
  private Integer dense;

  @Option(
      names = "--teacher",
      paramLabel = "RUN",
      description =
          "Learn from the predictions of this run's model too, as far as train.distill.weight says."
              + " It has to read the same tokens: give both the same text and vocabulary.")
  private Path teacher;

  @Option(
      names = "--resume",
      description = "Go on with the run from its last checkpoint, bit for bit as if never stopped.")
  private boolean resume;

  @Option(
      names = "--checkpoint",
      paramLabel = "STEP",
      description = "With --resume: the checkpoint to go on from, instead of the last.")
  private Long checkpoint;

  @Mixin private RunOptions options;

  @Override
  public Integer call() {
    Experiment experiment = resume ? resumed() : started();
    try (Engine engine = options.engine(resume ? experiment : null);
        ConsoleProgress progress = new ConsoleProgress(spec.commandLine().getErr(), options.json)) {
      TrainRun run = experiment.training(engine, progress);
      try (StopOnSignal _ = new StopOnSignal(run::stop, spec.commandLine().getErr())) {
        TrainRun.Result result = resume ? run.resume(RunOptions.step(checkpoint)) : run.start();
        progress.endBar();
        report(experiment, result);
        return result.finished() ? ExitCodes.OK : ExitCodes.INTERRUPTED;
      }
    }
  }

  private Experiment resumed() {
    if (preset != null
        || seed != null
        || plan != null
        || dense != null
        || teacher != null
        || !settings.isEmpty()
        || !corpora.isEmpty()) {
      throw new ParameterException(
          spec.commandLine(),
          "--resume goes on with the configuration in run.json; it does not go with --preset,"
              + " --set, --corpus, --seed, --plan, --dense or --teacher");
    }
    return options.experiment();
  }

  private Experiment started() {
    if (checkpoint != null) {
      throw new ParameterException(spec.commandLine(), "--checkpoint goes with --resume");
    }
    Presets from = Presets.named(preset == null ? Presets.TINY.key() : preset);
    RunConfig config = from.config();
    if (!corpora.isEmpty()) {
      config = config.withData(new DataConfig(sources(), config.data().tokenizerBytes()));
    }
    if (seed != null) {
      config = config.withSeed(seed);
    }
    if (plan != null) {
      config = config.with("init.plan", plan);
    }
    if (dense != null) {
      config = Presets.dense(config, dense);
    }
    config = config.withAll(settings.stream().map(RunConfig.Setting::parse).toList());
    Path folder = options.newRun(from.key());
    RunFolder learnt = teacher == null ? null : RunFolder.open(teacher);
    Experiment made = Experiment.create(folder, config, from, learnt);
    if (learnt != null) {
      // The same text in the same tokens.
      made.folder().takeData(learnt);
    }
    return made;
  }

  private List<Source> sources() {
    List<Source> sources = new ArrayList<>();
    Set<String> names = new LinkedHashSet<>();
    for (String corpus : corpora) {
      int colon = corpus.lastIndexOf(':');
      double share = 1;
      String what = corpus;
      if (colon > 0 && corpus.substring(colon + 1).matches("[0-9]*\\.?[0-9]+")) {
        share = Double.parseDouble(corpus.substring(colon + 1));
        what = corpus.substring(0, colon);
      }
      Source source =
          switch (what) {
            case PythonStandardLibrary.NAME -> Source.stdlib(share);
            case TinyPython.NAME ->
                Source.tinypython(share, GENERATED_BYTES, seed == null ? Presets.SEED : seed);
            default ->
                Source.folder(
                    name(Path.of(what), names), Path.of(what).toAbsolutePath().normalize(), share);
          };
      if (!names.add(source.name())) {
        throw new ConfigException("corpus " + source.name() + " is named twice");
      }
      sources.add(source);
    }
    return sources;
  }

  /** Name a folder's corpus after the folder, with a number when that is taken. */
  private static String name(Path folder, Set<String> taken) {
    Path last = folder.toAbsolutePath().normalize().getFileName();
    String name =
        (last == null ? "root" : last.toString())
            .toLowerCase(Locale.ROOT)
            .replaceAll("[^a-z0-9_-]+", "-");
    String unique = name;
    for (int i = 2; taken.contains(unique); i++) {
      unique = name + "-" + i;
    }
    return unique;
  }

  private void report(Experiment experiment, TrainRun.Result result) {
    PrintWriter out = spec.commandLine().getOut();
    Path folder = experiment.folder().path();
    if (options.json) {
      ObjectNode json = Json.object();
      json.put("run", folder.toString());
      json.put("finished", result.finished());
      json.put("step", result.checkpoint().step());
      json.put("checkpoint", result.checkpoint().path().toString());
      json.put("seconds", result.seconds());
      if (result.finished()) {
        json.put("test_xent", result.loss());
        json.set("test_xent_by_corpus", Json.tree(result.losses()));
      }
      if (result.stats() != null) {
        json.set("stats", Json.tree(result.stats()));
      }
      out.println(json);
      return;
    }
    if (!result.finished()) {
      out.printf(
          "Stopped at step %,d. Go on with: filigree train --resume --run %s%n",
          result.checkpoint().step(), folder);
      return;
    }
    out.printf(
        "Trained %,d steps in %s; %s%n",
        result.checkpoint().step(), ConsoleProgress.time(result.seconds()), folder);
    if (result.stats() != null) {
      out.printf(
          "  tokens seen         %,d%n  nonzero parameters  %,d%n",
          result.stats().tokens(), result.stats().nonzeros());
    }
    out.printf("  held-out loss       %.4f nats per token%n", result.loss());
    result.losses().forEach((corpus, loss) -> out.printf("    %-17s %.4f%n", corpus, loss));
  }
}
