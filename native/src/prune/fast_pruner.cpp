// SPDX-License-Identifier: Apache-2.0
#include "prune/fast_pruner.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

#include "core/to_device.hpp"
#include "prune/task_score.hpp"

namespace filigree {
namespace {

constexpr std::int64_t kStepsPerPiece = 10;
constexpr int kWays = 4;  // numbers of nodes that one forward of a bisection tries
// Edges up to which circuits of further masks are cleaned too: beyond, that takes longer than the search so far, and
// what is one edge less in ten is seldom more.
constexpr std::size_t kSmall = 32;

std::int64_t count_open(const std::vector<std::uint8_t>& keep) { return std::count(keep.begin(), keep.end(), 1); }

bool smaller(const EdgeCircuit& a, const EdgeCircuit& b) {
    return std::pair(edge_count(a), count_open(a.keep)) < std::pair(edge_count(b), count_open(b.keep));
}

}  // namespace

/// A circuit on its way to a target.
struct FastPruner::Attempt {
    std::size_t task = 0;
    std::size_t target = 0;
    std::vector<std::int64_t> order;  // nodes of the model by score
    std::int64_t count = 0;           // of them that the circuit begins with
    double missed = 0.0;              // their loss on few examples where that is more than is aimed at, else 0
    std::vector<std::uint8_t> nodes;  // these
    std::size_t edges = 0;            // between them
    bool first = false;               // for its target
    std::unique_ptr<CleanUp> clean_up;
};

FastPruner::FastPruner(std::vector<PruneTask> tasks, FastPruneConfig config, at::Tensor means)
    : tasks_(std::move(tasks)),
      config_(std::move(config)),
      means_(std::move(means)),
      model_(tasks_.at(0).train.model),
      attributions_(tasks_.size()),
      candidates_(tasks_.size()),
      found_(tasks_.size(), std::vector<FoundCircuit>(config_.targets.size())) {
    for (std::size_t task = 0; task < tasks_.size(); ++task) {
        judges_.push_back({Judge(tasks_[task], config_.options, config_.selection_pairs),
                           Judge(tasks_[task], config_.options, config_.ranking_pairs)});
        work_.push_back({FastPrunePhase::kAttribute, [this, task] { attribute(task); }});
    }
    work_.push_back({FastPrunePhase::kLearn, [this] { prepare_learning(); }});
    for (std::size_t task = 0; task < tasks_.size(); ++task) {
        work_.push_back({FastPrunePhase::kChoose, [this, task] { choose(task); }});
    }
}

FastPruner::~FastPruner() = default;

void FastPruner::advance() {
    if (work_.empty()) {
        return;
    }
    model_->check_cancelled();
    auto piece = std::move(work_.front());
    work_.pop_front();
    try {
        piece.run();
    } catch (...) {
        work_.push_front(std::move(piece));  // every piece can be begun again
        throw;
    }
    ++pieces_done_;
}

std::vector<at::Tensor> FastPruner::norms_of(const Examples& examples) const {
    return config_.options.frozen_norms ? record_norms(model_->context(), examples.tokens, examples.positions)
                                        : std::vector<at::Tensor>();
}

void FastPruner::report(const EdgeCircuit& circuit, double loss) {
    nodes_ = count_open(circuit.keep);
    edges_ = static_cast<std::int64_t>(edge_count(circuit));
    loss_ = loss;
}

EdgeCircuit FastPruner::circuit_of(std::vector<std::uint8_t> keep) const {
    EdgeCircuit circuit{std::move(keep), std::nullopt};
    if (config_.edges) {
        circuit.edges = circuit_edges(*model_, circuit.keep.data());
    }
    return circuit;
}

void FastPruner::attribute(std::size_t task) {
    const auto nodes = model_->nodes().size();
    const auto examples = trimmed(first_pairs(tasks_[task].train, config_.attribution_pairs));
    const auto norms = norms_of(examples);
    auto total = at::zeros({nodes}, means_.options());
    // With everything open, where a task that is done well has nearly flat logits, and halfway to the means.
    for (const double open : {1.0, 0.5}) {
        model_->check_cancelled();
        auto gates = at::full({examples.sequences(), nodes}, open, means_.options());
        gates.set_requires_grad(true);
        GateHook hook(gates, means_);
        hook.freeze_norms(norms);
        const auto differences = answer_differences(model_->context(), examples, 1, &hook);  // [1, sequences]
        (answer_signs(examples) * differences).sum().backward();
        total.add_(gates.grad().abs().mean(0));
    }
    const auto host = total.to(at::kCPU).contiguous();
    const auto* score = host.const_data_ptr<float>();
    attributions_[task].assign(score, score + nodes);

    std::vector<std::int64_t> order(static_cast<std::size_t>(nodes));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) { return score[a] > score[b]; });
    const auto live = std::count_if(score, score + nodes, [](float s) { return s > 0.0F; });
    const auto best = [&](std::int64_t count) {
        std::vector<std::uint8_t> keep(static_cast<std::size_t>(nodes));
        for (std::int64_t i = 0; i < count; ++i) {
            keep[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])] = 1;
        }
        return keep;
    };
    const at::NoGradGuard no_grad;
    const auto& judge = judges_[task].full;
    const auto loss_of = [&](std::int64_t count) {
        const auto circuit = circuit_of(best(count));
        const CompactModel compact(*model_, circuit, means_);
        const auto loss = judge.verdicts(compact.context(compact.weights()), 1).front().loss;
        report(circuit, loss);
        return loss;
    };
    // A target that everything together misses asks for no candidates.
    const auto all = loss_of(live);
    auto strictest = *std::max_element(config_.targets.begin(), config_.targets.end());
    for (const auto target : config_.targets) {
        strictest = target >= all ? std::min(strictest, target) : strictest;
    }
    const auto limit = aim(strictest, all);
    auto enough = std::min<std::int64_t>(live, 32);
    while (enough < live && loss_of(enough) > limit) {
        enough = std::min(live, enough * 3 / 2);
    }
    const auto wanted = static_cast<std::int64_t>(std::ceil(config_.candidate_factor * static_cast<double>(enough)));
    candidates_[task] = best(std::min(live, wanted));
    tie(candidates_[task]);
}

