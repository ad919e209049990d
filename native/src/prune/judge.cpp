// SPDX-License-Identifier: Apache-2.0
#include "prune/judge.hpp"

#include <ATen/ops/cat.h>

#include <algorithm>
#include <utility>

#include "model/residuals.hpp"
#include "prune/task_score.hpp"

namespace filigree {
namespace {

constexpr std::int64_t kLengths = 4;  // batches of about equal length that examples are run in

View view_of(const CompactModel& compact, const Judge& judge) {
    View view;
    std::vector<at::Tensor> differences;
    for (const auto& batch : judge.batches()) {
        ResidualRecorder<GateHook> recorder;
        recorder.freeze_norms(batch.norms);
        differences.push_back(answer_differences(compact.context(compact.weights()), batch.examples, 1, &recorder));
        view.residuals.push_back(std::move(recorder.residuals));
    }
    view.verdict = judge.verdicts(at::cat(differences, 1)).front();
    return view;
}

}  // namespace

Judge::Judge(const PruneTask& task, const PruneOptions& options, std::int64_t pairs) : calibrate_(options.calibrate) {
    const auto fitted = 2 * std::min(pairs, task.train.pairs());
    const auto all = joined(first_pairs(task.train, pairs), first_pairs(task.validation, pairs));
    for (const auto& rows : rows_by_length(all, kLengths)) {
        Batch batch = {trimmed(all.select(rows)), {}};
        if (options.frozen_norms) {
            batch.norms =
                record_norms(batch.examples.model->context(), batch.examples.tokens, batch.examples.positions);
        }
        const auto signs = answer_signs(batch.examples).to(at::kCPU, at::kDouble).contiguous();
        const auto host_rows = rows.to(at::kCPU).contiguous();
        for (std::int64_t i = 0; i < signs.size(0); ++i) {
            signs_.push_back(signs.const_data_ptr<double>()[i]);
            fitted_.push_back(host_rows.const_data_ptr<std::int64_t>()[i] < fitted);
        }
        batches_.push_back(std::move(batch));
    }
}

std::vector<Verdict> Judge::verdicts(const at::Tensor& differences) const {
    const auto host = differences.to(at::kCPU, at::kDouble).contiguous();
    std::vector<Verdict> all;
    for (std::int64_t r = 0; r < host.size(0); ++r) {
        const auto* row = host.const_data_ptr<double>() + r * host.size(1);
        std::vector<ScoredSequence> train;
        std::vector<ScoredSequence> validation;
        for (std::size_t i = 0; i < signs_.size(); ++i) {
            (fitted_[i] ? train : validation).push_back({row[i], signs_[i]});
        }
        all.push_back(judge(train, validation, calibrate_));
    }
    return all;
}

std::vector<Verdict> Judge::verdicts(const ForwardContext& context, std::int64_t R, const at::Tensor& gates,
                                     const at::Tensor& means) const {
    std::vector<at::Tensor> differences;
    for (const auto& batch : batches_) {
        GateHook hook(gates, means);
        hook.freeze_norms(repeated(batch.norms, R));
        differences.push_back(answer_differences(context, batch.examples, R, &hook));
    }
    return verdicts(at::cat(differences, 1));
}

JudgedCircuit judge_circuit(const Model& model, EdgeCircuit circuit, const at::Tensor& means, const Judges& judges) {
    JudgedCircuit judged;
    judged.compact = std::make_unique<CompactModel>(model, circuit, means);
    judged.circuit = std::move(circuit);
    judged.full = view_of(*judged.compact, judges.full);
    judged.quick = view_of(*judged.compact, judges.quick);
    return judged;
}

}  // namespace filigree
