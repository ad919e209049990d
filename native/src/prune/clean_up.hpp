// SPDX-License-Identifier: Apache-2.0
// The last part of the fast method (docs/pruning.md): nodes and edges of a circuit are left out for as long as it keeps
// a loss. What each alone costs is measured for all of them in one pass, from the residual before its half layer on;
// more than some hundreds are first made fewer by gradients.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "circuit/edge_circuit.hpp"
#include "model/model.hpp"
#include "prune/fast_prune_config.hpp"
#include "prune/judge.hpp"

namespace filigree {

class CleanUp {
public:
    /// Model, configuration and judges must outlive it.
    /// @param means fp32 [nodes] on the model's device. @param aim loss to keep, nats per sequence; a circuit that
    /// does not stays as it is.
    CleanUp(Model& model, const FastPruneConfig& config, at::Tensor means, const Judges& judges, JudgedCircuit start,
            double aim);

    /// Leave out some nodes, or some edges. @return whether there may be more to leave out. @throws FG_CANCELLED, after
    /// which it can be called again.
    bool advance();
    [[nodiscard]] const JudgedCircuit& circuit() const { return current_; }
    /// How often a circuit was run without some of its parts, on few examples or on all.
    [[nodiscard]] std::int64_t runs() const { return runs_; }

private:
    /// What can be left out at a time: nodes with all their edges, or an edge. Numbers are those of the compact model.
    struct Part {
        std::vector<std::int64_t> nodes;
        std::vector<std::int64_t> edges;
        std::int64_t half_layer = 0;

        /// Edges that go with it, at least 1.
        [[nodiscard]] double size() const;
    };
    using Parts = std::vector<Part>;
    using Numbers = std::vector<std::size_t>;  ///< of parts

    /// What is known about leaving out parts of one kind.
    struct Leaving {
        bool done = false;  ///< none of those that are looked at can go
        /// Number of parts for which gradients found too little; they are asked again when there are far fewer.
        std::optional<std::size_t> too_many_for_gradients;

        [[nodiscard]] bool by_gradients(std::size_t parts) const;
    };

    void look_again();
    [[nodiscard]] Parts node_parts() const;
    [[nodiscard]] Parts edge_parts() const;
    /// Loss of variants of the circuit, each of which leaves out some parts.
    [[nodiscard]] std::vector<double> losses_without(const Judge& judge, const View& view, const Parts& parts,
                                                     const std::vector<Numbers>& variants);
    /// Of those that begin to differ at one half layer, for one batch. @param residual [sequences, T, d] before that
    /// half layer. @return double [variants, sequences], on the host.
    [[nodiscard]] at::Tensor differences_without(const Judge::Batch& batch, std::int64_t half_layer,
                                                 const at::Tensor& residual, const Parts& parts,
                                                 const std::vector<Numbers>& variants) const;
    /// The first variant that keeps the aim; their number where none does.
    [[nodiscard]] std::size_t first_that_reaches(const Parts& parts, const std::vector<Numbers>& variants);
    /// Whether a rise of the quick loss leaves no hope that the full one stays below the aim.
    [[nodiscard]] bool far_too_dear(double rise) const;
    /// Whether there are more than are all ranked by runs.
    [[nodiscard]] bool too_many(std::size_t parts) const;
    /// Leave out those parts whose absence costs least. @return whether another round may find more.
    bool drop(const Parts& parts, Leaving& leaving);
    /// All of them, those first that change the answers least to first order.
    [[nodiscard]] Numbers ranked_by_gradients(const Parts& parts) const;
    /// Some of them by runs without each, cheapest first, without the dear.
    [[nodiscard]] Numbers ranked_by_runs(const Parts& parts, const Numbers& some);
    /// The first half of an order, or as large a part of that as can go; empty when an eighth of all cannot.
    [[nodiscard]] Numbers largest_share(const Parts& parts, const Numbers& order);
    /// Those of an order that can go together.
    [[nodiscard]] Numbers expendable(const Parts& parts, const Numbers& order);
    /// Leave out as many of them as the whole circuit allows. @return how many.
    std::size_t leave_out(const Parts& parts, Numbers gone);
    [[nodiscard]] EdgeCircuit without(const Parts& parts, const Numbers& gone) const;

    Model& model_;
    const FastPruneConfig& config_;
    at::Tensor means_;
    const Judges& judges_;
    JudgedCircuit current_;
    double aim_;
    Leaving nodes_;
    Leaving edges_;
    /// What was too dear the last time it was looked at: nodes as (number, -1), edges as (source, target). It is looked
    /// at once more when nothing else can go.
    std::set<std::pair<std::int64_t, std::int64_t>> dear_;
    bool skipped_dear_ = false;  ///< since a part went
    std::int64_t runs_ = 0;
};

}  // namespace filigree
