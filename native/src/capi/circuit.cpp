// SPDX-License-Identifier: Apache-2.0
#include <filigree/filigree.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <vector>

#include "capi/task_arguments.hpp"
#include "circuit/binarisation.hpp"
#include "circuit/circuit_mask.hpp"
#include "circuit/donors.hpp"
#include "circuit/edge_circuit.hpp"
#include "circuit/edges.hpp"
#include "circuit/node_edits.hpp"
#include "circuit/recording.hpp"
#include "circuit/token_choice.hpp"

using namespace filigree;
using namespace filigree::capi;

namespace {

/// @throws FG_INVALID_ARGUMENT.
void require_vocabulary(const Model& model, std::uint64_t vocab_size) {
    FG_EXPECTS(vocab_size == static_cast<std::uint64_t>(model.config().vocab_size), FG_INVALID_ARGUMENT,
               "vocab_size is ", vocab_size, ", the model's is ", model.config().vocab_size);
}

/// Check a circuit; NULL is the whole model. @throws FG_INVALID_ARGUMENT.
void check_circuit(const Model& model, const fg_circuit* circuit) {
    if (circuit == nullptr) {
        return;
    }
    FG_EXPECTS(circuit->struct_size == sizeof(fg_circuit), FG_INVALID_ARGUMENT, "struct_size of the circuit is ",
               circuit->struct_size, ", this library expects ", sizeof(fg_circuit));
    require_nodes(model, circuit->nodes);
    require(circuit->keep, "keep");
    require(circuit->means, "means");
    check_keep(circuit->keep, circuit->nodes);
    check_means(circuit->means, circuit->nodes);
    FG_EXPECTS(circuit->frozen_norms <= 1, FG_INVALID_ARGUMENT, "frozen_norms is ", circuit->frozen_norms,
               ", not 0 or 1");
    if (circuit->tokens != nullptr) {
        require(circuit->embedding, "embedding");
        require_vocabulary(model, circuit->vocab_size);
        check_keep(circuit->tokens, circuit->vocab_size);
    }
    if (circuit->embedding != nullptr) {
        FG_EXPECTS(circuit->d_model == static_cast<std::uint64_t>(model.config().d_model), FG_INVALID_ARGUMENT,
                   "d_model is ", circuit->d_model, ", the model's is ", model.config().d_model);
        check_means(circuit->embedding, circuit->d_model);
    }
}

/// The edges of a circuit that lists them. @throws FG_INVALID_ARGUMENT.
EdgeCircuit listed_edges(const Model& model, const fg_circuit* circuit) {
    EdgeCircuit listed{{circuit->keep, circuit->keep + circuit->nodes}, std::vector<Edge>()};
    for (std::uint64_t i = 0; i < circuit->n_edges; ++i) {
        listed.edges->push_back({circuit->edges[i].source, circuit->edges[i].target, circuit->edges[i].weight});
    }
    check_circuit(model, listed);
    return listed;
}

/// A circuit on the model's device. @throws FG_INVALID_ARGUMENT.
CircuitMask upload(const Model& model, const fg_circuit* circuit) {
    check_circuit(model, circuit);
    if (circuit == nullptr) {
        return {};
    }
    CircuitMask mask;
    mask.gates = upload_nodes(model, circuit->keep);
    mask.means = upload_nodes(model, circuit->means);
    mask.frozen_norms = circuit->frozen_norms != 0;
    if (circuit->edges != nullptr) {
        mask.weights =
            std::make_shared<const EditedWeights>(circuit_weights(model, listed_edges(model, circuit), mask.means));
    }
    if (circuit->embedding != nullptr) {
        auto host = at::empty({model.config().d_model}, at::kFloat);
        std::copy_n(circuit->embedding, host.numel(), host.mutable_data_ptr<float>());
        mask.embedding = host.to(model.device());
    }
    if (circuit->tokens != nullptr) {
        auto host = at::empty({model.config().vocab_size}, at::kBool);
        std::copy_n(circuit->tokens, host.numel(), host.mutable_data_ptr<bool>());
        mask.tokens = host.to(model.device());
    }
    return mask;
}

CircuitMask upload_required(const Model& model, const fg_circuit* circuit) {
    require(circuit, "circuit");
    return upload(model, circuit);
}

/// Run the examples through a circuit.
TaskOutputs run_circuit(const Examples& examples, const fg_circuit* circuit) {
    CircuitHook hook(upload(*examples.model, circuit));
    return run_task(examples, circuit == nullptr ? nullptr : &hook);
}

/// @throws FG_INVALID_ARGUMENT unless `count` is that of an output of this shape.
void require_count(std::uint64_t count, std::int64_t expected, const char* what) {
    FG_EXPECTS(count == static_cast<std::uint64_t>(expected), FG_INVALID_ARGUMENT, "count is ", count, ", ", what,
               " are ", expected);
}

std::vector<std::int64_t> checked_nodes(const Model& model, const std::uint32_t* nodes, std::uint64_t n) {
    require(nodes, "nodes");
    std::vector<std::int64_t> checked(nodes, nodes + to_size(n, "n"));
    for (const auto node : checked) {
        FG_EXPECTS(node < model.nodes().size(), FG_INVALID_ARGUMENT, "node ", node, " is not one of the model's ",
                   model.nodes().size());
    }
    return checked;
}

void copy_out(const at::Tensor& host, float* out_values) {
    std::copy_n(host.const_data_ptr<float>(), host.numel(), out_values);
}

void copy_out(const std::vector<ScoredSequence>& sequences, float* out_differences) {
    std::transform(sequences.begin(), sequences.end(), out_differences,
                   [](const ScoredSequence& sequence) { return static_cast<float>(sequence.difference); });
}

std::int64_t count_nodes(const Model& model, const fg_circuit* circuit) {
    return circuit == nullptr ? model.nodes().size() : std::count(circuit->keep, circuit->keep + circuit->nodes, 1);
}

Calibration checked_calibration(double scale, double shift) {
    FG_EXPECTS(std::isfinite(scale) && std::isfinite(shift), FG_INVALID_ARGUMENT, "scale and shift must be finite");
    return {scale, shift};
}

/// Score a circuit with a calibration, or with one fitted here.
void evaluate(fg_model* model, fg_examples* examples, const fg_circuit* circuit,
              const std::optional<Calibration>& given, fg_task_stats* out_stats) {
    const auto object = object_of(model);
    const Occupied lock(*object);
    const auto chosen = examples_for(*object, examples);
    require_stats(out_stats);
    const auto outputs = run_circuit(*chosen, circuit);
    fill(out_stats, score_task(outputs, given ? *given : fit_calibration(outputs.sequences)),
         count_nodes(*object, circuit), chosen->sequences());
}

}  // namespace

