// SPDX-License-Identifier: Apache-2.0
package dev.filigree.nativelib;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.filigree.ffi.Filigree;
import dev.filigree.ffi.fg_circuit;
import dev.filigree.ffi.fg_corpus;
import dev.filigree.ffi.fg_edge;
import dev.filigree.ffi.fg_eval_stats;
import dev.filigree.ffi.fg_fast_prune_stats;
import dev.filigree.ffi.fg_found_circuit;
import dev.filigree.ffi.fg_prune_stats;
import dev.filigree.ffi.fg_prune_task;
import dev.filigree.ffi.fg_task_stats;
import dev.filigree.ffi.fg_train_stats;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Method;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class NativeLibraryTest {
  @Test
  void missingFileIsNamedTogetherWithWhoAskedForIt() {
    Path missing = Path.of("no/such/libfiligree.so").toAbsolutePath();
    String before = System.getProperty(NativeLibrary.PROPERTY);
    System.setProperty(NativeLibrary.PROPERTY, missing.toString());
    try {
      assertThatThrownBy(NativeLibrary::find)
          .isInstanceOf(NativeLibraryException.class)
          .hasMessageContaining(missing.toString())
          .hasMessageContaining("system property filigree.library");
    } finally {
      if (before == null) {
        System.clearProperty(NativeLibrary.PROPERTY);
      } else {
        System.setProperty(NativeLibrary.PROPERTY, before);
      }
    }
  }

  @Test
  @Tag("native")
  void everyFunctionOfTheBindingsIsInTheLibrary() throws ReflectiveOperationException {
    NativeLibrary.load();
    List<String> functions = new ArrayList<>();
    for (Method method : Filigree.class.getDeclaredMethods()) {
      if (method.getName().endsWith("$address")) {
        MemorySegment address = (MemorySegment) method.invoke(null);
        assertThat(address.address()).as(method.getName()).isNotZero();
        functions.add(method.getName());
      }
    }
    assertThat(functions).hasSizeGreaterThan(30);
  }

  @Test
  @Tag("native")
  void structsAreAsLargeAsTheLibrarySays() {
    Map<String, Long> generated = new TreeMap<>();
    generated.put("fg_corpus", size(fg_corpus.layout()));
    generated.put("fg_edge", size(fg_edge.layout()));
    generated.put("fg_eval_stats", size(fg_eval_stats.layout()));
    generated.put("fg_circuit", size(fg_circuit.layout()));
    generated.put("fg_fast_prune_stats", size(fg_fast_prune_stats.layout()));
    generated.put("fg_found_circuit", size(fg_found_circuit.layout()));
    generated.put("fg_prune_task", size(fg_prune_task.layout()));
    generated.put("fg_prune_stats", size(fg_prune_stats.layout()));
    generated.put("fg_task_stats", size(fg_task_stats.layout()));
    generated.put("fg_train_stats", size(fg_train_stats.layout()));

    String info = NativeLibrary.load().buildInfo();
    MatchResult sizes =
        Pattern.compile("\"struct_sizes\"\\s*:\\s*\\{([^}]*)\\}")
            .matcher(info)
            .results()
            .findFirst()
            .orElseThrow();
    Map<String, Long> reported =
        Pattern.compile("\"(\\w+)\"\\s*:\\s*(\\d+)")
            .matcher(sizes.group(1))
            .results()
            .collect(
                Collectors.toMap(
                    m -> m.group(1), m -> Long.valueOf(m.group(2)), (a, b) -> a, TreeMap::new));

    assertThat(reported).isEqualTo(generated);
  }

  private static long size(MemoryLayout layout) {
    return layout.byteSize();
  }
}
