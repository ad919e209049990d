// SPDX-License-Identifier: Apache-2.0
// Drives the core through its C interface, for bench/gpu/accept.sh: no JVM, and no configuration but that of the
// folders in bench/gpu/presets. Every line on stdout is one JSON value.
#include <filigree/filigree.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using Arguments = std::vector<std::string>;

static_assert(std::endian::native == std::endian::little, "token files and safetensors are read as they are");

constexpr std::uint64_t kStepsAtATime = 20;
constexpr double kSecondsBetweenSaves = 60.0;

void check(fg_status status) {
    if (status != FG_OK) throw std::runtime_error(std::string(fg_status_name(status)) + ": " + fg_last_error_message());
}

/// Owners of the handles.
template <auto destroy>
struct Destroy {
    template <typename Handle>
    void operator()(Handle* handle) const {
        destroy(handle);
    }
};
using Model = std::unique_ptr<fg_model, Destroy<fg_model_destroy>>;
using Trainer = std::unique_ptr<fg_trainer, Destroy<fg_trainer_destroy>>;
using Examples = std::unique_ptr<fg_examples, Destroy<fg_examples_destroy>>;
using Pruner = std::unique_ptr<fg_fast_pruner, Destroy<fg_fast_pruner_destroy>>;
using Buffer = std::unique_ptr<fg_buffer, Destroy<fg_buffer_destroy>>;

/// A structure that says how large it is.
template <typename Struct>
Struct sized() {
    Struct value{};
    value.struct_size = sizeof value;
    return value;
}

std::string read_bytes(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    if (!in) throw std::runtime_error("cannot read " + file.string());
    return {std::istreambuf_iterator<char>(in), {}};
}

Json read_json(const fs::path& file) { return Json::parse(read_bytes(file)); }

Json json_of(fg_buffer* handle) {
    const Buffer buffer(handle);
    return Json::parse(std::string(static_cast<const char*>(fg_buffer_data(handle)), fg_buffer_size(handle)));
}

void print(const Json& line) {
    std::printf("%s\n", line.dump().c_str());
    std::fflush(stdout);
}

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// ---- Text: <folder>/<corpus>.{train,val}.u16, with the shares of the preset's data.json. ----

struct Part {
    std::string corpus;
    double share;  ///< of the mix
    std::vector<std::uint16_t> tokens;
};

std::vector<Part> read_text(const fs::path& preset, const fs::path& folder, const std::string& split) {
    std::vector<Part> parts;
    double shares = 0.0;
    const auto data = read_json(preset / "data.json");
    for (const auto& source : data.at("corpora")) {
        Part part{source.at("name"), source.at("share"), {}};
        const auto bytes = read_bytes(folder / (part.corpus + "." + split + ".u16"));
        part.tokens.resize(bytes.size() / sizeof(std::uint16_t));
        std::memcpy(part.tokens.data(), bytes.data(), part.tokens.size() * sizeof(std::uint16_t));
        shares += part.share;
        parts.push_back(std::move(part));
    }
    for (auto& part : parts) part.share /= shares;
    return parts;
}

std::vector<fg_corpus> corpora_of(const std::vector<Part>& parts) {
    std::vector<fg_corpus> corpora;
    for (const auto& part : parts) corpora.push_back({part.tokens.data(), part.tokens.size(), part.share});
    return corpora;
}

// ---- Training in slices. <state>/last names the folder of the last save, so that a kill at any time leaves one. ----

fs::path last_save(const fs::path& state) {
    const auto name = state / "last";
    return fs::exists(name) ? state / read_bytes(name) : fs::path();
}

void save(fg_trainer* trainer, const fs::path& state, std::uint64_t step) {
    const auto before = last_save(state);
    const auto name = "step-" + std::to_string(step);
    if (before == state / name) return;
    fs::create_directories(state / name);
    check(fg_trainer_save(trainer, (state / name).c_str()));
    std::ofstream(state / "last.new", std::ios::binary) << name;
    fs::rename(state / "last.new", state / "last");
    if (!before.empty()) fs::remove_all(before);
}

Model load(const fs::path& folder, const fs::path& preset, const std::string& device) {
    fg_model* model = nullptr;
    check(fg_model_load(folder.c_str(), read_bytes(preset / "execution.json").c_str(), device.c_str(), &model));
    return Model(model);
}

Model create(const fs::path& preset, const std::string& device) {
    fg_model* model = nullptr;
    check(fg_model_create(read_bytes(preset / "model.json").c_str(), read_bytes(preset / "init.json").c_str(),
                          device.c_str(), &model));
    return Model(model);
}

