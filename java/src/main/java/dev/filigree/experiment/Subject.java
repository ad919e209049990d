// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.Calibration;
import dev.filigree.CircuitMask;
import dev.filigree.circuit.Circuit;
import dev.filigree.circuit.Evidence.Scores;
import dev.filigree.task.Task;

/**
 * A circuit that is checked, in the model at hand.
 *
 * @param search how it was found
 * @param mask what it is run by
 * @param calibration of the circuit
 * @param fit calibration of the whole model
 * @param whole how the whole model does
 * @param live which nodes can matter at all
 */
record Subject(
    Task task,
    Circuit circuit,
    CircuitConfig search,
    TaskExamples examples,
    CircuitMask mask,
    Calibration calibration,
    Calibration fit,
    Scores whole,
    boolean[] live) {}
