// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import com.fasterxml.jackson.databind.JsonNode;
import dev.filigree.ffi.Filigree;
import dev.filigree.json.Json;
import dev.filigree.nativelib.NativeFailure;
import dev.filigree.nativelib.NativeLibrary;
import dev.filigree.nativelib.NativeLibraryException;
import dev.filigree.nativelib.Status;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * The native core, and the one thread that calls it. Everything starts here: {@link #createModel},
 * {@link #loadModel}.
 *
 * <p>Any thread may use the engine and what comes from it; calls run one after the other on the
 * thread "filigree-engine" (the core keeps per-thread state, and each further thread would get
 * worker threads of its own). A thread interrupted while it waits stays until its call is done; to
 * stop one early there is {@link Model#cancel()}. A process has one open engine at a time.
 */
public final class Engine implements AutoCloseable {
  /** LibTorch's graph code recurses deeply. */
  private static final long STACK_BYTES = 64L << 20;

  private static final AtomicReference<Engine> OPEN = new AtomicReference<>();

  private final EngineOptions options;
  private final ExecutorService executor;

  /** What must be closed before the core shuts down; touched on the engine thread alone. */
  private final Set<Resource> resources = new LinkedHashSet<>();

  private volatile Thread thread;
  private volatile boolean closed;

  private Engine(EngineOptions options) {
    this.options = options;
    this.executor =
        Executors.newSingleThreadExecutor(
            body -> {
              thread = new Thread(null, body, "filigree-engine", STACK_BYTES);
              thread.setDaemon(true);
              return thread;
            });
  }

  /** Open the engine on the CPU with all its cores. */
  public static Engine open() {
    return open(EngineOptions.DEFAULT);
  }

  /**
   * Open the engine.
   *
   * @throws EngineException.Unavailable when the native core cannot be loaded; the message says
   *     what to do
   * @throws EngineException.InvalidState when another engine is open in this process
   */
  public static Engine open(EngineOptions options) {
    Engine engine = new Engine(options);
    if (!OPEN.compareAndSet(null, engine)) {
      engine.executor.shutdown();
      throw new EngineException.InvalidState(
          "an engine is open in this process already; share that one, or close it first");
    }
    try {
      engine.call(engine::start);
      return engine;
    } catch (RuntimeException | Error e) {
      engine.executor.shutdown();
      OPEN.set(null);
      throw e;
    }
  }

  private Void start() {
    try {
      NativeLibrary.load();
    } catch (NativeLibraryException e) {
      throw new EngineException.Unavailable(e.getMessage(), e);
    }
    try (Arena arena = Arena.ofConfined()) {
      Status.check(
          Filigree.fg_runtime_init(arena.allocateFrom("{\"threads\":" + options.threads() + "}")));
    }
    return null;
  }

  /** Return the options this engine was opened with. */
  public EngineOptions options() {
    return options;
  }

  /**
   * Measure what the machine can do at best with the engine's threads, in about a fifth of a
   * second: "flops" (32-bit operations per second) and "bytes" (read from memory per second).
   */
  public JsonNode measure() {
    return call(() -> Json.parse(text(Filigree::fg_runtime_measure)));
  }

  /** Describe the native core and the machine as it sees it. */
  public EngineInfo info() {
    return call(
        () -> {
          requireOpen();
          NativeLibrary library = NativeLibrary.load();
          return new EngineInfo(
              library.path(),
              Json.parse(library.buildInfo()),
              Json.parse(text(Filigree::fg_runtime_info)));
        });
  }

  /**
   * Make a model with fresh weights.
   *
   * @throws EngineException.InvalidConfig for impossible sizes
   * @throws EngineException.Unsupported for an architecture this build does not know
   */
  public Model createModel(ModelConfig config, ModelInit init) {
    return call(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
            Status.check(
                Filigree.fg_model_create(
                    arena.allocateFrom(config.toJson()),
                    arena.allocateFrom(init.toJson()),
                    arena.allocateFrom(options.device()),
                    out));
            return new Model(own("model", out, Filigree::fg_model_destroy));
          }
        });
  }

  /**
   * Load {@code config.json} and {@code model.safetensors} from a folder.
   *
   * @throws EngineException.NotFound when one of the two is missing
   * @throws EngineException.BadCheckpoint when the weights are damaged or do not fit the
   *     configuration
   */
  public Model loadModel(Path folder, Execution execution) {
    return call(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
            Status.check(
                Filigree.fg_model_load(
                    arena.allocateFrom(folder.toString()),
                    arena.allocateFrom(execution.toJson()),
                    arena.allocateFrom(options.device()),
                    out));
            return new Model(own("model", out, Filigree::fg_model_destroy));
          }
        });
  }

  /**
   * Close every model, trainer and pruner that is still open, then the core. Using one of them
   * afterwards is an {@link EngineException.InvalidState}. Closing twice does nothing.
   */
  @Override
  public void close() {
    synchronized (this) {
      if (closed) {
        return;
      }
      call(
          () -> {
            List.copyOf(resources).reversed().forEach(Resource::closeHere);
            Filigree.fg_runtime_shutdown();
            return null;
          });
      closed = true;
    }
    executor.close();
    OPEN.compareAndSet(this, null);
  }

  void requireOpen() {
    if (closed) {
      throw new EngineException.InvalidState("the engine is closed");
    }
  }

  /** Take over the handle that a native call wrote; on the engine thread. */
  Resource own(String name, MemorySegment out, Consumer<MemorySegment> destroy) {
    Resource resource = new Resource(this, name, out.get(ValueLayout.ADDRESS, 0), destroy);
    resources.add(resource);
    return resource;
  }

  /** Stop tracking a resource that was closed; on the engine thread. */
  void forget(Resource resource) {
    resources.remove(resource);
  }

  /** A native call that writes one buffer of text. */
  interface TextCall {
    int into(MemorySegment out);
  }

  /** Return the text that a native call gives, and free its buffer; on the engine thread. */
  static String text(TextCall call) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
      Status.check(call.into(out));
      return NativeLibrary.takeText(out.get(ValueLayout.ADDRESS, 0));
    }
  }

  /**
   * Run on the engine thread if there still is one: closing something after its engine does
   * nothing.
   */
  void callUnlessClosed(Runnable body) {
    synchronized (this) {
      if (!closed) {
        call(
            () -> {
              body.run();
              return null;
            });
      }
    }
  }

  /**
   * Run on the engine thread and wait. Failures of the core become exceptions with the stack of the
   * caller.
   */
  <T> T call(Supplier<T> body) {
    if (Thread.currentThread() == thread) {
      return body.get();
    }
    Future<T> future;
    try {
      future = executor.submit(body::get);
    } catch (RejectedExecutionException e) {
      throw new EngineException.InvalidState("the engine is closed");
    }
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return future.get();
        } catch (InterruptedException e) {
          interrupted = true;
        } catch (ExecutionException e) {
          throw translate(e.getCause());
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private static RuntimeException translate(Throwable failure) {
    return switch (failure) {
      case NativeFailure f -> EngineException.of(f.status(), f.getMessage());
      case Error e -> throw e;
      case RuntimeException e -> {
        // Made on the engine thread: show who asked, too.
        e.addSuppressed(new Throwable("called from thread " + Thread.currentThread().getName()));
        yield e;
      }
      default -> new EngineException.Internal(failure.toString(), failure);
    };
  }
}
