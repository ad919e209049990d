// SPDX-License-Identifier: Apache-2.0
#include "train/trainer.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "core/random.hpp"
#include "core/safetensors.hpp"
#include "model/model_files.hpp"
#include "ops/backend.hpp"
#include "ops/crossover.hpp"
#include "sparsity/weight_statistics.hpp"

namespace filigree {
namespace {

constexpr double kNormaliserFloor = 1e-5;
constexpr const char* kTrainerFile = "trainer.safetensors";
constexpr const char* kMetadataKey = "filigree_trainer";
constexpr const char* kMoment1 = "adam.m";
constexpr const char* kCrossover = "crossover";
constexpr const char* kDenseCrossover = "dense_crossover";
constexpr const char* kMoment2 = "adam.v";
constexpr const char* kRevived = "revived";
constexpr const char* kTeacher = "teacher";

bool all_finite(const at::Tensor& x) { return at::isfinite(x).all().item<bool>(); }

/// Remembers the first place of a forward whose values are not finite.
class FirstNonFinite : public ForwardHook {
public:
    at::Tensor at_site(const Site& site, at::Tensor x) override {
        note(site.name, x);
        return x;
    }
    at::Tensor at_residual(std::int64_t half_layer, at::Tensor x) override {
        note("the residual before half layer " + std::to_string(half_layer), x);
        return x;
    }
    [[nodiscard]] const std::string& where() const { return where_; }

private:
    void note(const std::string& name, const at::Tensor& x) {
        if (where_.empty() && !all_finite(x)) {
            where_ = name;
        }
    }
    std::string where_;
};

void write(nlohmann::ordered_json& json, const Crossover& crossover) {
    json[kCrossover] = crossover.sparse_inputs;
    json[kDenseCrossover] = crossover.dense_inputs;
}

}  // namespace

Trainer::Trainer(std::shared_ptr<Model> model, TrainConfig config, std::vector<TokenStream> streams)
    : model_(std::move(model)),
      config_(std::move(config)),
      sampler_(std::move(streams), model_->config().vocab_size, config_.seq_len, config_.seed),
      projections_(model_->table().parameters().size()) {
    if (config_.seq_len > model_->config().block_size) {
        throw Error(FG_INVALID_CONFIG, "train.seq_len is " + std::to_string(config_.seq_len) +
                                           ", longer than the model's block_size " +
                                           std::to_string(model_->config().block_size));
    }
    for (std::int64_t level = 0; level < config_.levels.count; ++level) {
        projectors_.emplace_back(*model_, config_.fractions_of(level), config_.minimum_alive);
    }
    const auto& table = model_->table();
    gradients_ = at::zeros({table.trainable_size()}, model_->values().options());
    moment1_ = at::zeros_like(gradients_);
    moment2_ = at::zeros_like(gradients_);
    leaves_ = bind_weights(model_->config(), table, [&](const Parameter& parameter) {
        auto leaf = model_->tensor(parameter).detach();
        if (parameter.trainable) {
            leaf.set_requires_grad(true);
            leaf.mutable_grad() = ParameterTable::view(gradients_, parameter);
        }
        return leaf;
    });
    if (fast()) {
        plan_matrices();
    }
    if (backend() == ops::Backend::kCuda) {
        optimizer_.emplace(model_->table(), model_->device());
    }
}

std::unique_ptr<Trainer> Trainer::resume(std::shared_ptr<Model> model, const std::filesystem::path& folder,
                                         std::vector<TokenStream> streams) {
    const SafetensorsFile file(folder / kTrainerFile);
    const auto bad = [&](const std::string& what) {
        return Error(FG_BAD_CHECKPOINT, file.path().string() + ": " + what);
    };
    const auto found = file.metadata().find(kMetadataKey);
    if (found == file.metadata().end()) {
        throw bad(std::string("no \"") + kMetadataKey + "\" in its metadata");
    }
    std::string config;
    std::int64_t steps_done = 0;
    std::int64_t tokens_seen = 0;
    std::int64_t revived = 0;
    std::optional<Crossover> crossover;  // absent when the run was made by the reference plan
    std::optional<std::uint64_t> teacher;
    try {
        auto state = nlohmann::ordered_json::parse(found->second);
        state.at("config").emplace("accumulate", 1);  // where the run is older than the key
        config = state.at("config").dump();
        steps_done = state.at("step").get<std::int64_t>();
        if (state.contains(kCrossover)) {
            const auto sparse = state.at(kCrossover).get<double>();
            crossover = {sparse, state.value(kDenseCrossover, sparse)};  // one number in files of an earlier version
        }
        if (state.contains(kTeacher)) {
            teacher = state.at(kTeacher).get<std::uint64_t>();
        }
        revived = state.value(kRevived, std::int64_t{0});
        tokens_seen = state.at("tokens").get<std::int64_t>();
    } catch (const nlohmann::json::exception& error) {
        throw bad(error.what());
    }
    auto trainer = std::make_unique<Trainer>(std::move(model), parse_train_config(config), std::move(streams));
    if (steps_done < 0 || steps_done > trainer->config_.steps || tokens_seen < 0) {
        throw bad("step " + std::to_string(steps_done) + " of " + std::to_string(trainer->config_.steps));
    }
    trainer->steps_done_ = steps_done;
    if (crossover) {
        trainer->model_->sparse_weights().set_crossover(*crossover);
    }
    trainer->tokens_seen_ = tokens_seen;
    trainer->revived_ = revived;
    trainer->wanted_teacher_ = teacher;
    for (const auto& [name, moment] : {std::pair{kMoment1, trainer->moment1_}, {kMoment2, trainer->moment2_}}) {
        auto host = at::empty({moment.numel()}, at::kFloat);
        const std::vector<std::int64_t> shape = {moment.numel()};
        file.read_f32(name, shape, {host.mutable_data_ptr<float>(), static_cast<std::size_t>(moment.numel())});
        moment.copy_(host);
    }
    trainer->promise_last_projection();
    return trainer;
}

void Trainer::promise_last_projection() {
    if (steps_done_ == 0 || backend() != ops::Backend::kCuda) {
        return;
    }
    const auto last = steps_done_ - 1;
    const auto kept = [&](const Parameter& parameter) {
        return projector_at(last).kept(parameter, config_.density_at(last));
    };
    const auto& parameters = model_->table().parameters();
    const auto is_kept = [&](const Parameter& parameter) {
        return model_->tensor(parameter).count_nonzero().item<std::int64_t>() <= kept(parameter);
    };
    if (std::all_of(parameters.begin(), parameters.end(), is_kept)) {
        model_->sparse_weights().promise(model_->values(), kept);
    }
}

void Trainer::save(const std::filesystem::path& folder) const {
    for (const auto& parameter : model_->table().parameters()) {
        FG_EXPECTS(all_finite(model_->tensor(parameter)), FG_DIVERGED, parameter.name, " is not finite after step ",
                   steps_done_, ", so nothing is saved");
    }
    save_model(*model_, folder);
    nlohmann::ordered_json state = {
        {"config", nlohmann::ordered_json::parse(config_.json)}, {"step", steps_done_}, {"tokens", tokens_seen_}};
    if (fast()) {
        write(state, model_->sparse_weights().crossover());
    }
    if (config_.revival.every > 0) {
        state[kRevived] = revived_;
    }
    if (teacher_ != nullptr) {
        state[kTeacher] = fingerprint(*teacher_);
    }
    const auto m = moment1_.to(at::kCPU);
    const auto v = moment2_.to(at::kCPU);
    const auto bytes = [](const at::Tensor& host) {
        return std::as_bytes(std::span(host.const_data_ptr<float>(), static_cast<std::size_t>(host.numel())));
    };
    write_safetensors(folder / kTrainerFile,
                      {{kMoment1, DType::kF32, {m.numel()}, bytes(m)}, {kMoment2, DType::kF32, {v.numel()}, bytes(v)}},
                      {{kMetadataKey, state.dump()}});
}

Objective Trainer::objective_of(const at::Tensor& tokens) const {
    const auto context = model_->context_with(leaves_);
    if (config_.distillation.weight > 0.0) {
        FG_EXPECTS(teacher_ != nullptr, FG_INVALID_STATE,
                   "train.distill.weight is above 0, so the trainer needs a teacher before its first step");
        return distilled_loss(context, *teacher_, tokens, config_.distillation);
    }
    const auto loss = next_token_loss(context, tokens, nullptr);
    return {loss, loss.detach()};
}

void Trainer::accumulate_gradients(const at::Tensor& tokens,
                                   const std::function<void(const Objective&, const at::Tensor&, double)>& add) {
    if (!gradients_are_zero_) {
        gradients_.zero_();
    }
    gradients_are_zero_ = false;
    const auto batch = tokens.size(0);
    const auto rows = (batch + config_.accumulate - 1) / config_.accumulate;
    for (std::int64_t first = 0; first < batch; first += rows) {
        const auto part = tokens.narrow(0, first, std::min(rows, batch - first));
        const auto share = static_cast<double>(part.size(0)) / static_cast<double>(batch);
        const auto objective = objective_of(part);
        add(objective, part, share);
        (part.size(0) == batch ? objective.total : objective.total * share).backward();
    }
}

double Trainer::compute_gradients(const at::Tensor& tokens) {
    double loss = 0.0;
    accumulate_gradients(tokens, [&](const Objective& objective, const at::Tensor& part, double share) {
        const auto own = objective.cross_entropy.item<double>();
        if (!std::isfinite(own) || !std::isfinite(objective.total.item<double>())) {
            report_divergence(part, "the loss", "the logits");
        }
        loss += share * own;
    });
    return loss;
}

void Trainer::under_drawn_level(const std::function<void()>& compute) {
    const auto levels = config_.levels_at(steps_done_);
    RandomStream draw(config_.seed, Purpose::kLevel, static_cast<std::uint64_t>(steps_done_));
    const auto level = static_cast<std::int64_t>(draw.below(static_cast<std::uint64_t>(levels)));
    if (level + 1 == levels) {
        compute();  // what is kept is what that level leaves
        return;
    }
    /// Puts the weights back, whatever happens.
    struct Restore {
        explicit Restore(Model& of)
            : model(of), kept(of.values().clone()), promised(of.sparse_weights().promised(of.values())) {}
        Restore(const Restore&) = delete;
        Restore& operator=(const Restore&) = delete;
        ~Restore() {
            const at::NoGradGuard no_grad;
            model.values().copy_(kept);
            if (promised) {
                model.sparse_weights().promise(model.values(), *promised);
            }
        }
        Model& model;
        at::Tensor kept;
        std::optional<SparseWeights::Promise> promised;
    };
    const Restore restore(*model_);
    {
        const at::NoGradGuard no_grad;
        projectors_[static_cast<std::size_t>(level)].project(*model_, config_.density_at(steps_done_, level));
    }
    compute();
}

void Trainer::revive(const StepReport& report) {
    if (!config_.revival.due(steps_done_ + 1, config_.steps)) {
        return;
    }
    if (optimizer_ && optimizer_->read().diverged > 0) {
        return;  // weights stay as they were before that
    }
    const auto index = static_cast<std::uint64_t>(steps_done_ + 1);
    revived_ += revive_dead_units(*model_, moment1_, moment2_, config_.revival,
                                  RandomStream(config_.seed, Purpose::kRevival, index));
    projector().project(*model_, report.density);
}

void Trainer::set_teacher(std::shared_ptr<Model> teacher) {
    FG_EXPECTS(config_.distillation.weight > 0.0, FG_INVALID_ARGUMENT,
               "train.distill.weight is 0, so there is nothing that a teacher would change");
    FG_EXPECTS(teacher != model_, FG_INVALID_ARGUMENT, "a model cannot be its own teacher");
    FG_EXPECTS(teacher->config().vocab_size == model_->config().vocab_size, FG_INVALID_ARGUMENT,
               "the teacher has a vocabulary of ", teacher->config().vocab_size, " tokens, the model one of ",
               model_->config().vocab_size);
    FG_EXPECTS(teacher->config().block_size >= config_.seq_len, FG_INVALID_ARGUMENT, "the teacher takes ",
               teacher->config().block_size, " tokens in a row, train.seq_len is ", config_.seq_len);
    FG_EXPECTS(teacher->device() == model_->device(), FG_INVALID_ARGUMENT,
               "teacher and model are on different devices");
    FG_EXPECTS(!wanted_teacher_ || *wanted_teacher_ == fingerprint(*teacher), FG_INVALID_ARGUMENT,
               "this is not the teacher that the run was started with");
    teacher_ = std::move(teacher);
}

std::string Trainer::metrics_json() const {
    auto json = weight_statistics_json(*model_);
    if (config_.revival.every > 0) {
        json.insert(json.size() - 1, std::string(",\"") + kRevived + "\":" + std::to_string(revived_));
    }
    return json;
}

void Trainer::plan_matrices() {
    if (model_->execution().precision == Precision::kBf16 || backend() == ops::Backend::kCuda) {
        return;  // Where the other way has other bits, a measured choice would make two runs of a seed differ.
    }
    constexpr std::int64_t kEnoughRows = 512;
    const auto& config = model_->config();
    const auto kept = config.kept_at(SiteKind::kMlpIn);
    const auto rows = std::min(kEnoughRows, config_.batch_size * config_.seq_len);
    model_->sparse_weights().set_crossover(
        {ops::measure_crossover(config.d_mlp, config.d_model, rows,
                                kept ? static_cast<double>(*kept) / static_cast<double>(config.d_model) : 1.0),
         ops::measure_crossover(config.vocab_size, config.d_model, rows, 1.0)});
}

std::string Trainer::profile_json() const {
    nlohmann::ordered_json json = {{"plan", fast() ? "fast" : "reference"}};
    if (fast()) {
        write(json, model_->sparse_weights().crossover());
    }
    json["seconds"] = seconds_;
    json["cpu_seconds"] = cpu_seconds_;
    json["parts"] = nlohmann::ordered_json::object();
    if (model_->device().is_cuda()) {
        return json.dump();  // they would be the time that it took to ask for the work
    }
    for (std::size_t i = 0; i < kParts; ++i) {
        const auto part = static_cast<Part>(i);
        json["parts"][part_name(part)] = profile_.seconds(part);
    }
    return json.dump();
}

ops::Backend Trainer::backend() const { return ops::backend_of(model_->device(), model_->execution().plan); }

double Trainer::gradient_scale(double norm) const {
    const auto rms = norm / std::sqrt(static_cast<double>(gradients_.numel()));
    const auto scale = 1.0 / (rms + kNormaliserFloor);
    return config_.gradient == GradientRule::kNormalize || scale < 1.0 ? scale : 1.0;
}

void Trainer::update_by_reference(const StepReport& report) {
    const auto& table = model_->table();
    const auto scale = gradient_scale(report.grad_norm);
    if (scale != 1.0) {
        gradients_.mul_(scale);
    }
    {
        const PartTimer timer(Part::kAdam);
        ops::adam_step(model_->values().narrow(0, 0, table.trainable_size()), moment1_, moment2_, gradients_,
                       config_.adam, report.lr, steps_done_ + 1);
    }
    const PartTimer timer(Part::kProjection);
    projector().project(*model_, report.density);
    // After the projection, so that zeros stay zeros and the order of magnitudes is untouched (method 2.8).
    model_->values().narrow(0, 0, table.decayed_size()).mul_(1.0 - config_.weight_decay * report.lr);
}

double Trainer::decay_of(const Parameter& parameter, double lr) const {
    return parameter.decayed() ? 1.0 - config_.weight_decay * lr : 1.0;
}

void Trainer::update_on_device(const StepReport& report) {
    const auto kept = [&](const Parameter& parameter) { return projector().kept(parameter, report.density); };
    optimizer_->step(
        {model_->values(), moment1_, moment2_, gradients_}, config_.adam, report.lr, steps_done_ + 1,
        [&](const Parameter& parameter) {
            return ops::TensorRule{kept(parameter), projector().minimum_alive(), decay_of(parameter, report.lr)};
        });
    model_->sparse_weights().promise(model_->values(), kept);
    gradients_are_zero_ = true;
}

void Trainer::update_fast(const StepReport& report) {
    const auto& table = model_->table();
    const auto scale = gradient_scale(report.grad_norm);
    const ops::AdamState state = {model_->values().mutable_data_ptr<float>(), moment1_.mutable_data_ptr<float>(),
                                  moment2_.mutable_data_ptr<float>(), gradients_.mutable_data_ptr<float>()};
    // Tensor by tensor, so that the projection finds in the caches what Adam left there.
    for (std::size_t i = 0; i < table.parameters().size(); ++i) {
        const auto& parameter = table.parameters()[i];
        if (!parameter.trainable) {
            continue;
        }
        const auto density = projector().density(parameter, report.density);
        const auto decay = decay_of(parameter, report.lr);
        const auto part = state.at(parameter.offset);
        {
            const PartTimer timer(Part::kAdam);
            ops::adam_step(part, parameter.size, config_.adam, report.lr, steps_done_ + 1, scale,
                           density < 1.0 ? 1.0 : decay);
        }
        if (density < 1.0) {
            const PartTimer timer(Part::kProjection);
            const auto columns = parameter.shape.back();
            projections_[i].apply({part.w, parameter.size / columns, columns}, kept_entries(density, parameter.size),
                                  parameter.alive_axis, projector().minimum_alive(), static_cast<float>(decay));
        }
    }
    // LibTorch counts its own writes only.
    model_->values().unsafeGetTensorImpl()->bump_version();
    gradients_are_zero_ = true;
}

Progress Trainer::steps(std::int64_t n) {
    return run(n, [&] { return next_batch(); });
}

StepReport Trainer::step_on(const at::Tensor& tokens) {
    return run(1, [&] { return tokens; }).last;
}

StepReport Trainer::run_step(const at::Tensor& tokens) {
    StepReport report;
    under_drawn_level([&] { report.loss = compute_gradients(tokens); });

    const at::NoGradGuard no_grad;
    {
        const PartTimer timer(Part::kGradientNorm);
        report.grad_norm =
            backend() == ops::Backend::kCpu ? ops::norm(gradients_) : at::linalg_vector_norm(gradients_).item<double>();
    }
    if (!std::isfinite(report.grad_norm)) {
        report_divergence(tokens, "the gradient", "its norm");
    }
    report.lr = config_.lr_at(steps_done_);
    report.density = config_.density_at(steps_done_);
    if (backend() == ops::Backend::kCpu) {
        update_fast(report);
    } else {
        update_by_reference(report);
    }
    revive(report);
    return report;
}

StepReport Trainer::enqueue_step(const at::Tensor& tokens) {
    under_drawn_level([&] {
        last_loss_ = at::zeros({}, model_->values().options().dtype(at::kDouble));
        accumulate_gradients(tokens, [&](const Objective& objective, const at::Tensor&, double share) {
            last_loss_.add_(objective.cross_entropy, share);
        });
    });
    const at::NoGradGuard no_grad;
    loss_sum_ = loss_sum_.defined() ? loss_sum_ + last_loss_ : last_loss_;
    {
        const PartTimer timer(Part::kGradientNorm);
        optimizer_->measure(gradients_, config_.gradient == GradientRule::kNormalize, kNormaliserFloor);
    }
    StepReport report;
    report.lr = config_.lr_at(steps_done_);
    report.density = config_.density_at(steps_done_);
    {
        const PartTimer timer(Part::kAdam);
        update_on_device(report);
    }
    revive(report);
    return report;
}

double Trainer::read_steps(std::int64_t steps, const at::Tensor& last_tokens, StepReport& last) {
    const auto gradient = optimizer_->read();
    last.loss = last_loss_.item<double>();
    last.grad_norm = gradient.norm;
    const auto mean = loss_sum_.item<double>() / static_cast<double>(steps);
    if (gradient.diverged == 0) {
        return mean;
    }
    // The weights are those before the first such step. Play it again, to see where it went wrong.
    optimizer_->forget();
    model_->sparse_weights().withdraw_promise();
    gradients_are_zero_ = false;
    steps_done_ -= gradient.diverged;
    tokens_seen_ -= gradient.diverged * last_tokens.numel();
    const auto tokens = gradient.diverged == 1 ? last_tokens : next_batch();
    under_drawn_level([&] { static_cast<void>(compute_gradients(tokens)); });
    report_divergence(tokens, "the gradient", "its norm");
}

at::Tensor Trainer::next_batch() const {
    const auto batch = sampler_.batch(config_.batch_size, steps_done_);
    return model_->upload_tokens(batch.data(), config_.batch_size, config_.seq_len);
}

Progress Trainer::run(std::int64_t n, const std::function<at::Tensor()>& batch) {
    const bool on_device = backend() == ops::Backend::kCuda;
    const MemoryCache::Scope memory(memory_);  // of every tensor that ends here
    Progress progress;
    std::int64_t done = 0;
    at::Tensor tokens;
    loss_sum_ = at::Tensor();
    const auto start = std::chrono::steady_clock::now();
    const auto computed_before = processor_seconds(CLOCK_PROCESS_CPUTIME_ID);
    const Profile::Scope scope(profile_);
    for (; done < n && !finished(); ++done) {
        model_->check_cancelled();
        tokens = batch();
        progress.last = on_device ? enqueue_step(tokens) : run_step(tokens);
        progress.mean_loss += progress.last.loss;
        ++steps_done_;
        tokens_seen_ += tokens.numel();
    }
    if (on_device && done > 0) {
        progress.mean_loss = read_steps(done, tokens, progress.last);
    } else {
        progress.mean_loss /= static_cast<double>(done);
    }
    seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    cpu_seconds_ += processor_seconds(CLOCK_PROCESS_CPUTIME_ID) - computed_before;
    return progress;
}

void Trainer::report_divergence(const at::Tensor& tokens, const std::string& what, const std::string& rest) const {
    const at::NoGradGuard no_grad;
    const auto message = what + " is not finite at step " + std::to_string(steps_done_) + ": first in ";
    for (const auto& parameter : model_->table().parameters()) {
        if (!all_finite(model_->tensor(parameter))) {
            throw Error(FG_DIVERGED, message + parameter.name);
        }
    }
    FirstNonFinite activations;
    static_cast<void>(forward(model_->context(), tokens, &activations));
    if (!activations.where().empty()) {
        throw Error(FG_DIVERGED, message + activations.where());
    }
    for (const auto& parameter : model_->table().parameters()) {
        if (parameter.trainable && !all_finite(ParameterTable::view(gradients_, parameter))) {
            throw Error(FG_DIVERGED, message + "the gradient of " + parameter.name);
        }
    }
    throw Error(FG_DIVERGED, message + rest);
}

}  // namespace filigree
