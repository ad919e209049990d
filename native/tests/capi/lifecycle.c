/* SPDX-License-Identifier: Apache-2.0 */
/* One life of the library from C, as a binding leads it: start, train, save, resume, prune, read the circuit, stop. */
#include <filigree/filigree.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "configs.h"

#define PAIRS 6
#define TOKENS 4096

static void check(bool condition, const char* text, int line) {
    if (!condition) {
        fprintf(stderr, "lifecycle.c:%d: %s\n  last error: %s\n", line, text, fg_last_error_message());
        exit(EXIT_FAILURE);
    }
}
#define CHECK(condition) check((condition), #condition, __LINE__)
#define CHECK_OK(call) check((call) == FG_OK, #call, __LINE__)

static uint16_t tokens[TOKENS];
static uint16_t pair_tokens[PAIRS * 2 * TEST_BLOCK];
static int32_t eval_positions[PAIRS * 2];
static uint16_t answers[PAIRS * 2];

/* A stream in which every token follows from the one before, and pairs that differ in their first token. */
static void make_data(void) {
    for (int i = 0; i < TOKENS; ++i) tokens[i] = (uint16_t)((i * 7 + (i / 31) * 5) % TEST_VOCAB);
    for (int row = 0; row < PAIRS * 2; ++row) {
        for (int t = 0; t < TEST_BLOCK; ++t) {
            pair_tokens[row * TEST_BLOCK + t] = (uint16_t)((row / 2 * 3 + t) % TEST_VOCAB);
        }
        pair_tokens[row * TEST_BLOCK] = (uint16_t)(row % 2 == 0 ? 10 : 11);
        eval_positions[row] = TEST_BLOCK - 1;
        answers[row] = (uint16_t)(row % 2 == 0 ? 20 : 21);
    }
}

static void check_json(fg_buffer* buffer, const char* part) {
    CHECK(fg_buffer_size(buffer) == strlen(fg_buffer_data(buffer)));
    CHECK(strstr(fg_buffer_data(buffer), part) != NULL);
    fg_buffer_destroy(buffer);
    CHECK(fg_buffer_data(buffer) == NULL);
    CHECK(fg_buffer_size(buffer) == 0);
    fg_buffer_destroy(buffer);
}

static void start(void) {
    CHECK(fg_abi_version() == FG_ABI_VERSION);
    CHECK(strstr(fg_build_info(), "\"struct_sizes\"") != NULL);
    CHECK(strcmp(fg_status_name(FG_DIVERGED), "FG_DIVERGED") == 0);
    CHECK(strcmp(fg_status_name((fg_status)999), "FG_UNKNOWN") == 0);
    CHECK_OK(fg_runtime_init("{\"threads\":1}"));
    CHECK_OK(fg_runtime_init("{\"threads\":1}"));
    fg_buffer* info = NULL;
    CHECK_OK(fg_runtime_info(&info));
    check_json(info, "\"threads\"");
}

static void use_model(fg_model* model) {
    fg_buffer* info = NULL;
    CHECK_OK(fg_model_info(model, &info));
    check_json(info, "\"0.attn.act_in\"");

    float weights[TEST_VOCAB * TEST_WIDTH];
    const uint64_t count = TEST_VOCAB * TEST_WIDTH;
    CHECK_OK(fg_model_read_tensor(model, "transformer.wte.weight", count, weights));
    const float first = weights[0];
    weights[0] = 0.5F;
    CHECK_OK(fg_model_write_tensor(model, "transformer.wte.weight", weights, count));
    weights[0] = 0.0F;
    CHECK_OK(fg_model_read_tensor(model, "transformer.wte.weight", count, weights));
    CHECK(weights[0] == 0.5F);
    weights[0] = first;
    CHECK_OK(fg_model_write_tensor(model, "transformer.wte.weight", weights, count));

    static float logits[2 * 8 * TEST_VOCAB];
    CHECK_OK(fg_model_logits(model, tokens, 2, 8, 2 * 8 * TEST_VOCAB, logits));
    for (int i = 0; i < 2 * 8 * TEST_VOCAB; ++i) CHECK(isfinite(logits[i]));

    fg_eval_stats stats = {.struct_size = sizeof stats};
    CHECK_OK(fg_model_loss(model, tokens, TOKENS, 8, 0, &stats));
    CHECK(stats.predictions == TOKENS / TEST_BLOCK * (TEST_BLOCK - 1));
    CHECK(fabs(stats.loss - log(TEST_VOCAB)) < 0.5);
}

