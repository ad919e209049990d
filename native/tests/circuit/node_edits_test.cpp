// SPDX-License-Identifier: Apache-2.0
#include "circuit/node_edits.hpp"

#include <ATen/ops/equal.h>
#include <ATen/ops/where.h>

#include "circuit/circuit_fixture.hpp"

namespace filigree {
namespace {

using NodeEdits = CircuitFixture;

std::vector<std::int64_t> nodes_of(const at::Tensor& gates, std::int64_t stride) {
    std::vector<std::int64_t> nodes;
    for (std::int64_t i = 0; i < gates.numel(); i += stride) {
        if (gates.data_ptr<float>()[i] != 0.0F) nodes.push_back(i);
    }
    return nodes;
}

std::vector<NodeEdit> ablations(const CircuitMask& mask, const std::vector<std::int64_t>& nodes) {
    std::vector<NodeEdit> edits;
    for (const auto node : nodes) {
        const auto mean = mask.means.data_ptr<float>()[node];
        edits.push_back({node, 0.0F, mean, mean});
    }
    return edits;
}

TEST_F(NodeEdits, AblationsAreThoseOfCircuitsWithoutTheNode) {
    const auto nodes = nodes_of(mask_.gates, 5);
    ASSERT_GT(nodes.size(), 40U);
    const auto found = run_edits(examples_, mask_, ablations(mask_, nodes));
    const auto before = run(mask_);
    int moved = 0;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        CircuitMask without = {mask_.gates.clone(), mask_.means};
        without.gates.select(0, nodes[i]).fill_(0.0);
        const auto expected = run(without);
        for (std::size_t row = 0; row < expected.size(); ++row) {
            const auto* values = found.select(0, static_cast<std::int64_t>(i)).const_data_ptr<float>();
            // The same arithmetic on a batch of another size.
            EXPECT_NEAR(values[row], expected[row].difference, 2e-5) << "node " << nodes[i] << " row " << row;
            moved += std::abs(expected[row].difference - before[row].difference) > 1e-3 ? 1 : 0;
        }
    }
    EXPECT_GT(moved, 20) << "too few nodes mattered for this test to mean anything";
}

TEST_F(NodeEdits, OrderAndNumberOfEditsDoNotMatter) {
    auto nodes = nodes_of(whole().gates, 3);
    const auto forwards = run_edits(examples_, whole(), ablations(mask_, nodes));
    std::reverse(nodes.begin(), nodes.end());
    const auto backwards = run_edits(examples_, whole(), ablations(mask_, nodes));
    EXPECT_LT((forwards - backwards.flip(0)).abs().max().item<double>(), 2e-5);
}

/// Makes one channel one of two values.
class Step : public CircuitHook {
public:
    Step(const CircuitMask& mask, NodeEdit edit) : CircuitHook(mask), edit_(edit) {}
    at::Tensor at_site(const Site& site, at::Tensor x) override {
        const auto channel = edit_.node - site.offset;
        if (channel >= 0 && channel < site.width) {
            auto values = x.select(2, channel);
            values.copy_((values < edit_.threshold) * edit_.low + (values >= edit_.threshold) * edit_.high);
        }
        return x;
    }

private:
    NodeEdit edit_;
};

TEST_F(NodeEdits, StepsAreTakenPositionByPosition) {
    std::vector<NodeEdit> edits;
    for (const auto node : nodes_of(mask_.gates, 11)) edits.push_back({node, 0.05F, -0.5F, 0.75F});
    const auto found = run_edits(examples_, mask_, edits);
    for (std::size_t i = 0; i < edits.size(); ++i) {
        Step hook(mask_, edits[i]);
        const auto expected = run_task(examples_, &hook).sequences;
        for (std::size_t row = 0; row < expected.size(); ++row) {
            EXPECT_NEAR(found.select(0, static_cast<std::int64_t>(i)).const_data_ptr<float>()[row],
                        expected[row].difference, 2e-5);
        }
    }
}

TEST_F(NodeEdits, NormsStayFrozen) {
    auto frozen = mask_;
    frozen.frozen_norms = true;
    const auto nodes = nodes_of(mask_.gates, 9);
    const auto found = run_edits(examples_, frozen, ablations(frozen, nodes));
    const auto own = run_edits(examples_, mask_, ablations(mask_, nodes));
    EXPECT_GT((found - own).abs().max().item<double>(), 1e-3) << "frozen norms are not those of the circuit";
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        auto without = frozen;
        without.gates = frozen.gates.clone();
        without.gates.select(0, nodes[i]).fill_(0.0);
        const auto expected = run(without);
        for (std::size_t row = 0; row < expected.size(); ++row) {
            EXPECT_NEAR(found.select(0, static_cast<std::int64_t>(i)).const_data_ptr<float>()[row],
                        expected[row].difference, 2e-5);
        }
    }
}

}  // namespace
}  // namespace filigree
