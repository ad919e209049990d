// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import dev.filigree.data.TextFile;
import dev.filigree.data.Tokenizer;
import dev.filigree.experiment.RunFolder;
import dev.filigree.json.Json;
import dev.filigree.task.Task;
import dev.filigree.task.TaskVocabulary;
import dev.filigree.task.TaskVocabulary.Answer;
import dev.filigree.task.Tasks;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code filigree tokenize}. */
@Command(
    name = "tokenize",
    description =
        "List the tasks that the vocabulary of a run can express, with their answers; or show the"
            + " tokens of a text.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footerHeading = "%nExamples:%n",
    footer = {
      "  filigree tokenize",
      "  filigree tokenize --run runs/tiny 'print(\"hello\")'",
      "  filigree tokenize --task-file mine.jsonl",
      "  filigree tokenize --file program.py --json | jq '.tokens | length'"
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:Listed, also when there are tasks that cannot be expressed.",
      "1:Something else failed, memory for example.",
      "2:The command line is wrong.",
      "5:The run folder, its tokenizer or the file cannot be used."
    })
final class TokenizeCommand implements Callable<Integer> {
  private static final int MOST_ANSWERS = 4;

  @Spec private CommandSpec spec;

  @ArgGroup private Source source;

  @Mixin private TaskFileOption ownTasks;

  @Mixin private FolderOptions options;

  /** Where the text comes from. */
  private static final class Source {
    @Parameters(paramLabel = "TEXT", description = "Text to show the tokens of.")
    private String text;

    @Option(
        names = "--file",
        paramLabel = "FILE",
        description = "File of UTF-8 text to show the tokens of.")
    private Path file;

    String read() {
      return file == null ? text : TextFile.read(file);
    }
  }

  @Override
  public Integer call() {
    RunFolder run = options.experiment().folder();
    Tokenizer tokenizer = Tokenizer.load(run.tokenizer());
    ObjectNode json = Json.object();
    json.put("run", run.path().toString());
    json.put("vocabulary", tokenizer.vocabularySize());
    if (source == null) {
      listTasks(run, tokenizer, json.putArray("tasks"));
    } else {
      listTokens(tokenizer, source.read(), json.putArray("tokens"));
    }
    if (options.json) {
      spec.commandLine().getOut().println(json);
    }
    return ExitCodes.OK;
  }

  private void listTasks(RunFolder run, Tokenizer tokenizer, ArrayNode json) {
    PrintWriter out = spec.commandLine().getOut();
    int longest = run.config().model().blockSize();
    if (!options.json) {
      out.printf(
          "%s: a vocabulary of %,d tokens, prompts of at most %,d%n",
          run.path(), tokenizer.vocabularySize(), longest);
    }
    list(Tasks.all(), tokenizer, longest, json);
    list(ownTasks.read(run), tokenizer, longest, json);
    if (!options.json) {
      out.println("controls, which no model has a reason to do:");
    }
    list(Tasks.controls(), tokenizer, longest, json);
  }

  private void list(List<Task> tasks, Tokenizer tokenizer, int longest, ArrayNode json) {
    PrintWriter out = spec.commandLine().getOut();
    for (Task task : tasks) {
      TaskVocabulary vocabulary = TaskVocabulary.of(task, tokenizer, longest);
      if (options.json) {
        json.add(Json.tree(vocabulary));
      } else if (vocabulary.expressible()) {
        out.printf(
            "  %-26s yes, %3.0f%% of candidates   %s or %s%n",
            task.name(),
            100 * vocabulary.share(),
            quoted(vocabulary.answersA()),
            quoted(vocabulary.answersB()));
      } else {
        out.printf("  %-26s no: %s%n", task.name(), vocabulary.reason());
      }
    }
  }

  private void listTokens(Tokenizer tokenizer, String text, ArrayNode json) {
    PrintWriter out = spec.commandLine().getOut();
    for (int id : tokenizer.encode(text)) {
      String token = tokenizer.decode(id);
      if (options.json) {
        json.addObject().put("id", id).put("text", token);
      } else {
        out.printf("%6d  %s%n", id, quoted(token));
      }
    }
  }

  /** A few answers, and how many more there are. */
  private static String quoted(List<Answer> answers) {
    String some =
        answers.stream()
            .limit(MOST_ANSWERS)
            .map(answer -> quoted(answer.text()))
            .collect(Collectors.joining("|"));
    int more = answers.size() - MOST_ANSWERS;
    return more > 0 ? some + " and " + more + " more" : some;
  }

  /** A token as JSON writes it: spaces and line ends can be seen. */
  private static String quoted(String token) {
    return TextNode.valueOf(token).toString();
  }
}
