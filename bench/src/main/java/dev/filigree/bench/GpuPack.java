// SPDX-License-Identifier: Apache-2.0
package dev.filigree.bench;

import dev.filigree.data.Corpus;
import dev.filigree.data.FolderCorpus;
import dev.filigree.data.PythonStandardLibrary;
import dev.filigree.data.TinyPython;
import dev.filigree.data.TokenDataset;
import dev.filigree.data.TokenDataset.Part;
import dev.filigree.data.TokenDataset.Source;
import dev.filigree.data.Tokenizer;
import dev.filigree.experiment.CircuitConfig;
import dev.filigree.experiment.DataConfig;
import dev.filigree.experiment.Presets;
import dev.filigree.experiment.RunConfig;
import dev.filigree.task.ExampleBuilder;
import dev.filigree.task.Split;
import dev.filigree.task.Tasks;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Writes what bench/gpu/pack.sh takes from Java: text and examples of tasks in the tokens of a
 * preset. {@code GpuPack <folder> <preset> <megabytes of tokens> <task>...}
 */
final class GpuPack {
  private static final int MEGABYTE = 1_000_000;

  /** Bytes of generated text for a byte of tokens: more than are needed, so that none are short. */
  private static final int TEXT_PER_TOKEN_BYTE = 3;

  /** Of the tokens, the part that is held out. */
  private static final int HELD_OUT = 25;

  private GpuPack() {}

  public static void main(String[] args) throws IOException {
    Path folder = Path.of(args[0]);
    RunConfig config = Presets.named(args[1]).config();
    long room = Long.parseLong(args[2]) * MEGABYTE;
    List<Source> sources = config.data().corpora().stream().map(one -> source(one, room)).toList();
    Tokenizer tokenizer =
        TokenDataset.learnTokenizer(
            sources, config.model().vocabSize(), config.data().tokenizerBytes());
    double shares = sources.stream().mapToDouble(Source::share).sum();
    Path whole = Files.createTempDirectory("filigree-pack");
    try {
      Path tokens = Files.createDirectories(folder.resolve("tokens").resolve(args[1]));
      for (Part part : TokenDataset.prepare(whole, tokenizer, sources)) {
        long most = (long) (room * part.share() / shares);
        cut(part.train(), tokens, most - most / HELD_OUT);
        cut(part.validation(), tokens, most / HELD_OUT);
      }
    } finally {
      delete(whole);
    }
    CircuitConfig search = config.prune();
    Path tasks = Files.createDirectories(folder.resolve("tasks").resolve(args[1]));
    for (String task : List.of(args).subList(3, args.length)) {
      ExampleBuilder examples =
          new ExampleBuilder(Tasks.named(task), tokenizer, config.model().blockSize());
      for (Split split : List.of(Split.TRAIN, Split.VALIDATION, Split.FINAL)) {
        int pairs =
            switch (split) {
              case TRAIN -> search.trainPairs();
              case VALIDATION -> search.validationPairs();
              case FINAL -> search.finalPairs();
            };
        examples
            .build(split, pairs, search.seed())
            .save(tasks.resolve("%s.%s.jsonl".formatted(task, split.key())));
      }
    }
  }

  private static Source source(DataConfig.Source one, long room) {
    Corpus corpus =
        switch (one.kind()) {
          case STDLIB -> PythonStandardLibrary.locate();
          case FOLDER ->
              new FolderCorpus(one.name(), one.folders().stream().map(Path::of).toList());
          case TINYPYTHON -> new TinyPython(one.seed());
        };
    return new Source(corpus, one.share(), Math.min(one.bytes(), TEXT_PER_TOKEN_BYTE * room));
  }

  /** Copy the first tokens of a file. */
  private static void cut(Path file, Path folder, long bytes) throws IOException {
    try (InputStream in = Files.newInputStream(file);
        OutputStream out = Files.newOutputStream(folder.resolve(file.getFileName()))) {
      out.write(in.readNBytes(Math.toIntExact(bytes / Short.BYTES * Short.BYTES)));
    }
  }

  private static void delete(Path folder) throws IOException {
    try (var files = Files.list(folder)) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
    }
    Files.delete(folder);
  }
}
