// SPDX-License-Identifier: Apache-2.0
package dev.filigree.report;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Makes a page out of its template, which opens by itself beside its style and scripts: puts those
 * and the data into it.
 *
 * <p>This is the one place that escapes. Everything from outside is in the data block, and the
 * scripts of the page show it as text only.
 */
final class Template {
  private static final String DATA = "<script type=\"application/json\" id=\"data\">null</script>";
  private static final String POLICY = "<!-- policy -->";
  private static final List<String> STYLES = List.of("report.css");

  /** About a run or two: its circuits one by one. */
  static final Template REPORT =
      new Template("report.html", "element.js", "charts.js", "circuit.js", "report.js");

  /** About a comparison of many models. */
  static final Template COMPARE =
      new Template("compare.html", "element.js", "charts.js", "compare.js");

  private final String name;
  private final List<String> scripts;

  private Template(String name, String... scripts) {
    this.name = name;
    this.scripts = List.of(scripts);
  }

  String fill(JsonNode data) {
    String page = resource(name);
    for (String style : STYLES) {
      page =
          replace(
              page,
              "<link rel=\"stylesheet\" href=\"" + style + "\">",
              "<style>\n" + resource(style) + "</style>");
    }
    for (String script : scripts) {
      page =
          replace(
              page,
              "<script src=\"" + script + "\"></script>",
              "<script>\n" + resource(script) + "</script>");
    }
    // Whatever goes wrong above: a browser that obeys this loads nothing.
    page =
        replace(
            page,
            POLICY,
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';"
                + " script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:\">");
    return replace(page, DATA, DATA.replace("null", escape(data.toString())));
  }

  /**
   * These characters occur in JSON inside of strings only, and mean the same there in this form.
   */
  private static String escape(String json) {
    return json.replace("<", "\\u003c")
        .replace(">", "\\u003e")
        .replace("&", "\\u0026")
        .replace("\u2028", "\\u2028")
        .replace("\u2029", "\\u2029");
  }

  private String replace(String page, String marker, String content) {
    int at = page.indexOf(marker);
    if (at < 0) {
      throw new IllegalStateException(name + " has no " + marker);
    }
    return page.substring(0, at) + content + page.substring(at + marker.length());
  }

  private static String resource(String name) {
    try (InputStream in = Template.class.getResourceAsStream("/report/" + name)) {
      if (in == null) {
        throw new IllegalStateException("the resource report/" + name + " is missing");
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
