// SPDX-License-Identifier: Apache-2.0
/** Train weight-sparse transformers, prune them to circuits, and read what the circuits do. */
@SuppressWarnings("requires-automatic") // jtokkit has no module descriptor
module dev.filigree {
  requires transitive com.fasterxml.jackson.databind;
  requires dev.filigree.bindings;
  requires jtokkit;
  requires org.slf4j;

  exports dev.filigree;
  exports dev.filigree.data;
  exports dev.filigree.task;

  opens dev.filigree to
      com.fasterxml.jackson.databind;
}
