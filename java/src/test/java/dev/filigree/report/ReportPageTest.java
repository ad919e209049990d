// SPDX-License-Identifier: Apache-2.0
package dev.filigree.report;

import static com.microsoft.playwright.assertions.PlaywrightAssertions.assertThat;
import static org.assertj.core.api.Assertions.assertThat;

import com.microsoft.playwright.Browser;
import com.microsoft.playwright.BrowserContext;
import com.microsoft.playwright.BrowserType;
import com.microsoft.playwright.Locator;
import com.microsoft.playwright.Page;
import com.microsoft.playwright.Playwright;
import com.microsoft.playwright.options.ColorScheme;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Opens the page in Chromium; what it looks like is left in target/report. */
class ReportPageTest {
  private static final Path PICTURES = Path.of("target", "report");

  @TempDir static Path folder;

  private static Playwright playwright;
  private static Browser browser;
  private static Path file;

  private final List<String> complaints = new ArrayList<>();
  private final List<String> requests = new ArrayList<>();
  private BrowserContext context;
  private Page page;

  @BeforeAll
  static void openBrowser() throws IOException {
    Optional<Path> chromium = chromium();
    if (chromium.isEmpty()) {
      String missing = "no chromium on PATH: nobody looks at the report (apt-get install chromium)";
      System.err.println("ReportPageTest is skipped, " + missing); // Surefire is silent about it
      Assumptions.abort(missing);
    }
    SampleRuns.quickstart(folder);
    file = PICTURES.resolve("sample.html").toAbsolutePath();
    Report.of(folder).write(file);
    playwright =
        Playwright.create(
            new Playwright.CreateOptions().setEnv(Map.of("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")));
    browser =
        playwright
            .chromium()
            .launch(
                new BrowserType.LaunchOptions()
                    .setExecutablePath(chromium.get())
                    // Chromium refuses its sandbox to root, which containers like to run as.
                    .setArgs(List.of("--no-sandbox")));
  }

  @AfterAll
  static void closeBrowser() {
    if (playwright != null) {
      playwright.close();
    }
  }

  @BeforeEach
  void openContext() {
    show(1280, ColorScheme.LIGHT);
  }

  @AfterEach
  void pageWasQuiet() {
    context.close();
    assertThat(complaints).isEmpty();
    assertThat(requests).containsOnly(file.toUri().toString());
  }

  @ParameterizedTest
  @CsvSource({"390, LIGHT", "390, DARK", "768, LIGHT", "768, DARK", "1280, LIGHT", "1280, DARK"})
  void fitsTheWindow(int width, ColorScheme scheme) {
    show(width, scheme);
    assertThat(page.locator("svg.graph")).hasCount(5);
    assertThat(page.evaluate("document.documentElement.scrollWidth")).isEqualTo(width);
    page.screenshot(
        new Page.ScreenshotOptions()
            .setFullPage(true)
            .setPath(PICTURES.resolve("%d-%s.png".formatted(width, scheme.name().toLowerCase()))));
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
    assertThat(tables).hasCount(4);
    assertThat(tables.first().locator("tbody tr")).hasCount(31);
    assertThat(tables.first().locator("caption")).hasText("31 nodes");
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

  private String background() {
    return page.evaluate("getComputedStyle(document.body).backgroundColor").toString();
  }

  private void show(int width, ColorScheme scheme) {
    if (context != null) {
      context.close();
    }
    context =
        browser.newContext(
            new Browser.NewContextOptions().setViewportSize(width, 900).setColorScheme(scheme));
    page = context.newPage();
    page.onConsoleMessage(message -> complaints.add(message.text()));
    page.onPageError(complaints::add);
    page.onRequest(request -> requests.add(request.url()));
    page.navigate(file.toUri().toString());
  }

  private static Optional<Path> chromium() {
    return Arrays.stream(System.getenv("PATH").split(File.pathSeparator))
        .flatMap(place -> Stream.of("chromium", "chromium-browser").map(Path.of(place)::resolve))
        .filter(Files::isExecutable)
        .findFirst();
  }
}
