// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/memory_cache.hpp"
#include "core/profile.hpp"
#include "model/model.hpp"
#include "ops/backend.hpp"
#include "ops/device_optimizer.hpp"
#include "ops/warm_projection.hpp"
#include "sparsity/projector.hpp"
#include "train/sampler.hpp"
#include "train/train_config.hpp"

namespace filigree {

/// What one step did.
struct StepReport {
    double loss = 0.0;       ///< nats per token, of the batch before the step
    double grad_norm = 0.0;  ///< L2, before normalisation
    double lr = 0.0;
    double density = 0.0;  ///< of the block matrices after the step
};

/// What several steps did.
struct Progress {
    StepReport last;
    double mean_loss = 0.0;
};

/// Weight-sparse training of one model (method 2.1): gradient normalisation, Adam, exact projection, decay.
class Trainer {
public:
    Trainer(std::shared_ptr<Model> model, TrainConfig config, std::vector<TokenStream> streams);

    /// Go on from trainer.safetensors in `folder`; the model must come from the same folder.
    /// @throws FG_NOT_FOUND, FG_IO, FG_BAD_CHECKPOINT.
    [[nodiscard]] static std::unique_ptr<Trainer> resume(std::shared_ptr<Model> model,
                                                         const std::filesystem::path& folder,
                                                         std::vector<TokenStream> streams);

    /// Up to `n` steps, at least 1, on the batches that the configuration draws for them. On a device the host reads
    /// nothing before the last of them.
    /// @throws FG_DIVERGED, naming the first tensor or site that is not finite; the weights are those before that step.
    /// FG_CANCELLED.
    Progress steps(std::int64_t n);
    StepReport step() { return steps(1).last; }
    /// One step on a given batch. @param tokens [B, T] int64 on the model's device. @throws as steps().
    StepReport step_on(const at::Tensor& tokens);

    /// Learn from a teacher's predictions as the configuration says; needed before the first step when it does.
    /// @throws FG_INVALID_ARGUMENT for a teacher of another vocabulary, device or too short a context, for one that the
    /// configuration has no use for, and for another one than that of the run that is resumed.
    void set_teacher(std::shared_ptr<Model> teacher);
    /// NULL without one.
    [[nodiscard]] const std::shared_ptr<Model>& teacher() const { return teacher_; }

    /// Write the model's files and trainer.safetensors into an existing folder.
    /// @throws FG_DIVERGED when a weight is not finite: nothing could go on from there. FG_NOT_FOUND, FG_IO.
    void save(const std::filesystem::path& folder) const;

    [[nodiscard]] const TrainConfig& config() const { return config_; }
    [[nodiscard]] Model& model() const { return *model_; }
    [[nodiscard]] std::int64_t steps_done() const { return steps_done_; }
    [[nodiscard]] std::int64_t tokens_seen() const { return tokens_seen_; }
    [[nodiscard]] bool finished() const { return steps_done_ >= config_.steps; }

    /// Cross-entropy of a batch; leaves its gradients in gradients(). @return loss, nats per token.
    double compute_gradients(const at::Tensor& tokens);
    [[nodiscard]] const at::Tensor& gradients() const { return gradients_; }  ///< flat [trainable_size]
    /// weight_statistics_json() of the model, and with revivals the number of units that were revived.
    [[nodiscard]] std::string metrics_json() const;
    /// Plan, crossover and where the time of all steps so far went, as JSON.
    [[nodiscard]] std::string profile_json() const;
    /// Where the time of all steps so far went.
    [[nodiscard]] const Profile& profile() const { return profile_; }
    /// Memory that it keeps for the tensors of its next step.
    [[nodiscard]] std::size_t kept_bytes() const { return memory_.free_bytes(); }

private:
    /// Measure from which density on the model's matrices are worth taking as sparse ones.
    void plan_matrices();
    /// Promise of a resumed run what its last step had promised, so that its matrices are planned alike.
    void promise_last_projection();
    [[nodiscard]] ops::Backend backend() const;
    [[nodiscard]] bool fast() const { return backend() != ops::Backend::kComposition; }
    [[nodiscard]] at::Tensor next_batch() const;
    /// Up to `n` steps on what batch() gives before each.
    Progress run(std::int64_t n, const std::function<at::Tensor()>& batch);
    StepReport run_step(const at::Tensor& tokens);
    /// The same on a device, without waiting for it: loss and norm are left out.
    StepReport enqueue_step(const at::Tensor& tokens);
    /// Wait for `steps` enqueued steps and fill in what the last left out. @return their mean loss.
    double read_steps(std::int64_t steps, const at::Tensor& last_tokens, StepReport& last);
    /// What some sequences come to; its backward adds to the gradients.
    [[nodiscard]] Objective objective_of(const at::Tensor& tokens) const;
    /// Make the gradients those of a batch, part by part, so that the activations of one part are there at a time.
    /// @param add takes the objective of a part, that part, and the part's share of the batch.
    void accumulate_gradients(const at::Tensor& tokens,
                              const std::function<void(const Objective&, const at::Tensor&, double)>& add);
    [[nodiscard]] double decay_of(const Parameter& parameter, double lr) const;
    /// Run `compute` under the weights that the level which is drawn for this step would leave.
    void under_drawn_level(const std::function<void()>& compute);
    void revive(const StepReport& report);
    /// Projector of what is kept at a step.
    [[nodiscard]] const Projector& projector_at(std::int64_t step) const {
        return projectors_[static_cast<std::size_t>(config_.levels_at(step) - 1)];
    }
    /// The same at the present one.
    [[nodiscard]] const Projector& projector() const { return projector_at(steps_done_); }
    /// Factor that gradients of L2 norm `norm` are rescaled by (method 2.1.5).
    [[nodiscard]] double gradient_scale(double norm) const;
    /// Normalise, Adam, projection, decay, by LibTorch's operations.
    void update_by_reference(const StepReport& report);
    /// The same in a few passes over memory; leaves the gradients zero.
    void update_fast(const StepReport& report);
    void update_on_device(const StepReport& report);
    /// Throw FG_DIVERGED with the first tensor or site that is not finite; `rest` is to blame when all of them are.
    [[noreturn]] void report_divergence(const at::Tensor& tokens, const std::string& what,
                                        const std::string& rest) const;

    std::shared_ptr<Model> model_;
    TrainConfig config_;
    Sampler sampler_;
    std::vector<Projector> projectors_;  // by level
    std::shared_ptr<Model> teacher_;
    std::optional<std::uint64_t> wanted_teacher_;  // fingerprint, of a run that is resumed
    std::int64_t revived_ = 0;
    at::Tensor gradients_;  // flat [trainable_size], as the two moments
    at::Tensor moment1_;
    at::Tensor moment2_;
    bool gradients_are_zero_ = true;
    std::vector<ops::WarmProjection> projections_;   // one per parameter of the table, used by the CPU's fast plan
    std::optional<ops::DeviceOptimizer> optimizer_;  // of the CUDA kernels
    at::Tensor last_loss_;                           // double scalars on the device
    at::Tensor loss_sum_;                            // of the steps of one run()
    Profile profile_;
    MemoryCache memory_;        // of the tensors of a step
    double seconds_ = 0.0;      // of all steps
    double cpu_seconds_ = 0.0;  // that the process computed meanwhile
    Weights leaves_;            // detached views of the weights whose .grad are views of gradients_
    std::int64_t steps_done_ = 0;
    std::int64_t tokens_seen_ = 0;
};

}  // namespace filigree
