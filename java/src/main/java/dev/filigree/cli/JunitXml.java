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

  /** What became of one circuit. */
  record Suite(Drift drift, double seconds) {}

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
    xml.writeAttribute("name", drift.task());
    xml.writeAttribute("tests", Integer.toString(drift.items().size()));
    xml.writeAttribute("failures", Integer.toString(drift.beyond().size()));
    xml.writeAttribute("errors", "0");
    xml.writeAttribute("skipped", "0");
    xml.writeAttribute("time", String.format(Locale.ROOT, "%.3f", suite.seconds()));
    for (Drift.Item item : drift.items()) {
      xml.writeStartElement("testcase");
      xml.writeAttribute("classname", "filigree.check." + drift.task());
      xml.writeAttribute("name", item.name());
      if (item.drifted()) {
        xml.writeStartElement("failure");
        xml.writeAttribute("type", "drift");
        xml.writeAttribute("message", item.message());
        xml.writeEndElement();
      }
      xml.writeEndElement();
    }
    xml.writeEndElement();
  }
}
