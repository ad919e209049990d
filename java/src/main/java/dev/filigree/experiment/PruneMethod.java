// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.Arrays;
import java.util.Locale;

/** A way to find circuits (docs/pruning.md). */
public enum PruneMethod {
  /** Attribution, masks on a compacted model, clean-up of nodes and edges. */
  @JsonProperty("fast")
  FAST,
  /** The published algorithm, over and over with other hyper-parameters. */
  @JsonProperty("published")
  PUBLISHED;

  /** Raised when a method finds other circuits with the same configuration. */
  static final int VERSION = 8;

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
