// SPDX-License-Identifier: Apache-2.0
#include "prune/task_score.hpp"

#include <ATen/ops/arange.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "ops/cross_entropy.hpp"

namespace filigree {

std::optional<ForwardHook::Ablation> GateHook::ablation_at(const Site& site) {
    if (!gates_.defined()) {
        return std::nullopt;
    }
    return Ablation{gates_.narrow(-1, site.offset, site.width), means_.narrow(0, site.offset, site.width)};
}

at::Tensor GateHook::inverse_rms_at(std::int64_t half_layer) {
    return inverse_rms_.empty() ? at::Tensor() : inverse_rms_.at(static_cast<std::size_t>(half_layer));
}

void GateHook::before_forward(const ForwardContext& context, const at::Tensor& tokens, const at::Tensor& read_at) {
    if (records_norms_) {
        inverse_rms_ = record_norms(context, tokens, read_at);
    }
}

std::vector<ScoredSequence> scored_sequences(const Examples& examples, const at::Tensor& logits) {
    const auto differences = logit_differences(examples, logits).to(at::kCPU, at::kDouble).contiguous();
    const auto signs = answer_signs(examples).to(at::kCPU, at::kDouble).contiguous();
    std::vector<ScoredSequence> scored;
    for (std::int64_t i = 0; i < examples.sequences(); ++i) {
        scored.push_back({differences.const_data_ptr<double>()[i], signs.const_data_ptr<double>()[i]});
    }
    return scored;
}

TaskOutputs run_task(const Examples& examples, ForwardHook* hook) {
    const at::NoGradGuard no_grad;
    TaskOutputs outputs;
    const auto total = examples.sequences();
    for (std::int64_t first = 0; first < total; first += kRowsPerForward) {
        examples.model->check_cancelled();
        const auto last = std::min(total, first + kRowsPerForward);
        const auto part = examples.select(at::arange(first, last, examples.positions.options()));
        const auto logits = answer_logits(part, hook);  // [n, V]
        const auto targets = part.answers.gather(1, right_columns(part).view({-1, 1})).squeeze(1);
        outputs.full_loss += ops::cross_entropy(logits, targets).item<double>() * static_cast<double>(last - first) /
                             static_cast<double>(total);
        const auto scored = scored_sequences(part, logits);
        outputs.sequences.insert(outputs.sequences.end(), scored.begin(), scored.end());
    }
    return outputs;
}

std::vector<ScoredSequence> run_sequences(const Examples& examples, ForwardHook* hook) {
    const at::NoGradGuard no_grad;
    const auto context = examples.model->context();
    std::vector<ScoredSequence> sequences;
    const auto total = examples.sequences();
    for (std::int64_t first = 0; first < total; first += kRowsPerForward) {
        examples.model->check_cancelled();
        const auto last = std::min(total, first + kRowsPerForward);
        const auto part = trimmed(examples.select(at::arange(first, last, examples.positions.options())));
        const auto differences = answer_differences(context, part, 1, hook).to(at::kCPU, at::kDouble).contiguous();
        const auto signs = answer_signs(part).to(at::kCPU, at::kDouble).contiguous();
        for (std::int64_t i = 0; i < last - first; ++i) {
            sequences.push_back({differences.const_data_ptr<double>()[i], signs.const_data_ptr<double>()[i]});
        }
    }
    return sequences;
}

TaskScore score_task(const TaskOutputs& outputs, const Calibration& calibration) {
    TaskScore score;
    score.calibration = calibration;
    score.full_loss = outputs.full_loss;
    const auto n = static_cast<double>(outputs.sequences.size());
    for (const auto& sequence : outputs.sequences) {
        score.loss += two_way_loss(sequence, calibration) / n;
        score.raw_loss += two_way_loss(sequence, Calibration{}) / n;
        const auto z = calibration.scale * sequence.difference + calibration.shift;
        score.accuracy += z * sequence.sign > 0.0 ? 1.0 / n : 0.0;
    }
    return score;
}

}  // namespace filigree
