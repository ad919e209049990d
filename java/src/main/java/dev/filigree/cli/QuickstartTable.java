// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import dev.filigree.experiment.DataConfig.Source;
import dev.filigree.experiment.QuickstartResult;
import dev.filigree.experiment.QuickstartResult.Side;
import dev.filigree.experiment.QuickstartResult.TaskRow;
import dev.filigree.experiment.RunFolder;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/** Writes a comparison as text, at most 100 columns wide. */
final class QuickstartTable {
  private static final String ROW = "%-20s %-6s %7s %7s %7s %6s %7s  %s%n";

  private QuickstartTable() {}

  /**
   * Write the table.
   *
   * @param models the two runs that were compared
   */
  static String of(QuickstartResult result, List<RunFolder> models) {
    StringBuilder text = new StringBuilder();
    text.append("%28s %7s  %s%n".formatted("", "whole", "circuit"));
    text.append(
        ROW.formatted("task", "model", "loss", "valid.", "final", "nodes", "edges", "checks"));
    for (TaskRow row : result.tasks()) {
      text.append(line(row.task(), "sparse", row.sparse()));
      text.append(line("", "dense", row.dense()));
      if (row.nodeRatio() != null) {
        text.append(
            ROW.formatted(
                "", "ratio", "", "", "", ratio(row.nodeRatio()), ratio(row.edgeRatio()), ""));
      }
    }
    text.append(
        """

        Losses are two-way cross-entropies in nats per sequence; guessing is 0.693. Circuits are
        chosen on training and validation examples, to reach %s, and judged on final
        ones, of other templates.

        """
            .formatted(models.getFirst().config().prune().targetLoss()));
    models.forEach(model -> text.append(pretraining(model)));
    if (!result.pretraining().matched()) {
      text.append("The dense model did not reach the sparse one's loss, so there are no ratios.\n");
    }
    text.append("Took %s.%n".formatted(ConsoleProgress.time(result.seconds())));
    return text.toString();
  }

  /** Say what a model is worth, and on which text. */
  private static String pretraining(RunFolder model) {
    RunFolder.Result result = model.result().orElseThrow();
    List<Source> corpora = model.config().data().corpora();
    double shares = corpora.stream().mapToDouble(Source::share).sum();
    return "%-6s held-out loss %.3f nats per token (%s) after %,d tokens%n"
        .formatted(
            model.name(),
            result.testXent(),
            corpora.stream()
                .map(
                    corpus ->
                        "%s, %.0f%% of the text: %.3f"
                            .formatted(
                                corpus.name(),
                                100 * corpus.share() / shares,
                                result.testXentByCorpus().get(corpus.name())))
                .collect(Collectors.joining("; ")),
            result.elapsedTokens());
  }

  private static String line(String task, String model, Side side) {
    return ROW.formatted(
        task,
        model,
        loss(side.modelLossFinal()),
        loss(side.lossValidation()),
        loss(side.lossFinal()),
        count(side.nodes()),
        count(side.edges()),
        checks(side));
  }

  private static String checks(Side side) {
    if (side.modelLossFinal() == null) {
      return "the vocabulary cannot express it";
    }
    if (side.nodes() == null) {
      return "the model does not do it";
    }
    List<String> checks = new ArrayList<>();
    checks.add(side.holds() ? "holds" : "does not hold");
    checks.add(side.sufficient() ? "sufficient" : "not sufficient");
    checks.add(side.necessary() ? "necessary" : "not necessary");
    return side.grade() + ": " + String.join(", ", checks);
  }

  private static String loss(Double loss) {
    return loss == null ? "" : "%.3f".formatted(loss);
  }

  private static String count(Integer count) {
    return count == null ? "" : "%,d".formatted(count);
  }

  private static String ratio(Double ratio) {
    return ratio == null ? "" : "%.1fx".formatted(ratio);
  }
}