void FastPruner::tie(std::vector<std::uint8_t>& keep) const {
    if (!config_.options.tied_qk) {
        return;
    }
    for (std::int64_t layer = 0; layer < model_->config().n_layer; ++layer) {
        const auto& q = model_->nodes().site(layer, SiteKind::kAttnQ);
        const auto& k = model_->nodes().site(layer, SiteKind::kAttnK);
        for (std::int64_t c = 0; c < q.width; ++c) {
            auto& of_q = keep[static_cast<std::size_t>(q.offset + c)];
            auto& of_k = keep[static_cast<std::size_t>(k.offset + c)];
            of_q = of_k = of_q | of_k;
        }
    }
}

void FastPruner::prepare_learning() {
    std::vector<std::uint8_t> any(static_cast<std::size_t>(model_->nodes().size()));
    for (const auto& of_task : candidates_) {
        std::transform(any.begin(), any.end(), of_task.begin(), any.begin(),
                       [](std::uint8_t a, std::uint8_t b) { return static_cast<std::uint8_t>(a | b); });
    }
    compact_ = std::make_unique<CompactModel>(*model_, circuit_of(std::move(any)), means_);

    auto parameters = mask_parameters(compact_->nodes(), compact_->numbers(), model_->nodes(), config_.options.tied_qk);
    parameter_of_ = std::move(parameters.of_node);
    const auto n = static_cast<std::int64_t>(parameter_of_.size());
    const auto P = static_cast<std::int64_t>(parameters.sizes.size());

    std::vector<float> allowed;
    std::vector<double> k_coefs;
    std::vector<at::Tensor> starts;
    for (const auto& candidates : candidates_) {
        for (const auto factor : config_.k_factors) {
            for (std::int64_t i = 0; i < n; ++i) {
                allowed.push_back(
                    candidates[static_cast<std::size_t>(compact_->numbers()[static_cast<std::size_t>(i)])]);
            }
            k_coefs.push_back(factor * config_.masks.k_coef);
            starts.push_back(initial_scores(config_.masks, config_.masks.seed, P).unsqueeze(0));
        }
    }
    allowed_ = to_device(allowed, means_.device()).view({static_cast<std::int64_t>(k_coefs.size()), n});
    masks_ = std::make_unique<MaskOptimizer>(at::cat(starts, 0).to(means_.device()), config_.masks, k_coefs,
                                             to_device(parameters.sizes, means_.device()));
    if (P > 0) {
        work_.push_front({FastPrunePhase::kLearn, [this] { learn(); }});
    }
}

