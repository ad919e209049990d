// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import dev.filigree.json.Json;
import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

class BenchCommandTest {
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int execute(String... arguments) {
    return new CommandLine(new FiligreeCommand())
        .setOut(new PrintWriter(out))
        .setErr(new PrintWriter(err))
        .execute(arguments);
  }

  @Test
  @Tag("native")
  void growthPrintsEverySeriesWithItsSlopes() {
    int code = execute("bench", "growth", "--points", "2", "--repeats", "1", "--json");
    assertThat(code).as(err.toString()).isEqualTo(ExitCodes.OK);
    JsonNode growth = Json.parse(out.toString()).get("growth");
    assertThat(growth)
        .extracting(s -> s.path("series").asText())
        .containsExactly("width", "sparsity", "length");
    for (JsonNode series : growth) {
      assertThat(series.path("x")).hasSize(2);
      double[] seconds = {series.at("/step_s/0").asDouble(), series.at("/step_s/1").asDouble()};
      assertThat(seconds[0]).isPositive();
      // Through two points, both lines are the one through them; every series doubles.
      double slope = Math.log(seconds[1] / seconds[0]) / Math.log(2);
      assertThat(series.path("slope").asDouble()).isCloseTo(slope, within(1e-9));
      assertThat(series.path("last_slope").asDouble()).isCloseTo(slope, within(1e-9));
    }
  }

  @Test
  @Tag("native")
  void memoryCountsTheParametersAndSeesThem() {
    int code = execute("bench", "memory", "--case", "R", "--json");
    assertThat(code).as(err.toString()).isEqualTo(ExitCodes.OK);
    JsonNode peak = Json.parse(out.toString());
    assertThat(peak.path("parameter_bytes").asLong())
        .isEqualTo(16 * peak.path("parameters").asLong());
    // Other tests of this process leave memory behind that the trainer can use again.
    assertThat(peak.path("ratio").asDouble()).isBetween(0.0, 10.0);
    assertThat(peak.path("peak_bytes").asLong()).isPositive();
  }

  @Test
  @Tag("native")
  void stepsLeaveNoMemoryBehind() {
    int code = execute("bench", "memory", "--growth-steps", "100", "--json");
    JsonNode growth = Json.parse(out.toString());
    assertThat(growth.path("steps").asLong()).isEqualTo(100);
    assertThat(growth.path("passed").asBoolean()).as(out.toString()).isTrue();
    assertThat(code).as(err.toString()).isEqualTo(ExitCodes.OK);
  }

  @Test
  void refusesWhatItCannotMeasure() {
    assertThat(execute("bench")).isEqualTo(ExitCodes.USAGE);
    assertThat(execute("bench", "growth", "--points", "1")).isEqualTo(ExitCodes.USAGE);
    assertThat(execute("bench", "memory", "--growth-steps", "0")).isEqualTo(ExitCodes.USAGE);
    assertThat(execute("bench", "memory", "--case", "C9")).isEqualTo(ExitCodes.USAGE);
    assertThat(execute("bench", "step", "--precision", "fp8")).isEqualTo(ExitCodes.USAGE);
  }
}