static double eval_loss(fg_model* model) {
    fg_eval_stats stats = {.struct_size = sizeof stats};
    CHECK_OK(fg_model_loss(model, tokens, TOKENS, 8, 0, &stats));
    return stats.loss;
}

/* Train to the end; half way, go on from a saved folder in a second model, and end with the same loss. */
static void train(fg_model* model, const char* folder) {
    const fg_corpus corpora[2] = {{tokens, TOKENS / 2, 1.0}, {tokens + TOKENS / 2, TOKENS / 2, 3.0}};
    fg_trainer* trainer = NULL;
    CHECK_OK(fg_trainer_create(model, TEST_TRAINER, corpora, 2, &trainer));
    fg_train_stats stats = {.struct_size = sizeof stats};
    CHECK_OK(fg_trainer_step(trainer, TEST_STEPS / 2, &stats));
    CHECK(stats.step == TEST_STEPS / 2);
    CHECK(stats.tokens == TEST_STEPS / 2 * 4 * TEST_BLOCK);
    CHECK(isfinite(stats.loss) && isfinite(stats.grad_norm) && stats.lr > 0);
    CHECK_OK(fg_trainer_save(trainer, folder));
    fg_buffer* metrics = NULL;
    CHECK_OK(fg_trainer_metrics(trainer, &metrics));
    check_json(metrics, "\"L0\"");

    CHECK_OK(fg_trainer_step(trainer, TEST_STEPS, &stats));
    CHECK(stats.step == TEST_STEPS);
    const double loss = stats.loss;
    const uint64_t nonzeros = stats.nonzeros;
    CHECK(fg_trainer_step(trainer, 1, &stats) == FG_INVALID_STATE);
    fg_trainer_destroy(trainer);
    CHECK(fg_trainer_step(trainer, 1, &stats) == FG_INVALID_STATE);
    fg_trainer_destroy(trainer);

    fg_model* loaded = NULL;
    CHECK_OK(fg_model_load(folder, TEST_EXECUTION, "cpu", &loaded));
    fg_trainer* resumed = NULL;
    CHECK_OK(fg_trainer_resume(loaded, folder, corpora, 2, &resumed));
    CHECK_OK(fg_trainer_step(resumed, TEST_STEPS, &stats));
    CHECK(stats.step == TEST_STEPS && stats.loss == loss && stats.nonzeros == nonzeros);
    CHECK(eval_loss(loaded) == eval_loss(model));
    /* A trainer keeps its model alive. */
    fg_model_destroy(loaded);
    CHECK_OK(fg_trainer_metrics(resumed, &metrics));
    fg_buffer_destroy(metrics);
    fg_trainer_destroy(resumed);

    fg_trainer* driven = NULL;
    CHECK_OK(fg_trainer_create(model, TEST_TRAINER, corpora, 2, &driven));
    CHECK_OK(fg_trainer_step_on(driven, tokens, 4, TEST_BLOCK, &stats));
    CHECK(stats.step == 1);
    fg_trainer_destroy(driven);
}

