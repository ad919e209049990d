// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.EngineException;
import dev.filigree.data.DataException;
import dev.filigree.experiment.ConfigException;
import dev.filigree.experiment.PruneRun.NotLearntException;
import dev.filigree.experiment.RunException;
import dev.filigree.experiment.TrainRun.DivergedException;
import dev.filigree.json.Json;
import dev.filigree.task.TaskException;
import java.io.PrintWriter;
import java.util.Arrays;
import picocli.CommandLine;
import picocli.CommandLine.IExecutionExceptionHandler;
import picocli.CommandLine.IParameterExceptionHandler;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/** The one place that turns exceptions into text and exit codes. */
final class ErrorHandler implements IExecutionExceptionHandler, IParameterExceptionHandler {
  @Override
  public int handleExecutionException(
      Exception failure, CommandLine commandLine, ParseResult parsed) {
    int code = exitCode(failure);
    report(commandLine, parsed.originalArgs().toArray(String[]::new), failure, code);
    if (code == ExitCodes.FAILED && !(failure instanceof EngineException)) {
      // Nobody foresaw this one: whoever reports it needs the stack.
      failure.printStackTrace(commandLine.getErr());
    }
    return code;
  }

  @Override
  public int handleParseException(ParameterException failure, String[] args) {
    CommandLine commandLine = failure.getCommandLine();
    report(commandLine, args, failure, ExitCodes.USAGE);
    PrintWriter err = commandLine.getErr();
    if (!UnmatchedArgumentException.printSuggestions(failure, err)) {
      err.println("Try: " + commandLine.getCommandSpec().qualifiedName() + " --help");
    }
    return ExitCodes.USAGE;
  }

  private static int exitCode(Exception failure) {
    return switch (failure) {
      case ConfigException _, IllegalArgumentException _, TaskException _ -> ExitCodes.USAGE;
      case NotLearntException _ -> ExitCodes.NOT_LEARNT;
      case DivergedException _ -> ExitCodes.DIVERGED;
      case RunException _, DataException _ -> ExitCodes.BAD_INPUT;
      case EngineException e ->
          switch (e) {
            case EngineException.InvalidConfig _, EngineException.Unsupported _ -> ExitCodes.USAGE;
            case EngineException.BadCheckpoint _,
                EngineException.NotFound _,
                EngineException.Io _,
                EngineException.InvalidArgument _ ->
                ExitCodes.BAD_INPUT;
            case EngineException.Unavailable _, EngineException.Cuda _ -> ExitCodes.UNAVAILABLE;
            case EngineException.Diverged _ -> ExitCodes.DIVERGED;
            case EngineException.OutOfMemory _,
                EngineException.InvalidState _,
                EngineException.Cancelled _,
                EngineException.Internal _ ->
                ExitCodes.FAILED;
          };
      default -> ExitCodes.FAILED;
    };
  }

  private static void report(
      CommandLine commandLine, String[] args, Exception failure, int exitCode) {
    String message = failure.getMessage() == null ? failure.toString() : failure.getMessage();
    commandLine.getErr().println("filigree: " + message);
    if (Arrays.asList(args).contains("--json")) {
      ObjectNode error = Json.object();
      error.put("error", message).put("exit_code", exitCode);
      if (failure instanceof NotLearntException notLearnt) {
        error.set("model", Json.tree(notLearnt.model()));
      }
      commandLine.getOut().println(error);
    }
  }
}
