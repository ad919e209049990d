// SPDX-License-Identifier: Apache-2.0
package dev.filigree.nativelib;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/**
 * One object of the core and the call that destroys it. Confined to the thread that made it, the
 * engine thread: the JVM refuses any other. Closing twice does nothing.
 */
public final class NativeHandle implements AutoCloseable {
  private final String name;
  private final Arena arena;
  private final MemorySegment segment;
  private boolean closed;

  /**
   * Own a handle that a native call just returned.
   *
   * @param name what it is, for messages: "model"
   * @param pointer the handle
   * @param destroy its destroy function
   */
  public NativeHandle(String name, MemorySegment pointer, Consumer<MemorySegment> destroy) {
    this.name = name;
    this.arena = Arena.ofConfined();
    this.segment = pointer.reinterpret(arena, destroy);
  }

  /** Return the handle for a call; throws IllegalStateException when it is closed. */
  public MemorySegment segment() {
    if (closed) {
      throw new IllegalStateException("the " + name + " is closed");
    }
    return segment;
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      arena.close();
    }
  }
}
