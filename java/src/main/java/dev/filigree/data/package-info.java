// SPDX-License-Identifier: Apache-2.0
/**
 * Text in, tokens out: corpora of Python code, the byte-level BPE tokenizer, and the token files
 * that training reads.
 *
 * <p>{@link dev.filigree.data.TokenDataset} is the way through: it learns a {@link
 * dev.filigree.data.Tokenizer} from a mix of {@linkplain dev.filigree.data.Corpus corpora} and
 * writes a training and a validation {@link dev.filigree.data.TokenFile} for each of them. What a
 * person can put right (a missing folder, a damaged file) is reported as a {@link
 * dev.filigree.data.DataException}.
 */
package dev.filigree.data;
