// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.Engine;
import dev.filigree.EngineException;
import dev.filigree.circuit.Circuit;
import dev.filigree.circuit.Evidence;
import dev.filigree.circuit.Trace;
import dev.filigree.json.Json;
import dev.filigree.task.Task;
import dev.filigree.task.TaskException;
import dev.filigree.task.Tasks;
import java.io.IOException;
import java.lang.module.ModuleDescriptor;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import java.util.stream.Stream;

/**
 * One run: train it, measure it, prune it. Holds no native object; each call takes the engine to
 * work on.
 *
 * <p>One thread at a time.
 */
public final class Experiment {
  private static final int FORMAT = 1;

  private final RunFolder folder;
  private final List<Task> own;

  private Experiment(RunFolder folder) {
    this(folder, List.of());
  }

  private Experiment(RunFolder folder, List<Task> own) {
    this.folder = folder;
    this.own = List.copyOf(own);
  }

  /**
   * Make a run folder for a configuration; nothing is trained yet.
   *
   * @throws RunException when the folder is taken
   */
  public static Experiment create(Path folder, RunConfig config) {
    return create(folder, config, null);
  }

  /** Make a run folder, and remember the preset its configuration came from. */
  public static Experiment create(Path folder, RunConfig config, Presets preset) {
    return create(folder, config, preset, null);
  }

