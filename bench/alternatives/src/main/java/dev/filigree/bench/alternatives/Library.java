// SPDX-License-Identifier: Apache-2.0
package dev.filigree.bench.alternatives;

/** The other ways to LibTorch. A fork uses one, so that no two LibTorches meet in a process. */
public enum Library {
  JAVACPP,
  DJL;

  TensorApi<?> open() {
    return switch (this) {
      case JAVACPP -> new JavaCppApi();
      case DJL -> new DjlApi();
    };
  }
}
