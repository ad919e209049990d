// SPDX-License-Identifier: Apache-2.0
/**
 * What every native call needs: {@link dev.filigree.nativelib.NativeLibrary} finds and loads the
 * core, {@link dev.filigree.nativelib.Status} names what a call returned, {@link
 * dev.filigree.nativelib.NativeHandle} owns an object of the core.
 */
package dev.filigree.nativelib;
