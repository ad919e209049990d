// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import dev.filigree.data.TokenFile;

/**
 * Tokens to train on.
 *
 * @param file where they are; a trainer maps it anew, so it may be closed before the trainer
 * @param share weight against the other streams, above 0
 */
public record TokenStream(TokenFile file, double share) {
  public TokenStream {
    if (!(share > 0 && Double.isFinite(share))) {
      throw new IllegalArgumentException("share is above 0, not " + share);
    }
  }
}
