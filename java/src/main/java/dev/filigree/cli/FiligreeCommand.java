// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import dev.filigree.experiment.Experiment;
import picocli.CommandLine.Command;
import picocli.CommandLine.HelpCommand;
import picocli.CommandLine.IVersionProvider;

/** The verbs together. */
@Command(
    name = "filigree",
    description =
        "Train weight-sparse transformers on Python code, and prune them to the few weights that do"
            + " one job.",
    mixinStandardHelpOptions = true,
    versionProvider = FiligreeCommand.Version.class,
    synopsisSubcommandLabel = "COMMAND",
    subcommands = {
      QuickstartCommand.class,
      CompareCommand.class,
      TrainCommand.class,
      EvalCommand.class,
      PruneCommand.class,
      EvidenceCommand.class,
      CheckCommand.class,
      TraceCommand.class,
      ReportCommand.class,
      ShipCommand.class,
      GenerateCommand.class,
      RunsCommand.class,
      TokenizeCommand.class,
      BenchCommand.class,
      DoctorCommand.class,
      HelpCommand.class
    },
    footerHeading = "%nA first look, in a quarter of an hour on two cores:%n",
    footer = {"  ./filigree doctor", "  ./filigree quickstart"},
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:Done.",
      "1:Something failed.",
      "2:The command line or the configuration is wrong.",
      "3:The model has not learnt the task, or no circuit reaches the target loss.",
      "4:Training has diverged; the last good checkpoint is kept.",
      "5:A corpus, run folder or checkpoint cannot be used.",
      "6:Something this machine needs is missing; see filigree doctor.",
      "7:A circuit drifted.",
      "130:Stopped with Ctrl-C after writing a checkpoint."
    })
final class FiligreeCommand {
  /** Version of the module. */
  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      return new String[] {"filigree " + Experiment.version()};
    }
  }
}
