// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

/** A configuration with an unknown key or an impossible value; the message names the key. */
public final class ConfigException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public ConfigException(String message) {
    super(message);
  }

  public ConfigException(String message, Throwable cause) {
    super(message, cause);
  }
}