static void prune(fg_model* model) {
    fg_examples* examples = NULL;
    CHECK_OK(fg_examples_create(model, pair_tokens, PAIRS, TEST_BLOCK, eval_positions, answers, &examples));
    static float means[TEST_NODES];
    CHECK_OK(fg_model_node_means(model, tokens, TOKENS, 8, 0, TEST_NODES, means));

    fg_pruner* pruner = NULL;
    CHECK_OK(fg_pruner_create(model, TEST_PRUNER, examples, means, TEST_NODES, &pruner));
    fg_prune_stats step = {.struct_size = sizeof step};
    CHECK_OK(fg_pruner_step(pruner, 100, &step));
    CHECK(step.step == 8 && isfinite(step.task_loss) && step.nodes <= TEST_NODES);
    static float scores[TEST_NODES];
    CHECK_OK(fg_pruner_scores(pruner, TEST_NODES, scores));
    for (int i = 0; i < TEST_NODES; ++i) CHECK(scores[i] >= -1.0F && scores[i] <= 1.0F);

    static uint8_t keep[TEST_NODES];
    fg_task_stats found = {.struct_size = sizeof found};
    CHECK_OK(fg_pruner_discretize(pruner, examples, 10.0, TEST_NODES, keep, &found));
    CHECK(found.sequences == 2 * PAIRS && found.loss <= 10.0);
    uint64_t kept = 0;
    for (int i = 0; i < TEST_NODES; ++i) kept += keep[i];
    CHECK(kept == found.nodes);
    fg_pruner_destroy(pruner);
    fg_pruner_destroy(pruner);

    /* The whole model scores the same with every node kept as with no mask at all. */
    memset(keep, 1, sizeof keep);
    const fg_circuit circuit = {.struct_size = sizeof circuit, .nodes = TEST_NODES, .keep = keep, .means = means};
    fg_task_stats masked = {.struct_size = sizeof masked};
    fg_task_stats whole = {.struct_size = sizeof whole};
    CHECK_OK(fg_circuit_evaluate(model, examples, &circuit, 1.0, 0.0, &masked));
    CHECK_OK(fg_circuit_evaluate(model, examples, NULL, 1.0, 0.0, &whole));
    CHECK(masked.loss == whole.loss && masked.nodes == TEST_NODES && whole.nodes == TEST_NODES);
    fg_task_stats fitted = {.struct_size = sizeof fitted};
    CHECK_OK(fg_circuit_calibrate(model, examples, &circuit, &fitted));
    CHECK(fitted.loss <= fitted.raw_loss + 1e-9);

    float masked_differences[2 * PAIRS];
    float differences[2 * PAIRS];
    CHECK_OK(fg_circuit_differences(model, examples, &circuit, 2 * PAIRS, masked_differences));
    CHECK_OK(fg_circuit_differences(model, examples, NULL, 2 * PAIRS, differences));
    CHECK(memcmp(masked_differences, differences, sizeof differences) == 0 && differences[0] != differences[1]);

    fg_buffer* edges = NULL;
    CHECK_OK(fg_circuit_edges(model, keep, TEST_NODES, &edges));
    CHECK(fg_buffer_size(edges) > 0 && fg_buffer_size(edges) % sizeof(fg_edge) == 0);
    const fg_edge* edge = fg_buffer_data(edges);
    CHECK(edge->weight != 0.0F && edge->source < TEST_NODES && edge->target < TEST_NODES);
    fg_buffer_destroy(edges);
    fg_examples_destroy(examples);
    fg_examples_destroy(examples);
}

int main(int argc, char** argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: lifecycle FOLDER\n");
        return 2;
    }
    make_data();
    start();
    fg_model* model = NULL;
    CHECK_OK(fg_model_create(TEST_MODEL, TEST_INIT, "cpu", &model));
    use_model(model);
    train(model, argv[1]);
    prune(model);
    CHECK_OK(fg_model_save(model, argv[1]));
    fg_model_destroy(model);
    fg_model_destroy(model);

    /* Shutting down closes what is still open, may be repeated, and the library starts again after it. */
    fg_model* left_open = NULL;
    CHECK_OK(fg_model_load(argv[1], TEST_EXECUTION, "cpu", &left_open));
    fg_runtime_shutdown();
    fg_runtime_shutdown();
    fg_buffer* info = NULL;
    CHECK(fg_model_info(left_open, &info) == FG_INVALID_STATE);
    fg_model_destroy(left_open);
    CHECK_OK(fg_runtime_init("{\"threads\":1}"));
    fg_runtime_shutdown();
    puts("lifecycle: ok");
    return 0;
}
