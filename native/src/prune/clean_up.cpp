// SPDX-License-Identifier: Apache-2.0
#include "prune/clean_up.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <numeric>
#include <utility>

#include "core/to_device.hpp"
#include "model/residuals.hpp"
#include "prune/task_score.hpp"

namespace filigree {
namespace {

constexpr double kDoubt = 1.5;       // how far the loss of few examples may be off, of what is left to the aim
constexpr double kLeastRise = 0.05;  // and of the aim
constexpr std::size_t kTries = 6;    // parts in a row that cannot go before a new look at all of them
constexpr std::size_t kSixteenths = 16;
constexpr std::array<std::size_t, 5> kShares = {8, 6, 4, 3, 2};  // sixteenths of all that a round by gradients tries

/// What a round by gradients leaves out at least.
std::size_t least_share(std::size_t parts) { return std::max<std::size_t>(1, parts * kShares.back() / kSixteenths); }

}  // namespace

double CleanUp::Part::size() const { return static_cast<double>(std::max<std::size_t>(1, edges.size())); }

bool CleanUp::Leaving::by_gradients(std::size_t parts) const {
    return !too_many_for_gradients || parts + least_share(*too_many_for_gradients) < *too_many_for_gradients;
}

CleanUp::CleanUp(Model& model, const FastPruneConfig& config, at::Tensor means, const Judges& judges,
                 JudgedCircuit start, double aim)
    : model_(model), config_(config), means_(std::move(means)), judges_(judges), current_(std::move(start)), aim_(aim) {
    look_again();
}

void CleanUp::look_again() {
    nodes_.done = false;
    edges_.done = !config_.edges;
}

bool CleanUp::advance() {
    const at::NoGradGuard no_grad;
    if (current_.loss() > aim_) {
        return false;
    }
    if (nodes_.done && edges_.done) {
        if (!skipped_dear_) {
            return false;
        }
        dear_.clear();
        skipped_dear_ = false;
        look_again();
    }
    // Very many edges come first, while there is something left to spend: gradients find those that cost next to
    // nothing.
    const auto edges = edge_count(current_.circuit);
    const auto many_edges = config_.edges && too_many(edges) && edges_.by_gradients(edges);
    const auto of_nodes = !nodes_.done && !many_edges;
    auto& leaving = of_nodes ? nodes_ : edges_;
    if (drop(of_nodes ? node_parts() : edge_parts(), leaving)) {
        skipped_dear_ = false;
        look_again();  // without some edges more nodes may do without, and the other way round
    } else {
        leaving.done = true;
    }
    return true;
}

CleanUp::Parts CleanUp::node_parts() const {
    const auto& compact = *current_.compact;
    const auto parameters =
        mask_parameters(compact.nodes(), compact.numbers(), model_.nodes(), config_.options.tied_qk);
    Parts parts(parameters.sizes.size());
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

CleanUp::Parts CleanUp::edge_parts() const {
    const auto& compact = *current_.compact;
    std::vector<std::int64_t> half_layer;  // by node
    for (const auto& site : compact.nodes().sites()) {
        half_layer.insert(half_layer.end(), static_cast<std::size_t>(site.width), half_layer_of(site));
    }
    Parts parts;
    for (std::size_t e = 0; e < compact.edges().size(); ++e) {
        parts.push_back({{}, {static_cast<std::int64_t>(e)}, half_layer[compact.edges()[e].source]});
    }
    return parts;
}

std::vector<double> CleanUp::losses_without(const Judge& judge, const View& view, const Parts& parts,
                                            const std::vector<Numbers>& variants) {
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
        const auto at_once = static_cast<std::size_t>(
            std::max<std::int64_t>(1, positions_at_once(model_.device(), model_.config().d_model) / positions));
        for (const auto& [half_layer, members] : by_half_layer) {
            const auto& residual = view.residuals[b][static_cast<std::size_t>(half_layer)];
            for (std::size_t begin = 0; begin < members.size(); begin += at_once) {
                model_.check_cancelled();
                std::vector<Numbers> together;
                for (std::size_t r = begin; r < std::min(begin + at_once, members.size()); ++r) {
                    together.push_back(variants[members[r]]);
                }
                const auto found = differences_without(batch, half_layer, residual, parts, together);
                for (std::size_t r = 0; r < together.size(); ++r) {
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

at::Tensor CleanUp::differences_without(const Judge::Batch& batch, std::int64_t half_layer, const at::Tensor& residual,
                                        const Parts& parts, const std::vector<Numbers>& variants) const {
    const auto& compact = *current_.compact;
    const auto R = static_cast<std::int64_t>(variants.size());
    const auto n = static_cast<std::size_t>(compact.nodes().size());
    const auto E = compact.edges().size();
    std::vector<float> nodes(variants.size() * n, 1.0F);
    std::vector<float> edges(variants.size() * E, 1.0F);
    std::vector<bool> closed(n);
    auto edges_differ = false;
    for (std::size_t r = 0; r < variants.size(); ++r) {
        for (const auto part : variants[r]) {
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
    GateHook hook(to_device(nodes, means_.device()).view({R, compact.nodes().size()}), compact.means());
    hook.only_where(std::move(closed));
    hook.freeze_norms(repeated(batch.norms, R));
    const auto weights = edges_differ
                             ? compact.gated(to_device(edges, means_.device()).view({R, static_cast<std::int64_t>(E)}))
                             : compact.weights();
    return answer_differences(compact.context(weights), batch.examples, R, &hook, half_layer, residual)
        .to(at::kCPU, at::kDouble);
}

CleanUp::Numbers CleanUp::ranked_by_gradients(const Parts& parts) const {
    const at::AutoGradMode with_gradients(true);
    const auto& compact = *current_.compact;
    const auto of_nodes = !parts.front().nodes.empty();
    const auto count = of_nodes ? compact.nodes().size() : static_cast<std::int64_t>(compact.edges().size());
    // Of the difference of the answers, whose slope does not vanish where the loss is flat, and without its sign: what
    // seems to help when it goes helps no more once others are gone, what does next to nothing goes on doing so. For
    // nodes by sequence, for edges, which are weights of a whole forward, by batch.
    auto change = at::zeros({count}, means_.options());
    for (const double open : {1.0, 0.5}) {
        for (const auto& batch : judges_.quick.batches()) {
            model_.check_cancelled();
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
    Numbers order(parts.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t x, std::size_t y) { return cost[x] < cost[y]; });
    return order;
}

std::size_t CleanUp::first_that_reaches(const Parts& parts, const std::vector<Numbers>& variants) {
    // On a processor several variants at once cost what they do one by one.
    const auto at_once = model_.device().is_cpu() ? 1 : variants.size();
    for (std::size_t first = 0; first < variants.size(); first += at_once) {
        Numbers hopeful(at_once);
        std::iota(hopeful.begin(), hopeful.end(), first);
        const auto losses_by = [&](const Judge& judge, const View& view) {
            std::vector<Numbers> some;
            for (const auto v : hopeful) {
                some.push_back(variants[v]);
            }
            return losses_without(judge, view, parts, some);
        };
        // Few examples tell those that leave out far too much.
        if (judges_.quick.sequences() < judges_.full.sequences()) {
            const auto losses = losses_by(judges_.quick, current_.quick);
            Numbers left;
            for (std::size_t i = 0; i < losses.size(); ++i) {
                if (!far_too_dear(losses[i] - current_.quick.verdict.loss)) {
                    left.push_back(hopeful[i]);
                }
            }
            hopeful = std::move(left);
        }
        const auto losses = losses_by(judges_.full, current_.full);
        for (std::size_t i = 0; i < losses.size(); ++i) {
            if (losses[i] <= aim_) {
                return hopeful[i];
            }
        }
    }
    return variants.size();
}

bool CleanUp::far_too_dear(double rise) const { return rise > kDoubt * (aim_ - current_.loss()) + kLeastRise * aim_; }

bool CleanUp::too_many(std::size_t parts) const { return static_cast<std::int64_t>(parts) > config_.exact_parts; }

bool CleanUp::drop(const Parts& parts, Leaving& leaving) {
    if (parts.empty()) {
        return false;
    }
    Numbers all(parts.size());
    std::iota(all.begin(), all.end(), 0);
    auto at_once = all.size();
    if (too_many(parts.size())) {
        all = ranked_by_gradients(parts);
        if (leaving.by_gradients(parts.size())) {
            if (leave_out(parts, largest_share(parts, all)) < least_share(parts.size())) {
                leaving.too_many_for_gradients = parts.size();
            }
            return true;
        }
        at_once = std::max<std::size_t>(kTries, static_cast<std::size_t>(config_.exact_parts));
    }
    // Runs without each of the cheapest; of the next ones when none of these can go.
    for (std::size_t first = 0; first < all.size(); first += at_once) {
        const auto begin = all.begin() + static_cast<std::ptrdiff_t>(first);
        const Numbers some(begin, begin + static_cast<std::ptrdiff_t>(std::min(at_once, all.size() - first)));
        if (leave_out(parts, expendable(parts, ranked_by_runs(parts, some))) > 0) {
            return true;
        }
    }
    return false;
}

CleanUp::Numbers CleanUp::ranked_by_runs(const Parts& parts, const Numbers& some) {
    const auto& numbers = current_.compact->numbers();
    const auto key = [&](const Part& part) {
        if (!part.nodes.empty()) {
            return std::pair<std::int64_t, std::int64_t>(numbers[static_cast<std::size_t>(part.nodes.front())], -1);
        }
        const auto& edge = current_.compact->edges()[static_cast<std::size_t>(part.edges.front())];
        return std::pair<std::int64_t, std::int64_t>(numbers[edge.source], numbers[edge.target]);
    };
    std::vector<Numbers> single;
    for (const auto i : some) {
        if (dear_.count(key(parts[i])) == 0) {
            single.push_back({i});
        }
    }
    skipped_dear_ |= single.size() < some.size();
    const auto losses = losses_without(judges_.quick, current_.quick, parts, single);
    std::vector<std::pair<double, std::size_t>> by_cost;  // of an edge less
    for (std::size_t i = 0; i < single.size(); ++i) {
        const auto& part = parts[single[i].front()];
        const auto rise = losses[i] - current_.quick.verdict.loss;
        if (far_too_dear(rise)) {
            dear_.insert(key(part));
        } else {
            by_cost.emplace_back(rise > 0.0 ? rise / part.size() : rise, single[i].front());
        }
    }
    std::sort(by_cost.begin(), by_cost.end());
    Numbers order;
    for (const auto& [cost, part] : by_cost) {
        order.push_back(part);
    }
    return order;
}

CleanUp::Numbers CleanUp::largest_share(const Parts& parts, const Numbers& order) {
    std::vector<Numbers> variants;
    for (const auto share : kShares) {
        if (const auto count = order.size() * share / kSixteenths; count > 0) {
            variants.emplace_back(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count));
        }
    }
    const auto taken = first_that_reaches(parts, variants);
    return taken == variants.size() ? Numbers() : variants[taken];
}

CleanUp::Numbers CleanUp::expendable(const Parts& parts, const Numbers& order) {
    // Growing numbers of them at a time for as long as they can go: half of all, then one by one, since the rest looks
    // different once these are gone; until a row of them cannot.
    const auto half = order.size() / 2;
    Numbers gone;
    for (std::size_t next = 0, width = 1, failures = 0; next < order.size() && failures < kTries;) {
        width = std::max<std::size_t>(1, next < half ? std::min(width, half - next) : 1);
        std::vector<Numbers> variants;
        for (auto w = width; w > 0; w /= 2) {
            variants.push_back(gone);
            const auto first = order.begin() + static_cast<std::ptrdiff_t>(next);
            variants.back().insert(variants.back().end(), first, first + static_cast<std::ptrdiff_t>(w));
        }
        const auto taken = first_that_reaches(parts, variants);
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

std::size_t CleanUp::leave_out(const Parts& parts, Numbers gone) {
    while (!gone.empty()) {
        model_.check_cancelled();
        auto next = judge_circuit(model_, without(parts, gone), means_, judges_);
        if (next.loss() <= aim_) {
            current_ = std::move(next);
            return gone.size();
        }
        // Edges into nodes that are gone feed AbsTopK again, which the gates of a variant do not know.
        gone.resize(gone.size() - std::max<std::size_t>(1, gone.size() / 8));
    }
    return 0;
}

EdgeCircuit CleanUp::without(const Parts& parts, const Numbers& gone) const {
    auto circuit = current_.circuit;
    std::vector<bool> closed(current_.compact->edges().size());
    for (const auto part : gone) {
        for (const auto node : parts[part].nodes) {
            circuit.keep[static_cast<std::size_t>(current_.compact->numbers()[static_cast<std::size_t>(node)])] = 0;
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
