// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import dev.filigree.FastPruneStats.Phase;
import dev.filigree.ffi.Filigree;
import dev.filigree.ffi.fg_fast_prune_stats;
import dev.filigree.ffi.fg_found_circuit;
import dev.filigree.ffi.fg_prune_task;
import dev.filigree.nativelib.Status;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/** Finds small circuits of one or several tasks at once. Made by {@link Model#fastPruner}. */
public final class FastPruner extends NativeObject {
  private final int nodes;

  private FastPruner(Resource resource, int nodes) {
    super(resource);
    this.nodes = nodes;
  }

  /**
   * What one task is pruned by.
   *
   * @param train masks are learnt on these
   * @param validation circuits are chosen on these, and on some of the others
   */
  public record Task(Examples train, Examples validation) {}

  static FastPruner create(Model model, FastPruneConfig config, List<Task> tasks, float[] means) {
    return model.call(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
            MemorySegment array = fg_prune_task.allocateArray(Math.max(1, tasks.size()), arena);
            for (int i = 0; i < tasks.size(); i++) {
              MemorySegment task = fg_prune_task.asSlice(array, i);
              fg_prune_task.train(task, tasks.get(i).train().segment());
              fg_prune_task.validation(task, tasks.get(i).validation().segment());
            }
            Status.check(
                Filigree.fg_fast_pruner_create(
                    model.segment(),
                    arena.allocateFrom(config.toJson()),
                    array,
                    tasks.size(),
                    arena.allocateFrom(ValueLayout.JAVA_FLOAT, means),
                    means.length,
                    out));
            return new FastPruner(
                model.engine().own("fast pruner", out, Filigree::fg_fast_pruner_destroy),
                means.length);
          }
        });
  }

  /** Do one piece of work, of tenths of a second on a small model; nothing when it is done. */
  public FastPruneStats advance() {
    return call(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment stats = fg_fast_prune_stats.allocate(arena);
            fg_fast_prune_stats.struct_size(stats, (int) fg_fast_prune_stats.sizeof());
            Status.check(Filigree.fg_fast_pruner_advance(segment(), stats));
            return new FastPruneStats(
                phase(fg_fast_prune_stats.phase(stats)),
                fg_fast_prune_stats.pieces(stats),
                fg_fast_prune_stats.nodes(stats),
                fg_fast_prune_stats.edges(stats),
                fg_fast_prune_stats.loss(stats));
          }
        });
  }

  /**
   * Return a circuit of a finished search. Where the target is not reached it is that of the
   * candidates.
   *
   * @param task number of the task
   * @param target number of the configured target
   * @throws EngineException.InvalidState before it is finished
   */
  public FoundCircuit circuit(int task, int target) {
    return call(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment keep = arena.allocate(nodes);
            MemorySegment edges = arena.allocate(ValueLayout.ADDRESS);
            MemorySegment found = fg_found_circuit.allocate(arena);
            fg_found_circuit.struct_size(found, (int) fg_found_circuit.sizeof());
            Status.check(
                Filigree.fg_fast_pruner_circuit(
                    segment(), task, target, nodes, keep, edges, found));
            return new FoundCircuit(
                Masks.read(keep),
                Model.edgesOf(edges.get(ValueLayout.ADDRESS, 0)),
                new Calibration(fg_found_circuit.scale(found), fg_found_circuit.shift(found)),
                fg_found_circuit.reached(found) != 0);
          }
        });
  }

  private static Phase phase(int code) {
    if (code == Filigree.FG_FAST_PRUNE_ATTRIBUTE()) {
      return Phase.ATTRIBUTE;
    }
    if (code == Filigree.FG_FAST_PRUNE_LEARN()) {
      return Phase.LEARN;
    }
    if (code == Filigree.FG_FAST_PRUNE_CHOOSE()) {
      return Phase.CHOOSE;
    }
    return code == Filigree.FG_FAST_PRUNE_CLEAN() ? Phase.CLEAN : Phase.DONE;
  }
}
