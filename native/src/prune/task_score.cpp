// SPDX-License-Identifier: Apache-2.0
#include "prune/task_score.hpp"

#include <ATen/ops/cross_entropy_loss.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "core/to_device.hpp"
#include "ops/cross_entropy.hpp"

namespace filigree {

std::optional<ForwardHook::Ablation> GateHook::ablation_at(const Site& site) {
    if (!gates_.defined()) {
        return std::nullopt;
    }
    if (!closed_.empty()) {
        const auto first = closed_.begin() + site.offset;
        const auto last = first + site.width;
        if (std::find(first, last, true) == last) {
            return std::nullopt;
        }
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

std::vector<ScoredSequence> scored_sequences(const Examples& examples, const at::Tensor& differences) {
    const auto host = differences.to(at::kCPU, at::kDouble).contiguous();
    const auto signs = answer_signs(examples).to(at::kCPU, at::kDouble).contiguous();
    std::vector<ScoredSequence> scored;
    for (std::int64_t i = 0; i < examples.sequences(); ++i) {
        scored.push_back({host.const_data_ptr<double>()[i], signs.const_data_ptr<double>()[i]});
    }
    return scored;
}

std::vector<ScoredSequence> score_in_batches(const Examples& examples, const ScoreRows& score) {
    const at::NoGradGuard no_grad;
    std::vector<ScoredSequence> sequences(static_cast<std::size_t>(examples.sequences()));
    for (const auto& rows : batches_by_length(examples)) {
        examples.model->check_cancelled();
        const auto scored = score(to_device(rows, examples.positions.device()));
        for (std::size_t i = 0; i < rows.size(); ++i) {
            sequences[static_cast<std::size_t>(rows[i])] = scored[i];
        }
    }
    return sequences;
}

TaskOutputs run_task(const Examples& examples, ForwardHook* hook) {
    TaskOutputs outputs;
    const auto total = static_cast<double>(examples.sequences());
    outputs.sequences = score_in_batches(examples, [&](const at::Tensor& rows) {
        const auto part = examples.select(rows);
        const auto logits = answer_logits(part, hook);  // [n, V]
        const auto targets = part.answers.gather(1, right_columns(part).view({-1, 1})).squeeze(1);
        outputs.full_loss +=
            ops::cross_entropy(logits, targets).item<double>() * static_cast<double>(part.sequences()) / total;
        return scored_sequences(part, logit_differences(part, logits));
    });
    return outputs;
}

std::vector<ScoredSequence> run_sequences(const Examples& examples, ForwardHook* hook) {
    const auto context = examples.model->context();
    return score_in_batches(examples, [&](const at::Tensor& rows) {
        const auto part = trimmed(examples.select(rows));
        return scored_sequences(part, answer_differences(context, part, 1, hook).squeeze(0));
    });
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
