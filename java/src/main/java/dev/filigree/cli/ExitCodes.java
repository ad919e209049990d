// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

/** What the process returns; part of the interface. */
public final class ExitCodes {
  /** Done. */
  public static final int OK = 0;

  /** Something failed that has no code of its own. */
  public static final int FAILED = 1;

  /** The command line or the configuration is wrong. */
  public static final int USAGE = 2;

  /** The model has not learnt the task, or no circuit reaches the target loss. */
  public static final int NOT_LEARNT = 3;

  /** Training has diverged; the last good checkpoint is kept. */
  public static final int DIVERGED = 4;

  /** A corpus, token file, run folder or checkpoint cannot be used. */
  public static final int BAD_INPUT = 5;

  /** Something this machine needs is missing. */
  public static final int UNAVAILABLE = 6;

  /** A circuit does not explain another checkpoint as it did the one it was found in. */
  public static final int DRIFTED = 7;

  /** Stopped with Ctrl-C after writing a checkpoint: 128 and the number of the signal. */
  public static final int INTERRUPTED = 130;

  private ExitCodes() {}
}