fg_status fg_circuit_evaluate(fg_model* model, fg_examples* examples, const fg_circuit* circuit, double scale,
                              double shift, fg_task_stats* out_stats) {
    return guard([&] { evaluate(model, examples, circuit, checked_calibration(scale, shift), out_stats); });
}

fg_status fg_circuit_calibrate(fg_model* model, fg_examples* examples, const fg_circuit* circuit,
                               fg_task_stats* out_stats) {
    return guard([&] { evaluate(model, examples, circuit, std::nullopt, out_stats); });
}

fg_status fg_circuit_differences(fg_model* model, fg_examples* examples, const fg_circuit* circuit, uint64_t count,
                                 float* out_differences) {
    return guard([&] {
        const auto object = object_of(model);
        const Occupied lock(*object);
        const auto chosen = examples_for(*object, examples);
        require(out_differences, "out_differences");
        require_count(count, chosen->sequences(), "the sequences of the examples");
        copy_out(run_circuit(*chosen, circuit).sequences, out_differences);
    });
}

fg_status fg_circuit_edges(fg_model* model, const uint8_t* keep, uint64_t nodes, fg_buffer** out_edges) {
    return guard([&] {
        const auto object = object_of(model);
        const Occupied lock(*object);
        require(keep, "keep");
        require(out_edges, "out_edges");
        require_nodes(*object, nodes);
        check_keep(keep, nodes);
        *out_edges = make_edge_buffer(circuit_edges(*object, keep));
    });
}

