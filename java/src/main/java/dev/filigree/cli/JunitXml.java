// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import dev.filigree.circuit.Drift;
import dev.filigree.data.AtomicFile;
import dev.filigree.data.DataException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import javax.xml.stream.XMLOutputFactory;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamWriter;

/** Writes what a check found in the form that CI servers read: a suite for every circuit. */
final class JunitXml {
  private JunitXml() {}

  /**
   * What became of one circuit.
   *
   * @param name of its task, or of its file where it could not be checked
   * @param drift null where it could not be checked
   * @param error why; null where it was
   */
  record Suite(String name, Drift drift, String error, double seconds) {
    static Suite of(Drift drift, double seconds) {
      return new Suite(drift.task(), drift, null, seconds);
    }

    static Suite failed(Path file, String error, double seconds) {
      return new Suite(file.getFileName().toString(), null, error, seconds);
    }
  }

  static void write(Path file, List<Suite> suites) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try {
      XMLStreamWriter xml =
          XMLOutputFactory.newFactory().createXMLStreamWriter(bytes, StandardCharsets.UTF_8.name());
      xml.writeStartDocument(StandardCharsets.UTF_8.name(), "1.0");
      xml.writeStartElement("testsuites");
      xml.writeAttribute("name", "filigree check");
      for (Suite suite : suites) {
        suite(xml, suite);
      }
      xml.writeEndElement();
      xml.writeEndDocument();
      xml.close();
      AtomicFile.write(file, bytes.toByteArray());
    } catch (XMLStreamException | IOException e) {
      throw new DataException("cannot write " + file + ": " + e.getMessage(), e);
    }
  }

  private static void suite(XMLStreamWriter xml, Suite suite) throws XMLStreamException {
    Drift drift = suite.drift();
    xml.writeStartElement("testsuite");
    xml.writeAttribute("name", suite.name());
    xml.writeAttribute("tests", Integer.toString(drift == null ? 1 : drift.items().size()));
    xml.writeAttribute("failures", Integer.toString(drift == null ? 0 : drift.beyond().size()));
    xml.writeAttribute("errors", drift == null ? "1" : "0");
    xml.writeAttribute(
        "skipped",
        Long.toString(
            drift == null ? 0 : drift.items().stream().filter(Drift.Item::notRun).count()));
    xml.writeAttribute("time", String.format(Locale.ROOT, "%.3f", suite.seconds()));
    if (drift == null) {
      testCase(xml, suite, "check", "error", suite.error());
    } else {
      for (Drift.Item item : drift.items()) {
        String outcome = item.drifted() ? "failure" : item.notRun() ? "skipped" : null;
        testCase(xml, suite, item.name(), outcome, item.message());
      }
    }
    xml.writeEndElement();
  }

  /**
   * Write one case.
   *
   * @param outcome element that says what became of it: failure, skipped or error; null when it
   *     passed
   */
  private static void testCase(
      XMLStreamWriter xml, Suite suite, String name, String outcome, String message)
      throws XMLStreamException {
    xml.writeStartElement("testcase");
    xml.writeAttribute("classname", "filigree.check." + suite.name());
    xml.writeAttribute("name", name);
    if (outcome != null) {
      xml.writeStartElement(outcome);
      if (!outcome.equals("skipped")) {
        xml.writeAttribute("type", outcome.equals("failure") ? "drift" : "unusable");
      }
      xml.writeAttribute("message", message);
      xml.writeEndElement();
    }
    xml.writeEndElement();
  }
}
