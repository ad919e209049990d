// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import dev.filigree.data.TokenFile;
import dev.filigree.ffi.Filigree;
import dev.filigree.ffi.fg_edge;
import dev.filigree.ffi.fg_eval_stats;
import dev.filigree.ffi.fg_found_circuit;
import dev.filigree.ffi.fg_task_stats;
import dev.filigree.json.Json;
import dev.filigree.nativelib.NativeHandle;
import dev.filigree.nativelib.NativeLibrary;
import dev.filigree.nativelib.Status;
import dev.filigree.task.ExampleSet;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;

/**
 * A model: its architecture and its weights, on the engine's device.
 *
 * <p>Made by {@link Engine#createModel} or {@link Engine#loadModel}. Trainers, examples and pruners
 * made from it stay usable after it is closed, and keep its memory. Every method copies; none keeps
 * an argument.
 */
public final class Model extends NativeObject {
  /** The first description, for what never changes: architecture and shapes. */
  private volatile ModelInfo first;

  Model(Resource resource) {
    super(resource);
  }

  /** Return the architecture. */
  public ModelConfig config() {
    return constants().config();
  }

  /** Describe the weights and the node space. */
  public ModelInfo info() {
    String text = call(() -> Engine.text(out -> Filigree.fg_model_info(segment(), out)));
    return Json.read(text, ModelInfo.class);
  }

  private ModelInfo constants() {
    requireOpen();
    if (first == null) {
      first = info();
    }
    return first;
  }

