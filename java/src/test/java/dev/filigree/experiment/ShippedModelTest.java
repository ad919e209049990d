// SPDX-License-Identifier: Apache-2.0
package dev.filigree.experiment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.CircuitMask;
import dev.filigree.Engine;
import dev.filigree.Model;
import dev.filigree.TaskStats;
import dev.filigree.circuit.Checks;
import dev.filigree.circuit.Circuit;
import dev.filigree.circuit.Drift;
import dev.filigree.circuit.Estimate;
import dev.filigree.circuit.Evidence;
import dev.filigree.circuit.LiveNodes;
import dev.filigree.circuit.Trace;
import dev.filigree.json.Json;
import dev.filigree.task.Task;
import dev.filigree.task.Tasks;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What Filigree comes with is what docs/shipped.md says it is, here as where it was made. */
@Tag("native")
class ShippedModelTest {
  private static final String TASK = "single_double_quote";
  private static final int MOST_BYTES = 6_000_000;
  private static final int LEAST_TASKS = 12;

  /** Of losses, between processors that add up in another order. */
  private static final double ROUNDING = 0.01;

  @TempDir static Path cache;

  private static Engine engine;
  private static Experiment shipped;

  /** As it came, before a test checks a circuit again. */
  private static final List<Evidence> recorded = new ArrayList<>();

  @BeforeAll
  static void open() {
    System.setProperty(ShippedModel.CACHE, cache.toString());
    engine = Engine.open();
    shipped = Experiment.shipped();
    for (Task task : Tasks.all()) {
      shipped.folder().readEvidence(task.name()).ifPresent(recorded::add);
    }
  }

  @AfterAll
  static void close() {
    engine.close();
    System.clearProperty(ShippedModel.CACHE);
  }

  @Test
  void isSmallEnoughToComeAlong() throws IOException {
    try (InputStream in =
        ShippedModel.class.getResourceAsStream("/dev/filigree/shipped/model.zip")) {
      assertThat(in.readAllBytes().length).isLessThanOrEqualTo(MOST_BYTES);
    }
  }

  @Test
  void saysHowItWasMade() {
    assertThat(shipped.folder().manifest().path("git").asText()).matches("[0-9a-f]{40}");
    assertThat(shipped.folder().manifest().path("preset").asText()).isEqualTo("small");
    assertThat(shipped.folder().manifest().at("/teacher/run").asText())
        .isEqualTo("shipped-teacher");
    assertThat(shipped.folder().config())
        .isEqualTo(
            Presets.SMALL
                .config()
                .with("train.distill.weight", "0.5")
                .with("train.steps", "20000"));
    assertThat(shipped.folder().result()).isPresent();
  }

  @Test
  void circuitsOfTwelveTasksHoldByTheirEvidence() {
    assertThat(recorded).filteredOn(Evidence::holds).hasSizeGreaterThanOrEqualTo(LEAST_TASKS);
  }

  @Test
  void everyCircuitHasEvidenceAboutItself() {
    assertThat(recorded)
        .extracting(Evidence::task)
        .containsExactlyInAnyOrderElementsOf(shipped.folder().circuits());
    assertThat(recorded)
        .allSatisfy(
            evidence -> {
              Circuit circuit = shipped.folder().readCircuit(evidence.task()).orElseThrow();
              assertThat(evidence.edges()).isEqualTo(circuit.counts().edges());
              assertThat(evidence.source()).isEqualTo(circuit.source());
            });
  }

  @Test
  void evidenceComesOutAgain() {
    Evidence then =
        recorded.stream().filter(one -> one.task().equals(TASK)).findFirst().orElseThrow();
    Evidence now;
    try (CircuitSearch search = shipped.circuits(engine, Progress.SILENT)) {
      now = search.evidence(TASK, Effort.QUICK, true);
    }
    assertThat(now.holds()).isTrue();
    assertThat(now.modelLoss()).isCloseTo(then.modelLoss(), within(ROUNDING));
    assertThat(now.lossFinal()).isCloseTo(then.lossFinal(), within(ROUNDING));
    assertThat(now.checks().necessary().loss().mean())
        .isCloseTo(then.checks().necessary().loss().mean(), within(ROUNDING));
  }

  @Test
  void everyCircuitComesToItsRecordedLossAgain() {
    try (CircuitSearch search = shipped.circuits(engine, Progress.SILENT)) {
      for (Evidence evidence : recorded) {
        Circuit circuit = shipped.folder().readCircuit(evidence.task()).orElseThrow();
        CircuitConfig how = new EvidenceRun(search).searchOf(circuit);
        try (TaskExamples examples = search.examples(search.task(evidence.task()), how)) {
          float[] differences =
              search.model().differences(examples.last(), search.mask(circuit, how));
          assertThat(Estimate.ofPairs(circuit.calibration().losses(differences)).mean())
              .as(evidence.task())
              .isCloseTo(evidence.lossFinal(), within(ROUNDING));
        }
      }
    }
  }

