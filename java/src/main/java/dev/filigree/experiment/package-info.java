// SPDX-License-Identifier: Apache-2.0
/**
 * What the command line does, usable from Java: {@link dev.filigree.experiment.Experiment} is the
 * entry. A {@link dev.filigree.experiment.RunConfig} from {@link dev.filigree.experiment.Presets}
 * says what to do, a {@link dev.filigree.experiment.RunFolder} holds what came of it.
 */
package dev.filigree.experiment;
