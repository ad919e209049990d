// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import dev.filigree.experiment.CompareCellResult.Kind;

/**
 * One model of a comparison.
 *
 * @param name unique in the comparison: "dense 32", "sparse 128, 1/16"
 * @param kind dense or sparse
 * @param width of the residual stream
 * @param kept fraction of the block matrices that the preset's width would keep with as many
 *     nonzeros; null for a dense model
 * @param steps of training
 * @param variant name of what is different from the grid; null for a model of the grid
 * @param teacher name of the cell it is distilled from; null for none
 * @param config everything it is made from
 */
record CompareCell(
    String name,
    Kind kind,
    int width,
    Double kept,
    long steps,
    String variant,
    String teacher,
    RunConfig config) {}
