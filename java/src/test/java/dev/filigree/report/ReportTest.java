// SPDX-License-Identifier: Apache-2.0
package dev.filigree.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.experiment.RunException;
import dev.filigree.json.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReportTest {
  private static final Pattern DATA =
      Pattern.compile(
          "<script type=\"application/json\" id=\"data\">(.*?)</script>", Pattern.DOTALL);

  @TempDir Path folder;

  @BeforeEach
  void makeRuns() throws IOException {
    SampleRuns.quickstart(folder);
  }

  @Test
  void dataHasBothModelsAndEveryTask() {
    JsonNode data = data(Report.of(folder).html());
    assertThat(data.path("seconds").asDouble()).isEqualTo(1312.4);
    assertThat(data.path("runs"))
        .extracting(run -> run.path("label").asText())
        .containsExactly("sparse", "dense");
    assertThat(data.path("tasks"))
        .extracting(task -> task.path("task").asText())
        .containsExactlyElementsOf(SampleRuns.TASKS);
    assertThat(data.at("/tasks/0/description").asText()).isNotEmpty();
    assertThat(data.at("/tasks/3/description").isNull()).isTrue();
  }

  @Test
  void lineOfATaskComesFromItsEvidence() {
    JsonNode data = data(Report.of(folder).html());
    JsonNode found = data.at("/tasks/0/sides/1/summary");
    assertThat(found.path("nodes").asInt()).isEqualTo(150);
    assertThat(found.path("edges").asInt())
        .isEqualTo(data.at("/tasks/0/sides/1/circuit/edges").size());
    assertThat(found.path("loss_validation").asDouble()).isEqualTo(0.087);
    assertThat(found.path("loss_final").asDouble()).isEqualTo(0.116);
    assertThat(found.path("model_loss_final").asDouble()).isEqualTo(0.042);
    assertThat(found.path("sufficient").asBoolean()).isTrue();
    assertThat(found.path("necessary").asBoolean(true)).isFalse();

    JsonNode none = data.at("/tasks/2/sides/0");
    assertThat(none.at("/summary/edges").isNull()).isTrue();
    assertThat(none.at("/summary/model_loss_final").asDouble()).isEqualTo(0.5);
    assertThat(none.at("/summary/gate").asBoolean(true)).isFalse();
    assertThat(none.at("/summary/sufficient").isNull()).isTrue();
    assertThat(none.path("circuit").isNull()).isTrue();
  }

  @Test
  void ratiosAreThoseOfTheComparison() throws IOException {
    JsonNode data = data(Report.of(folder).html());
    JsonNode sparse = data.at("/tasks/0/sides/0/summary");
    JsonNode dense = data.at("/tasks/0/sides/1/summary");
    assertThat(data.at("/tasks/0/edge_ratio").asDouble())
        .isEqualTo(dense.path("edges").asDouble() / sparse.path("edges").asDouble());
    assertThat(data.at("/tasks/0/node_ratio").asDouble()).isEqualTo(150.0 / 31);
    assertThat(data.at("/tasks/1/edge_ratio").isNull()).as("the dense model failed").isTrue();

    // A dense model that predicts worse is no match.
    Path metrics = folder.resolve("dense/metrics.jsonl");
    Files.writeString(
        metrics, Files.readString(metrics) + "\n{\"step\": 2000, \"test_xent\": 2.9}\n");
    assertThat(data(Report.of(folder).html()).at("/tasks/0/edge_ratio").isNull()).isTrue();
  }

  @Test
  void onlyTheQuickstartSaysThatAVocabularyCannotExpressATask() throws IOException {
    for (String side : List.of("sparse", "dense")) {
      Files.delete(folder.resolve(side + "/evidence/set_or_string.json"));
    }
    assertThat(data(Report.of(folder).html()).at("/tasks/2/sides/0/impossible").asBoolean())
        .isTrue();
    Path file = folder.resolve("quickstart.json");
    Files.writeString(
        file,
        Files.readString(file).replace("\"model_loss_final\":null", "\"model_loss_final\":0.5"));
    JsonNode side = data(Report.of(folder).html()).at("/tasks/2/sides/0");
    assertThat(side.path("impossible").asBoolean(true)).isFalse();
  }

  @Test
  void totalsOfAFinishedRunAreThoseItRecorded() throws IOException {
    Path manifest = folder.resolve("sparse/run.json");
    ObjectNode json = (ObjectNode) Json.parse(Files.readString(manifest));
    json.putObject("result")
        .put("step", 2010)
        .put("elapsed_tokens", 2010 * 2048)
        .put("test_xent", 2.6)
        .put("seconds", 100)
        .putObject("test_xent_by_corpus");
    Files.writeString(manifest, json.toString());
    JsonNode run = data(Report.of(folder).html()).at("/runs/0");
    assertThat(run.path("steps").asInt()).isEqualTo(2010);
    assertThat(run.path("tokens").asInt()).isEqualTo(2010 * 2048);
  }

  @Test
  void evidenceOfAnotherCircuitIsNotShown() throws IOException {
    Path circuit = folder.resolve("sparse/circuits/single_double_quote.json");
    ObjectNode changed = (ObjectNode) Json.parse(Files.readString(circuit));
    Files.writeString(circuit, changed.put("seed", 2).toPrettyString());
    JsonNode side = data(Report.of(folder).html()).at("/tasks/0/sides/0");
    assertThat(side.path("evidence").isNull()).isTrue();
    assertThat(side.at("/summary/grade").isNull()).isTrue();
  }

  @Test
  void circuitOfWhatTheModelDoesNotDoDoesNotCount() throws IOException {
    Path circuit = folder.resolve("sparse/circuits/single_double_quote.json");
    ObjectNode changed = (ObjectNode) Json.parse(Files.readString(circuit));
    ((ObjectNode) changed.at("/losses/final/model")).put("loss", 0.6);
    Files.writeString(circuit, changed.toPrettyString());
    JsonNode summary = data(Report.of(folder).html()).at("/tasks/0/sides/0/summary");
    assertThat(summary.path("gate").asBoolean(true)).isFalse();
    assertThat(summary.path("edges").isNull()).isFalse();
  }

  @Test
  void circuitWithoutEvidenceIsShownUnchecked() throws IOException {
    Files.delete(folder.resolve("sparse/evidence/single_double_quote.json"));
    JsonNode summary = data(Report.of(folder).html()).at("/tasks/0/sides/0/summary");
    assertThat(summary.path("nodes").asInt()).isEqualTo(31);
    assertThat(summary.path("loss_final").asDouble()).isEqualTo(0.116);
    assertThat(summary.path("holds").isNull()).isTrue();
  }

  @Test
  void taskThatLeftNoFilesIsShownForTheQuickstartThatTriedIt() throws IOException {
    Path file = folder.resolve("quickstart.json");
    Files.writeString(file, Files.readString(file).replace(SampleRuns.TASKS.get(2), "for_while"));
    JsonNode data = data(Report.of(folder).html());
    assertThat(data.at("/tasks/2/task").asText()).isEqualTo("for_while");
    assertThat(data.at("/tasks/2/sides/0/summary/model_loss_final").isNull()).isTrue();
    assertThat(data.at("/tasks/4/task").asText()).isEqualTo(SampleRuns.TASKS.get(2));
  }

  @Test
  void metricsBecomeCurvesAndTotals() {
    JsonNode run = data(Report.of(folder.resolve("sparse")).html()).at("/runs/0");
    assertThat(run.path("label").asText()).isEqualTo("sparse");
    assertThat(run.path("steps").asInt()).isEqualTo(2000);
    assertThat(run.path("tokens").asInt()).isEqualTo(2000 * 2048);
    assertThat(run.path("parameters").asInt()).isEqualTo(640_000);
    assertThat(run.path("nonzeros").asInt()).isEqualTo(25_600);
    assertThat(run.path("seconds").asDouble())
        .isBetween(2000 * 2048 / 22_000.0, 2000 * 2048 / 18_000.0);
    assertThat(run.at("/curves/train")).hasSize(100);
    assertThat(run.at("/curves/held_out")).hasSize(5);
    assertThat(run.at("/curves/held_out/4/0").asInt()).isEqualTo(2000 * 2048);
    assertThat(run.path("loss").asDouble()).isEqualTo(run.at("/curves/held_out/4/1").asDouble());
    assertThat(run.path("losses")).hasSize(2);
  }

  @Test
  void runThatHasNotTrainedYetHasAPage() throws IOException {
    Files.delete(folder.resolve("sparse/metrics.jsonl"));
    JsonNode run = data(Report.of(folder.resolve("sparse")).html()).at("/runs/0");
    assertThat(run.path("loss").isNull()).isTrue();
    assertThat(run.path("nonzeros").isNull()).isTrue();
    assertThat(run.at("/curves/train")).isEmpty();
  }

  @Test
  void longCurvesAreThinnedToTheirMeans() {
    List<double[]> points =
        IntStream.range(0, 10_000).mapToObj(i -> new double[] {i, i % 2}).toList();
    List<double[]> thinned = RunView.thin(points);
    assertThat(thinned).hasSize(300);
    assertThat(thinned.getLast()).containsExactly(9_999, 1);
    assertThat(thinned.subList(0, 299)).allMatch(point -> point[1] > 0.4 && point[1] < 0.6);
    assertThat(RunView.thin(points.subList(0, 300))).isEqualTo(points.subList(0, 300));
  }

  @Test
  void pageIsOneFileAndTextFromOutsideIsInItsDataBlockOnly() {
    String page = Report.of(folder).html();
    assertThat(page)
        .doesNotContain("onerror=\"document")
        .doesNotContain("src=\"")
        .doesNotContain("rel=\"stylesheet\"")
        .doesNotContain("http-equiv=\"refresh")
        .doesNotContain("\u2028");
    assertThat(page.split("<script", -1)).hasSize(1 + 5);
    assertThat(page.split("</script", -1)).hasSize(1 + 5);
    Matcher data = DATA.matcher(page);
    assertThat(data.find()).isTrue();
    assertThat(data.group(1)).doesNotContain("<", ">", "&");
    assertThat(data(page).toString()).contains("onerror=");
    assertThat(page.length() - data.group(1).length()).isLessThan(1_000_000);
  }

  @Test
  void folderThatIsNeitherIsRefused() throws IOException {
    assertThatThrownBy(() -> Report.of(folder.resolve("none"))).isInstanceOf(RunException.class);
    assertThatThrownBy(() -> Report.newest(folder.resolve("none")))
        .isInstanceOf(RunException.class);
    Path broken = folder.resolve("sparse/circuits/single_double_quote.json");
    Files.writeString(broken, "{}");
    assertThatThrownBy(() -> Report.of(folder))
        .isInstanceOf(RunException.class)
        .hasMessageContaining("single_double_quote.json");
  }

  @Test
  void newestFolderMayBeAPairOfRuns() throws IOException {
    Path runs = folder.resolve("runs");
    Path older = runs.resolve("older");
    Path pair = runs.resolve("pair");
    SampleRuns.quickstart(older);
    SampleRuns.quickstart(pair);
    for (String run : List.of("sparse", "dense")) {
      for (String file : List.of("run.json", "metrics.jsonl")) {
        assertThat(older.resolve(run).resolve(file).toFile().setLastModified(1_000_000)).isTrue();
      }
    }
    assertThat(Report.newest(runs).folder()).isEqualTo(pair);
  }

  private static JsonNode data(String page) {
    Matcher data = DATA.matcher(page);
    assertThat(data.find()).isTrue();
    return Json.parse(data.group(1));
  }
}
