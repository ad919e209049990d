// SPDX-License-Identifier: Apache-2.0
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/GradMode.h>
#include <filigree/filigree.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "capi/handles.hpp"
#include "capi/runtime.hpp"
#include "core/device.hpp"
#include "model/model_files.hpp"
#include "sparsity/weight_statistics.hpp"
#include "train/evaluation.hpp"

using namespace filigree;
using namespace filigree::capi;

namespace {

std::string describe(const Model& model) {
    nlohmann::ordered_json json;
    json["config"] = nlohmann::ordered_json::parse(model.config().json);
    json["device"] = model.device().str();
    json["parameters"] = count_parameters(model);
    json["nonzeros"] = count_nonzeros(model);
    json["nodes"] = model.nodes().size();
    for (const auto& parameter : model.table().parameters()) {
        json["tensors"].push_back({{"name", parameter.name},
                                   {"family", family_name(parameter.family)},
                                   {"shape", parameter.shape},
                                   {"trainable", parameter.trainable},
                                   {"nonzeros", model.tensor(parameter).count_nonzero().item<std::int64_t>()}});
    }
    for (const auto& site : model.nodes().sites()) {
        json["sites"].push_back({{"name", site.name},
                                 {"layer", site.layer},
                                 {"kind", site_kind_name(site.kind)},
                                 {"offset", site.offset},
                                 {"width", site.width}});
    }
    return json.dump();
}

const Parameter& tensor_of_size(const Model& model, const char* name, std::uint64_t count) {
    require(name, "name");
    const auto& parameter = model.table().find(name);
    FG_EXPECTS(count == static_cast<std::uint64_t>(parameter.size), FG_INVALID_ARGUMENT, "tensor ", name, " has ",
               parameter.size, " elements, not ", count);
    return parameter;
}

}  // namespace

fg_status fg_model_create(const char* config_json, const char* init_json, const char* device, fg_model** out_model) {
    return guard([&] {
        require_started();
        require(config_json, "config_json");
        require(init_json, "init_json");
        require(device, "device");
        require(out_model, "out_model");
        *out_model = make_handle<fg_model>(std::make_shared<Model>(parse_model_config(config_json),
                                                                   parse_model_init(init_json), parse_device(device)));
    });
}

fg_status fg_model_load(const char* folder, const char* execution_json, const char* device, fg_model** out_model) {
    return guard([&] {
        require_started();
        require(folder, "folder");
        require(execution_json, "execution_json");
        require(device, "device");
        require(out_model, "out_model");
        *out_model = make_handle<fg_model>(
            std::shared_ptr<Model>(load_model(folder, parse_execution(execution_json), parse_device(device))));
    });
}

fg_status fg_model_save(fg_model* model, const char* folder) {
    return guard([&] {
        const auto object = object_of(model);
        require(folder, "folder");
        const Occupied lock(*object);
        save_model(*object, folder);
    });
}

fg_status fg_model_info(fg_model* model, fg_buffer** out_json) {
    return guard([&] {
        const auto object = object_of(model);
        require(out_json, "out_json");
        const Occupied lock(*object);
        *out_json = make_json_buffer(describe(*object));
    });
}

fg_status fg_model_read_tensor(fg_model* model, const char* name, uint64_t count, float* out_values) {
    return guard([&] {
        const auto object = object_of(model);
        const Occupied lock(*object);
        const auto& parameter = tensor_of_size(*object, name, count);
        require(out_values, "out_values");
        const auto host = object->tensor(parameter).to(at::kCPU).contiguous();
        std::copy_n(host.const_data_ptr<float>(), count, out_values);
    });
}

fg_status fg_model_write_tensor(fg_model* model, const char* name, const float* values, uint64_t count) {
    return guard([&] {
        const auto object = object_of(model);
        const Occupied lock(*object);
        const auto& parameter = tensor_of_size(*object, name, count);
        require(values, "values");
        const at::NoGradGuard no_grad;
        auto host = at::empty(parameter.shape, at::kFloat);
        std::copy_n(values, count, host.mutable_data_ptr<float>());
        object->tensor(parameter).copy_(host);
    });
}

fg_status fg_model_logits(fg_model* model, const uint16_t* tokens, uint64_t batch, uint64_t length, uint64_t count,
                          float* out_logits) {
    return guard([&] {
        const auto object = object_of(model);
        const Occupied lock(*object);
        require(tokens, "tokens");
        require(out_logits, "out_logits");
        const auto B = to_size(batch, "batch");
        const auto T = to_size(length, "length");
        const auto V = object->config().vocab_size;
        FG_EXPECTS(T <= object->config().block_size, FG_INVALID_ARGUMENT, "length is ", T,
                   ", longer than the model's block_size ", object->config().block_size);
        FG_EXPECTS(count == batch * length * static_cast<std::uint64_t>(V), FG_INVALID_ARGUMENT, "count is ", count,
                   ", not batch * length * vocab_size = ", B * T * V);
        const at::NoGradGuard no_grad;
        const auto context = object->context();
        const auto ids = object->upload_tokens(tokens, B, T);
        const auto x = forward(context, ids, nullptr);
        const auto logits = unembed(context, x.reshape({-1, x.size(-1)}), ids.reshape({-1})).to(at::kCPU).contiguous();
        std::copy_n(logits.const_data_ptr<float>(), count, out_logits);
    });
}

fg_status fg_model_loss(fg_model* model, const uint16_t* tokens, uint64_t count, uint64_t batch, uint64_t max_sequences,
                        fg_eval_stats* out_stats) {
    return guard([&] {
        const auto object = object_of(model);
        const Occupied lock(*object);
        require(tokens, "tokens");
        require_stats(out_stats);
        const auto result = held_out_loss(*object, {tokens, count, batch, max_sequences});
        out_stats->loss = result.loss;
        out_stats->predictions = result.predictions;
    });
}

fg_status fg_model_node_means(fg_model* model, const uint16_t* tokens, uint64_t count, uint64_t batch,
                              uint64_t max_sequences, uint64_t nodes, float* out_means) {
    return guard([&] {
        const auto object = object_of(model);
        const Occupied lock(*object);
        require(tokens, "tokens");
        require(out_means, "out_means");
        require_nodes(*object, nodes);
        const auto means = node_means(*object, {tokens, count, batch, max_sequences}).to(at::kCPU);
        std::copy_n(means.const_data_ptr<float>(), nodes, out_means);
    });
}

fg_status fg_model_cancel(fg_model* model) {
    return guard([&] { object_of(model)->cancel(); });
}

void fg_model_destroy(fg_model* model) { Registry<fg_model>::instance().remove(model); }
