// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.Arrays;
import java.util.Locale;

/** A way to find circuits (docs/pruning.md). */
public enum PruneMethod {
  /** Attribution, masks on a compacted model, clean-up of nodes and edges. */
  @JsonProperty("fast")
  FAST(8),
  /** The published algorithm, over and over with other hyper-parameters. */
  @JsonProperty("published")
  PUBLISHED(8);

  private final int version;

  PruneMethod(int version) {
    this.version = version;
  }

  /** Raised when the method finds other circuits with the same configuration. */
  int version() {
    return version;
  }

  /** Name on the command line and in files. */
  public String key() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * Return the method of a name.
   *
   * @throws ConfigException when there is none
   */
  public static PruneMethod named(String name) {
    return Arrays.stream(values())
        .filter(method -> method.key().equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                new ConfigException(
                    "there is no pruning method \"%s\"; there are fast and published"
                        .formatted(name)));
  }
}
