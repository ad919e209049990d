// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import java.io.PrintWriter;
import java.util.concurrent.CountDownLatch;

/**
 * Lets Ctrl-C (and a polite kill) end the work instead of the process: while this is open, the
 * JVM's shutdown waits until the work has written what must not be lost.
 */
final class StopOnSignal implements AutoCloseable {
  private final CountDownLatch done = new CountDownLatch(1);
  private final Thread hook;

  StopOnSignal(Runnable stop, PrintWriter err) {
    this.hook =
        new Thread(
            () -> {
              err.println();
              err.println("filigree: stopping as soon as nothing is lost by it");
              stop.run();
              try {
                done.await();
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
            },
            "filigree-stop");
    Runtime.getRuntime().addShutdownHook(hook);
  }

  @Override
  public void close() {
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException _) {
      // Shutting down: the hook waits for exactly this.
    }
    done.countDown();
  }
}
