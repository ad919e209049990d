// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import dev.filigree.Engine;
import dev.filigree.EngineException;
import dev.filigree.EngineInfo;
import dev.filigree.cli.Doctor.Check;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code filigree doctor}. */
@Command(
    name = "doctor",
    description =
        "Check what this machine has of what Filigree needs, and say how to get what is missing."
            + " Builds nothing.",
    mixinStandardHelpOptions = true,
    footerHeading = "%nExamples:%n",
    footer = {"  filigree doctor", "  filigree doctor --json | jq .healthy"},
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:Nothing is missing.",
      "2:The command line is wrong.",
      "6:Something is missing."
    })
final class DoctorCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = "--json",
      description = "Print exactly one JSON value on standard output instead of text.")
  private boolean json;

  @Override
  public Integer call() {
    List<Check> checks = new ArrayList<>(Doctor.checks());
    checks.add(nativeCore());
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      out.println(Doctor.json(checks));
    } else {
      out.print(Doctor.text(checks));
      out.flush();
    }
    return Doctor.isHealthy(checks) ? ExitCodes.OK : ExitCodes.UNAVAILABLE;
  }

  private static Check nativeCore() {
    try (Engine engine = Engine.open()) {
      EngineInfo info = engine.info();
      return new Check(
          "Native core",
          true,
          true,
          "%s: interface %s, LibTorch %s, devices %s"
              .formatted(
                  info.library(),
                  info.build().path("abi"),
                  info.build().path("libtorch").asText(),
                  info.runtime().path("devices")),
          "");
    } catch (EngineException e) {
      return new Check(
          "Native core",
          false,
          true,
          e.getMessage().lines().findFirst().orElse(""),
          "cmake --preset release && cmake --build build/native");
    }
  }
}