  /**
   * Compute the logits of every position.
   *
   * @param tokens [batch][length], equally long, at most the block size
   * @return [batch][length][vocabulary]
   */
  public float[][][] logits(int[][] tokens) {
    int length = Tokens.length(tokens);
    int vocabulary = config().vocabSize();
    return call(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            long count = Math.multiplyExact((long) tokens.length * length, (long) vocabulary);
            MemorySegment out = arena.allocate(ValueLayout.JAVA_FLOAT, count);
            Status.check(
                Filigree.fg_model_logits(
                    segment(), Tokens.copy(arena, tokens), tokens.length, length, count, out));
            return blocks(out, tokens.length, length, vocabulary);
          }
        });
  }

  /**
   * Measure the loss on held-out text, over consecutive windows of the block size.
   *
   * @param tokens the text, at least one window
   * @param batch windows per forward pass
   * @param maxSequences windows to use, evenly spread; 0 for all
   */
  public EvalStats loss(TokenFile tokens, long batch, long maxSequences) {
    return call(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment stats = fg_eval_stats.allocate(arena);
            fg_eval_stats.struct_size(stats, (int) fg_eval_stats.sizeof());
            Status.check(
                Filigree.fg_model_loss(
                    segment(), tokens.tokens(), tokens.count(), batch, maxSequences, stats));
            return new EvalStats(fg_eval_stats.predictions(stats), fg_eval_stats.loss(stats));
          }
        });
  }

  /**
   * Measure the mean activation of every node, after AbsTopK: what mean ablation puts in place of a
   * node.
   *
   * @param tokens pretraining text, at least one window of the block size
   * @param batch windows per forward pass
   * @param maxSequences windows to use, evenly spread; 0 for all
   */
  public float[] nodeMeans(TokenFile tokens, long batch, long maxSequences) {
    long nodes = config().nodes();
    return call(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment means = arena.allocate(ValueLayout.JAVA_FLOAT, nodes);
            Status.check(
                Filigree.fg_model_node_means(
                    segment(), tokens.tokens(), tokens.count(), batch, maxSequences, nodes, means));
            return means.toArray(ValueLayout.JAVA_FLOAT);
          }
        });
  }

  /** Copy a tensor out, row by row. */
  public float[] readTensor(String name) {
    long count = constants().tensor(name).count();
    return call(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.JAVA_FLOAT, count);
            Status.check(
                Filigree.fg_model_read_tensor(segment(), arena.allocateFrom(name), count, out));
            return out.toArray(ValueLayout.JAVA_FLOAT);
          }
        });
  }

  /** Overwrite a tensor, row by row. */
  public void writeTensor(String name, float[] values) {
    run(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment copy = arena.allocateFrom(ValueLayout.JAVA_FLOAT, values);
            Status.check(
                Filigree.fg_model_write_tensor(
                    segment(), arena.allocateFrom(name), copy, values.length));
          }
        });
  }

  /** Write {@code config.json} and {@code model.safetensors} into an existing folder. */
  public void save(Path folder) {
    run(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            Status.check(Filigree.fg_model_save(segment(), arena.allocateFrom(folder.toString())));
          }
        });
  }

  /**
   * Prepare training from step 0.
   *
   * @throws EngineException.InvalidConfig also when a tensor cannot keep its minimum of live
   *     weights
   * @throws EngineException.InvalidArgument also when a token does not fit the vocabulary
   */
  public Trainer trainer(TrainConfig config, List<TokenStream> streams) {
    return Trainer.create(this, config, streams);
  }

  /**
   * Go on from a folder that {@link Trainer#save} wrote, this model being loaded from the same
   * folder. The steps that follow are those of the run that was saved, bit for bit: same build,
   * device, threads and streams.
   */
  public Trainer resume(Path folder, List<TokenStream> streams) {
    return Trainer.resume(this, folder, streams);
  }

  /** Copy pairs of sequences to the device, padded to the longest. */
  public Examples examples(ExampleSet examples) {
    return Examples.create(this, examples);
  }

  /**
   * Start learning node masks, with the weights frozen.
   *
   * @param means values of ablated nodes, from {@link #nodeMeans}
   */
  public Pruner pruner(PruneConfig config, PruneOptions options, Examples examples, float[] means) {
    return Pruner.create(this, config, options, examples, means);
  }

  /**
   * Start the fast search for the circuits of some tasks.
   *
   * @param means values of ablated nodes, from {@link #nodeMeans}
   */
  public FastPruner fastPruner(FastPruneConfig config, List<FastPruner.Task> tasks, float[] means) {
    return FastPruner.create(this, config, tasks, means);
  }

  /** Score the whole model on examples, without calibration. */
  public TaskStats evaluate(Examples examples) {
    return evaluate(examples, null, 1, 0);
  }

  /**
   * Score a circuit with a given calibration.
   *
   * @param mask null for the whole model
   */
  public TaskStats evaluate(Examples examples, CircuitMask mask, double scale, double shift) {
    return score(
        mask,
        (circuit, stats) ->
            Filigree.fg_circuit_evaluate(
                segment(), examples.segment(), circuit, scale, shift, stats));
  }

  /** Fit the calibration of the whole model to examples, and score it with that. */
  public TaskStats calibrate(Examples examples) {
    return calibrate(examples, null);
  }

  /**
   * Fit the calibration of a circuit to examples, and score it with that.
   *
   * @param mask null for the whole model
   */
  public TaskStats calibrate(Examples examples, CircuitMask mask) {
    return score(
        mask,
        (circuit, stats) ->
            Filigree.fg_circuit_calibrate(segment(), examples.segment(), circuit, stats));
  }

  /** Compute the differences of the whole model, as {@link #differences(Examples, CircuitMask)}. */
  public float[] differences(Examples examples) {
    return differences(examples, null);
  }

  /**
   * Compute the logit of a minus the logit of b for every sequence, a being the right answer of the
   * pair's first member and b that of its second: above 0 where a is preferred, whichever is right.
   *
   * @param mask null for the whole model
   * @return two per pair, in the order of the examples, without calibration
   */
  public float[] differences(Examples examples, CircuitMask mask) {
    int count = 2 * examples.pairs();
    return call(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.JAVA_FLOAT, count);
            Status.check(
                Filigree.fg_circuit_differences(
                    segment(), examples.segment(), CircuitMask.copy(arena, mask), count, out));
            return out.toArray(ValueLayout.JAVA_FLOAT);
          }
        });
  }

  /**
   * As {@link #differences(Examples, CircuitMask)}, but a node that is not kept takes, at every
   * position, the activation that another sequence of the examples has in the whole model.
   *
   * @param mask whose means are not used
   * @param donors the other sequence of every sequence; one that is shorter lends what padding
   *     makes beyond its end
   */
  public float[] differencesWithDonors(Examples examples, CircuitMask mask, int[] donors) {
    int count = 2 * examples.pairs();
    return call(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.JAVA_FLOAT, count);
            Status.check(
                Filigree.fg_circuit_with_donors(
                    segment(),
                    examples.segment(),
                    CircuitMask.copy(arena, mask),
                    arena.allocateFrom(ValueLayout.JAVA_INT, donors),
                    donors.length,
                    out));
            return out.toArray(ValueLayout.JAVA_FLOAT);
          }
        });
  }

  /**
   * Find the tokens that a circuit has to tell apart: as many as the target allows are embedded as
   * one (docs/pruning.md).
   *
   * @param train examples that calibrations are fitted to
   * @param validation the target is to be kept on these too
   * @param mask with the tokens to begin with
   * @param target two-way loss, nats per sequence
   * @param calibrate whether a calibration is fitted at all
   * @return the circuit with these tokens; with those it began with, where the target is out of
   *     reach
   */
  public FoundCircuit chooseTokens(
      Examples train, Examples validation, CircuitMask mask, double target, boolean calibrate) {
    List<Edge> edges = mask.edges() == null ? edges(mask.keep()) : mask.edges();
    return call(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment tokens = arena.allocate(config().vocabSize());
            MemorySegment found = fg_found_circuit.allocate(arena);
            fg_found_circuit.struct_size(found, (int) fg_found_circuit.sizeof());
            Status.check(
                Filigree.fg_circuit_tokens(
                    segment(),
                    train.segment(),
                    validation.segment(),
                    CircuitMask.copy(arena, mask),
                    target,
                    calibrate ? 1 : 0,
                    tokens.byteSize(),
                    tokens,
                    found));
            return new FoundCircuit(
                mask.keep(),
                edges,
                new Calibration(fg_found_circuit.scale(found), fg_found_circuit.shift(found)),
                fg_found_circuit.reached(found) != 0,
                new TokenMask(Masks.read(tokens), mask.tokens().embedding()));
          }
        });
  }

  /**
   * Compute the differences of a circuit without one of its nodes, for each of some nodes.
   *
   * @param mask may keep every node
   * @param nodes flat indices, at least one
   * @return [node][sequence]
   */
  public float[][] ablations(Examples examples, CircuitMask mask, int[] nodes) {
    int sequences = 2 * examples.pairs();
    return call(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            long count = (long) nodes.length * sequences;
            MemorySegment out = arena.allocate(ValueLayout.JAVA_FLOAT, count);
            Status.check(
                Filigree.fg_circuit_ablations(
                    segment(),
                    examples.segment(),
                    CircuitMask.copy(arena, mask),
                    arena.allocateFrom(ValueLayout.JAVA_INT, nodes),
                    nodes.length,
                    count,
                    out));
            return rows(out, nodes.length, sequences);
          }
        });
  }

  /**
   * Record the activations of nodes, after AbsTopK and ablation.
   *
   * @param mask null for the whole model
   * @param nodes flat indices, at least one
   * @return [node][sequence][position]; beyond the end of a sequence what padding makes
   */
  public float[][][] activations(Examples examples, CircuitMask mask, int[] nodes) {
    int sequences = 2 * examples.pairs();
    int length = examples.length();
    return call(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            long count = (long) nodes.length * sequences * length;
            MemorySegment out = arena.allocate(ValueLayout.JAVA_FLOAT, count);
            Status.check(
                Filigree.fg_circuit_activations(
                    segment(),
                    examples.segment(),
                    CircuitMask.copy(arena, mask),
                    arena.allocateFrom(ValueLayout.JAVA_INT, nodes),
                    nodes.length,
                    count,
                    out));
            return blocks(out, nodes.length, sequences, length);
          }
        });
  }

  /**
   * Record the attention weights of a head.
   *
   * @param mask null for the whole model
   * @return [sequence][query][key]; the last key is the sink, 0 in a model without sinks
   */
  public float[][][] attention(Examples examples, CircuitMask mask, int layer, int head) {
    int sequences = 2 * examples.pairs();
    int length = examples.length();
    return call(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            long count = (long) sequences * length * (length + 1);
            MemorySegment out = arena.allocate(ValueLayout.JAVA_FLOAT, count);
            Status.check(
                Filigree.fg_circuit_attention(
                    segment(),
                    examples.segment(),
                    CircuitMask.copy(arena, mask),
                    layer,
                    head,
                    count,
                    out));
            return blocks(out, sequences, length, length + 1);
          }
        });
  }

  /**
   * Find for every node of a circuit two values to say instead of its activation, so that the loss
   * suffers least.
   *
   * @param calibration of the circuit, which stays as it is
   */
  public BinaryLevels binarise(
      Examples examples, CircuitMask mask, Calibration calibration, BinarisationConfig config) {
    int nodes = mask.keep().length;
    return call(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment low = arena.allocate(ValueLayout.JAVA_FLOAT, nodes);
            MemorySegment high = arena.allocate(ValueLayout.JAVA_FLOAT, nodes);
            Status.check(
                Filigree.fg_circuit_binarise(
                    segment(),
                    examples.segment(),
                    CircuitMask.copy(arena, mask),
                    arena.allocateFrom(config.toJson()),
                    calibration.scale(),
                    calibration.shift(),
                    nodes,
                    low,
                    high));
            return new BinaryLevels(
                low.toArray(ValueLayout.JAVA_FLOAT), high.toArray(ValueLayout.JAVA_FLOAT));
          }
        });
  }

  /**
   * Compute the differences of a circuit every node of which is at one of its two levels, as {@link
   * #differences(Examples, CircuitMask)}.
   */
  public float[] differences(Examples examples, CircuitMask mask, BinaryLevels levels) {
    int count = 2 * examples.pairs();
    return call(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.JAVA_FLOAT, count);
            Status.check(
                Filigree.fg_circuit_binarised(
                    segment(),
                    examples.segment(),
                    CircuitMask.copy(arena, mask),
                    arena.allocateFrom(ValueLayout.JAVA_FLOAT, levels.low()),
                    arena.allocateFrom(ValueLayout.JAVA_FLOAT, levels.high()),
                    levels.low().length,
                    count,
                    out));
            return out.toArray(ValueLayout.JAVA_FLOAT);
          }
        });
  }

  /** Fit a calibration to differences, as {@link #calibrate} does. */
  public Calibration fit(float[] differences) {
    return call(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment scale = arena.allocate(ValueLayout.JAVA_DOUBLE);
            MemorySegment shift = arena.allocate(ValueLayout.JAVA_DOUBLE);
            Status.check(
                Filigree.fg_calibration_fit(
                    arena.allocateFrom(ValueLayout.JAVA_FLOAT, differences),
                    differences.length,
                    scale,
                    shift));
            return new Calibration(
                scale.get(ValueLayout.JAVA_DOUBLE, 0), shift.get(ValueLayout.JAVA_DOUBLE, 0));
          }
        });
  }

  private static float[][] rows(MemorySegment values, int rows, int columns) {
    float[][] copy = new float[rows][columns];
    for (int row = 0; row < rows; row++) {
      long from = (long) row * columns * Float.BYTES;
      MemorySegment.copy(values, ValueLayout.JAVA_FLOAT, from, copy[row], 0, columns);
    }
    return copy;
  }

  private static float[][][] blocks(MemorySegment values, int blocks, int rows, int columns) {
    float[][][] copy = new float[blocks][][];
    long size = (long) rows * columns * Float.BYTES;
    for (int block = 0; block < blocks; block++) {
      copy[block] = rows(values.asSlice(block * size, size), rows, columns);
    }
    return copy;
  }

  /** List the edges between kept nodes: layer by layer, matrix by matrix, by target and source. */
  public List<Edge> edges(boolean[] keep) {
    return call(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
            Status.check(
                Filigree.fg_circuit_edges(segment(), Masks.copy(arena, keep), keep.length, out));
            return edgesOf(out.get(ValueLayout.ADDRESS, 0));
          }
        });
  }

  /** Read a buffer of edges and destroy it. */
  static List<Edge> edgesOf(MemorySegment handle) {
    try (NativeHandle buffer = new NativeHandle("buffer", handle, Filigree::fg_buffer_destroy)) {
      return NativeLibrary.bytes(buffer)
          .elements(fg_edge.layout())
          .map(e -> new Edge(fg_edge.source(e), fg_edge.target(e), fg_edge.weight(e)))
          .toList();
    }
  }

  /**
   * Ask the call that runs on this model now, or else the next one, to stop at the next step or
   * batch; it throws {@link EngineException.Cancelled}. Any thread, at any time; it does not wait.
   * On a closed model it does nothing.
   */
  public void cancel() {
    int unused = Filigree.fg_model_cancel(token());
  }

  /** One of the native calls that score a circuit. */
  private interface Score {
    int into(MemorySegment circuit, MemorySegment stats);
  }

  private TaskStats score(CircuitMask mask, Score score) {
    return call(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment stats = fg_task_stats.allocate(arena);
            fg_task_stats.struct_size(stats, (int) fg_task_stats.sizeof());
            Status.check(score.into(CircuitMask.copy(arena, mask), stats));
            return TaskStats.from(stats);
          }
        });
  }
}
