// SPDX-License-Identifier: Apache-2.0
#include "prune/fast_pruner.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "core/to_device.hpp"
#include "model/residuals.hpp"

namespace filigree {
namespace {

constexpr std::int64_t kStepsPerPiece = 10;
constexpr double kDoubt = 1.5;       // how far the loss of few examples may be off, of what is left to the target
constexpr double kLeastRise = 0.05;  // and of the target
constexpr std::size_t kTries = 6;    // parts in a row that cannot go before a new look at all of them
constexpr std::size_t kSixteenths = 16;
constexpr std::array<std::size_t, 5> kShares = {8, 6, 4, 3, 2};  // sixteenths of all that a round by gradients tries
constexpr int kWays = 4;              // numbers of nodes that one forward of a bisection tries
constexpr std::int64_t kLengths = 4;  // batches of about equal length that examples are run in

/// Examples of both, one after the other.
Examples join(const Examples& a, const Examples& b) {
    const auto T = std::max(a.tokens.size(1), b.tokens.size(1));
    const auto padded = [&](const at::Tensor& tokens) { return at::constant_pad_nd(tokens, {0, T - tokens.size(1)}); };
    return {a.model, at::cat(std::vector<at::Tensor>{padded(a.tokens), padded(b.tokens)}, 0),
            at::cat(std::vector<at::Tensor>{a.positions, b.positions}, 0),
            at::cat(std::vector<at::Tensor>{a.answers, b.answers}, 0)};
}

std::size_t edges_of(const EdgeCircuit& circuit) { return circuit.edges ? circuit.edges->size() : 0; }

std::int64_t count_open(const std::vector<std::uint8_t>& keep) { return std::count(keep.begin(), keep.end(), 1); }

/// What a round by gradients leaves out at least.
std::size_t least_share(std::size_t parts) { return std::max<std::size_t>(1, parts * kShares.back() / kSixteenths); }

bool smaller(const EdgeCircuit& a, const EdgeCircuit& b) {
    return std::pair(edges_of(a), count_open(a.keep)) < std::pair(edges_of(b), count_open(b.keep));
}

}  // namespace

FastPruneConfig parse_fast_prune_config(std::string_view json) {
    auto reader = ConfigReader::parse(json, "fast");
    FastPruneConfig c;
    c.masks = read_mask_config(reader.object("masks"));
    auto options = reader.object("options");
    c.options = read_prune_options(options);
    if (c.options.ablation != AblationKind::kValues) {
        options.fail("ablation",
                     "must be \"mean\" or \"zero\" for this method: what donors hold cannot be folded into biases");
    }
    c.k_factors = reader.numbers("k_factors", 0.0, 1e12);
    c.targets = reader.numbers("targets", std::numeric_limits<double>::min(), 1e12);
    c.margin = reader.number("margin", 1e-3, 1.0);
    c.attribution_pairs = reader.integer("attribution_pairs", 1);
    c.candidate_factor = reader.number("candidate_factor", 1.0, 1e6);
    c.selection_pairs = reader.integer("selection_pairs", 1);
    c.ranking_pairs = reader.integer("ranking_pairs", 1);
    c.exact_parts = reader.integer("exact_parts", 0);
    c.edges = reader.boolean("edges");
    reader.finish();
    return c;
}

/// What a circuit of one task is judged by: training and validation examples, in batches of about equal length.
class FastPruner::Judge {
public:
    struct Batch {
        Examples examples;
        std::vector<at::Tensor> norms;  ///< by half layer, with frozen norms
    };