Model load_last(const fs::path& state, const fs::path& preset, const std::string& device) {
    const auto saved = last_save(state);
    if (saved.empty()) throw std::runtime_error("nothing has been trained in " + state.string());
    return load(saved, preset, device);
}

/// train <preset> <tokens> <state> <device> <seconds>: go on where the state is, for some seconds. Exit status 3 when
/// there are steps left to do.
int train(const Arguments& args) {
    const fs::path preset = args.at(0);
    const fs::path state = args.at(2);
    const auto limit = now() + std::stod(args.at(4));
    const auto text = read_text(preset, args.at(1), "train");
    const auto corpora = corpora_of(text);
    const auto config = read_json(preset / "train.json");
    const auto last_step = config.at("steps").get<std::uint64_t>();
    const auto saved = last_save(state);
    const Model model = saved.empty() ? create(preset, args.at(3)) : load(saved, preset, args.at(3));
    fg_trainer* handle = nullptr;
    check(saved.empty() ? fg_trainer_create(model.get(), config.dump().c_str(), corpora.data(), corpora.size(), &handle)
                        : fg_trainer_resume(model.get(), saved.c_str(), corpora.data(), corpora.size(), &handle));
    const Trainer trainer(handle);
    std::uint64_t step = saved.empty() ? 0 : std::stoull(saved.filename().string().substr(std::strlen("step-")));
    print({{"what", "slice"}, {"from_step", step}});
    auto next_save = now() + kSecondsBetweenSaves;
    while (step < last_step && now() < limit) {
        auto stats = sized<fg_train_stats>();
        check(fg_trainer_step(handle, std::min(kStepsAtATime, last_step - step), &stats));
        step = stats.step;
        print({{"what", "train"},
               {"step", step},
               {"tokens", stats.tokens},
               {"loss", stats.loss},
               {"mean_loss", stats.mean_loss},
               {"lr", stats.lr},
               {"grad_norm", stats.grad_norm},
               {"density", stats.density},
               {"L0", stats.nonzeros},
               {"seconds", stats.seconds}});
        if (now() > next_save) {
            save(handle, state, step);
            next_save = now() + kSecondsBetweenSaves;
        }
    }
    save(handle, state, step);
    print({{"what", "saved"}, {"step", step}, {"finished", step == last_step}});
    return step == last_step ? 0 : 3;
}

/// loss <preset> <tokens> <state> <device>: of the text that was held out.
int loss(const Arguments& args) {
    const auto model = load_last(args.at(2), args.at(0), args.at(3));
    Json line = {{"what", "held out"}, {"device", args.at(3)}, {"loss", 0.0}};
    double mean = 0.0;
    for (const auto& part : read_text(args.at(0), args.at(1), "val")) {
        auto stats = sized<fg_eval_stats>();
        check(fg_model_loss(model.get(), part.tokens.data(), part.tokens.size(), 16, 256, &stats));
        mean += part.share * stats.loss;
        line["by_corpus"][part.corpus] = stats.loss;
    }
    line["loss"] = mean;
    print(line);
    return 0;
}

// ---- The weights without their zeros: the sparse form of docs/file-formats.md. ----

/// A safetensors file: its header, and the bytes behind that.
struct Safetensors {
    std::string header, bytes;
};

Safetensors read_safetensors(const fs::path& file) {
    const auto all = read_bytes(file);
    std::uint64_t length = 0;
    std::memcpy(&length, all.data(), sizeof length);
    return {all.substr(sizeof length, length), all.substr(sizeof length + length)};
}

void write_safetensors(const fs::path& file, const Safetensors& parts) {
    const std::uint64_t length = parts.header.size();
    std::ofstream out(file, std::ios::binary);
    out.write(reinterpret_cast<const char*>(&length), sizeof length);
    out << parts.header << parts.bytes;
    if (!out.flush()) throw std::runtime_error("cannot write " + file.string());
}