  @Test
  void circuitForetellsVariantsAndDoesWithTwoValues() {
    String task = "bracket_counting";
    try (CircuitSearch search = shipped.circuits(engine, Progress.SILENT)) {
      Circuit circuit = shipped.folder().readCircuit(task).orElseThrow();
      CircuitConfig how = new EvidenceRun(search).searchOf(circuit);
      try (TaskExamples examples = search.examples(search.task(task), how)) {
        CostlyChecks costly =
            new CostlyChecks(
                search, subject(search, circuit, how, examples, search.mask(circuit, how)));
        Checks.Variants variants = costly.variants();
        assertThat(variants.variants()).hasSize(search.task(task).variants().size()).isNotEmpty();
        assertThat(variants.passed()).isNotNull();
        // The first level is the ordinary prompt, which both answer rightly.
        assertThat(variants.variants())
            .allSatisfy(
                variant -> {
                  assertThat(variant.levels().getFirst().circuit().mean()).isGreaterThan(0.8);
                  assertThat(variant.levels().getFirst().model().mean()).isGreaterThan(0.8);
                });
        Checks.Binarised binarised = costly.binarised();
        assertThat(binarised.levels())
            .extracting(Checks.Levels::node)
            .containsExactlyElementsOf(circuit.nodes().stream().map(Circuit.Node::index).toList());
        assertThat(binarised.loss().mean()).isLessThan(0.693);
      }
    }
  }

  private static Subject subject(
      CircuitSearch search,
      Circuit circuit,
      CircuitConfig how,
      TaskExamples examples,
      CircuitMask mask) {
    TaskStats fit = search.model().calibrate(examples.train());
    return new Subject(
        search.task(circuit.task()),
        circuit,
        how,
        examples,
        mask,
        circuit.calibration(),
        fit.calibration(),
        search.whole(examples, fit),
        LiveNodes.of(search.model(), search.means(how)));
  }

  /** Interventions tell the circuit from as many other nodes that are no less alive. */
  @Test
  void circuitPassesWhereAsManyOtherLiveNodesFail() {
    try (CircuitSearch search = shipped.circuits(engine, Progress.SILENT)) {
      Circuit circuit = shipped.folder().readCircuit(TASK).orElseThrow();
      CircuitConfig how = new EvidenceRun(search).searchOf(circuit);
      try (TaskExamples examples = search.examples(search.task(TASK), how);
          Slices slices = new Slices(search.model(), examples)) {
        float[] ofModel = search.model().differences(examples.last());
        CircuitMask mask = search.mask(circuit, how);
        Subject own = subject(search, circuit, how, examples, mask);
        InterventionChecks real = new InterventionChecks(search, own, slices);
        assertThat(real.necessary().passed()).isTrue();
        assertThat(real.necessary().live().loss().mean()).isLessThan(Checks.NECESSARY_LOSS);
        assertThat(real.interchange(ofModel).passed()).isTrue();
        assertThat(real.relaxation().passed()).isTrue();
        assertThat(real.ablations(false).nodes()).anyMatch(node -> node.circuit().mean() > 0.1);

        boolean[] others = new boolean[mask.keep().length];
        SplittableRandom random = new SplittableRandom(5);
        for (int left = circuit.nodes().size(); left > 0; ) {
          int node = random.nextInt(others.length);
          if (own.live()[node] && !mask.keep()[node] && !others[node]) {
            others[node] = true;
            left--;
          }
        }
        InterventionChecks wrong =
            new InterventionChecks(
                search, subject(search, circuit, how, examples, mask.withNodes(others)), slices);
        assertThat(wrong.necessary().passed()).isFalse();
        assertThat(wrong.interchange(ofModel).passed()).isFalse();
        assertThat(wrong.interchange(ofModel).flipped()).isLessThan(0.2);
        assertThat(wrong.resample().passed()).isFalse();
      }
    }
  }

  @Test
  void checkSeesThatAnEdgeOfTheCircuitIsGone(@TempDir Path folder) throws IOException {
    Path circuits = shipped.folder().circuit(TASK);
    Circuit circuit = Circuit.read(circuits);
    Path damaged = withoutAttention(folder);
    assertThat(circuit.nodes()).anyMatch(node -> node.layer() == 0);
    Drift drift = check(circuits, damaged);
    assertThat(drift.drifted()).isTrue();
    assertThat(drift.beyond())
        .extracting(Drift.Item::name)
        .contains("loss_final", "check:sufficient", "check:interchange");
    assertThat(edgesLost(drift)).isEqualTo(edgesToAttention(circuit));
    assertThat(check(circuits, shipped.folder().checkpoints().last().path()).beyond()).isEmpty();
  }