void FastPruner::learn() {
    const auto K = static_cast<std::int64_t>(config_.k_factors.size());
    auto wanted = config_.masks.batch_pairs;
    for (const auto& task : tasks_) {
        wanted = std::min(wanted, task.train.pairs());
    }
    // On a processor short prompts and long ones run apart, so that few tokens are padding.
    const auto groups = means_.device().is_cpu() ? std::min<std::int64_t>(2, wanted) : 1;
    std::vector<at::Tensor> lengths;  // by task, of its pairs, on the host
    for (const auto& task : tasks_) {
        lengths.push_back(task.train.positions.view({-1, 2}).amax(1).to(at::kCPU));
    }
    const auto map = to_device(parameter_of_, means_.device());
    for (std::int64_t i = 0; i < kStepsPerPiece && !masks_->finished(); ++i) {
        model_->check_cancelled();
        std::vector<std::optional<Examples>> batches(static_cast<std::size_t>(groups));
        for (std::size_t t = 0; t < tasks_.size(); ++t) {
            const auto& train = tasks_[t].train;
            const auto rows = draw_pairs(config_.masks.seed, masks_->steps_done(), train.pairs(), wanted).view({-1, 2});
            const auto length = lengths[t].index_select(0, rows.select(1, 0).floor_divide(2));
            const auto sorted =
                rows.index_select(0, std::get<1>(length.sort(/*stable=*/true, /*dim=*/0, /*descending=*/false)));
            for (std::int64_t g = 0; g < groups; ++g) {
                const auto own = sorted.slice(0, g * wanted / groups, (g + 1) * wanted / groups).reshape({-1});
                const auto part = repeated(train.select(own.to(means_.device())), K);
                auto& batch = batches[static_cast<std::size_t>(g)];
                batch = batch ? joined(*batch, part) : part;
            }
        }
        std::vector<std::vector<at::Tensor>> norms;
        for (auto& batch : batches) {
            batch = trimmed(*batch);
            norms.push_back(norms_of(*batch));
        }
        const auto R = masks_->scores().size(0);
        const auto losses = masks_->compute_gradient([&](const at::Tensor& gates) {
            const auto of_nodes = gates.index_select(1, map) * allowed_;
            std::vector<at::Tensor> parts;
            for (std::size_t g = 0; g < batches.size(); ++g) {
                GateHook hook(of_nodes, compact_->means());
                hook.freeze_norms(norms[g]);
                const auto& examples = *batches[g];
                const auto differences = answer_differences(compact_->context(compact_->weights()), examples, 1, &hook);
                parts.push_back(at::softplus(-answer_signs(examples) * differences).view({R, -1}));
            }
            return at::cat(parts, 1).mean(1);
        });
        static_cast<void>(masks_->step());
        if (i + 1 == kStepsPerPiece || masks_->finished()) {
            loss_ = losses.mean().item<double>();
            nodes_ =
                (masks_->scores().ge(0).index_select(1, map).to(at::kFloat) * allowed_).sum().item<std::int64_t>() / R;
            edges_ = 0;
        }
    }
    if (!masks_->finished()) {
        work_.push_front({FastPrunePhase::kLearn, [this] { learn(); }});
    }
}

std::vector<std::vector<std::int64_t>> FastPruner::orders(std::size_t task) const {
    const auto K = config_.k_factors.size();
    const auto& numbers = compact_->numbers();
    const auto scores = masks_->scores().to(at::kCPU).contiguous();
    std::vector<std::vector<std::int64_t>> orders(K);
    for (std::size_t setting = 0; setting < K; ++setting) {
        const auto* of_mask =
            scores.const_data_ptr<float>() + (task * K + setting) * static_cast<std::size_t>(scores.size(1));
        auto& order = orders[setting];
        for (std::size_t i = 0; i < parameter_of_.size(); ++i) {
            if (candidates_[task][static_cast<std::size_t>(numbers[i])] != 0) {
                order.push_back(static_cast<std::int64_t>(i));
            }
        }
        const auto key = [&](std::int64_t node) {
            const auto i = static_cast<std::size_t>(node);
            return std::pair(of_mask[parameter_of_[i]], attributions_[task][static_cast<std::size_t>(numbers[i])]);
        };
        std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) { return key(a) > key(b); });
    }
    return orders;
}

