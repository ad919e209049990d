// SPDX-License-Identifier: Apache-2.0
// The fast pruning method (docs/pruning.md). For every task:
//   1. attribute: gradient x (activation - mean) of every node; the fewest by that order that reach the strictest
//      target, and some more, are the candidates;
//   2. learn: masks of all tasks and settings at once, as rows of one batch, on the model compacted to the candidates;
//   3. choose: for every target, of every mask the fewest nodes by score that reach it, several numbers in one
//      forward;
//   4. clean: nodes, then single edges are left out for as long as the target is kept (clean_up.hpp), of the circuit
//      of every mask; the smallest is what was found.
// A circuit reaches a target when its calibrated loss is at most that on training and on validation examples. With a
// margin below 1 the search aims at a part of the way to it, for circuits with more to spare on other templates.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "circuit/edge_circuit.hpp"
#include "prune/clean_up.hpp"
#include "prune/compact_model.hpp"
#include "prune/fast_prune_config.hpp"
#include "prune/judge.hpp"
#include "prune/mask_optimizer.hpp"

namespace filigree {

/// A circuit that was found.
struct FoundCircuit {
    EdgeCircuit circuit;
    Calibration calibration;  ///< fitted on the training pairs that circuits are judged by
    bool reached = false;     ///< on the compacted model
};

/// Numbers are those of fg_fast_prune_phase.
enum class FastPrunePhase : std::int32_t { kAttribute, kLearn, kChoose, kClean, kDone };

class FastPruner {
public:
    /// @param tasks of one model. @param means fp32 [nodes] on its device.
    FastPruner(std::vector<PruneTask> tasks, FastPruneConfig config, at::Tensor means);
    FastPruner(const FastPruner&) = delete;
    FastPruner& operator=(const FastPruner&) = delete;
    ~FastPruner();

    /// Do a piece of work, of a few tenths of a second on small models. Nothing when finished.
    void advance();
    [[nodiscard]] bool finished() const { return work_.empty(); }
    /// What comes next.
    [[nodiscard]] FastPrunePhase phase() const { return work_.empty() ? FastPrunePhase::kDone : work_.front().phase; }
    [[nodiscard]] std::int64_t pieces_done() const { return pieces_done_; }
    /// Of the circuit that was last looked at; 0 before there is one.
    [[nodiscard]] std::int64_t nodes() const { return nodes_; }
    [[nodiscard]] std::int64_t edges() const { return edges_; }
    [[nodiscard]] double loss() const { return loss_; }
    /// How often a circuit was run without some of its parts, on few examples or on all: what a search costs.
    [[nodiscard]] std::int64_t runs() const { return runs_; }

    /// @param task,target indices into those asked for. Only when finished.
    [[nodiscard]] const FoundCircuit& found(std::size_t task, std::size_t target) const {
        return found_.at(task).at(target);
    }
    [[nodiscard]] std::size_t tasks() const { return tasks_.size(); }
    [[nodiscard]] std::size_t targets() const { return config_.targets.size(); }
    [[nodiscard]] Model& model() const { return *model_; }

private:
    struct Piece {
        FastPrunePhase phase;
        std::function<void()> run;
    };
    struct Attempt;
    /// The first nodes of an order.
    struct Start {
        std::int64_t count = 0;
        double loss = 0.0;  ///< on few examples
    };

    /// Loss that a search for a target aims at: a part of the way from the best there is; more for a looser target.
    [[nodiscard]] double aim(double target, double best) const;
    void attribute(std::size_t task);
    /// With tied queries and keys, open both where one is.
    void tie(std::vector<std::uint8_t>& keep) const;
    void prepare_learning();
    void learn();
    void choose(std::size_t task);
    /// The candidates of a task by score, for every mask; equals by what the attribution says. Numbers are those of
    /// compact_.
    [[nodiscard]] std::vector<std::vector<std::int64_t>> orders(std::size_t task) const;
    /// Losses, on few examples, of the first nodes of an order, for several numbers of them.
    [[nodiscard]] std::vector<double> losses_of_first(std::size_t task, const std::vector<std::int64_t>& order,
                                                      const std::vector<std::int64_t>& counts) const;
    /// Fewest nodes of an order that have at most a loss; where no number does, that with the least loss.
    [[nodiscard]] Start fewest(std::size_t task, const std::vector<std::int64_t>& order, Start all, double loss) const;
    /// The number of nodes of an order that has the least loss, of numbers that grow by a third.
    [[nodiscard]] Start best_of(std::size_t task, const std::vector<std::int64_t>& order, Start all) const;
    void clean(const std::shared_ptr<Attempt>& attempt);
    /// Keep what an attempt has found, or what a stricter target has where that is smaller.
    void keep(const Attempt& attempt);
    /// Settle the circuit that an attempt begins with.
    [[nodiscard]] std::unique_ptr<CleanUp> begin(const Attempt& attempt);
    [[nodiscard]] JudgedCircuit look_at(std::size_t task, EdgeCircuit circuit);
    [[nodiscard]] std::vector<std::uint8_t> first_nodes(const std::vector<std::int64_t>& order,
                                                        std::int64_t count) const;
    /// What GateHook::freeze_norms() takes, empty when norms are not frozen.
    [[nodiscard]] std::vector<at::Tensor> norms_of(const Examples& examples) const;
    [[nodiscard]] EdgeCircuit circuit_of(std::vector<std::uint8_t> keep) const;
    void report(const EdgeCircuit& circuit, double loss);

    std::vector<PruneTask> tasks_;
    FastPruneConfig config_;
    at::Tensor means_;
    std::shared_ptr<Model> model_;
    std::deque<Piece> work_;
    std::int64_t pieces_done_ = 0;
    std::int64_t nodes_ = 0;
    std::int64_t edges_ = 0;
    double loss_ = 0.0;
    std::int64_t runs_ = 0;

    std::vector<Judges> judges_;                         // by task
    std::vector<std::vector<double>> attributions_;      // by task and node
    std::vector<std::vector<std::uint8_t>> candidates_;  // by task and node
    std::unique_ptr<CompactModel> compact_;              // of the candidates of all tasks
    std::vector<std::int64_t> parameter_of_;             // of every node of compact_, its mask parameter
    std::unique_ptr<MaskOptimizer> masks_;               // rows: tasks x k_factors
    at::Tensor allowed_;                                 // fp32 [R, nodes of compact_], candidates of the row's task
    std::vector<std::vector<FoundCircuit>> found_;       // by task and target
};

}  // namespace filigree
