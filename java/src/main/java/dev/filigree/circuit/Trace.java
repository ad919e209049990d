// SPDX-License-Identifier: Apache-2.0
package dev.filigree.circuit;

import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import java.util.List;

/**
 * One prompt on its way through a circuit, from its tokens to the answer. Activations are those of
 * the circuit alone, everything else being at its mean.
 *
 * @param task name of the task
 * @param run name of the run
 * @param step of the checkpoint
 * @param tokens of the prompt
 * @param answers texts of the two answers
 * @param model what the whole model says
 * @param circuit what the circuit says
 * @param writes what tokens write into the channels that the circuit reads
 * @param nodes what every node of the circuit says
 * @param heads where the heads of the circuit look, and what they bring
 * @param edges what every edge of the circuit passes on
 * @param readout what the logits of the answers are made of
 */
public record Trace(
    String task,
    String run,
    long step,
    List<Token> tokens,
    Answers answers,
    Answer model,
    Answer circuit,
    List<Write> writes,
    List<Activity> nodes,
    List<Head> heads,
    List<Passage> edges,
    Readout readout) {
  public Trace {
    tokens = List.copyOf(tokens);
    writes = List.copyOf(writes);
    nodes = List.copyOf(nodes);
    heads = List.copyOf(heads);
    edges = List.copyOf(edges);
  }

  /** One token of the prompt, and its number in the vocabulary. */
  public record Token(int position, int token, String text) {}

  /** Texts of the two answers. */
  @JsonFormat(shape = JsonFormat.Shape.ARRAY)
  @JsonPropertyOrder({"a", "b"})
  public record Answers(String a, String b) {}

  /**
   * What is answered.
   *
   * @param difference calibrated: above 0 where a wins
   * @param probability of a, between the two
   */
  public record Answer(double difference, double probability) {}

  /**
   * What one token writes into a channel of the residual stream.
   *
   * @param position in the prompt
   * @param channel that the circuit reads
   * @param embedding the token's part
   * @param place the position's part, 0 in a model without positions
   */
  public record Write(int position, int channel, double embedding, double place) {}

  /**
   * One node.
   *
   * @param node flat index
   * @param layer from 0
   * @param kind "attn_in", ...
   * @param channel at its site
   * @param head for q, k and v; null elsewhere
   * @param mean over the training text
   * @param peak position at which it is furthest from its mean
   * @param atPeak activation there
   * @param atAnswer activation where the answer is read
   * @param circuitDelta by how much the circuit's difference falls without it, towards b above 0
   * @param modelDelta the same of the whole model's
   */
  public record Activity(
      int node,
      int layer,
      String kind,
      int channel,
      Integer head,
      double mean,
      int peak,
      double atPeak,
      double atAnswer,
      double circuitDelta,
      double modelDelta) {}

  /**
   * One head at one position.
   *
   * @param layer from 0
   * @param head from 0
   * @param query position that looks
   * @param looks where, the most first
   * @param sink attention that goes nowhere
   * @param moves what it brings, value by value
   */
  public record Head(
      int layer, int head, int query, List<Look> looks, double sink, List<Move> moves) {
    public Head {
      looks = List.copyOf(looks);
      moves = List.copyOf(moves);
    }
  }

  /** Attention to one position. */
  public record Look(int position, double weight) {}

  /**
   * What a head brings through one value node.
   *
   * @param node flat index of the value
   * @param total what arrives: attention times value, over all positions
   * @param from position that gives most of it
   * @param part what that gives
   */
  public record Move(int node, double total, int from, double part) {}

  /**
   * What passes through one edge.
   *
   * @param source flat index
   * @param target flat index
   * @param weight of the edge
   * @param position at which it passes most; for a value, whose way leads through attention, that
   *     of the query
   * @param passed weight * (activation - mean) there; of a value weight * the sum over positions of
   *     attention * (activation - mean)
   * @param circuitDelta by how much the circuit's difference falls without this edge, towards b
   *     above 0
   */
  public record Passage(
      int source, int target, float weight, int position, double passed, double circuitDelta) {}

  /**
   * The circuit's logit of a less that of b where the answer is read, and its parts, which add up
   * to it; in logits, before calibration.
   *
   * @param difference of the two logits
   * @param scale one over what the last norm divides by
   * @param channels what the circuit's nodes write, less their means, the most first
   * @param embedding what the last token and its position say without passing through any node
   * @param means what all nodes that write say on average
   * @param bias of the logits
   * @param bigram what the table of pairs says after the last token, 0 in a model without one
   */
  public record Readout(
      double difference,
      double scale,
      List<Channel> channels,
      double embedding,
      double means,
      double bias,
      double bigram) {
    public Readout {
      channels = List.copyOf(channels);
    }
  }

  /**
   * One channel that the circuit writes.
   *
   * @param channel of the residual stream
   * @param written by nodes of the circuit, less their means
   * @param weight unembedding of a less that of b, with the gain of the last norm
   * @param push written * weight * scale
   */
  public record Channel(int channel, double written, double weight, double push) {}

  /** Return the story for people. */
  public String describe() {
    return TraceStory.of(this);
  }
}
