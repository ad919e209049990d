// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code filigree bench}: measurements a user can repeat. */
@Command(
    name = "bench",
    description = "Measure how fast this machine trains and prunes, and in how much memory.",
    mixinStandardHelpOptions = true,
    synopsisSubcommandLabel = "COMMAND",
    subcommands = {
      BenchStepCommand.class,
      BenchGrowthCommand.class,
      BenchMemoryCommand.class,
      BenchPruneCommand.class
    })
final class BenchCommand implements Runnable {
  @Spec private CommandSpec spec;

  @Override
  public void run() {
    throw new ParameterException(
        spec.commandLine(), "bench needs a command: step, growth, memory or prune");
  }
}
