// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.Examples;
import dev.filigree.Model;
import dev.filigree.circuit.Circuit.SplitHashes;
import dev.filigree.task.ExampleBuilder;
import dev.filigree.task.ExampleSet;
import dev.filigree.task.Split;

/**
 * The examples of a task that a search works with: masks are learnt on the first part, their number
 * is chosen on the second, and the last is reported on. Owns the copies on the model's device.
 */
final class TaskExamples implements AutoCloseable {
  private final Part train;
  private final Part validation;
  private final Part last;

  private TaskExamples(Part train, Part validation, Part last) {
    this.train = train;
    this.validation = validation;
    this.last = last;
  }

  /** The examples of one split, as text and on the device. */
  record Part(ExampleSet set, Examples uploaded) {
    static Part make(Model model, ExampleSet set) {
      return new Part(set, model.examples(set));
    }
  }

  /** Hash the examples that a search would have, without a model. */
  static SplitHashes hashes(ExampleBuilder builder, CircuitConfig search) {
    return new SplitHashes(
        builder.build(Split.TRAIN, search.trainPairs(), search.seed()).hash(),
        builder.build(Split.VALIDATION, search.validationPairs(), search.seed()).hash(),
        builder.build(Split.FINAL, search.finalPairs(), search.seed()).hash());
  }

  /** Make the examples of a search; the same configuration makes the same ones. */
  static TaskExamples make(Model model, ExampleBuilder builder, CircuitConfig search) {
    ExampleSet train = builder.build(Split.TRAIN, search.trainPairs(), search.seed());
    ExampleSet validation =
        builder.build(Split.VALIDATION, search.validationPairs(), search.seed());
    ExampleSet last = builder.build(Split.FINAL, search.finalPairs(), search.seed());
    Part first = Part.make(model, train);
    try {
      Part second = Part.make(model, validation);
      try {
        return new TaskExamples(first, second, Part.make(model, last));
      } catch (RuntimeException e) {
        second.uploaded().close();
        throw e;
      }
    } catch (RuntimeException e) {
      first.uploaded().close();
      throw e;
    }
  }

  Examples train() {
    return train.uploaded();
  }

  Examples validation() {
    return validation.uploaded();
  }

  Examples last() {
    return last.uploaded();
  }

  ExampleSet validationSet() {
    return validation.set();
  }

  ExampleSet lastSet() {
    return last.set();
  }

  SplitHashes hashes() {
    return new SplitHashes(train.set().hash(), validation.set().hash(), last.set().hash());
  }

  @Override
  public void close() {
    train.uploaded().close();
    validation.uploaded().close();
    last.uploaded().close();
  }
}