/// export <state> <file>
int export_weights(const Arguments& args) {
    const auto file = last_save(args.at(0)) / "model.safetensors";
    const auto [text, all] = read_safetensors(file);
    const auto* data = all.data();
    Json header;
    header["__metadata__"]["dense_header"] = text;
    std::string bytes;
    const auto add = [&](const std::string& name, const char* type, const Json& shape, const void* from,
                         std::size_t size) {
        header[name] = {{"dtype", type}, {"shape", shape}, {"data_offsets", {bytes.size(), bytes.size() + size}}};
        bytes.append(static_cast<const char*>(from), size);
    };
    const auto dense = Json::parse(text);
    for (const auto& [name, tensor] : dense.items()) {
        if (name == "__metadata__") continue;
        const auto begin = tensor.at("data_offsets").at(0).get<std::size_t>();
        const auto end = tensor.at("data_offsets").at(1).get<std::size_t>();
        std::vector<std::uint32_t> values((end - begin) / sizeof(std::uint32_t));
        std::memcpy(values.data(), data + begin, end - begin);
        std::vector<std::int32_t> places;
        std::vector<std::uint32_t> live;
        for (std::size_t i = 0; i < values.size(); ++i) {
            if (values[i] == 0) continue;
            places.push_back(static_cast<std::int32_t>(i));
            live.push_back(values[i]);
        }
        if (2 * live.size() >= values.size()) {
            add(name, "F32", tensor.at("shape"), data + begin, end - begin);
        } else {
            add(name + ".indices", "I32", Json::array({live.size()}), places.data(), places.size() * sizeof(places[0]));
            add(name + ".values", "F32", Json::array({live.size()}), live.data(), live.size() * sizeof(live[0]));
        }
    }
    auto head = header.dump();
    head.resize((head.size() + 7) / 8 * 8, ' ');
    write_safetensors(args.at(1), {head, bytes});
    print({{"what", "exported"}, {"bytes", fs::file_size(args.at(1))}, {"dense", fs::file_size(file)}});
    return 0;
}

/// import <file> <preset> <state>: what export has written, as a state to evaluate and prune.
int import_weights(const Arguments& args) {
    const auto file = read_safetensors(args.at(0));
    const fs::path state = args.at(2);
    const auto header = Json::parse(file.header);
    const auto bytes_of = [&](const std::string& name) {
        const auto& offsets = header.at(name).at("data_offsets");
        const auto begin = offsets.at(0).get<std::size_t>();
        return std::string_view(file.bytes).substr(begin, offsets.at(1).get<std::size_t>() - begin);
    };
    const auto text = header.at("__metadata__").at("dense_header").get<std::string>();
    const auto tensors = Json::parse(text);
    std::string dense;
    for (const auto& [name, tensor] : tensors.items()) {
        if (name == "__metadata__") continue;
        const auto begin = tensor.at("data_offsets").at(0).get<std::size_t>();
        dense.resize(std::max(dense.size(), tensor.at("data_offsets").at(1).get<std::size_t>()));
        if (header.contains(name)) {
            bytes_of(name).copy(dense.data() + begin, std::string::npos);
            continue;
        }
        const auto places = bytes_of(name + ".indices");
        const auto values = bytes_of(name + ".values");
        for (std::size_t at = 0; at < places.size(); at += sizeof(std::int32_t)) {
            std::int32_t place = 0;
            std::memcpy(&place, places.data() + at, sizeof place);
            std::memcpy(dense.data() + begin + sizeof(float) * static_cast<std::size_t>(place), values.data() + at,
                        sizeof(float));
        }
    }
    const auto folder = state / "imported";
    fs::create_directories(folder);
    fs::copy_file(fs::path(args.at(1)) / "model.json", folder / "config.json", fs::copy_options::overwrite_existing);
    write_safetensors(folder / "model.safetensors", {text, dense});
    std::ofstream(state / "last", std::ios::binary) << folder.filename().string();
    print({{"what", "imported"}, {"bytes", dense.size()}});
    return 0;
}

// ---- Pruning, by the search of prune.json on <tasks>/<task>.<split>.jsonl. ----

/// @param most pairs; fewer where a task has fewer.
Examples read_examples(fg_model* model, const fs::path& folder, const std::string& task, const std::string& split,
                       std::size_t most) {
    std::vector<Json> pairs;
    std::ifstream in(folder / (task + "." + split + ".jsonl"));
    std::size_t length = 0;
    for (std::string line; pairs.size() < most && std::getline(in, line);) {
        pairs.push_back(Json::parse(line));
        length = std::max(length, pairs.back().at("tokens_a").size());
    }
    if (pairs.empty()) throw std::runtime_error("no examples of " + task + " in " + folder.string());
    std::vector<std::uint16_t> tokens;
    std::vector<std::uint16_t> answers;
    std::vector<std::int32_t> positions;
    for (const auto& pair : pairs) {
        for (const std::string member : {"a", "b"}) {
            auto prompt = pair.at("tokens_" + member).get<std::vector<std::uint16_t>>();
            prompt.resize(length);
            tokens.insert(tokens.end(), prompt.begin(), prompt.end());
            answers.push_back(pair.at("target_" + member));
            positions.push_back(pair.at("eval_pos"));
        }
    }
    fg_examples* examples = nullptr;
    check(fg_examples_create(model, tokens.data(), pairs.size(), length, positions.data(), answers.data(), &examples));
    return Examples(examples);
}