  /**
   * Make a run folder for a model that learns from another one, beside the text.
   *
   * @param teacher its run, whose last checkpoint is taken; null for none
   * @throws ConfigException when {@code train.distill.weight} is above 0 and there is no teacher,
   *     or the other way round
   */
  public static Experiment create(
      Path folder, RunConfig config, Presets preset, RunFolder teacher) {
    if (config.train().distill().weight() > 0 != (teacher != null)) {
      throw new ConfigException(teacher == null ? Teacher.MISSING : Teacher.IDLE);
    }
    ObjectNode manifest = Json.object();
    manifest.put("format", FORMAT);
    manifest.put("preset", preset == null ? null : preset.key());
    manifest.put("created", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
    manifest.put("seed", config.train().seed());
    manifest.set("config", Json.tree(config));
    ObjectNode versions = manifest.putObject("versions");
    if (teacher != null) {
      manifest.set("teacher", Json.tree(Teacher.of(teacher)));
    }
    versions.put("filigree", version());
    versions.put("java", System.getProperty("java.vm.version"));
    manifest.put("git", git());
    ObjectNode machine = manifest.putObject("machine");
    machine.put("os", System.getProperty("os.name") + " " + System.getProperty("os.version"));
    machine.put("arch", System.getProperty("os.arch"));
    machine.put("cores", Runtime.getRuntime().availableProcessors());
    return new Experiment(RunFolder.create(folder, manifest));
  }

  /**
   * Open an existing run.
   *
   * @throws RunException when there is none
   */
  public static Experiment open(Path folder) {
    return new Experiment(RunFolder.open(folder));
  }

  /** Open the run below a folder that was written to last. */
  public static Experiment newest(Path runs) {
    return new Experiment(RunFolder.newest(runs));
  }

  /**
   * The same run, which knows tasks of one's own beside those of Filigree; the calls below take
   * them by name.
   *
   * @throws TaskException when a name is taken or cannot be the name of a file
   */
  public Experiment with(List<Task> tasks) {
    List<Task> all = Stream.concat(own.stream(), tasks.stream()).toList();
    Tasks.requireNames(all);
    return new Experiment(folder, all);
  }

  /** Filigree's tasks and one's own, without the controls. */
  public List<Task> tasks() {
    return Stream.concat(Tasks.all().stream(), own.stream()).toList();
  }

  /** The task or control of a name, or one's own. */
  public Task task(String name) {
    return Tasks.named(name, own);
  }

  /**
   * Open the model that comes with Filigree, with its circuits and their evidence: an ordinary run,
   * see {@link ShippedModel}.
   */
  public static Experiment shipped() {
    return packed(ShippedModel.NAME);
  }

  /** Open a packed model: the path of a file that {@link ShippedModel#write} made. */
  public static Experiment packed(String name) {
    return new Experiment(ShippedModel.open(name));
  }

  public RunFolder folder() {
    return folder;
  }

  /** Train from step 0 to the end, silently. */
  public TrainRun.Result train(Engine engine) {
    return training(engine, Progress.SILENT).start();
  }

  /** Prepare training that can be watched and stopped. */
  public TrainRun training(Engine engine, Progress progress) {
    return new TrainRun(engine, folder, progress);
  }

  /** Measure the last checkpoint, or that of a step, on all held-out text. */
  public EvalRun.Result evaluate(Engine engine, OptionalLong step) {
    return new EvalRun(engine, folder).run(step);
  }

  /**
   * Score a checkpoint on every task, one's own and the controls, in this order.
   *
   * @param step of the checkpoint, the last one if none is asked for
   */
  public List<TaskScore> taskScores(Engine engine, OptionalLong step, Progress progress) {
    try (CircuitSearch search =
        CircuitSearch.open(engine, folder, folder.config(), own, step, progress)) {
      return Stream.concat(tasks().stream(), Tasks.controls().stream())
          .map(task -> search.score(task.name()))
          .toList();
    }
  }

  /** Find the circuit of a task in the last checkpoint, silently. */
  public Circuit prune(Engine engine, String task) {
    return prune(engine, task, List.of(), OptionalLong.empty(), Progress.SILENT);
  }

  /**
   * Find the circuit of a task.
   *
   * @param settings changes of the run's configuration, of keys below "prune" only
   * @param step of the checkpoint, the last one if none is asked for
   */
  public Circuit prune(
      Engine engine,
      String task,
      List<RunConfig.Setting> settings,
      OptionalLong step,
      Progress progress) {
    try (CircuitSearch search = circuits(engine, settings, step, progress)) {
      return search.prune(task);
    }
  }

  /**
   * Open a checkpoint to find the circuits of several tasks in another way than the run says.
   *
   * @param settings changes of the run's configuration, of keys below "prune" only
   * @param step of the checkpoint, the last one if none is asked for
   */
  public CircuitSearch circuits(
      Engine engine, List<RunConfig.Setting> settings, OptionalLong step, Progress progress) {
    for (RunConfig.Setting setting : settings) {
      if (!setting.key().startsWith("prune.")) {
        throw new ConfigException(
            "%s is settled when a model is trained; pruning takes prune.* alone"
                .formatted(setting.key()));
      }
    }
    RunConfig config = folder.config().withAll(settings);
    return CircuitSearch.open(engine, folder, config, own, step, progress);
  }

  /** Open the last checkpoint to find and check the circuits of several tasks. */
  public CircuitSearch circuits(Engine engine, Progress progress) {
    return CircuitSearch.open(engine, folder, folder.config(), own, OptionalLong.empty(), progress);
  }

  /** Check the circuit of a task, see {@link CircuitSearch#evidence}, in its own checkpoint. */
  public Evidence evidence(Engine engine, String task, Progress progress) {
    return evidence(
            engine,
            List.of(task),
            Effort.QUICK,
            false,
            progress,
            (_, e) -> {
              throw e;
            })
        .getFirst();
  }

  /**
   * Check the circuits of several tasks, each in the checkpoint it was found in; that of a task
   * without one is looked for in the last one. Evidence that is there is taken as it is, see {@link
   * CircuitSearch#evidence}.
   *
   * @param tasks none for all that have a circuit
   * @param effort how much is asked
   * @param again run every check anew, whatever is there
   * @param failed hears of every task that cannot be checked, see {@link CircuitSearch#evidence}: a
   *     {@link RunException}, a {@link TaskException}, or an {@link EngineException.Diverged} of a
   *     search. The others are checked all the same, unless it throws
   * @return of the tasks that were checked, in their order
   * @throws RunException when none is named and none has a circuit
   */
  public List<Evidence> evidence(
      Engine engine,
      List<String> tasks,
      Effort effort,
      boolean again,
      Progress progress,
      BiConsumer<String, RuntimeException> failed) {
    if (tasks.isEmpty()) {
      return evidence(engine, folder.someCircuits(), effort, again, progress, failed);
    }
    Map<OptionalLong, List<String>> byStep = new LinkedHashMap<>();
    for (String task : tasks) {
      try {
        OptionalLong step = stepOf(task);
        byStep.computeIfAbsent(step, _ -> new ArrayList<>()).add(task);
      } catch (RunException | TaskException e) {
        failed.accept(task, e);
      }
    }
    Map<String, Evidence> found = new HashMap<>();
    byStep.forEach(
        (step, members) -> {
          try (CircuitSearch search =
              CircuitSearch.open(engine, folder, folder.config(), own, step, progress)) {
            for (String task : members) {
              try {
                found.put(task, search.evidence(task, effort, again));
              } catch (RunException | TaskException | EngineException.Diverged e) {
                failed.accept(task, e);
              }
            }
          } catch (RunException e) { // a checkpoint that is gone, say
            members.stream()
                .filter(task -> !found.containsKey(task))
                .forEach(task -> failed.accept(task, e));
          }
        });
    return tasks.stream().map(found::get).filter(Objects::nonNull).toList();
  }

  /** Follow a prompt through the circuit of a task to the task's own two answers, silently. */
  public Trace trace(Engine engine, String task, String prompt) {
    return trace(engine, task, prompt, null, Progress.SILENT);
  }

  /**
   * Follow a prompt through the circuit of a task, in the checkpoint it was found in; without one
   * in the last one. See {@link CircuitSearch#trace}.
   */
  public Trace trace(
      Engine engine, String task, String prompt, List<String> answers, Progress progress) {
    try (CircuitSearch search =
        CircuitSearch.open(engine, folder, folder.config(), own, stepOf(task), progress)) {
      return search.trace(task, prompt, answers);
    }
  }

  /** Step of the checkpoint that the circuit of a task was found in; empty without one. */
  private OptionalLong stepOf(String task) {
    return folder
        .readCircuit(task(task).name())
        .map(circuit -> OptionalLong.of(circuit.source().step()))
        .orElse(OptionalLong.empty());
  }

  /** Version of the module; on a class path, where there are no modules, none is known. */
  public static String version() {
    ModuleDescriptor descriptor = Experiment.class.getModule().getDescriptor();
    return descriptor == null ? "development" : descriptor.rawVersion().orElse("development");
  }

  /** Return the commit of the sources in the working directory, null where there is none. */
  static String git() {
    try {
      Process process =
          new ProcessBuilder("git", "describe", "--always", "--dirty", "--abbrev=40")
              .redirectErrorStream(true)
              .start();
      String text =
          new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
      return process.waitFor(10, TimeUnit.SECONDS) && process.exitValue() == 0 ? text : null;
    } catch (IOException _) {
      return null;
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
      return null;
    }
  }
}
