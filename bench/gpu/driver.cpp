// SPDX-License-Identifier: Apache-2.0
// Drives the core through its C interface, for bench/gpu/accept.sh: no JVM, no configuration of its own. Every line on
// stdout is one JSON value.
#include <filigree/filigree.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

void check(fg_status status) {
    if (status != FG_OK) throw std::runtime_error(std::string(fg_status_name(status)) + ": " + fg_last_error_message());
}

std::string read_text(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    if (!in) throw std::runtime_error("cannot read " + file.string());
    return {std::istreambuf_iterator<char>(in), {}};
}

/// Little-endian ids of two bytes each.
std::vector<std::uint16_t> read_tokens(const std::filesystem::path& file) {
    const auto bytes = read_text(file);
    std::vector<std::uint16_t> tokens(bytes.size() / 2);
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        tokens[i] = static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[2 * i]) |
                                               static_cast<unsigned char>(bytes[2 * i + 1]) << 8);
    }
    return tokens;
}

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

void print_stats(const char* what, const fg_train_stats& s) {
    std::printf(
        "{\"what\": \"%s\", \"step\": %llu, \"tokens\": %llu, \"loss\": %.6f, \"mean_loss\": %.6f, \"lr\": %.6g, "
        "\"grad_norm\": %.6g, \"density\": %.6g, \"L0\": %llu, \"seconds\": %.4f}\n",
        what, static_cast<unsigned long long>(s.step), static_cast<unsigned long long>(s.tokens), s.loss, s.mean_loss,
        s.lr, s.grad_norm, s.density, static_cast<unsigned long long>(s.nonzeros), s.seconds);
    std::fflush(stdout);
}

fg_train_stats steps(fg_trainer* trainer, std::uint64_t n) {
    fg_train_stats stats{};
    stats.struct_size = sizeof stats;
    check(fg_trainer_step(trainer, n, &stats));
    return stats;
}

/// train <preset folder> <tokens> <state folder> <device> <seconds> <steps or 0>: go on where the state folder is, stop
/// after some seconds or steps, save. A slice of a long training.
int train(const std::vector<std::string>& args) {
    const std::filesystem::path preset = args.at(0);
    const std::filesystem::path state = args.at(2);
    const auto tokens = read_tokens(args.at(1));
    const auto limit = now() + std::stod(args.at(4));
    const auto most = std::stoull(args.at(5));
    const fg_corpus corpus{tokens.data(), tokens.size(), 1.0};
    fg_model* model = nullptr;
    fg_trainer* trainer = nullptr;
    if (std::filesystem::exists(state / "trainer.safetensors")) {
        check(fg_model_load(state.c_str(), read_text(preset / "execution.json").c_str(), args.at(3).c_str(), &model));
        check(fg_trainer_resume(model, state.c_str(), &corpus, 1, &trainer));
    } else {
        check(fg_model_create(read_text(preset / "model.json").c_str(), read_text(preset / "init.json").c_str(),
                              args.at(3).c_str(), &model));
        check(fg_trainer_create(model, read_text(preset / "train.json").c_str(), &corpus, 1, &trainer));
    }
    fg_train_stats stats{};
    bool finished = false;
    for (std::uint64_t done = 0; now() < limit && (most == 0 || done < most);) {
        const std::uint64_t chunk = most == 0 ? 20 : std::min<std::uint64_t>(20, most - done);
        stats.struct_size = sizeof stats;
        const auto status = fg_trainer_step(trainer, chunk, &stats);
        finished = status == FG_INVALID_STATE;
        if (finished) break;
        check(status);
        done += chunk;
        print_stats("train", stats);
    }
    std::filesystem::create_directories(state);
    check(fg_trainer_save(trainer, state.c_str()));
    std::printf("{\"what\": \"saved\", \"finished\": %s}\n", finished ? "true" : "false");
    return 0;
}

/// loss <model folder> <preset folder> <tokens> <device>
int loss(const std::vector<std::string>& args) {
    const auto tokens = read_tokens(args.at(2));
    fg_model* model = nullptr;
    check(fg_model_load(args.at(0).c_str(), read_text(std::filesystem::path(args.at(1)) / "execution.json").c_str(),
                        args.at(3).c_str(), &model));
    fg_eval_stats stats{};
    stats.struct_size = sizeof stats;
    check(fg_model_loss(model, tokens.data(), tokens.size(), 16, 256, &stats));
    std::printf("{\"what\": \"held out\", \"loss\": %.6f, \"predictions\": %llu}\n", stats.loss,
                static_cast<unsigned long long>(stats.predictions));
    return 0;
}

