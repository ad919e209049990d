// SPDX-License-Identifier: Apache-2.0
/** Train weight-sparse transformers, prune them to circuits, and read what the circuits do. */
@SuppressWarnings("requires-automatic") // jtokkit has no module descriptor
module dev.filigree {
  requires com.fasterxml.jackson.databind;
  requires jtokkit;
  requires org.slf4j;
  requires dev.filigree.bindings;

  exports dev.filigree;
  exports dev.filigree.data;
  exports dev.filigree.task;
}
