// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.filigree.data.tinypython.PythonInterpreter;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class PythonStandardLibraryTest {
  @Test
  void findsTheLibraryWithoutItsTestsAndPackages() {
    PythonInterpreter.assumePresent();
    List<Document> documents = new ArrayList<>();
    CorpusReport report = PythonStandardLibrary.locate().read(1_000_000, documents::add);
    assertThat(report.documents()).isGreaterThan(10);
    assertThat(documents)
        .extracting(Document::name)
        .noneMatch(name -> name.matches("(.*/)?(site-packages|dist-packages|tests?|idle_test)/.*"));
  }

  @Test
  void saysWhenThereIsNoSuchInterpreter() {
    assertThatThrownBy(() -> PythonStandardLibrary.locate("no-such-python"))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("cannot run no-such-python");
  }

  @Test
  void saysWhenTheInterpreterFails() {
    assertThatThrownBy(() -> PythonStandardLibrary.locate("false"))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("could not name its standard library");
  }
}