/// Of the training text, each corpus weighing its share.
std::vector<float> node_means(fg_model* model, const std::vector<Part>& text, std::uint64_t sequences,
                              std::uint64_t nodes) {
    std::vector<float> means(nodes);
    std::vector<float> own(nodes);
    for (const auto& part : text) {
        check(fg_model_node_means(model, part.tokens.data(), part.tokens.size(), 32, sequences, nodes, own.data()));
        for (std::uint64_t i = 0; i < nodes; ++i) means[i] += static_cast<float>(part.share) * own[i];
    }
    return means;
}

Json score(fg_model* model, fg_examples* examples, const fg_circuit* circuit, const fg_task_stats& fit) {
    auto stats = sized<fg_task_stats>();
    check(fg_circuit_evaluate(model, examples, circuit, fit.scale, fit.shift, &stats));
    return {{"loss", stats.loss}, {"accuracy", stats.accuracy}};
}

/// prune <preset> <tokens> <tasks> <state> <device> <task> <seed> <circuit>: whatever the model can do; the circuit's
/// nodes go into a file.
int prune(const Arguments& args) {
    const fs::path preset = args.at(0);
    const auto& device = args.at(4);
    const auto& task = args.at(5);
    const auto search = read_json(preset / "prune.json");
    auto config = search.at("fast");
    config["masks"]["seed"] = std::stoll(args.at(6));
    config["options"] = search.at("options");
    config["targets"] = {search.at("target_loss")};
    const auto model = load_last(args.at(3), preset, device);
    fg_buffer* buffer = nullptr;
    check(fg_model_info(model.get(), &buffer));
    const auto nodes = json_of(buffer).at("nodes").get<std::uint64_t>();
    const auto means =
        node_means(model.get(), read_text(preset, args.at(1), "train"), search.at("mean_sequences"), nodes);
    const auto learnt_on = read_examples(model.get(), args.at(2), task, "train", search.at("train_pairs"));
    const auto chosen_on = read_examples(model.get(), args.at(2), task, "validation", search.at("validation_pairs"));
    const auto last = read_examples(model.get(), args.at(2), task, "final", search.at("final_pairs"));
    const auto start = now();
    const fg_prune_task examples = {learnt_on.get(), chosen_on.get()};
    fg_fast_pruner* handle = nullptr;
    check(fg_fast_pruner_create(model.get(), config.dump().c_str(), &examples, 1, means.data(), nodes, &handle));
    const Pruner pruner(handle);
    auto progress = sized<fg_fast_prune_stats>();
    do {
        check(fg_fast_pruner_advance(handle, &progress));
    } while (progress.phase != FG_FAST_PRUNE_DONE);
    const auto seconds = now() - start;
    std::vector<std::uint8_t> keep(nodes);
    auto found = sized<fg_found_circuit>();
    check(fg_fast_pruner_circuit(handle, 0, 0, nodes, keep.data(), &buffer, &found));
    const Buffer edges(buffer);

    auto circuit = sized<fg_circuit>();
    circuit.nodes = nodes;
    circuit.keep = keep.data();
    circuit.means = means.data();
    const fg_edge none[1] = {};  // NULL would be all edges
    circuit.edges = fg_buffer_size(edges.get()) == 0 ? none : static_cast<const fg_edge*>(fg_buffer_data(edges.get()));
    circuit.n_edges = fg_buffer_size(edges.get()) / sizeof(fg_edge);
    auto fit = sized<fg_task_stats>();
    check(fg_circuit_calibrate(model.get(), learnt_on.get(), nullptr, &fit));
    auto own_fit = sized<fg_task_stats>();
    own_fit.scale = found.scale;
    own_fit.shift = found.shift;
    print({{"what", "prune"},
           {"task", task},
           {"device", device},
           {"seed", config.at("masks").at("seed")},
           {"seconds", seconds},
           {"nodes", std::count(keep.begin(), keep.end(), 1)},
           {"edges", circuit.n_edges},
           {"target_loss", search.at("target_loss")},
           {"reached", found.reached == 1},
           {"validation", score(model.get(), chosen_on.get(), &circuit, own_fit)},
           {"final", score(model.get(), last.get(), &circuit, own_fit)},
           {"whole_model", score(model.get(), last.get(), nullptr, fit)}});
    std::vector<std::uint64_t> kept;
    for (std::uint64_t i = 0; i < nodes; ++i) {
        if (keep[i] != 0) kept.push_back(i);
    }
    std::ofstream(args.at(7)) << Json(kept).dump() << '\n';
    return 0;
}