fg_status fg_circuit_tokens(fg_model* model, fg_examples* train, fg_examples* validation, const fg_circuit* circuit,
                            double target_loss, uint32_t calibrate, uint64_t vocab_size, uint8_t* out_tokens,
                            fg_found_circuit* out_found) {
    return guard([&] {
        const auto object = object_of(model);
        const Occupied lock(*object);
        const auto learnt_on = examples_for(*object, train);
        const auto chosen_on = examples_for(*object, validation);
        FG_EXPECTS(target_loss > 0.0, FG_INVALID_ARGUMENT, "target_loss must be above 0");
        FG_EXPECTS(calibrate <= 1, FG_INVALID_ARGUMENT, "calibrate is ", calibrate, ", not 0 or 1");
        require_vocabulary(*object, vocab_size);
        require(out_tokens, "out_tokens");
        require_stats(out_found);
        const auto mask = upload_required(*object, circuit);
        require(circuit->embedding, "embedding");
        const auto choice = choose_tokens(*learnt_on, *chosen_on, mask, target_loss, calibrate != 0);
        std::copy(choice.keep.begin(), choice.keep.end(), out_tokens);
        out_found->reached = choice.verdict.loss <= target_loss ? 1 : 0;
        out_found->scale = choice.verdict.calibration.scale;
        out_found->shift = choice.verdict.calibration.shift;
    });
}

fg_status fg_circuit_with_donors(fg_model* model, fg_examples* examples, const fg_circuit* circuit,
                                 const uint32_t* donors, uint64_t count, float* out_differences) {
    return guard([&] {
        const auto object = object_of(model);
        const Occupied lock(*object);
        const auto chosen = examples_for(*object, examples);
        require(donors, "donors");
        require(out_differences, "out_differences");
        const auto mask = upload_required(*object, circuit);
        require_count(count, chosen->sequences(), "the sequences of the examples");
        auto host = at::empty({chosen->sequences()}, at::kLong);
        for (std::uint64_t i = 0; i < count; ++i) {
            FG_EXPECTS(donors[i] < count, FG_INVALID_ARGUMENT, "the donor of sequence ", i, " is ", donors[i], " of ",
                       count);
            host.mutable_data_ptr<std::int64_t>()[i] = donors[i];
        }
        copy_out(run_with_donors(*chosen, mask.gates, host.to(object->device()), mask.frozen_norms), out_differences);
    });
}

fg_status fg_circuit_ablations(fg_model* model, fg_examples* examples, const fg_circuit* circuit, const uint32_t* nodes,
                               uint64_t n, uint64_t count, float* out_differences) {
    return guard([&] {
        const auto object = object_of(model);
        const Occupied lock(*object);
        const auto chosen = examples_for(*object, examples);
        require(out_differences, "out_differences");
        const auto mask = upload_required(*object, circuit);
        std::vector<NodeEdit> edits;
        for (const auto node : checked_nodes(*object, nodes, n)) {
            edits.push_back({node, 0.0F, circuit->means[node], circuit->means[node]});
        }
        require_count(count, static_cast<std::int64_t>(edits.size()) * chosen->sequences(), "n times the sequences");
        copy_out(run_edits(*chosen, mask, edits), out_differences);
    });
}

