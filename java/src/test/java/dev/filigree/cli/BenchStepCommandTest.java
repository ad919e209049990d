// SPDX-License-Identifier: Apache-2.0
package dev.filigree.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import com.fasterxml.jackson.databind.JsonNode;
import dev.filigree.json.Json;
import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

class BenchStepCommandTest {
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
  void printsTheRatioAndThePartsOfEveryCase() {
    int code = execute("bench", "step", "--cases", "R", "--schedule-steps", "2", "--json");
    assertThat(code).as(err.toString()).isEqualTo(ExitCodes.OK);
    JsonNode cases = Json.parse(out.toString()).get("cases");
    assertThat(cases).hasSize(1);
    JsonNode one = cases.get(0);
    assertThat(one.path("case").asText()).isEqualTo("R");
    assertThat(one.path("plan").asText()).isEqualTo("fast");
    assertThat(one.path("ratio").asDouble())
        .isBetween(one.path("ratio_min").asDouble(), one.path("ratio_max").asDouble())
        .isEqualTo(
            one.path("tokens_per_s").asDouble() / one.path("reference_tokens_per_s").asDouble(),
            offset(1e-9));
    double floor = 0;
    for (JsonNode part : one.path("floor_parts")) {
      floor += part.asDouble();
    }
    assertThat(one.path("floor_s").asDouble()).isPositive().isEqualTo(floor, offset(1e-9));
    assertThat(one.at("/parts/weight_gradients").asDouble()).isPositive();
  }

  @Test
  void refusesACaseThatItDoesNotKnow() {
    assertThat(execute("bench", "step", "--cases", "C9")).isEqualTo(ExitCodes.USAGE);
    assertThat(err.toString()).contains("there is no case \"C9\"");
  }
}
