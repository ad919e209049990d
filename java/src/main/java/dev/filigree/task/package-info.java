// SPDX-License-Identifier: Apache-2.0
/**
 * Tasks: binary next-token predictions on Python code, in pairs that differ in one cue (method 5).
 *
 * <p>A {@link dev.filigree.task.Task} holds templates in three {@linkplain dev.filigree.task.Split
 * splits} and fills them with names; an {@link dev.filigree.task.ExampleBuilder} encodes what it
 * made, throws out what a vocabulary cannot express, and gives an {@link
 * dev.filigree.task.ExampleSet}. {@link dev.filigree.task.TaskVocabulary} says whether a vocabulary
 * can express a task. {@link dev.filigree.task.Tasks} lists the tasks and controls; {@link
 * dev.filigree.task.TaskFile} reads others. Some tasks have {@linkplain dev.filigree.task.Variant
 * variants} that mislead a model.
 */
package dev.filigree.task;
