// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import java.lang.foreign.MemorySegment;
import java.util.function.Supplier;

/**
 * What models, trainers, examples and pruners have in common: one native object, closed once,
 * called in turn.
 */
abstract sealed class NativeObject implements AutoCloseable
    permits Model, Trainer, Examples, FastPruner, Pruner {
  private final Resource resource;

  NativeObject(Resource resource) {
    this.resource = resource;
    resource.watch(this);
  }

  /**
   * Release the native object. Closing twice does nothing; any other use afterwards is an
   * InvalidState.
   */
  @Override
  public final void close() {
    resource.close();
    closed();
  }

  /** Release what belongs to the object beside its native half; may run more than once. */
  void closed() {}

  final Engine engine() {
    return resource.engine();
  }

  /** Return the handle for a call; on the engine thread. */
  final MemorySegment segment() {
    return resource.segment();
  }

  /** Return the number of the handle; on any thread. */
  final MemorySegment token() {
    return resource.token();
  }

  final void requireOpen() {
    resource.requireOpen();
  }

  /** Run on the engine thread, unless this object is closed. */
  final <T> T call(Supplier<T> body) {
    requireOpen();
    return engine().call(body);
  }

  /** Run on the engine thread, unless this object is closed. */
  final void run(Runnable body) {
    call(
        () -> {
          body.run();
          return null;
        });
  }
}
