// SPDX-License-Identifier: Apache-2.0
package dev.filigree.circuit;

import dev.filigree.circuit.Trace.Activity;
import dev.filigree.circuit.Trace.Channel;
import dev.filigree.circuit.Trace.Head;
import dev.filigree.circuit.Trace.Look;
import dev.filigree.circuit.Trace.Move;
import dev.filigree.circuit.Trace.Passage;
import dev.filigree.circuit.Trace.Readout;
import dev.filigree.circuit.Trace.Token;
import dev.filigree.circuit.Trace.Write;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** Tells a trace layer by layer, in words and numbers. */
final class TraceStory {
  private static final int MOST = 8; // lines of a kind
  private static final int LOOKS = 4;
  private static final double SMALL = 1e-3; // what is not worth a line

  private final StringBuilder out = new StringBuilder();
  private final Trace trace;
  private final Map<Integer, Activity> nodes = new HashMap<>();

  private TraceStory(Trace trace) {
    this.trace = trace;
    trace.nodes().forEach(node -> nodes.put(node.node(), node));
  }

  static String of(Trace trace) {
    TraceStory story = new TraceStory(trace);
    story.tell();
    return story.out.toString();
  }

  private void tell() {
    line("%s, %s step %,d", trace.task(), trace.run(), trace.step());
    line("");
    line("The prompt");
    line(
        "  %s",
        trace.tokens().stream()
            .map(token -> "%d %s".formatted(token.position(), quoted(token.text())))
            .collect(Collectors.joining("  ")));
    line("");
    line("The answer");
    answer("the whole model", trace.model());
    answer("the circuit", trace.circuit());
    writes();
    for (int layer : layers()) {
      layer(layer);
    }
    readout();
    importance();
    edges();
  }

  private void answer(String who, Trace.Answer answer) {
    boolean a = answer.difference() > 0;
    line(
        "  %-16s %s with probability %.3f, against %s (logits calibrated, between these two)",
        who,
        quoted(a ? trace.answers().a() : trace.answers().b()),
        a ? answer.probability() : 1 - answer.probability(),
        quoted(a ? trace.answers().b() : trace.answers().a()));
  }

  private void writes() {
    if (trace.writes().isEmpty()) {
      return;
    }
    line("");
    line("What the tokens write into channels that the circuit reads");
    for (Write write : trace.writes()) {
      line(
          "  %s writes %+.3f into channel %d%s",
          at(write.position()),
          write.embedding(),
          write.channel(),
          Math.abs(write.place()) < SMALL ? "" : ", its position %+.3f".formatted(write.place()));
    }
  }

  private TreeSet<Integer> layers() {
    return trace.nodes().stream()
        .map(Activity::layer)
        .collect(Collectors.toCollection(TreeSet::new));
  }

  private void layer(int layer) {
    List<Activity> here = trace.nodes().stream().filter(node -> node.layer() == layer).toList();
    if (here.stream().anyMatch(node -> node.kind().startsWith("attn"))) {
      line("");
      line("Layer %d, attention", layer);
      speak(here, "attn_in", "reads channel");
      speak(here, "attn_k", "key");
      speak(here, "attn_q", "query");
      trace.heads().stream().filter(head -> head.layer() == layer).forEach(this::head);
      speak(here, "attn_out", "writes channel");
    }
    if (here.stream().anyMatch(node -> node.kind().startsWith("mlp"))) {
      line("");
      line("Layer %d, MLP", layer);
      speak(here, "mlp_in", "reads channel");
      speak(here, "mlp_neuron", "neuron");
      speak(here, "mlp_out", "writes channel");
    }
  }

  /** The nodes of a site that say most, by their distance from their means. */
  private void speak(List<Activity> here, String kind, String verb) {
    List<Activity> loud =
        here.stream()
            .filter(node -> node.kind().equals(kind))
            .sorted(Comparator.comparing(node -> -Math.abs(node.atPeak() - node.mean())))
            .toList();
    for (Activity node : loud.subList(0, Math.min(MOST, loud.size()))) {
      if (Math.abs(node.atPeak() - node.mean()) < SMALL) {
        line("  %s %s stays at its mean %+.3f", verb, name(node), node.mean());
        continue;
      }
      line(
          "  %s %s: %+.3f at %s, usually %+.3f%s",
          verb,
          name(node),
          node.atPeak(),
          at(node.peak()),
          node.mean(),
          node.peak() == last()
              ? ""
              : "; %+.3f where the answer is read".formatted(node.atAnswer()));
    }
    if (loud.size() > MOST) {
      line("  and %,d more that say less", loud.size() - MOST);
    }
  }