/// step <layers> <width> <length> <batch> <vocabulary> <one weight in> <precision> <device> <repeats>: time of a step
/// on random tokens, as sparse from the first step on as at the end of a training.
int step(const std::vector<std::string>& args) {
    const auto number = [&](std::size_t i) { return std::stoll(args.at(i)); };
    const auto width = number(1);
    const auto vocabulary = number(4);
    std::ostringstream model_json;
    model_json
        << "{\"block_size\": " << number(2) << ", \"vocab_size\": " << vocabulary << ", \"n_layer\": " << number(0)
        << ", \"n_head\": " << width / 16 << ", \"d_head\": 16, \"d_model\": " << width
        << ", \"dropout\": 0.0, \"bias\": true, \"ln_bias\": false, \"rms_norm\": true, "
           "\"residual_activation_type\": \"identity\", \"activation_type\": \"gelu\", \"afrac\": 0.25, "
           "\"afrac_loctypes\": \"attn_in,attn_q,attn_k,attn_v,attn_out,mlp_in,mlp_neuron,mlp_out\", "
           "\"debug_nans\": false, \"tied_unembed\": false, \"tokenizer_name\": \"random\", "
           "\"grad_checkpointing\": false, \"d_mlp\": "
        << 4 * width
        << ", \"enable_bigram_table\": true, \"learnable_bigram_table\": true, \"d_pos_emb\": null, "
           "\"dropout_cat_pos_emb\": false, \"sinusoidal_cat_pos_emb\": false, \"enable_sparse_kernels\": false, "
           "\"flash\": true, \"sink\": true}";
    std::ostringstream train_json;
    const auto kept = 1.0 / static_cast<double>(number(5));
    train_json
        << "{\"steps\": 1000000, \"batch_size\": " << number(3) << ", \"seq_len\": " << number(2)
        << ", \"seed\": 1, \"lr\": 0.01, \"warmup\": 0.0, \"adam\": {\"beta1\": 0.9, \"beta2\": 0.95, \"eps\": "
           "0.1}, \"weight_decay\": 0.1, \"gradient\": \"normalize\", \"sparsity\": {\"fractions\": {\"matrix\": "
        << kept << ", \"embedding\": " << kept << ", \"unembedding\": " << kept << ", \"bias\": " << kept
        << ", \"position\": 1.0}, \"anneal\": {\"shape\": \"linear\", \"start\": 0.0, \"end\": 1e-9, "
           "\"exponent\": 1.0}, \"minimum_alive\": 0, \"sharkfin\": true}}";
    std::mt19937 random(1);
    std::vector<std::uint16_t> tokens(1 << 20);
    for (auto& token : tokens) token = static_cast<std::uint16_t>(random() % static_cast<unsigned>(vocabulary));
    const fg_corpus corpus{tokens.data(), tokens.size(), 1.0};
    fg_model* model = nullptr;
    fg_trainer* trainer = nullptr;
    const auto init =
        "{\"seed\": 1, \"positions\": \"none\", \"precision\": \"" + args.at(6) + "\", \"plan\": \"fast\"}";
    check(fg_model_create(model_json.str().c_str(), init.c_str(), args.at(7).c_str(), &model));
    check(fg_trainer_create(model, train_json.str().c_str(), &corpus, 1, &trainer));
    static_cast<void>(steps(trainer, 3));  // the first has weights that are not sparse yet
    const auto repeats = static_cast<std::uint64_t>(number(8));
    const auto start = now();
    const auto stats = steps(trainer, repeats);
    const auto seconds = (now() - start) / static_cast<double>(repeats);
    const auto tokens_of_step = static_cast<double>(number(3) * number(2));
    fg_buffer* profile = nullptr;
    check(fg_trainer_profile(trainer, &profile));
    std::printf(
        "{\"what\": \"step\", \"layers\": %lld, \"width\": %lld, \"length\": %lld, \"batch\": %lld, \"one_in\": "
        "%lld, \"precision\": \"%s\", \"device\": \"%s\", \"seconds\": %.6f, \"tokens_per_second\": %.1f, "
        "\"loss\": %.4f, \"profile\": %.*s}\n",
        number(0), width, number(2), number(3), number(5), args.at(6).c_str(), args.at(7).c_str(), seconds,
        tokens_of_step / seconds, stats.loss, static_cast<int>(fg_buffer_size(profile)),
        static_cast<const char*>(fg_buffer_data(profile)));
    fg_buffer_destroy(profile);
    return 0;
}

int info(const std::vector<std::string>&) {
    fg_buffer* facts = nullptr;
    check(fg_runtime_info(&facts));
    std::printf("%.*s\n", static_cast<int>(fg_buffer_size(facts)), static_cast<const char*>(fg_buffer_data(facts)));
    fg_buffer_destroy(facts);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> args(argv + std::min(argc, 2), argv + argc);
    const std::string verb = argc > 1 ? argv[1] : "";
    try {
        check(fg_runtime_init("{\"threads\": 0}"));
        int status = 2;
        if (verb == "info") {
            status = info(args);
        } else if (verb == "train") {
            status = train(args);
        } else if (verb == "loss") {
            status = loss(args);
        } else if (verb == "step") {
            status = step(args);
        } else {
            std::fprintf(stderr, "driver: info, train, loss or step; the source says with what\n");
        }
        fg_runtime_shutdown();
        return status;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "driver %s: %s\n", verb.c_str(), error.what());
        return 1;
    }
}
