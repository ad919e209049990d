// SPDX-License-Identifier: Apache-2.0
package dev.filigree.report;

import static com.microsoft.playwright.assertions.PlaywrightAssertions.assertThat;
import static org.assertj.core.api.Assertions.assertThat;

import com.microsoft.playwright.options.ColorScheme;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Opens the page of a comparison. */
class CompareReportPageTest extends BrowserTest {
  @TempDir static Path folder;

  private static Path file;

  @BeforeAll
  static void writePage() throws IOException {
    SampleComparison.write(folder);
    file = PICTURES.resolve("compare.html").toAbsolutePath();
    CompareReport.of(folder).write(file);
  }

  @Override
  Path file() {
    return file;
  }

  @ParameterizedTest
  @CsvSource({"390, LIGHT", "390, DARK", "768, LIGHT", "768, DARK", "1280, LIGHT", "1280, DARK"})
  void fitsTheWindow(int width, ColorScheme scheme) {
    show(width, scheme);
    assertThat(page.locator("figure.chart svg")).hasCount(6);
    picture("compare-", width, scheme);
  }

  @Test
  void saysTheRatioWithItsIntervalAndWhatCounts() {
    String figures = page.locator(".figures").innerText();
    assertThat(figures).contains("×").containsPattern("\\d+\\.\\d to \\d+\\.\\d");
    assertThat(figures).contains("5 of 6");
    assertThat(page.locator("#limits")).containsText("predicts better than every dense model");
  }

  @Test
  void chartsHaveTheirSeriesAndIntervals() {
    assertThat(page.locator("#sizes figure").first().locator("path.line")).hasCount(4);
    // Three widths and the ladder.
    assertThat(page.locator("#sizes figure").nth(1).locator("path.line")).hasCount(4);
    assertThat(page.locator("#trends line.interval").first()).isAttached();
    assertThat(page.locator("#trends figure").nth(2).locator("figcaption")).containsText("tokens");
    assertThat(page.locator("#trends figure").nth(3).locator(".keys")).containsText("revive");
  }

  @Test
  void tablesSayWhyThereIsNoRatio() {
    assertThat(page.locator("#trends table.grid tbody tr")).hasCount(3);
    assertThat(page.locator("#trends table.grid")).containsText("predicts better than the ladder");
    assertThat(page.locator("#trends table.plain tbody tr").first())
        .containsText("wider, as many weights");
    assertThat(page.locator("#tasks tbody tr")).hasCount(6);
    assertThat(page.locator("#tasks")).containsText("the sparse model does not do it");
    assertThat(page.locator("#models tbody tr").last()).containsText("diverged");
  }

  @Test
  void textFromOutsideStaysText() {
    assertThat(page.locator("img")).hasCount(0);
    assertThat(page.locator("b[onclick]")).hasCount(0);
    assertThat(page.locator("body").innerText())
        .contains("<b onclick=x>&amp;")
        .contains("</script><img src=x")
        .doesNotContain("\u202e");
  }

  @Test
  void buttonChangesTheTheme() {
    String light = background();
    page.locator("#theme").click();
    page.locator("#theme").click();
    assertThat(page.locator("#theme")).hasText("Theme: dark");
    assertThat(background()).isNotEqualTo(light);
  }
}