  @Test
  void edgesThatAreGoneAreMissedInACircuitOfAllEdgesToo(@TempDir Path folder) throws IOException {
    // As the published method finds them: evaluated with every weight between the nodes, of which
    // there may be more than were recorded.
    Circuit circuit = Circuit.read(shipped.folder().circuit(TASK));
    ObjectNode json = (ObjectNode) Json.tree(circuit);
    ((ObjectNode) json.get("config")).put("method", "published");
    Path file = Files.writeString(folder.resolve("published.json"), json.toString());
    Drift drift = check(file, withoutAttention(folder.resolve("damaged")));
    assertThat(edgesLost(drift)).isEqualTo(edgesToAttention(circuit));
  }

  /** The model without what the first layer's attention writes, which this circuit is made of. */
  private static Path withoutAttention(Path folder) throws IOException {
    Checkpoints.Checkpoint own = shipped.folder().checkpoints().last();
    return new Checkpoints(folder)
        .write(
            own.step(),
            to -> {
              try (Model model =
                  engine.loadModel(own.path(), shipped.folder().config().init().execution())) {
                String tensor = "transformer.h.0.attn.c_proj.weight";
                model.writeTensor(tensor, new float[model.readTensor(tensor).length]);
                model.save(to);
              }
            })
        .path();
  }

  private static long edgesToAttention(Circuit circuit) {
    Set<Integer> written =
        circuit.nodes().stream()
            .filter(node -> node.layer() == 0 && node.kind().equals("attn_out"))
            .map(Circuit.Node::index)
            .collect(Collectors.toSet());
    long edges = circuit.edges().stream().filter(e -> written.contains(e.target())).count();
    assertThat(edges).isPositive();
    return edges;
  }

  private static long edgesLost(Drift drift) {
    Drift.Change edges =
        drift.items().stream()
            .filter(item -> item.name().equals("edges"))
            .map(Drift.Change.class::cast)
            .findFirst()
            .orElseThrow();
    return edges.recorded().longValue() - edges.now().longValue();
  }

  private static Drift check(Path circuit, Path checkpoint) {
    CheckRun run = CheckRun.of(shipped.folder().path(), checkpoint.toString());
    try (CheckRun.Session session = run.open(engine, List.of(), Progress.SILENT)) {
      return session.check(circuit, Effort.QUICK, Drift.LOSS_TOLERANCE);
    }
  }

  @Test
  void predictsTextAsItsRecordSays() {
    EvalRun.Result result = shipped.evaluate(engine, OptionalLong.empty());
    assertThat(result.loss())
        .isCloseTo(shipped.folder().result().orElseThrow().testXent(), within(ROUNDING));
  }

  @Test
  void tracesAPrompt() {
    Trace trace = shipped.trace(engine, TASK, "print('abc");
    assertThat(trace.circuit().difference() > 0).isEqualTo(trace.model().difference() > 0);
    assertThat(trace.nodes()).isNotEmpty();
    assertThat(trace.edges()).isNotEmpty();
    assertThat(trace.edges()).anyMatch(edge -> Math.abs(edge.circuitDelta()) > 0.1);
  }

  @Test
  void partsOfTheReadoutAddUpToTheLogits() {
    Trace.Readout readout = shipped.trace(engine, TASK, "print('abc").readout();
    assertThat(readout.channels()).isNotEmpty();
    assertThat(
            readout.channels().stream().mapToDouble(Trace.Channel::push).sum()
                + readout.embedding()
                + readout.means()
                + readout.bias()
                + readout.bigram())
        .isCloseTo(readout.difference(), within(1e-4 * (1 + Math.abs(readout.difference()))));
  }

  @Test
  void whatPassesThroughTheEdgeOfAValueIsWhatItsHeadBrings() {
    Trace trace = shipped.trace(engine, TASK, "print('abc");
    int compared = 0;
    for (Trace.Passage edge : trace.edges()) {
      for (Trace.Head head : trace.heads()) {
        for (Trace.Move move : head.moves()) {
          if (move.node() == edge.source() && head.query() == edge.position()) {
            double mean =
                trace.nodes().stream()
                    .filter(node -> node.node() == move.node())
                    .mapToDouble(Trace.Activity::mean)
                    .sum();
            double brought = move.total() - mean * (1 - head.sink());
            assertThat(edge.passed()).isCloseTo(edge.weight() * brought, within(ROUNDING));
            compared++;
          }
        }
      }
    }
    assertThat(compared).isPositive();
  }
}
