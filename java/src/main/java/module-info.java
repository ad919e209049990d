// SPDX-License-Identifier: Apache-2.0
/** Train weight-sparse transformers, prune them to circuits, and read what the circuits do. */
@SuppressWarnings("requires-automatic") // jtokkit has no module descriptor
module dev.filigree {
  requires transitive com.fasterxml.jackson.databind;
  requires dev.filigree.bindings;
  requires info.picocli;
  requires java.xml;
  requires jtokkit;
  requires me.tongfei.progressbar;
  requires org.apache.commons.statistics.distribution;
  requires org.apache.commons.text;
  requires org.slf4j;

  exports dev.filigree;
  exports dev.filigree.circuit;
  exports dev.filigree.data;
  exports dev.filigree.experiment;
  exports dev.filigree.report;
  exports dev.filigree.task;

  opens dev.filigree.cli to
      info.picocli;

  // Records are read and written through their accessors.
  opens dev.filigree to
      com.fasterxml.jackson.databind;
  opens dev.filigree.circuit to
      com.fasterxml.jackson.databind;
  opens dev.filigree.experiment to
      com.fasterxml.jackson.databind;
  opens dev.filigree.report to
      com.fasterxml.jackson.databind;
}
