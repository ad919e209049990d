// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.filigree.circuit.Grade;
import dev.filigree.experiment.QuickstartResult.Pretraining;
import dev.filigree.experiment.QuickstartResult.Side;
import dev.filigree.experiment.QuickstartResult.TaskRow;
import dev.filigree.json.Json;
import java.util.List;
import org.junit.jupiter.api.Test;

class QuickstartResultTest {
  private static final Side SPARSE = new Side(0.004, 0.02, 0.03, 20, 30, true, true, true, Grade.C);
  private static final Side DENSE = new Side(0.05, 0.04, 0.06, 80, 240, true, false, true, Grade.D);
  private static final Side INSUFFICIENT =
      new Side(0.05, 0.2, 0.4, 80, 240, false, false, false, Grade.F);
  private static final Side NOT_LEARNT =
      new Side(0.5, null, null, null, null, false, false, false, Grade.F);

  @Test
  void ratiosNeedTwoSufficientCircuitsInModelsThatMatch() {
    TaskRow row = TaskRow.of("for_while", SPARSE, DENSE, true);
    assertThat(row.nodeRatio()).isEqualTo(4);
    assertThat(row.edgeRatio()).isEqualTo(8);
    for (TaskRow none :
        List.of(
            TaskRow.of("for_while", SPARSE, DENSE, false),
            TaskRow.of("for_while", SPARSE, INSUFFICIENT, true),
            TaskRow.of("for_while", INSUFFICIENT, DENSE, true),
            TaskRow.of("for_while", SPARSE, NOT_LEARNT, true),
            TaskRow.of("for_while", Side.IMPOSSIBLE, Side.IMPOSSIBLE, true))) {
      assertThat(none.nodeRatio()).isNull();
      assertThat(none.edgeRatio()).isNull();
    }
  }

  @Test
  void aDenseModelMatchesOnceItPredictsAsWell() {
    assertThat(new Pretraining(2.9, 2.9).matched()).isTrue();
    assertThat(new Pretraining(2.9, 2.91).matched()).isFalse();
  }

  @Test
  void isOneObjectWithTheseKeys() {
    QuickstartResult result =
        new QuickstartResult(
            729, new Pretraining(2.9, 2.89), List.of(TaskRow.of("a", SPARSE, DENSE, true)));
    JsonNode json = Json.tree(result);
    assertThat(json.fieldNames()).toIterable().containsExactly("seconds", "pretraining", "tasks");
    assertThat(json.path("pretraining").fieldNames())
        .toIterable()
        .containsExactly("sparse_loss", "dense_loss");
    assertThat(json.at("/tasks/0").fieldNames())
        .toIterable()
        .containsExactly("task", "sparse", "dense", "node_ratio", "edge_ratio");
    for (String side : List.of("sparse", "dense")) {
      assertThat(json.at("/tasks/0/" + side).fieldNames())
          .toIterable()
          .containsExactly(
              "model_loss_final",
              "loss_validation",
              "loss_final",
              "nodes",
              "edges",
              "sufficient",
              "necessary",
              "holds",
              "grade");
    }
    assertThat(Json.read(json.toString(), QuickstartResult.class)).isEqualTo(result);
  }
}
