// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

/**
 * Whether long work was asked to end, and what of it runs now.
 *
 * <p>{@link #request} may be called by any thread, everything else by the one that works.
 */
final class StopRequest {
  private volatile boolean requested;
  private volatile Runnable interrupt;

  /** Unwinds the work. */
  static final class Stopped extends Exception {
    private static final long serialVersionUID = 1L;
  }

  /** A part of the work that can be told to end. */
  interface Part extends AutoCloseable {
    @Override
    void close();
  }

  /** Ask: what runs now is told, nothing else begins. */
  void request() {
    requested = true;
    Runnable now = interrupt;
    if (now != null) {
      now.run();
    }
  }

  boolean isRequested() {
    return requested;
  }

  /** Unwind if it was asked for. */
  void check() throws Stopped {
    if (requested) {
      throw new Stopped();
    }
  }

  /**
   * Begin a part, unless it was asked to stop; close it when the part is over.
   *
   * @param interrupt tells the part to end
   */
  Part begin(Runnable interrupt) throws Stopped {
    this.interrupt = interrupt;
    if (requested) { // asked after this, the part itself is told
      this.interrupt = null;
      throw new Stopped();
    }
    return () -> this.interrupt = null;
  }
}
