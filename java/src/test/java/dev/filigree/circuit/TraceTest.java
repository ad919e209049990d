// SPDX-License-Identifier: Apache-2.0
package dev.filigree.circuit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.filigree.circuit.Trace.Activity;
import dev.filigree.circuit.Trace.Answer;
import dev.filigree.circuit.Trace.Answers;
import dev.filigree.circuit.Trace.Channel;
import dev.filigree.circuit.Trace.Head;
import dev.filigree.circuit.Trace.Look;
import dev.filigree.circuit.Trace.Move;
import dev.filigree.circuit.Trace.Passage;
import dev.filigree.circuit.Trace.Readout;
import dev.filigree.circuit.Trace.Token;
import dev.filigree.circuit.Trace.Write;
import dev.filigree.json.Json;
import java.util.List;
import org.junit.jupiter.api.Test;

class TraceTest {
  private static final Trace TRACE =
      new Trace(
          "quote",
          "tiny",
          2000,
          List.of(new Token(0, 7, "print"), new Token(1, 9, "(\""), new Token(2, 4, "\n")),
          new Answers("')\n", "\")\n"),
          new Answer(-2, 0.12),
          new Answer(1, 0.73),
          List.of(new Write(1, 83, 0.5, -0.25), new Write(2, 83, 0.125, 0)),
          List.of(
              new Activity(1, 0, "attn_in", 83, null, 0.1, 1, 2.5, 0.3, 4, 3),
              new Activity(2, 0, "attn_v", 35, 2, 0, 1, 1.5, 0, -0.5, 0),
              new Activity(3, 0, "mlp_neuron", 9, null, 0.5, 2, 0.5, 0.5, 0, 0)),
          List.of(
              new Head(
                  0,
                  2,
                  2,
                  List.of(new Look(1, 0.75), new Look(0, 0.1)),
                  0.125,
                  List.of(new Move(2, 1.25, 1, 1.125)))),
          List.of(new Passage(1, 2, 0.5f, 1, 1.2, 0.75)),
          new Readout(-1.1, 0.5, List.of(new Channel(26, -1, 2, -1)), 0.25, -0.5, 0.125, 0.025));

  @Test
  void storyGoesFromTheTokensToTheAnswer() {
    assertThat(TRACE.describe())
        .contains("0 `print`  1 `(\"`  2 `\\n`")
        .contains("the whole model  `\")\\n` with probability 0.880, against `')\\n`")
        .contains("the circuit      `')\\n` with probability 0.730, against `\")\\n`")
        .contains("1 `(\"` writes +0.500 into channel 83, its position -0.250")
        .contains("2 `\\n` writes +0.125 into channel 83\n")
        .contains(
            "reads channel 83: +2.500 at 1 `(\"`, usually +0.100; +0.300 where the answer is read")
        .contains(
            "head 2, at 2 `\\n`, looks at 1 `(\"` 0.75, 0 `print` 0.10; nowhere (sink) 0.13,"
                + " elsewhere 0.03")
        .contains("it brings +1.250 through value 35 of head 2, most of it (+1.125) from 1 `(\"`")
        .contains("neuron 9 stays at its mean +0.500")
        .contains("in logits before calibration -1.100, which is")
        .contains("  -1.000  channel 26: the circuit wrote -1.000, times +2.000 over the norm")
        .contains("  +0.250  the token 2 `\\n` itself, and its place")
        .contains("  +0.025  the table of pairs of tokens")
        .containsPattern("0\\.attn_in 83 +\\+4\\.000 +\\+3\\.000")
        .containsPattern(
            "0\\.attn_in 83 -> 0\\.attn_v 35 of head 2 +\\+0\\.750; passes \\+1\\.200 at 1");
  }

  @Test
  void jsonHasEveryPart() {
    assertThat(Json.tree(TRACE).at("/heads/0/moves/0/from").asInt()).isEqualTo(1);
    assertThat(Json.tree(TRACE).at("/answers/1").asText()).isEqualTo("\")\n");
  }
}
