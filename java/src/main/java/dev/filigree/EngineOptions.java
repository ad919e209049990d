// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

/**
 * How an engine runs.
 *
 * @param device "cpu", "cuda" or "cuda:INDEX": where its models live
 * @param threads threads of the native core, 0 for all cores; results are bit-equal only for equal
 *     numbers
 */
public record EngineOptions(String device, int threads) {
  /** The CPU with all its cores. */
  public static final EngineOptions DEFAULT = new EngineOptions("cpu", 0);

  public EngineOptions {
    if (!device.matches("cpu|cuda(:[0-9]+)?")) {
      throw new IllegalArgumentException(
          "device is \"cpu\", \"cuda\" or \"cuda:INDEX\", not \"" + device + "\"");
    }
    if (threads < 0) {
      throw new IllegalArgumentException("threads is 0 for all cores, or more, not " + threads);
    }
  }

  public EngineOptions withDevice(String device) {
    return new EngineOptions(device, threads);
  }

  public EngineOptions withThreads(int threads) {
    return new EngineOptions(device, threads);
  }
}
