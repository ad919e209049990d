// SPDX-License-Identifier: Apache-2.0
package dev.filigree.report;

import static com.microsoft.playwright.assertions.PlaywrightAssertions.assertThat;
import static org.assertj.core.api.Assertions.assertThat;

import com.microsoft.playwright.Locator;
import com.microsoft.playwright.options.ColorScheme;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Opens the page of a quickstart. */
class ReportPageTest extends BrowserTest {
  @TempDir static Path folder;

  private static Path file;

  @BeforeAll
  static void writePage() throws IOException {
    SampleRuns.quickstart(folder);
    file = PICTURES.resolve("sample.html").toAbsolutePath();
    Report.of(folder).write(file);
  }

  @Override
  Path file() {
    return file;
  }

  @ParameterizedTest
  @CsvSource({"390, LIGHT", "390, DARK", "768, LIGHT", "768, DARK", "1280, LIGHT", "1280, DARK"})
  void fitsTheWindow(int width, ColorScheme scheme) {
    show(width, scheme);
    assertThat(page.locator("svg.graph")).hasCount(5);
    picture("", width, scheme);
  }

  @Test
  void textFromOutsideStaysText() {
    assertThat(page).hasTitle(folder.getFileName() + " · Filigree report");
    assertThat(page.locator("img")).hasCount(0);
    assertThat(page.locator("b[onclick]")).hasCount(0);
    assertThat(page.locator("nav a").last()).hasText("<b onclick=x>&amp;");
    String text = page.locator("body").innerText();
    assertThat(text)
        .contains(
            "</script><img src=x"
                + " onerror=\"document.title='taken'\"><!--<script>&lt;U+202EevilU+0007U+2028")
        .doesNotContain("\u202e", "\u0007", "\u2028");
  }

  @Test
  void tableSaysWhatTheChecksFound() {
    Locator quotes = page.locator(".tasks tbody").first();
    assertThat(quotes.locator("tr").first()).containsText("✓ yes");
    assertThat(quotes.locator("tr").first()).containsText("✗ no");
    assertThat(quotes.locator("tr").nth(1)).containsText("1,000");
    assertThat(quotes.locator("th")).containsText("×");
    assertThat(page.locator(".tasks tbody").nth(2))
        .containsText("the whole model does not do the task");
  }

  @Test
  void keysMoveThroughACircuitAndPinANode() {
    Locator circuit = page.locator("figure.circuit").first();
    assertThat(circuit.locator(".item[tabindex='0']")).hasCount(1);
    circuit.locator("input[type=range]").focus();
    page.keyboard().press("Tab");
    Locator focused = circuit.locator(".item:focus");
    assertThat(focused).hasCount(1);
    String first = focused.getAttribute("data-item");
    assertThat(circuit.locator(".tip")).isVisible();

    page.keyboard().press("ArrowRight");
    assertThat(circuit.locator(".item:focus")).hasCount(1);
    assertThat(focused.getAttribute("data-item")).isNotEqualTo(first);
    page.keyboard().press("Enter");
    assertThat(focused).hasAttribute("aria-pressed", "true");
    assertThat(circuit.locator(".detail h4"))
        .hasText(focused.getAttribute("aria-label").replaceFirst(", bias.*", ""));
    assertThat(circuit.locator(".link.far").first()).isAttached();
    page.keyboard().press("Escape");
    assertThat(circuit.locator(".detail")).isEmpty();
    assertThat(circuit.locator(".link.far")).hasCount(0);
    page.keyboard().press("Tab");
    assertThat(circuit.locator(".item:focus")).hasCount(0);
  }

  @Test
  void pointingAtANodeShowsItsWeights() {
    Locator circuit = page.locator("figure.circuit").first();
    Locator value = circuit.locator(".item[aria-label^='value']").first();
    value.hover();
    assertThat(circuit.locator(".tip")).containsText("mean");
    assertThat(circuit.locator(".item.near").first()).isAttached();
    value.click();
    assertThat(circuit.locator(".detail")).not().containsText("undefined");
    page.mouse().move(2, 2);
    assertThat(circuit.locator(".tip")).isHidden();
    assertThat(circuit.locator(".item.far").first()).isAttached();
  }

  @Test
  void sliderHidesWeakWeights() {
    Locator dense = page.locator("figure.circuit").nth(1);
    // Of 1,000 edges the strongest 300 are drawn at first.
    assertThat(dense.locator("output")).containsText("of 1,000 edges");
    int before = dense.locator(".link:not(.hidden)").count();
    assertThat(before).isBetween(250, 450);
    dense.locator("input[type=range]").fill("0");
    assertThat(dense.locator("output")).hasText("|w| ≥ 0.000: 1,000 of 1,000 edges");
    dense.locator("input[type=range]").fill("1000");
    assertThat(dense.locator(".link:not(.hidden)")).hasCount(1);
  }

  @Test
  void nodesAndEdgesAreATableToo() {
    Locator lists = page.locator("details.lists").first();
    lists.locator("summary").click();
    Locator tables = lists.locator("table");
    assertThat(tables).hasCount(5);
    assertThat(tables.first().locator("tbody tr")).hasCount(31);
    assertThat(tables.first().locator("caption")).hasText("31 nodes");
    assertThat(tables.last().locator("caption")).containsText("2 tokens are told apart");
  }

  @Test
  void buttonChangesTheTheme() {
    String light = background();
    page.locator("#theme").click();
    assertThat(background()).isEqualTo(light);
    page.locator("#theme").click();
    assertThat(page.locator("#theme")).hasText("Theme: dark");
    assertThat(background()).isNotEqualTo(light);
    show(390, ColorScheme.DARK);
    assertThat(background()).isNotEqualTo(light);
  }
}