std::vector<double> FastPruner::losses_of_first(std::size_t task, const std::vector<std::int64_t>& order,
                                                const std::vector<std::int64_t>& counts) const {
    model_->check_cancelled();
    const auto R = static_cast<std::int64_t>(counts.size());
    const auto n = parameter_of_.size();
    std::vector<float> gates(counts.size() * n);
    for (std::size_t r = 0; r < counts.size(); ++r) {
        for (std::int64_t i = 0; i < counts[r]; ++i) {
            gates[r * n + static_cast<std::size_t>(order[static_cast<std::size_t>(i)])] = 1.0F;
        }
    }
    const auto on_device = to_device(gates, means_.device()).view({R, static_cast<std::int64_t>(n)});
    std::vector<double> losses;
    for (const auto& verdict :
         judges_[task].quick.verdicts(compact_->context(compact_->weights()), R, on_device, compact_->means())) {
        losses.push_back(verdict.loss);
    }
    return losses;
}

FastPruner::Start FastPruner::best_of(std::size_t task, const std::vector<std::int64_t>& order, Start all) const {
    std::vector<std::int64_t> counts;
    for (std::int64_t count = 1; count < all.count; count = std::max(count + 1, count * 4 / 3)) {
        counts.push_back(count);
    }
    auto best = all;
    for (std::size_t first = 0; first < counts.size(); first += kWays) {
        const auto begin = counts.begin() + static_cast<std::ptrdiff_t>(first);
        const std::vector<std::int64_t> some(
            begin, begin + static_cast<std::ptrdiff_t>(std::min<std::size_t>(kWays, counts.size() - first)));
        const auto losses = losses_of_first(task, order, some);
        for (std::size_t i = 0; i < some.size(); ++i) {
            if (losses[i] < best.loss) {
                best = {some[i], losses[i]};
            }
        }
    }
    return best;
}

FastPruner::Start FastPruner::fewest(std::size_t task, const std::vector<std::int64_t>& order, Start all,
                                     double loss) const {
    auto found = all.loss <= loss ? all : best_of(task, order, all);
    if (found.loss > loss) {
        return found;
    }
    std::int64_t too_few = 0;
    auto& enough = found.count;
    while (enough - too_few > 1) {
        std::vector<std::int64_t> counts;
        const auto ways = std::min<std::int64_t>(kWays, enough - too_few - 1);
        for (std::int64_t i = 1; i <= ways; ++i) {
            // Denser towards few nodes, where circuits are.
            const auto part = static_cast<double>(i) / static_cast<double>(ways + 1);
            const auto count =
                too_few + static_cast<std::int64_t>(std::round(static_cast<double>(enough - too_few) * part * part));
            counts.push_back(std::clamp(count, too_few + i, enough - 1));
        }
        const auto losses = losses_of_first(task, order, counts);
        for (std::size_t i = 0; i < counts.size(); ++i) {
            if (losses[i] <= loss) {
                found = {counts[i], losses[i]};
                break;
            }
            too_few = counts[i];
        }
    }
    return found;
}

void FastPruner::choose(std::size_t task) {
    const at::NoGradGuard no_grad;
    struct Order {
        std::vector<std::int64_t> here;      // numbers of compact_
        std::vector<std::int64_t> in_model;  // the same nodes
        Start all;
    };
    std::vector<Order> candidates;
    for (auto& order : orders(task)) {
        Order candidate;
        candidate.all.count = static_cast<std::int64_t>(order.size());
        candidate.all.loss = losses_of_first(task, order, {candidate.all.count}).front();
        for (const auto node : order) {
            candidate.in_model.push_back(compact_->numbers()[static_cast<std::size_t>(node)]);
        }
        candidate.here = std::move(order);
        candidates.push_back(std::move(candidate));
    }
    std::vector<std::size_t> by_target(config_.targets.size());
    std::iota(by_target.begin(), by_target.end(), 0);
    std::sort(by_target.begin(), by_target.end(),
              [&](std::size_t a, std::size_t b) { return config_.targets[a] > config_.targets[b]; });
    std::vector<std::shared_ptr<Attempt>> attempts;
    for (const auto target : by_target) {
        // One of every mask: the smallest at the beginning need not be the smallest in the end. Those come last that
        // are best, as what is put in front last is looked at first.
        std::vector<std::shared_ptr<Attempt>> of_target;
        for (const auto& order : candidates) {
            const auto limit = aim(config_.targets[target], order.all.loss);
            const auto start = fewest(task, order.here, order.all, limit);
            auto attempt = std::make_shared<Attempt>();
            attempt->task = task;
            attempt->target = target;
            attempt->order = order.in_model;
            attempt->count = start.count;
            attempt->missed = start.loss <= limit ? 0.0 : start.loss;
            attempt->nodes = first_nodes(order.in_model, start.count);
            attempt->edges = circuit_edges(*model_, attempt->nodes.data()).size();
            if (std::none_of(of_target.begin(), of_target.end(),
                             [&](const auto& other) { return other->nodes == attempt->nodes; })) {
                of_target.push_back(std::move(attempt));
            }
        }
        std::stable_sort(of_target.begin(), of_target.end(), [](const auto& a, const auto& b) {
            return std::pair(a->missed, a->edges) > std::pair(b->missed, b->edges);
        });
        of_target.back()->first = true;
        attempts.insert(attempts.end(), of_target.begin(), of_target.end());
    }
    for (const auto& attempt : attempts) {
        work_.push_front({FastPrunePhase::kClean, [this, attempt] { clean(attempt); }});
    }
}