// ---- Time of a step. ----

/// What steps of a batch that is taken in `parts` equal ones are like, or nothing when a part does not fit into memory.
std::optional<Json> time_steps(fg_model* model, Json config, std::uint64_t parts, const fg_corpus& text,
                               std::uint64_t repeats) {
    config["accumulate"] = parts;
    fg_trainer* handle = nullptr;
    check(fg_trainer_create(model, config.dump().c_str(), &text, 1, &handle));
    const Trainer trainer(handle);
    auto first = sized<fg_train_stats>();
    auto last = sized<fg_train_stats>();
    double start = 0.0;
    const auto run = [&] {
        auto status = fg_trainer_step(handle, 1, &first);
        if (status == FG_OK)
            status = fg_trainer_step(handle, 2, &last);  // the first has weights that are not sparse yet
        start = now();
        return status == FG_OK ? fg_trainer_step(handle, repeats, &last) : status;
    };
    const auto status = run();
    if (status == FG_OUT_OF_MEMORY) return std::nullopt;
    check(status);
    const auto seconds = (now() - start) / static_cast<double>(repeats);
    fg_buffer* profile = nullptr;
    check(fg_trainer_profile(handle, &profile));
    const auto batch = config.at("batch_size").get<std::uint64_t>();
    const auto tokens = batch * config.at("seq_len").get<std::uint64_t>();
    return Json{{"micro_batch", batch / parts}, {"tokens", tokens},
                {"seconds", seconds},           {"tokens_per_second", static_cast<double>(tokens) / seconds},
                {"first_loss", first.loss},     {"loss", last.loss},
                {"nonzeros", last.nonzeros},    {"profile", json_of(profile)}};
}

/// step <preset> <device> <repeats>: on random tokens, as sparse from the second step on as at the end of a training,
/// at the largest equal part of the batch that fits.
int step(const Arguments& args) {
    const fs::path preset = args.at(0);
    const auto config = read_json(preset / "train.json");
    const auto vocabulary = read_json(preset / "model.json").at("vocab_size").get<unsigned>();
    std::mt19937 random(1);
    std::vector<std::uint16_t> tokens(1 << 20);
    for (auto& token : tokens) token = static_cast<std::uint16_t>(random() % vocabulary);
    const fg_corpus text{tokens.data(), tokens.size(), 1.0};
    const auto model = create(preset, args.at(1));
    const auto batch = config.at("batch_size").get<std::uint64_t>();
    for (std::uint64_t parts = 1; parts <= batch; parts *= 2) {
        if (const auto steps = time_steps(model.get(), config, parts, text, std::stoull(args.at(2)))) {
            Json line = {{"what", "step"},
                         {"plan", "filigree"},
                         {"case", preset.filename()},
                         {"device", args.at(1)},
                         {"precision", read_json(preset / "init.json").at("precision")}};
            line.update(*steps);
            print(line);
            return 0;
        }
        std::fprintf(stderr, "%llu sequences at a time do not fit\n", static_cast<unsigned long long>(batch / parts));
    }
    throw std::runtime_error("not even one sequence fits");
}

int info(const Arguments&) {
    fg_buffer* facts = nullptr;
    check(fg_runtime_info(&facts));
    print(json_of(facts));
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::map<std::string, int (*)(const Arguments&)> verbs = {
        {"info", info},   {"train", train}, {"loss", loss}, {"export", export_weights}, {"import", import_weights},
        {"prune", prune}, {"step", step}};
    const std::string verb = argc > 1 ? argv[1] : "";
    if (!verbs.contains(verb)) {
        std::fprintf(stderr, "driver: info, train, loss, export, import, prune or step; the source says with what\n");
        return 2;
    }
    try {
        check(fg_runtime_init("{\"threads\": 0}"));
        const int status = verbs.at(verb)(Arguments(argv + 2, argv + argc));
        fg_runtime_shutdown();
        return status;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "driver %s: %s\n", verb.c_str(), error.what());
        return 1;
    }
}
