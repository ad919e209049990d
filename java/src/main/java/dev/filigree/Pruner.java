// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import dev.filigree.ffi.Filigree;
import dev.filigree.ffi.fg_prune_stats;
import dev.filigree.ffi.fg_task_stats;
import dev.filigree.json.Json;
import dev.filigree.nativelib.Status;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Learns which nodes of a frozen model a task needs. Made by {@link Model#pruner}. */
public final class Pruner extends NativeObject {
  private final int nodes;

  private Pruner(Resource resource, int nodes) {
    super(resource);
    this.nodes = nodes;
  }

  static Pruner create(
      Model model, PruneConfig config, PruneOptions options, Examples examples, float[] means) {
    return model.call(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
            Status.check(
                Filigree.fg_pruner_create(
                    model.segment(),
                    arena.allocateFrom(Json.write(new Settings(config, options))),
                    examples.segment(),
                    arena.allocateFrom(ValueLayout.JAVA_FLOAT, means),
                    means.length,
                    out));
            return new Pruner(
                model.engine().own("pruner", out, Filigree::fg_pruner_destroy), means.length);
          }
        });
  }

  /** What the core reads. */
  private record Settings(PruneConfig masks, PruneOptions options) {}

  /**
   * Do some steps, fewer when the configured number is reached.
   *
   * @throws EngineException.InvalidState when all steps are done
   */
  public PruneStats step(long steps) {
    return call(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment stats = fg_prune_stats.allocate(arena);
            fg_prune_stats.struct_size(stats, (int) fg_prune_stats.sizeof());
            Status.check(Filigree.fg_pruner_step(segment(), steps, stats));
            return new PruneStats(
                fg_prune_stats.step(stats),
                fg_prune_stats.task_loss(stats),
                fg_prune_stats.lr(stats),
                fg_prune_stats.nodes(stats));
          }
        });
  }

  /** Copy the mask parameters out, one per node, each from -1 to 1; a node is open from 0 on. */
  public float[] scores() {
    return call(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment scores = arena.allocate(ValueLayout.JAVA_FLOAT, nodes);
            Status.check(Filigree.fg_pruner_scores(segment(), nodes, scores));
            return scores.toArray(ValueLayout.JAVA_FLOAT);
          }
        });
  }

  /**
   * Choose the fewest of the highest-scored nodes whose calibrated loss is at most a target.
   * Without such a number all open nodes are kept, and the loss of the result is above the target.
   *
   * @param validation examples that the masks were not learnt on
   * @param targetLoss nats per sequence
   */
  public Discretized discretize(Examples validation, double targetLoss) {
    return call(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment keep = arena.allocate(nodes);
            MemorySegment stats = fg_task_stats.allocate(arena);
            fg_task_stats.struct_size(stats, (int) fg_task_stats.sizeof());
            Status.check(
                Filigree.fg_pruner_discretize(
                    segment(), validation.segment(), targetLoss, nodes, keep, stats));
            return new Discretized(Masks.read(keep), TaskStats.from(stats));
          }
        });
  }
}
