// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.Engine;
import dev.filigree.Model;
import dev.filigree.data.Tokenizer;
import dev.filigree.experiment.Checkpoints.Checkpoint;
import dev.filigree.experiment.Experiment;
import dev.filigree.experiment.RunFolder;
import dev.filigree.experiment.TextGenerator;
import dev.filigree.experiment.TextGenerator.Sampling;
import dev.filigree.json.Json;
import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code filigree generate}. */
@Command(
    name = "generate",
    description =
        "Continue a prompt with the model of a run, until a document ends or there are enough"
            + " tokens.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footerHeading = "%nExamples:%n",
    footer = {
      "  filigree generate --prompt 'def main('",
      "  filigree generate --prompt '' --temperature 1 --top-k 50 --seed 7",
      "  filigree generate --prompt 'import ' --tokens 20 --json | jq -r .text"
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:Generated.",
      "1:Something else failed, memory for example.",
      "2:The command line is wrong.",
      "5:The run folder or the checkpoint cannot be used.",
      "6:The native core or the device is missing; see filigree doctor."
    })
final class GenerateCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = "--prompt",
      paramLabel = "TEXT",
      required = true,
      description =
          "Text to continue. <|endoftext|> in it separates documents; an empty one begins a"
              + " document.")
  private String prompt;

  @Option(
      names = "--tokens",
      paramLabel = "N",
      description = "Most tokens to add. Default: ${DEFAULT-VALUE}.")
  private int tokens = 100;

  @Option(
      names = "--temperature",
      paramLabel = "X",
      description = "0 takes the likeliest token every time. Default: ${DEFAULT-VALUE}.")
  private double temperature = 0.8;

  @Option(
      names = "--top-k",
      paramLabel = "N",
      description = "Choose among the N likeliest tokens, 0 for all. Default: ${DEFAULT-VALUE}.")
  private int topK;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "The same seed gives the same text. Default: ${DEFAULT-VALUE}.")
  private long seed = 1;

  @Option(
      names = "--checkpoint",
      paramLabel = "STEP",
      description = "The checkpoint to use. Default: the last.")
  private Long checkpoint;

  @Mixin private RunOptions options;

  @Override
  public Integer call() {
    if (tokens < 0) {
      throw new ParameterException(spec.commandLine(), "--tokens is at least 0, not " + tokens);
    }
    Sampling sampling = new Sampling(temperature, topK, seed);
    Experiment experiment = options.experiment();
    RunFolder run = experiment.folder();
    Checkpoint from =
        checkpoint == null ? run.checkpoints().last() : run.checkpoints().at(checkpoint);
    Tokenizer tokenizer = Tokenizer.load(run.tokenizer());
    PrintWriter out = spec.commandLine().getOut();
    try (Engine engine = options.engine(experiment);
        Model model = engine.loadModel(from.path(), run.config().init().execution())) {
      TextGenerator generator = new TextGenerator(model, tokenizer, sampling);
      int[] start = generator.encode(prompt);
      int block = model.config().blockSize();
      if (start.length > block) {
        spec.commandLine()
            .getErr()
            .printf(
                "filigree: the prompt has %,d tokens; the model sees the last %,d%n",
                start.length, block);
      }
      if (options.json) {
        ObjectNode json = Json.object();
        json.put("run", run.path().toString()).put("step", from.step()).put("prompt", prompt);
        ArrayNode ids = json.putArray("tokens");
        StringBuilder text = new StringBuilder();
        Utf8 utf8 = new Utf8();
        boolean ended =
            generator.generate(
                start,
                tokens,
                token -> {
                  ids.add(token);
                  text.append(utf8.next(tokenizer.bytesOf(token)));
                });
        json.put("text", text.append(utf8.rest()).toString()).put("ended", ended);
        out.println(json);
      } else {
        Utf8 utf8 = new Utf8();
        out.print(prompt);
        out.flush();
        generator.generate(
            start,
            tokens,
            token -> {
              out.print(utf8.next(tokenizer.bytesOf(token)));
              out.flush();
            });
        out.println(utf8.rest());
      }
    }
    return ExitCodes.OK;
  }

  /** Turns bytes into text as they come: a character may be spread over several tokens. */
  private static final class Utf8 {
    private final CharsetDecoder decoder =
        StandardCharsets.UTF_8
            .newDecoder()
            .onMalformedInput(CodingErrorAction.REPLACE)
            .onUnmappableCharacter(CodingErrorAction.REPLACE);
    private ByteBuffer left = ByteBuffer.allocate(0);

    String next(byte[] bytes) {
      ByteBuffer all = ByteBuffer.allocate(left.remaining() + bytes.length).put(left).put(bytes);
      return decode(all.flip(), false);
    }

    /** Whatever half a character has become. */
    String rest() {
      return decode(left, true);
    }

    private String decode(ByteBuffer bytes, boolean end) {
      CharBuffer chars = CharBuffer.allocate(bytes.remaining() + 1);
      decoder.decode(bytes, chars, end);
      left = bytes.slice();
      return chars.flip().toString();
    }
  }
}
