// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import dev.filigree.FastPruneStats;
import dev.filigree.PruneStats;
import dev.filigree.TrainStats;
import dev.filigree.experiment.Progress;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import me.tongfei.progressbar.DelegatingProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/**
 * Shows progress on standard error: a bar on a terminal, now and then a line elsewhere. The
 * launcher says which by {@value #TERMINAL}, since Java cannot tell for standard error alone.
 */
final class ConsoleProgress implements Progress, AutoCloseable {
  /** System property: columns of the terminal behind standard error; absent or 0 for none. */
  static final String TERMINAL = "filigree.terminal";

  private static final int LEAST_COLUMNS = 40;
  private static final int UPDATE_MILLIS = 250;
  private static final long LINE_NANOS = 10_000_000_000L;

  private final PrintWriter err;
  private final int columns;
  private ProgressBar bar;
  private long lastLine = System.nanoTime() - LINE_NANOS;
  private long lastLoss = System.nanoTime() - LINE_NANOS;

  ConsoleProgress(PrintWriter err, boolean quiet) {
    this.err = err;
    this.columns = quiet ? 0 : Integer.getInteger(TERMINAL, 0);
  }

  @Override
  public void phase(String sentence) {
    endBar();
    err.println("filigree: " + sentence);
  }

  @Override
  public void trained(TrainStats stats, long steps, double tokensPerSecond) {
    show(
        "train",
        stats.step(),
        steps,
        "loss %.3f  %s tok/s  %s nonzeros"
            .formatted(stats.meanLoss(), compact(tokensPerSecond), compact(stats.nonzeros())));
  }

  @Override
  public void evaluated(long step, double loss, Map<String, Double> losses) {
    // A run that is to stop at a loss looks at it every second or so.
    if (System.nanoTime() - lastLoss < LINE_NANOS) {
      return;
    }
    lastLoss = System.nanoTime();
    StringBuilder line = new StringBuilder("step %,d: held-out loss %.4f".formatted(step, loss));
    if (losses.size() > 1) {
      losses.forEach((corpus, value) -> line.append("  %s %.4f".formatted(corpus, value)));
    }
    line(line.toString());
  }

  @Override
  public void pruned(PruneStats stats, long steps) {
    show(
        "prune",
        stats.step(),
        steps,
        "task loss %.3f  %,d nodes open".formatted(stats.taskLoss(), stats.nodes()));
  }

  @Override
  public void searched(FastPruneStats stats) {
    if (columns >= LEAST_COLUMNS || System.nanoTime() - lastLine > LINE_NANOS) {
      lastLine = System.nanoTime();
      String text =
          "prune: %s, %,d nodes%s, loss %.3f"
              .formatted(
                  stats.phase().name().toLowerCase(Locale.ROOT),
                  stats.nodes(),
                  // Masks that are being learnt have none yet.
                  stats.edges() == 0 ? "" : ", %,d edges".formatted(stats.edges()),
                  stats.loss());
      if (columns >= LEAST_COLUMNS) {
        endBar();
        boolean done = stats.phase() == FastPruneStats.Phase.DONE;
        redraw(text + " ".repeat(Math.max(0, columns - 1 - text.length())) + (done ? "\n" : ""));
      } else {
        err.println("filigree: " + text);
      }
    }
  }

  private void show(String name, long step, long steps, String message) {
    if (columns >= LEAST_COLUMNS) {
      if (bar == null) {
        bar =
            new ProgressBarBuilder()
                .setTaskName(name)
                .setInitialMax(steps)
                .startsFrom(step, Duration.ZERO)
                .setStyle(ProgressBarStyle.ASCII)
                .setUpdateIntervalMillis(UPDATE_MILLIS)
                .setConsumer(new DelegatingProgressBarConsumer(this::redraw, columns - 1))
                .build();
      }
      bar.setExtraMessage(message);
      bar.stepTo(step);
    } else if (System.nanoTime() - lastLine > LINE_NANOS || step == steps) {
      lastLine = System.nanoTime();
      err.printf("filigree: %s %,d/%,d  %s%n", name, step, steps, message);
    }
  }

  private void redraw(String text) {
    err.print("\r" + text);
    err.flush();
  }

  /** Print a line above the bar. */
  private void line(String text) {
    if (bar != null) {
      err.print("\r" + " ".repeat(columns - 1) + "\r");
    }
    err.println("filigree: " + text);
  }

  @Override
  public void close() {
    endBar();
  }

  /** End the bar; another one starts when there is more to show. */
  void endBar() {
    if (bar != null) {
      bar.close();
      bar = null;
      err.println();
    }
  }

  /** Such as "4.2k". */
  static String compact(double value) {
    if (value >= 1e6) {
      return "%.1fM".formatted(value / 1e6);
    }
    return value >= 1e3 ? "%.1fk".formatted(value / 1e3) : "%.0f".formatted(value);
  }

  /** Such as "3 min 20 s". */
  static String time(double seconds) {
    Duration duration = Duration.ofSeconds(Math.round(seconds));
    StringBuilder text = new StringBuilder();
    if (duration.toHours() > 0) {
      text.append(duration.toHours()).append(" h ");
    }
    if (duration.toMinutes() > 0) {
      text.append(duration.toMinutesPart()).append(" min ");
    }
    return text.append(duration.toSecondsPart()).append(" s").toString();
  }
}
