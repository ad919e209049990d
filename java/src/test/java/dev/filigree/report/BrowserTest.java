// SPDX-License-Identifier: Apache-2.0
package dev.filigree.report;

import static org.assertj.core.api.Assertions.assertThat;

import com.microsoft.playwright.Browser;
import com.microsoft.playwright.BrowserContext;
import com.microsoft.playwright.BrowserType;
import com.microsoft.playwright.Page;
import com.microsoft.playwright.Playwright;
import com.microsoft.playwright.options.ColorScheme;
import java.io.File;
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

/**
 * Opens a page in Chromium, and fails when the page complains or asks for anything but itself. What
 * it looks like is left in target/report.
 */
abstract class BrowserTest {
  static final Path PICTURES = Path.of("target", "report");

  private static Playwright playwright;
  private static Browser browser;

  private final List<String> complaints = new ArrayList<>();
  private final List<String> requests = new ArrayList<>();
  private BrowserContext context;

  /** The page that is open. */
  Page page;

  @BeforeAll
  static void openBrowser() {
    Optional<Path> chromium = chromium();
    if (chromium.isEmpty()) {
      String missing = "no chromium on PATH: nobody looks at the report (apt-get install chromium)";
      System.err.println("Pages are not tested, " + missing); // Surefire is silent about it
      Assumptions.abort(missing);
    }
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
      playwright = null;
    }
  }

  /** File of the page that is tested. */
  abstract Path file();

  @BeforeEach
  void openContext() {
    show(1280, ColorScheme.LIGHT);
  }

  @AfterEach
  void pageWasQuiet() {
    context.close();
    assertThat(complaints).isEmpty();
    assertThat(requests).containsOnly(file().toUri().toString());
  }

  void show(int width, ColorScheme scheme) {
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
    page.navigate(file().toUri().toString());
  }

  /** Take a picture of the whole page, which must not be wider than its window. */
  void picture(String name, int width, ColorScheme scheme) {
    assertThat(page.evaluate("document.documentElement.scrollWidth")).isEqualTo(width);
    page.screenshot(
        new Page.ScreenshotOptions()
            .setFullPage(true)
            .setPath(
                PICTURES.resolve(
                    "%s%d-%s.png".formatted(name, width, scheme.name().toLowerCase()))));
  }

  String background() {
    return page.evaluate("getComputedStyle(document.body).backgroundColor").toString();
  }

  private static Optional<Path> chromium() {
    return Arrays.stream(System.getenv("PATH").split(File.pathSeparator))
        .flatMap(place -> Stream.of("chromium", "chromium-browser").map(Path.of(place)::resolve))
        .filter(Files::isExecutable)
        .findFirst();
  }
}