fg_status fg_circuit_activations(fg_model* model, fg_examples* examples, const fg_circuit* circuit,
                                 const uint32_t* nodes, uint64_t n, uint64_t count, float* out_values) {
    return guard([&] {
        const auto object = object_of(model);
        const Occupied lock(*object);
        const auto chosen = examples_for(*object, examples);
        require(out_values, "out_values");
        const auto mask = upload(*object, circuit);
        const auto indices = checked_nodes(*object, nodes, n);
        require_count(count, static_cast<std::int64_t>(indices.size()) * chosen->tokens.numel(),
                      "n times the sequences times their length");
        copy_out(record_nodes(*chosen, mask, indices), out_values);
    });
}

fg_status fg_circuit_attention(fg_model* model, fg_examples* examples, const fg_circuit* circuit, uint64_t layer,
                               uint64_t head, uint64_t count, float* out_weights) {
    return guard([&] {
        const auto object = object_of(model);
        const Occupied lock(*object);
        const auto chosen = examples_for(*object, examples);
        require(out_weights, "out_weights");
        const auto mask = upload(*object, circuit);
        const auto& config = object->config();
        FG_EXPECTS(
            layer < static_cast<std::uint64_t>(config.n_layer) && head < static_cast<std::uint64_t>(config.n_head),
            FG_INVALID_ARGUMENT, "there is no head ", head, " in layer ", layer);
        require_count(count, chosen->tokens.numel() * (chosen->tokens.size(1) + 1),
                      "the sequences times length times (length + 1)");
        copy_out(record_attention(*chosen, mask, static_cast<std::int64_t>(layer), static_cast<std::int64_t>(head)),
                 out_weights);
    });
}

fg_status fg_circuit_binarise(fg_model* model, fg_examples* examples, const fg_circuit* circuit,
                              const char* config_json, double scale, double shift, uint64_t nodes, float* out_low,
                              float* out_high) {
    return guard([&] {
        const auto object = object_of(model);
        const Occupied lock(*object);
        const auto chosen = examples_for(*object, examples);
        require(config_json, "config_json");
        require(out_low, "out_low");
        require(out_high, "out_high");
        require_nodes(*object, nodes);
        const auto mask = upload_required(*object, circuit);
        const auto levels =
            binarise(*chosen, mask, checked_calibration(scale, shift), parse_binarisation_config(config_json));
        copy_out(levels.low.to(at::kCPU), out_low);
        copy_out(levels.high.to(at::kCPU), out_high);
    });
}

fg_status fg_circuit_binarised(fg_model* model, fg_examples* examples, const fg_circuit* circuit, const float* low,
                               const float* high, uint64_t nodes, uint64_t count, float* out_differences) {
    return guard([&] {
        const auto object = object_of(model);
        const Occupied lock(*object);
        const auto chosen = examples_for(*object, examples);
        require(low, "low");
        require(high, "high");
        require(out_differences, "out_differences");
        require_nodes(*object, nodes);
        const auto mask = upload_required(*object, circuit);
        require_count(count, chosen->sequences(), "the sequences of the examples");
        const BinaryLevels levels = {upload_nodes(*object, low), upload_nodes(*object, high)};
        copy_out(run_binarised(*chosen, mask, levels).sequences, out_differences);
    });
}

fg_status fg_calibration_fit(const float* differences, uint64_t count, double* out_scale, double* out_shift) {
    return guard([&] {
        require(differences, "differences");
        require(out_scale, "out_scale");
        require(out_shift, "out_shift");
        FG_EXPECTS(count >= 2 && count % 2 == 0, FG_INVALID_ARGUMENT, "count is ", count, ", two for every pair");
        std::vector<ScoredSequence> sequences;
        for (std::uint64_t i = 0; i < count; ++i) {
            FG_EXPECTS(std::isfinite(differences[i]), FG_INVALID_ARGUMENT, "difference ", i, " is not finite");
            sequences.push_back({differences[i], i % 2 == 0 ? 1.0 : -1.0});
        }
        const auto fit = fit_calibration(sequences);
        *out_scale = fit.scale;
        *out_shift = fit.shift;
    });
}