std::vector<std::uint8_t> FastPruner::first_nodes(const std::vector<std::int64_t>& order, std::int64_t count) const {
    std::vector<std::uint8_t> keep(static_cast<std::size_t>(model_->nodes().size()));
    for (std::int64_t i = 0; i < count; ++i) {
        keep[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])] = 1;
    }
    tie(keep);
    return keep;
}

double FastPruner::aim(double target, double best) const {
    return best <= target ? best + config_.margin * (target - best) : target;
}

std::unique_ptr<CleanUp> FastPruner::begin(const Attempt& attempt) {
    const auto target = config_.targets[attempt.target];
    const auto all = static_cast<std::int64_t>(attempt.order.size());
    const auto look_at_first = [&](std::int64_t count) {
        return look_at(attempt.task, circuit_of(first_nodes(attempt.order, count)));
    };
    auto count = attempt.count;
    auto best = look_at_first(count);
    const auto least = std::min(best.loss(), count == all ? best.loss() : look_at_first(all).loss());
    const auto limit = aim(target, least);
    // Masks are chosen by fewer examples than decide.
    while ((attempt.missed == 0.0 || least <= target) && best.loss() > limit && count < all) {
        count = std::min(all, count + std::max<std::int64_t>(1, count / 10));
        if (auto next = look_at_first(count); next.loss() < best.loss()) {
            best = std::move(next);
        }
    }
    // A circuit of a stricter target may be smaller already.
    for (std::size_t other = 0; attempt.first && other < config_.targets.size(); ++other) {
        const auto& found = found_[attempt.task][other];
        if (!found.reached || config_.targets[other] > target) {
            continue;
        }
        if (best.loss() > limit || smaller(found.circuit, best.circuit)) {
            if (auto stricter = look_at(attempt.task, found.circuit); stricter.loss() <= limit) {
                best = std::move(stricter);
            }
        }
    }
    return std::make_unique<CleanUp>(*model_, config_, means_, judges_[attempt.task], std::move(best), limit);
}

JudgedCircuit FastPruner::look_at(std::size_t task, EdgeCircuit circuit) {
    model_->check_cancelled();
    auto judged = judge_circuit(*model_, std::move(circuit), means_, judges_[task]);
    report(judged.circuit, judged.loss());
    return judged;
}

void FastPruner::clean(const std::shared_ptr<Attempt>& attempt) {
    const at::NoGradGuard no_grad;
    if (!attempt->clean_up) {
        if (!attempt->first && edge_count(found_[attempt->task][attempt->target].circuit) > kSmall) {
            return;
        }
        attempt->clean_up = begin(*attempt);
    }
    auto& clean_up = *attempt->clean_up;
    const auto runs = clean_up.runs();
    const auto goes_on = clean_up.advance();
    runs_ += clean_up.runs() - runs;
    report(clean_up.circuit().circuit, clean_up.circuit().loss());
    if (goes_on) {
        work_.push_front({FastPrunePhase::kClean, [this, attempt] { clean(attempt); }});
    } else {
        keep(*attempt);
    }
}

void FastPruner::keep(const Attempt& attempt) {
    const auto target = config_.targets[attempt.target];
    auto& of_task = found_[attempt.task];
    const auto& end = attempt.clean_up->circuit();
    FoundCircuit best = {end.circuit, end.full.verdict.calibration, end.loss() <= target};
    if (!best.reached && !of_task[attempt.target].circuit.keep.empty()) {
        return;  // of attempts that miss the first one is kept, which promised most
    }
    for (std::size_t other = 0; other < config_.targets.size(); ++other) {
        const auto& found = of_task[other];
        if (found.reached && config_.targets[other] <= target &&
            (!best.reached || smaller(found.circuit, best.circuit))) {
            best = found;
        }
    }
    of_task[attempt.target] = std::move(best);
}

}  // namespace filigree