  private static String name(Activity node) {
    return node.head() == null
        ? Integer.toString(node.channel())
        : "%d of head %d".formatted(node.channel(), node.head());
  }

  private void head(Head head) {
    line(
        "  head %d, at %s, looks at %s%s",
        head.head(),
        at(head.query()),
        head.looks().stream()
            .limit(LOOKS)
            .map(look -> "%s %.2f".formatted(at(look.position()), look.weight()))
            .collect(Collectors.joining(", ")),
        sink(head));
    for (Move move : head.moves()) {
      line(
          "    it brings %+.3f through value %s, most of it (%+.3f) from %s",
          move.total(), name(nodes.get(move.node())), move.part(), at(move.from()));
    }
  }

  private static String sink(Head head) {
    double looks = head.looks().stream().limit(LOOKS).mapToDouble(Look::weight).sum();
    double rest = Math.max(0, 1 - looks - head.sink());
    return "; nowhere (sink) %.2f, elsewhere %.2f".formatted(head.sink(), rest);
  }

  private void readout() {
    Readout readout = trace.readout();
    line("");
    line(
        "What speaks for the answers, at %s: in logits before calibration %+.3f, which is",
        at(last()), readout.difference());
    List<Channel> channels = readout.channels();
    for (Channel part : channels.subList(0, Math.min(MOST, channels.size()))) {
      line(
          "  %+8.3f  channel %d: the circuit wrote %+.3f, times %+.3f over the norm",
          part.push(), part.channel(), part.written(), part.weight());
    }
    if (channels.size() > MOST) {
      line(
          "  %+8.3f  %,d more channels that the circuit wrote",
          channels.stream().skip(MOST).mapToDouble(Channel::push).sum(), channels.size() - MOST);
    }
    line("  %+8.3f  the token %s itself, and its place", readout.embedding(), at(last()));
    line("  %+8.3f  what all nodes write on average", readout.means());
    line("  %+8.3f  the bias of the logits", readout.bias());
    line("  %+8.3f  the table of pairs of tokens", readout.bigram());
    line(
        "  (above 0 for %s, below for %s)",
        quoted(trace.answers().a()), quoted(trace.answers().b()));
  }

  private void importance() {
    line("");
    line("What matters for this prompt: how far the answer moves without one node");
    line("  %-30s %10s %10s", "", "circuit", "model");
    trace.nodes().stream()
        .sorted(Comparator.comparing(node -> -Math.abs(node.circuitDelta())))
        .limit(MOST)
        .forEach(
            node ->
                line(
                    "  %-30s %+10.3f %+10.3f",
                    "%d.%s %s".formatted(node.layer(), node.kind(), name(node)),
                    node.circuitDelta(),
                    node.modelDelta()));
    more(trace.nodes().size());
    line(
        "  (calibrated logits; above 0 the node speaks for %s, below for %s)",
        quoted(trace.answers().a()), quoted(trace.answers().b()));
  }

  private void edges() {
    if (trace.edges().isEmpty()) {
      return;
    }
    line("");
    line("The edges that matter most: how far the circuit's answer moves without each, and what");
    line("passes through it: weight * (activation - mean), of values as seen by the query");
    trace.edges().stream()
        .sorted(Comparator.comparing(edge -> -Math.abs(edge.circuitDelta())))
        .limit(MOST)
        .forEach(this::edge);
    more(trace.edges().size());
  }

  private void more(int all) {
    if (all > MOST) {
      line("  and %,d more that matter less; --json has them all", all - MOST);
    }
  }

  private void edge(Passage edge) {
    Activity from = nodes.get(edge.source());
    Activity to = nodes.get(edge.target());
    line(
        "  %-44s %+8.3f; passes %+.3f at %s, weight %+.3f",
        "%d.%s %s -> %d.%s %s"
            .formatted(from.layer(), from.kind(), name(from), to.layer(), to.kind(), name(to)),
        edge.circuitDelta(),
        edge.passed(),
        at(edge.position()),
        edge.weight());
  }

  private int last() {
    return trace.tokens().size() - 1;
  }

  private String at(int position) {
    Token token = trace.tokens().get(position);
    return "%d %s".formatted(position, quoted(token.text()));
  }

  /** A token as it is, but on one line. */
  static String quoted(String text) {
    return "`" + text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t") + "`";
  }

  private void line(String format, Object... values) {
    out.append(format.formatted(values).stripTrailing()).append('\n');
  }
}
