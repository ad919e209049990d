// SPDX-License-Identifier: Apache-2.0
/**
 * The command line: {@link dev.filigree.cli.Main} starts it, one class per verb. Results go to
 * standard output, progress and errors to standard error, exit codes are those of {@link
 * dev.filigree.cli.ExitCodes}.
 */
package dev.filigree.cli;
