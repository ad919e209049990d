// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import com.fasterxml.jackson.databind.JsonNode;
import dev.filigree.data.TokenFile;
import dev.filigree.ffi.Filigree;
import dev.filigree.ffi.fg_corpus;
import dev.filigree.ffi.fg_train_stats;
import dev.filigree.json.Json;
import dev.filigree.nativelib.Status;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Trains one model: the optimiser's state and the text. Made by {@link Model#trainer} or {@link
 * Model#resume}; the caller owns the loop and asks for a few steps at a time.
 */
public final class Trainer extends NativeObject {
  /** Mappings of the token files; the core reads them until it is destroyed. */
  private final List<TokenFile> files;

  /** One block for the results of every step. */
  private final MemorySegment stats;

  private Trainer(Resource resource, List<TokenFile> files) {
    super(resource);
    this.files = files;
    this.stats = fg_train_stats.allocate(Arena.ofAuto());
    fg_train_stats.struct_size(stats, (int) fg_train_stats.sizeof());
  }

  static Trainer create(Model model, TrainConfig config, List<TokenStream> streams) {
    return make(
        model,
        streams,
        (arena, corpora, n, out) ->
            Filigree.fg_trainer_create(
                model.segment(), arena.allocateFrom(config.toJson()), corpora, n, out));
  }

  static Trainer resume(Model model, Path folder, List<TokenStream> streams) {
    return make(
        model,
        streams,
        (arena, corpora, n, out) ->
            Filigree.fg_trainer_resume(
                model.segment(), arena.allocateFrom(folder.toString()), corpora, n, out));
  }

  /** One of the two native calls that make a trainer. */
  private interface Maker {
    int call(Arena arena, MemorySegment corpora, long count, MemorySegment out);
  }

  private static Trainer make(Model model, List<TokenStream> streams, Maker maker) {
    model.requireOpen();
    List<TokenFile> files = new ArrayList<>();
    try {
      for (TokenStream stream : streams) {
        files.add(TokenFile.open(stream.file().path()));
      }
      return model.call(
          () -> {
            try (Arena arena = Arena.ofConfined()) {
              MemorySegment corpora = fg_corpus.allocateArray(streams.size(), arena);
              for (int i = 0; i < streams.size(); i++) {
                MemorySegment corpus = fg_corpus.asSlice(corpora, i);
                fg_corpus.tokens(corpus, files.get(i).tokens());
                fg_corpus.count(corpus, files.get(i).count());
                fg_corpus.share(corpus, streams.get(i).share());
              }
              MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
              Status.check(maker.call(arena, corpora, streams.size(), out));
              Resource resource = model.engine().own("trainer", out, Filigree::fg_trainer_destroy);
              return new Trainer(resource, files);
            }
          });
    } catch (RuntimeException | Error e) {
      files.forEach(TokenFile::close);
      throw e;
    }
  }

  /**
   * Learn from a teacher as the configuration says; needed before the first step, also of a resumed
   * trainer, when {@code distill.weight} is above 0. The teacher may be closed afterwards, and must
   * not be used by another thread during a step.
   *
   * @throws EngineException.InvalidArgument when it has another vocabulary or device or too short a
   *     context, is not the one the run was started with, or there is no use for one
   */
  public void teacher(Model teacher) {
    teacher.requireOpen();
    run(() -> Status.check(Filigree.fg_trainer_set_teacher(segment(), teacher.segment())));
  }

  /**
   * Do some steps, fewer when the configured number is reached.
   *
   * @throws EngineException.InvalidState when all steps are done
   * @throws EngineException.Diverged when a loss or gradient is not finite; the weights are those
   *     before the step
   * @throws EngineException.Cancelled after {@link Model#cancel()}; finished steps stay done
   */
  public TrainStats step(long steps) {
    return call(
        () -> {
          Status.check(Filigree.fg_trainer_step(segment(), steps, stats));
          return TrainStats.from(stats);
        });
  }

  /** Do one step on a given batch, [batch][length], instead of a sampled one. */
  public TrainStats stepOn(int[][] tokens) {
    int length = Tokens.length(tokens);
    return call(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            Status.check(
                Filigree.fg_trainer_step_on(
                    segment(), Tokens.copy(arena, tokens), tokens.length, length, stats));
            return TrainStats.from(stats);
          }
        });
  }

  /** Measure the weights: names and values as in the run folder's metrics. */
  public JsonNode metrics() {
    return Json.parse(call(() -> Engine.text(out -> Filigree.fg_trainer_metrics(segment(), out))));
  }

  /**
   * Tell how the core computes and where the time of this trainer's steps went: "plan",
   * "crossover", "dense_crossover", "seconds", "cpu_seconds" that all threads computed meanwhile,
   * and the seconds of each of its "parts", of which a device has none.
   */
  public JsonNode profile() {
    return Json.parse(call(() -> Engine.text(out -> Filigree.fg_trainer_profile(segment(), out))));
  }

  /** Write model and optimiser into an existing folder; see {@link Model#resume}. */
  public void save(Path folder) {
    run(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            Status.check(
                Filigree.fg_trainer_save(segment(), arena.allocateFrom(folder.toString())));
          }
        });
  }

  @Override
  void closed() {
    files.forEach(TokenFile::close);
  }
}
