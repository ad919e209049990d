// SPDX-License-Identifier: Apache-2.0
/**
 * One page to look at: what was trained, which circuits were found, and what the checks say. {@link
 * dev.filigree.report.Report} makes it from the files of a run folder or of a quickstart.
 */
package dev.filigree.report;