    /// @param pairs of the training and of the validation examples, fewer if there are fewer.
    Judge(const PruneTask& task, const FastPruneConfig& config, std::int64_t pairs)
        : calibrate_(config.options.calibrate) {
        const auto fitted = 2 * std::min(pairs, task.train.pairs());
        const auto all = join(first_pairs(task.train, pairs), first_pairs(task.validation, pairs));
        const auto lengths = all.positions.view({-1, 2}).amax(1);
        const auto order = std::get<1>(lengths.sort(/*stable=*/true, /*dim=*/0, /*descending=*/false));  // of pairs
        const auto size = (all.pairs() + kLengths - 1) / kLengths;
        for (std::int64_t first = 0; first < all.pairs(); first += size) {
            const auto first_members = 2 * order.slice(0, first, std::min(first + size, all.pairs()));
            const auto rows = at::stack(std::vector<at::Tensor>{first_members, first_members + 1}, 1).view({-1});
            Batch batch = {trimmed(all.select(rows)), {}};
            if (config.options.frozen_norms) {
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

    [[nodiscard]] const std::vector<Batch>& batches() const { return batches_; }
    [[nodiscard]] std::int64_t sequences() const { return static_cast<std::int64_t>(signs_.size()); }

    /// @param differences [R, sequences] on any device, batch after batch.
    [[nodiscard]] std::vector<Verdict> verdicts(const at::Tensor& differences) const {
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

    /// Judge R variants of a model. @param hook_of what R variants of a batch run with.
    template <typename HookOf>
    [[nodiscard]] std::vector<Verdict> verdicts(const ForwardContext& context, std::int64_t R,
                                                const HookOf& hook_of) const {
        std::vector<at::Tensor> differences;
        for (const auto& batch : batches_) {
            const std::unique_ptr<GateHook> hook = hook_of();
            hook->freeze_norms(repeated(batch.norms, R));
            differences.push_back(answer_differences(context, batch.examples, R, hook.get()));
        }
        return verdicts(at::cat(differences, 1));
    }

private:
    bool calibrate_;
    std::vector<Batch> batches_;
    std::vector<double> signs_;  // of every sequence
    std::vector<bool> fitted_;   // of every sequence, whether it is one of those that the calibration is fitted to
};

/// What a judge sees of a circuit.
struct FastPruner::View {
    const Judge* judge = nullptr;
    std::vector<std::vector<at::Tensor>> residuals;  // of every batch of the judge, before every half layer
    Verdict verdict;
};

/// What is known about leaving out parts of one kind.
struct FastPruner::Leaving {
    bool done = false;  // none of those that are looked at can go
    /// Number of parts for which gradients found too little; they are asked again when there are far fewer.
    std::optional<std::size_t> too_many_for_gradients;

    [[nodiscard]] bool by_gradients(std::size_t parts) const {
        return !too_many_for_gradients || parts + least_share(*too_many_for_gradients) < *too_many_for_gradients;
    }
};

/// A circuit on its way to a target.
struct FastPruner::Attempt {
    std::size_t task = 0;
    std::size_t target = 0;
    std::vector<std::int64_t> order;  // nodes of the model by score
    std::int64_t count = 0;           // of them that the circuit began with
    EdgeCircuit circuit;
    double aim = 0.0;  // loss to keep
    bool begun = false;
    std::unique_ptr<CompactModel> compact;
    View full;   // what decides
    View quick;  // of fewer examples, what says where to look
    Leaving leaving_nodes;
    Leaving leaving_edges;
    // What was too dear the last time it was looked at: nodes as (number, -1), edges as (source, target). It is looked
    // at once more when nothing else can go.
    std::set<std::pair<std::int64_t, std::int64_t>> dear;
    bool skipped_dear = false;  // since a part went

    /// Go on with the circuit of another one.
    void take(Attempt&& other) {
        circuit = std::move(other.circuit);
        compact = std::move(other.compact);
        full = std::move(other.full);
        quick = std::move(other.quick);
    }
};

/// What can be left out at a time: nodes with all their edges, or an edge. Numbers are those of the compact model.
struct FastPruner::Part {
    std::vector<std::int64_t> nodes;
    std::vector<std::int64_t> edges;
    std::int64_t half_layer = 0;

    /// Edges that go with it, at least 1.
    [[nodiscard]] double size() const { return static_cast<double>(std::max<std::size_t>(1, edges.size())); }
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
        judges_.push_back(std::make_unique<Judge>(tasks_[task], config_, config_.selection_pairs));
        quick_judges_.push_back(std::make_unique<Judge>(tasks_[task], config_, config_.ranking_pairs));
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
    edges_ = static_cast<std::int64_t>(edges_of(circuit));
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
    const auto& judge = *judges_[task];
    const auto loss_of = [&](std::int64_t count) {
        const auto circuit = circuit_of(best(count));
        const CompactModel compact(*model_, circuit, means_);
        const auto loss =
            judge.verdicts(compact.context(compact.weights()), 1, [] { return std::make_unique<GateHook>(); })
                .front()
                .loss;
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
                batch = batch ? join(*batch, part) : part;
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

void FastPruner::choose(std::size_t task) {
    const at::NoGradGuard no_grad;
    const auto& judge = *quick_judges_[task];
    const auto K = config_.k_factors.size();
    const auto n = static_cast<std::int64_t>(parameter_of_.size());
    const auto scores = masks_->scores().to(at::kCPU).contiguous();
    const auto& numbers = compact_->numbers();

    // Candidates by score; equals by what the attribution says.
    std::vector<std::vector<std::int64_t>> orders(K);
    for (std::size_t setting = 0; setting < K; ++setting) {
        const auto* of_mask =
            scores.const_data_ptr<float>() + (task * K + setting) * static_cast<std::size_t>(scores.size(1));
        auto& order = orders[setting];
        for (std::int64_t i = 0; i < n; ++i) {
            if (candidates_[task][static_cast<std::size_t>(numbers[static_cast<std::size_t>(i)])] != 0) {
                order.push_back(i);
            }
        }
        const auto key = [&](std::int64_t node) {
            const auto i = static_cast<std::size_t>(node);
            return std::pair(of_mask[parameter_of_[i]], attributions_[task][static_cast<std::size_t>(numbers[i])]);
        };
        std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) { return key(a) > key(b); });
    }

    const auto losses_of = [&](const std::vector<std::int64_t>& order, const std::vector<std::int64_t>& counts) {
        model_->check_cancelled();
        std::vector<float> gates(counts.size() * static_cast<std::size_t>(n));
        for (std::size_t r = 0; r < counts.size(); ++r) {
            for (std::int64_t i = 0; i < counts[r]; ++i) {
                gates[r * static_cast<std::size_t>(n) + static_cast<std::size_t>(order[static_cast<std::size_t>(i)])] =
                    1.0F;
            }
        }
        const auto R = static_cast<std::int64_t>(counts.size());
        const auto on_device = to_device(gates, means_.device()).view({R, n});
        return judge.verdicts(compact_->context(compact_->weights()), R,
                              [&] { return std::make_unique<GateHook>(on_device, compact_->means()); });
    };
    /// Fewest nodes of an order that reach a target; all of them when none do.
    const auto fewest = [&](const std::vector<std::int64_t>& order, double target) {
        std::int64_t too_few = 0;
        auto enough = static_cast<std::int64_t>(order.size());
        while (enough - too_few > 1) {
            std::vector<std::int64_t> counts;
            const auto ways = std::min<std::int64_t>(kWays, enough - too_few - 1);
            for (std::int64_t i = 1; i <= ways; ++i) {
                // Denser towards few nodes, where circuits are.
                const auto part = static_cast<double>(i) / static_cast<double>(ways + 1);
                const auto count = too_few + static_cast<std::int64_t>(
                                                 std::round(static_cast<double>(enough - too_few) * part * part));
                counts.push_back(std::clamp(count, too_few + i, enough - 1));
            }
            const auto verdicts = losses_of(order, counts);
            for (std::size_t i = 0; i < counts.size(); ++i) {
                if (verdicts[i].loss <= target) {
                    enough = counts[i];
                    break;
                }
                too_few = counts[i];
            }
        }
        return enough;
    };

    std::vector<std::size_t> by_target(config_.targets.size());
    std::iota(by_target.begin(), by_target.end(), 0);
    std::sort(by_target.begin(), by_target.end(),
              [&](std::size_t a, std::size_t b) { return config_.targets[a] > config_.targets[b]; });
    std::vector<std::shared_ptr<Attempt>> attempts;
    for (const auto target : by_target) {
        auto attempt = std::make_shared<Attempt>();
        attempt->task = task;
        attempt->target = target;
        std::size_t smallest = std::numeric_limits<std::size_t>::max();
        for (const auto& order : orders) {
            std::vector<std::int64_t> in_model;
            for (const auto node : order) {
                in_model.push_back(numbers[static_cast<std::size_t>(node)]);
            }
            const auto all = losses_of(order, {static_cast<std::int64_t>(order.size())}).front().loss;
            const auto count = fewest(order, aim(config_.targets[target], all));
            const auto keep = first_nodes(in_model, count);
            const auto edges = circuit_edges(*model_, keep.data()).size();
            if (edges < smallest) {
                smallest = edges;
                attempt->order = std::move(in_model);
                attempt->count = count;
            }
        }
        attempt->circuit = circuit_of(first_nodes(attempt->order, attempt->count));
        attempts.push_back(std::move(attempt));
    }
    // The strictest target is looked at first, so it is put in front last.
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

void FastPruner::begin(Attempt& attempt) {
    const auto target = config_.targets[attempt.target];
    const auto all = static_cast<std::int64_t>(attempt.order.size());
    const auto look_at_first = [&](std::int64_t count) {
        Attempt next;
        next.task = attempt.task;
        next.circuit = circuit_of(first_nodes(attempt.order, count));
        look_at(next);
        return next;
    };
    auto count = attempt.count;
    auto chosen = look_at_first(count);
    attempt.aim = aim(target, std::min(chosen.full.verdict.loss,
                                       count == all ? chosen.full.verdict.loss : look_at_first(all).full.verdict.loss));
    // Masks are chosen by fewer examples than decide.
    auto best = std::move(chosen);
    while (best.full.verdict.loss > attempt.aim && count < all) {
        count = std::min(all, count + std::max<std::int64_t>(1, count / 10));
        if (auto next = look_at_first(count); next.full.verdict.loss < best.full.verdict.loss) {
            best = std::move(next);
        }
    }
    attempt.take(std::move(best));
    // A circuit of a stricter target may be smaller already.
    for (std::size_t other = 0; other < config_.targets.size(); ++other) {
        const auto& found = found_[attempt.task][other];
        if (!found.reached || config_.targets[other] > target) {
            continue;
        }
        const auto needed = attempt.full.verdict.loss > attempt.aim;
        if (needed || smaller(found.circuit, attempt.circuit)) {
            Attempt stricter;
            stricter.task = attempt.task;
            stricter.circuit = found.circuit;
            look_at(stricter);
            if (stricter.full.verdict.loss <= attempt.aim) {
                attempt.take(std::move(stricter));
            }
        }
    }
}

void FastPruner::look_at(Attempt& attempt) {
    model_->check_cancelled();
    attempt.compact = std::make_unique<CompactModel>(*model_, attempt.circuit, means_);
    const auto& compact = *attempt.compact;
    for (auto* view : {&attempt.full, &attempt.quick}) {
        view->judge = (view == &attempt.full ? judges_ : quick_judges_)[attempt.task].get();
        view->residuals.clear();
        std::vector<at::Tensor> differences;
        for (const auto& batch : view->judge->batches()) {
            ResidualRecorder<GateHook> recorder;
            recorder.freeze_norms(batch.norms);
            differences.push_back(answer_differences(compact.context(compact.weights()), batch.examples, 1, &recorder));
            view->residuals.push_back(std::move(recorder.residuals));
        }
        view->verdict = view->judge->verdicts(at::cat(differences, 1)).front();
    }
    report(attempt.circuit, attempt.full.verdict.loss);
}

void FastPruner::clean(const std::shared_ptr<Attempt>& attempt) {
    const at::NoGradGuard no_grad;
    if (!attempt->begun) {
        begin(*attempt);
        attempt->leaving_edges.done = !config_.edges;
        attempt->begun = true;
    }
    const auto loss = attempt->full.verdict.loss;
    const auto done = attempt->leaving_nodes.done && attempt->leaving_edges.done;
    if (loss > attempt->aim || (done && !attempt->skipped_dear)) {
        keep(*attempt);
        return;
    }
    const auto look_again = [&] {
        attempt->leaving_nodes.done = false;
        attempt->leaving_edges.done = !config_.edges;
    };
    if (done) {
        attempt->dear.clear();
        attempt->skipped_dear = false;
        look_again();
    }
    // Very many edges come first, while there is something left to spend: gradients find those that cost next to
    // nothing.
    const auto edges = edges_of(attempt->circuit);
    const auto many_edges = config_.edges && too_many(edges) && attempt->leaving_edges.by_gradients(edges);
    const auto of_nodes = !attempt->leaving_nodes.done && !many_edges;
    if (drop(*attempt, of_nodes ? node_parts(*attempt) : edge_parts(*attempt))) {
        attempt->skipped_dear = false;
        look_again();  // without some edges more nodes may do without, and the other way round
    } else {
        (of_nodes ? attempt->leaving_nodes : attempt->leaving_edges).done = true;
    }
    work_.push_front({FastPrunePhase::kClean, [this, attempt] { clean(attempt); }});
}

void FastPruner::keep(const Attempt& attempt) {
    const auto target = config_.targets[attempt.target];
    auto& of_task = found_[attempt.task];
    FoundCircuit best = {attempt.circuit, attempt.full.verdict.calibration, attempt.full.verdict.loss <= target};
    for (std::size_t other = 0; other < config_.targets.size(); ++other) {
        const auto& found = of_task[other];
        if (found.reached && config_.targets[other] <= target &&
            (!best.reached || smaller(found.circuit, best.circuit))) {
            best = found;
        }
    }
    of_task[attempt.target] = std::move(best);
}

std::vector<FastPruner::Part> FastPruner::node_parts(const Attempt& attempt) const {
    const auto& compact = *attempt.compact;
    const auto parameters =
        mask_parameters(compact.nodes(), compact.numbers(), model_->nodes(), config_.options.tied_qk);
    std::vector<Part> parts(parameters.sizes.size());
    for (const auto& site : compact.nodes().sites()) {
        for (std::int64_t i = 0; i < site.width; ++i) {
            auto& part = parts[static_cast<std::size_t>(parameters.of_node[static_cast<std::size_t>(site.offset + i)])];
            part.nodes.push_back(site.offset + i);
            part.half_layer = half_layer_of(site);
        }
    }
    const auto& edges = compact.edges();
    for (std::size_t e = 0; e < edges.size(); ++e) {
        for (const auto end : {edges[e].source, edges[e].target}) {
            parts[static_cast<std::size_t>(parameters.of_node[end])].edges.push_back(static_cast<std::int64_t>(e));
        }
    }
    return parts;
}

std::vector<FastPruner::Part> FastPruner::edge_parts(const Attempt& attempt) const {
    const auto& compact = *attempt.compact;
    std::vector<std::int64_t> half_layer;  // by node
    for (const auto& site : compact.nodes().sites()) {
        half_layer.insert(half_layer.end(), static_cast<std::size_t>(site.width), half_layer_of(site));
    }
    std::vector<Part> parts;
    for (std::size_t e = 0; e < compact.edges().size(); ++e) {
        parts.push_back({{}, {static_cast<std::int64_t>(e)}, half_layer[compact.edges()[e].source]});
    }
    return parts;
}

std::vector<double> FastPruner::losses_without(const Attempt& attempt, const View& view, const std::vector<Part>& parts,
                                               const std::vector<std::vector<std::size_t>>& variants) {
    const auto& compact = *attempt.compact;
    const auto& judge = *view.judge;
    const auto n = static_cast<std::size_t>(compact.nodes().size());
    const auto E = compact.edges().size();
    // Variants that begin to differ at the same half layer run together.
    std::map<std::int64_t, std::vector<std::size_t>> by_half_layer;
    for (std::size_t v = 0; v < variants.size(); ++v) {
        auto first = std::numeric_limits<std::int64_t>::max();
        for (const auto part : variants[v]) {
            first = std::min(first, parts[part].half_layer);
        }
        by_half_layer[first].push_back(v);
    }
    runs_ += static_cast<std::int64_t>(variants.size());
    auto differences = at::empty({static_cast<std::int64_t>(variants.size()), judge.sequences()}, at::kDouble);
    std::int64_t column = 0;
    for (std::size_t b = 0; b < judge.batches().size(); ++b) {
        const auto& batch = judge.batches()[b];
        const auto positions = batch.examples.tokens.numel();
        const auto at_once =
            static_cast<std::size_t>(std::max<std::int64_t>(1, positions_at_once(model_->device()) / positions));
        for (const auto& [half_layer, members] : by_half_layer) {
            const auto& residual = view.residuals[b][static_cast<std::size_t>(half_layer)];
            for (std::size_t begin = 0; begin < members.size(); begin += at_once) {
                model_->check_cancelled();
                const auto R = std::min(at_once, members.size() - begin);
                std::vector<float> nodes(R * n, 1.0F);
                std::vector<float> edges(R * E, 1.0F);
                std::vector<bool> closed(n);
                auto edges_differ = false;
                for (std::size_t r = 0; r < R; ++r) {
                    for (const auto part : variants[members[begin + r]]) {
                        for (const auto node : parts[part].nodes) {
                            nodes[r * n + static_cast<std::size_t>(node)] = 0.0F;
                            closed[static_cast<std::size_t>(node)] = true;
                        }
                        if (parts[part].nodes.empty()) {  // a closed node takes its edges with it
                            edges_differ = true;
                            edges[r * E + static_cast<std::size_t>(parts[part].edges.front())] = 0.0F;
                        }
                    }
                }
                const auto rows = static_cast<std::int64_t>(R);
                GateHook hook(to_device(nodes, means_.device()).view({rows, compact.nodes().size()}), compact.means());
                hook.only_where(std::move(closed));
                hook.freeze_norms(repeated(batch.norms, rows));
                const auto weights =
                    edges_differ
                        ? compact.gated(to_device(edges, means_.device()).view({rows, static_cast<std::int64_t>(E)}))
                        : compact.weights();
                const auto found =
                    answer_differences(compact.context(weights), batch.examples, rows, &hook, half_layer, residual)
                        .to(at::kCPU, at::kDouble);
                for (std::size_t r = 0; r < R; ++r) {
                    differences.select(0, static_cast<std::int64_t>(members[begin + r]))
                        .narrow(0, column, batch.examples.sequences())
                        .copy_(found.select(0, static_cast<std::int64_t>(r)));
                }
            }
        }
        column += batch.examples.sequences();
    }
    std::vector<double> losses;
    for (const auto& verdict : judge.verdicts(differences)) {
        losses.push_back(verdict.loss);
    }
    return losses;
}

std::vector<std::size_t> FastPruner::ranked_by_gradients(const Attempt& attempt, const std::vector<Part>& parts) const {
    const at::AutoGradMode with_gradients(true);
    const auto& compact = *attempt.compact;
    const auto of_nodes = !parts.front().nodes.empty();
    const auto count = of_nodes ? compact.nodes().size() : static_cast<std::int64_t>(compact.edges().size());
    // Of the difference of the answers, whose slope does not vanish where the loss is flat, and without its sign: what
    // seems to help when it goes helps no more once others are gone, what does next to nothing goes on doing so. For
    // nodes by sequence, for edges, which are weights of a whole forward, by batch.
    auto change = at::zeros({count}, means_.options());
    for (const double open : {1.0, 0.5}) {
        for (const auto& batch : attempt.quick.judge->batches()) {
            model_->check_cancelled();
            auto gates = at::full({of_nodes ? batch.examples.sequences() : 1, count}, open, means_.options());
            gates.set_requires_grad(true);
            const auto weights = of_nodes ? compact.weights() : compact.gated(gates);
            GateHook hook(of_nodes ? gates : at::Tensor(), compact.means());
            hook.freeze_norms(batch.norms);
            const auto differences = answer_differences(compact.context(weights), batch.examples, 1, &hook);
            (answer_signs(batch.examples) * differences).sum().backward();
            change.add_(gates.grad().abs().sum(0));
        }
    }
    const auto host = change.to(at::kCPU).contiguous();
    std::vector<double> cost;  // of an edge less
    for (const auto& part : parts) {
        double sum = 0.0;
        for (const auto index : of_nodes ? part.nodes : part.edges) {
            sum += host.const_data_ptr<float>()[index];
        }
        cost.push_back(sum / part.size());
    }
    std::vector<std::size_t> order(parts.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t x, std::size_t y) { return cost[x] < cost[y]; });
    return order;
}

std::size_t FastPruner::first_that_reaches(const Attempt& attempt, const std::vector<Part>& parts,
                                           const std::vector<std::vector<std::size_t>>& variants) {
    // On a processor several variants at once cost what they do one by one.
    const auto at_once = model_->device().is_cpu() ? 1 : variants.size();
    for (std::size_t first = 0; first < variants.size(); first += at_once) {
        std::vector<std::size_t> hopeful(at_once);
        std::iota(hopeful.begin(), hopeful.end(), first);
        const auto losses_by = [&](const View& view) {
            std::vector<std::vector<std::size_t>> some;
            for (const auto v : hopeful) {
                some.push_back(variants[v]);
            }
            return losses_without(attempt, view, parts, some);
        };
        // Few examples tell those that leave out far too much.
        if (attempt.quick.judge->sequences() < attempt.full.judge->sequences()) {
            const auto losses = losses_by(attempt.quick);
            std::vector<std::size_t> left;
            for (std::size_t i = 0; i < losses.size(); ++i) {
                if (!far_too_dear(attempt, losses[i] - attempt.quick.verdict.loss)) {
                    left.push_back(hopeful[i]);
                }
            }
            hopeful = std::move(left);
        }
        const auto losses = losses_by(attempt.full);
        for (std::size_t i = 0; i < losses.size(); ++i) {
            if (losses[i] <= attempt.aim) {
                return hopeful[i];
            }
        }
    }
    return variants.size();
}

bool FastPruner::far_too_dear(const Attempt& attempt, double rise) {
    return rise > kDoubt * (attempt.aim - attempt.full.verdict.loss) + kLeastRise * attempt.aim;
}

bool FastPruner::too_many(std::size_t parts) const { return static_cast<std::int64_t>(parts) > config_.exact_parts; }

bool FastPruner::drop(Attempt& attempt, const std::vector<Part>& parts) {
    if (parts.empty()) {
        return false;
    }
    std::vector<std::size_t> all(parts.size());
    std::iota(all.begin(), all.end(), 0);
    if (!too_many(parts.size())) {
        return leave_out(attempt, parts, expendable(attempt, parts, ranked_by_runs(attempt, parts, all))) > 0;
    }
    auto& leaving = parts.front().nodes.empty() ? attempt.leaving_edges : attempt.leaving_nodes;
    all = ranked_by_gradients(attempt, parts);
    if (leaving.by_gradients(parts.size())) {
        if (leave_out(attempt, parts, largest_share(attempt, parts, all)) < least_share(parts.size())) {
            leaving.too_many_for_gradients = parts.size();
        }
        return true;
    }
    // Runs without each of the cheapest; of the next ones when none of these can go.
    const auto size = std::max<std::size_t>(kTries, static_cast<std::size_t>(config_.exact_parts));
    for (std::size_t first = 0; first < all.size(); first += size) {
        const auto begin = all.begin() + static_cast<std::ptrdiff_t>(first);
        const std::vector<std::size_t> some(begin,
                                            begin + static_cast<std::ptrdiff_t>(std::min(size, all.size() - first)));
        if (leave_out(attempt, parts, expendable(attempt, parts, ranked_by_runs(attempt, parts, some))) > 0) {
            return true;
        }
    }
    return false;
}

std::vector<std::size_t> FastPruner::ranked_by_runs(Attempt& attempt, const std::vector<Part>& parts,
                                                    const std::vector<std::size_t>& some) {
    const auto& numbers = attempt.compact->numbers();
    const auto key = [&](const Part& part) {
        if (!part.nodes.empty()) {
            return std::pair<std::int64_t, std::int64_t>(numbers[static_cast<std::size_t>(part.nodes.front())], -1);
        }
        const auto& edge = attempt.compact->edges()[static_cast<std::size_t>(part.edges.front())];
        return std::pair<std::int64_t, std::int64_t>(numbers[edge.source], numbers[edge.target]);
    };
    std::vector<std::vector<std::size_t>> single;
    for (const auto i : some) {
        if (attempt.dear.count(key(parts[i])) == 0) {
            single.push_back({i});
        }
    }
    attempt.skipped_dear |= single.size() < some.size();
    const auto losses = losses_without(attempt, attempt.quick, parts, single);
    std::vector<std::pair<double, std::size_t>> by_cost;  // of an edge less
    for (std::size_t i = 0; i < single.size(); ++i) {
        const auto& part = parts[single[i].front()];
        const auto rise = losses[i] - attempt.quick.verdict.loss;
        if (far_too_dear(attempt, rise)) {
            attempt.dear.insert(key(part));
        } else {
            by_cost.emplace_back(rise > 0.0 ? rise / part.size() : rise, single[i].front());
        }
    }
    std::sort(by_cost.begin(), by_cost.end());
    std::vector<std::size_t> order;
    for (const auto& [cost, part] : by_cost) {
        order.push_back(part);
    }
    return order;
}

std::vector<std::size_t> FastPruner::largest_share(const Attempt& attempt, const std::vector<Part>& parts,
                                                   const std::vector<std::size_t>& order) {
    std::vector<std::vector<std::size_t>> variants;
    for (const auto share : kShares) {
        if (const auto count = order.size() * share / kSixteenths; count > 0) {
            variants.emplace_back(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count));
        }
    }
    const auto taken = first_that_reaches(attempt, parts, variants);
    return taken == variants.size() ? std::vector<std::size_t>() : variants[taken];
}

std::vector<std::size_t> FastPruner::expendable(const Attempt& attempt, const std::vector<Part>& parts,
                                                const std::vector<std::size_t>& order) {
    // Growing numbers of them at a time for as long as they can go: half of all, then one by one, since the rest looks
    // different once these are gone; until a row of them cannot.
    const auto half = order.size() / 2;
    std::vector<std::size_t> gone;
    for (std::size_t next = 0, width = 1, failures = 0; next < order.size() && failures < kTries;) {
        width = std::max<std::size_t>(1, next < half ? std::min(width, half - next) : 1);
        std::vector<std::vector<std::size_t>> variants;
        for (auto w = width; w > 0; w /= 2) {
            variants.push_back(gone);
            const auto first = order.begin() + static_cast<std::ptrdiff_t>(next);
            variants.back().insert(variants.back().end(), first, first + static_cast<std::ptrdiff_t>(w));
        }
        const auto taken = first_that_reaches(attempt, parts, variants);
        if (taken == variants.size()) {
            ++failures;
            ++next;
            width = 1;
            continue;
        }
        const auto more = variants[taken].size() - gone.size();
        gone = std::move(variants[taken]);
        failures = 0;
        next += more;
        width = 2 * more;
    }
    return gone;
}

std::size_t FastPruner::leave_out(Attempt& attempt, const std::vector<Part>& parts, std::vector<std::size_t> gone) {
    while (!gone.empty()) {
        Attempt next;
        next.task = attempt.task;
        next.circuit = without(attempt, parts, gone);
        look_at(next);
        if (next.full.verdict.loss <= attempt.aim) {
            attempt.take(std::move(next));
            return gone.size();
        }
        // Edges into nodes that are gone feed AbsTopK again, which the gates of a variant do not know.
        gone.resize(gone.size() - std::max<std::size_t>(1, gone.size() / 8));
    }
    return 0;
}

EdgeCircuit FastPruner::without(const Attempt& attempt, const std::vector<Part>& parts,
                                const std::vector<std::size_t>& gone) const {
    auto circuit = attempt.circuit;
    std::vector<bool> closed(attempt.compact->edges().size());
    for (const auto part : gone) {
        for (const auto node : parts[part].nodes) {
            circuit.keep[static_cast<std::size_t>(attempt.compact->numbers()[static_cast<std::size_t>(node)])] = 0;
        }
        for (const auto edge : parts[part].edges) {
            closed[static_cast<std::size_t>(edge)] = true;
        }
    }
    if (circuit.edges) {
        std::vector<Edge> left;
        for (std::size_t e = 0; e < closed.size(); ++e) {
            if (!closed[e]) {
                left.push_back((*circuit.edges)[e]);
            }
        }
        circuit.edges = std::move(left);
    }
    return circuit;
}

}  // namespace filigree
