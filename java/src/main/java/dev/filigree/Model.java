// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import dev.filigree.data.TokenFile;
import dev.filigree.ffi.Filigree;
import dev.filigree.ffi.fg_edge;
import dev.filigree.ffi.fg_eval_stats;
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
import java.util.ArrayList;
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
            float[][][] logits = new float[tokens.length][length][vocabulary];
            for (int b = 0; b < tokens.length; b++) {
              for (int t = 0; t < length; t++) {
                long from = ((long) b * length + t) * vocabulary;
                MemorySegment.copy(
                    out, ValueLayout.JAVA_FLOAT, from * Float.BYTES, logits[b][t], 0, vocabulary);
              }
            }
            return logits;
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
  public Pruner pruner(PruneConfig config, Examples examples, float[] means) {
    return Pruner.create(this, config, examples, means);
  }

  /** Score the whole model on examples, without calibration. */
  public TaskStats evaluate(Examples examples) {
    return score(examples, null, null, (e, m, k, n, s) -> evaluate(e, m, k, n, 1, 0, s));
  }

  /**
   * Score a circuit with a given calibration: every other node is replaced by its mean.
   *
   * @param means one per node
   * @param keep one per node
   */
  public TaskStats evaluate(
      Examples examples, float[] means, boolean[] keep, double scale, double shift) {
    return score(examples, means, keep, (e, m, k, n, s) -> evaluate(e, m, k, n, scale, shift, s));
  }

  /** Fit the calibration of the whole model to examples, and score it with that. */
  public TaskStats calibrate(Examples examples) {
    return calibrate(examples, null, null);
  }

  /** Fit the calibration of a circuit to examples, and score it with that. */
  public TaskStats calibrate(Examples examples, float[] means, boolean[] keep) {
    return score(
        examples,
        means,
        keep,
        (e, m, k, n, s) -> Filigree.fg_circuit_calibrate(segment(), e, m, k, n, s));
  }

  /**
   * Compute the differences of the whole model, as {@link #differences(Examples, float[],
   * boolean[])}.
   */
  public float[] differences(Examples examples) {
    return differences(examples, null, null);
  }

  /**
   * Compute the logit of a minus the logit of b for every sequence, a being the right answer of the
   * pair's first member and b that of its second: above 0 where a is preferred, whichever is right.
   *
   * @param means one per node
   * @param keep one per node; every other node is replaced by its mean
   * @return two per pair, in the order of the examples, without calibration
   */
  public float[] differences(Examples examples, float[] means, boolean[] keep) {
    int count = 2 * examples.pairs();
    return onCircuit(
        means,
        keep,
        (arena, m, k, nodes) -> {
          MemorySegment out = arena.allocate(ValueLayout.JAVA_FLOAT, count);
          Status.check(
              Filigree.fg_circuit_differences(
                  segment(), examples.segment(), m, k, nodes, count, out));
          return out.toArray(ValueLayout.JAVA_FLOAT);
        });
  }

  /** List the edges between kept nodes: layer by layer, matrix by matrix, by target and source. */
  public List<Edge> edges(boolean[] keep) {
    return call(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
            Status.check(
                Filigree.fg_circuit_edges(segment(), Masks.copy(arena, keep), keep.length, out));
            try (NativeHandle buffer =
                new NativeHandle(
                    "buffer", out.get(ValueLayout.ADDRESS, 0), Filigree::fg_buffer_destroy)) {
              List<Edge> edges = new ArrayList<>();
              NativeLibrary.bytes(buffer)
                  .elements(fg_edge.layout())
                  .forEach(
                      e ->
                          edges.add(
                              new Edge(fg_edge.source(e), fg_edge.target(e), fg_edge.weight(e))));
              return edges;
            }
          }
        });
  }

  /**
   * Ask the call that runs on this model now, or else the next one, to stop at the next step or
   * batch; it throws {@link EngineException.Cancelled}. Any thread, at any time; it does not wait.
   * On a closed model it does nothing.
   */
  public void cancel() {
    int unused = Filigree.fg_model_cancel(token());
  }

  private int evaluate(
      MemorySegment examples,
      MemorySegment means,
      MemorySegment keep,
      long nodes,
      double scale,
      double shift,
      MemorySegment stats) {
    return Filigree.fg_circuit_evaluate(
        segment(), examples, means, keep, nodes, scale, shift, stats);
  }

  /** One of the two native calls that score; null arrays arrive as NULL. */
  private interface Score {
    int call(
        MemorySegment examples,
        MemorySegment means,
        MemorySegment keep,
        long nodes,
        MemorySegment stats);
  }

  private TaskStats score(Examples examples, float[] means, boolean[] keep, Score score) {
    return onCircuit(
        means,
        keep,
        (arena, m, k, nodes) -> {
          MemorySegment stats = fg_task_stats.allocate(arena);
          fg_task_stats.struct_size(stats, (int) fg_task_stats.sizeof());
          Status.check(score.call(examples.segment(), m, k, nodes, stats));
          return TaskStats.from(stats);
        });
  }

  /** A native call that takes a circuit; arrays that are null arrive as NULL. */
  private interface CircuitCall<R> {
    R call(Arena arena, MemorySegment means, MemorySegment keep, long nodes);
  }

  private <R> R onCircuit(float[] means, boolean[] keep, CircuitCall<R> body) {
    long nodes = keep == null ? config().nodes() : keep.length;
    if (keep != null && means.length != keep.length) {
      throw new EngineException.InvalidArgument(
          "%d means for %d nodes".formatted(means.length, keep.length));
    }
    return call(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            return body.call(
                arena,
                keep == null
                    ? MemorySegment.NULL
                    : arena.allocateFrom(ValueLayout.JAVA_FLOAT, means),
                keep == null ? MemorySegment.NULL : Masks.copy(arena, keep),
                nodes);
          }
        });
  }
}
