// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import dev.filigree.nativelib.NativeHandle;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Cleaner;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import org.slf4j.LoggerFactory;

/**
 * The native half of one Java object: its handle, and whether it was closed. It knows nothing of
 * that object, so the garbage collector can report one that was dropped open; it never frees it,
 * because device memory is invisible to the collector.
 */
final class Resource {
  /**
   * System property: when true, remember where every object was made and report those dropped open.
   */
  static final String TRACK = "filigree.trackLeaks";

  private static final Cleaner CLEANER = Cleaner.create();
  private static final Set<Resource> LIVE = ConcurrentHashMap.newKeySet();

  private final Engine engine;
  private final String name;
  private final NativeHandle handle;
  private final MemorySegment token;
  private final Throwable origin;
  private volatile boolean closed;

  /** Own a handle; on the engine thread. */
  Resource(Engine engine, String name, MemorySegment pointer, Consumer<MemorySegment> destroy) {
    this.engine = engine;
    this.name = name;
    this.handle = new NativeHandle(name, pointer, destroy);
    this.token = MemorySegment.ofAddress(pointer.address());
    this.origin = Boolean.getBoolean(TRACK) ? new Throwable("made here") : null;
    LIVE.add(this);
  }

  /** Report the owner if it becomes unreachable without having been closed. */
  void watch(Object owner) {
    if (origin != null) {
      CLEANER.register(owner, this::reportLeak);
    }
  }

  private void reportLeak() {
    if (!closed) {
      LoggerFactory.getLogger(Resource.class)
          .warn("a {} was dropped without being closed; its memory stays taken", name, origin);
    }
  }

  /** Return what is open in this process, for tests. */
  static Set<Resource> live() {
    return Set.copyOf(LIVE);
  }

  Engine engine() {
    return engine;
  }

  /** Return the handle for a call; on the engine thread. */
  MemorySegment segment() {
    requireOpen();
    return handle.segment();
  }

  /** Return the number of the handle, which stays harmless after it is closed; on any thread. */
  MemorySegment token() {
    return token;
  }

  void requireOpen() {
    if (closed) {
      throw new EngineException.InvalidState("the " + name + " is closed");
    }
    engine.requireOpen();
  }

  /** Destroy the native object; any thread, any number of times. */
  void close() {
    if (!closed) {
      engine.callUnlessClosed(this::closeHere);
    }
  }

  /** Destroy the native object; on the engine thread. */
  void closeHere() {
    if (!closed) {
      closed = true;
      LIVE.remove(this);
      handle.close();
      engine.forget(this);
    }
  }

  @Override
  public String toString() {
    return name;
  }
}
