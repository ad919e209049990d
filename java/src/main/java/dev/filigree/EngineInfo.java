// SPDX-License-Identifier: Apache-2.0
package dev.filigree;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;

/**
 * What runs underneath.
 *
 * @param library file of the native core
 * @param build facts of its build: "abi", "version", "compiler", "libtorch", ...
 * @param runtime facts of this process: "threads", "cpu", "devices", ...
 */
public record EngineInfo(Path library, JsonNode build, JsonNode runtime) {}
