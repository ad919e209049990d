// SPDX-License-Identifier: Apache-2.0
/** Generated bindings of the native core, and the few classes that load and call it. */
@SuppressWarnings("module") // dev.filigree is compiled after this module
module dev.filigree.bindings {
  exports dev.filigree.ffi to
      dev.filigree;
  exports dev.filigree.nativelib to
      dev.filigree;
}
