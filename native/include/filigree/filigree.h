/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file filigree.h
 * @brief C interface of the Filigree core: train, evaluate and prune weight-sparse transformers.
 *
 * Conventions that hold for every function unless its comment says otherwise:
 *
 * - A function that can fail returns an ::fg_status. On any status but ::FG_OK no output is written and
 *   fg_last_error_message() has a sentence for a person.
 * - Arguments come in the order handle, inputs, outputs. Outputs are named `out_*` and may not be NULL.
 * - Text is UTF-8 and NUL-terminated. Input text and input arrays are borrowed for the length of the call.
 * - Configuration is one strict JSON object: an unknown or missing key is ::FG_INVALID_CONFIG and the message
 *   names its path. There are no defaults on this side; docs/c-abi.md lists every key.
 * - Handles are tokens, not addresses. Using one after it was destroyed is ::FG_INVALID_STATE, destroying it
 *   twice does nothing, and passing one of another type is ::FG_INVALID_ARGUMENT.
 * - One thread at a time may use a model and the trainers and pruners made from it; a second thread gets
 *   ::FG_INVALID_STATE. Different models may be used in parallel. fg_model_cancel() is the one exception.
 * - Every function returns only when its results are in host memory; there is nothing to synchronise.
 */
#ifndef FILIGREE_FILIGREE_H
#define FILIGREE_FILIGREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define FG_API __attribute__((visibility("default")))
#else
#define FG_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** Number of this interface. A binding compares it with fg_abi_version() before any other call. */
#define FG_ABI_VERSION 2

/** Outcome of a call. Numbers are part of the interface and never reused. */
typedef enum fg_status {
    FG_OK = 0,
    FG_INVALID_ARGUMENT = 1, /**< an argument is NULL, out of range, of the wrong size or a wrong handle */
    FG_INVALID_CONFIG = 2,   /**< the JSON is malformed, has an unknown or missing key, or asks the impossible */
    FG_INVALID_STATE = 3,    /**< the handle is closed, in use by another thread, or not ready for this call */
    FG_NOT_FOUND = 4,        /**< a named tensor, file or folder does not exist */
    FG_IO = 5,               /**< reading or writing failed (full disk, permissions) */
    FG_BAD_CHECKPOINT = 6,   /**< a checkpoint is truncated, malformed or does not fit its configuration */
    FG_UNSUPPORTED = 7,      /**< valid, but not supported by this build */
    FG_OUT_OF_MEMORY = 8,    /**< host or device memory ran out */
    FG_CUDA = 9,             /**< CUDA was asked for and is not usable, or a CUDA call failed */
    FG_CANCELLED = 10,       /**< fg_model_cancel() stopped the call; the object is still usable */
    FG_INTERNAL = 11,        /**< an error nobody foresaw; please report it */
    FG_DIVERGED = 12         /**< a loss or gradient is not finite; the weights are those before the step */
} fg_status;

/** Model: architecture, weights and the device they live on. Made by fg_model_create() or fg_model_load(). */
typedef struct fg_model fg_model;
/** Optimiser state and data of one training run. Keeps its model alive. */
typedef struct fg_trainer fg_trainer;
/** Pairs of token sequences with their answers, resident on a model's device. Keeps its model alive. */
typedef struct fg_examples fg_examples;
/** Learnable node masks over one frozen model. Keeps its model and its examples alive. */
typedef struct fg_pruner fg_pruner;
typedef struct fg_fast_pruner fg_fast_pruner;
/** Bytes owned by the library. */
typedef struct fg_buffer fg_buffer;

/** One stream of training tokens. Not copied: it must stay valid and unchanged until the trainer is destroyed. */
typedef struct fg_corpus {
    const uint16_t* tokens; /**< token ids, documents joined end to end */
    uint64_t count;         /**< number of tokens, at least the sequence length */
    double share;           /**< relative weight, > 0; the share of sequences is share / (sum of shares) */
} fg_corpus;

/** What a run of training steps did. The caller sets struct_size to sizeof(fg_train_stats). */
typedef struct fg_train_stats {
    uint32_t struct_size;
    uint32_t reserved;
    uint64_t step;     /**< steps finished since the start of training */
    uint64_t tokens;   /**< tokens seen since the start of training */
    double loss;       /**< cross-entropy of the last step's batch, nats per token */
    double mean_loss;  /**< mean of the same over the steps of this call */
    double lr;         /**< learning rate of the last step, all factors included */
    double grad_norm;  /**< L2 norm of the last step's gradient before normalisation */
    double density;    /**< fraction of block-matrix weights that the last step was allowed to keep */
    uint64_t nonzeros; /**< nonzero trainable parameters after the last step, the bigram table not counted (L0) */
    double seconds;    /**< wall time of this call */
} fg_train_stats;

/** Held-out loss. The caller sets struct_size to sizeof(fg_eval_stats). */
typedef struct fg_eval_stats {
    uint32_t struct_size;
    uint32_t reserved;
    uint64_t predictions; /**< number of predicted tokens */
    double loss;          /**< mean cross-entropy, nats per predicted token */
} fg_eval_stats;

/** What a run of mask-learning steps did. The caller sets struct_size to sizeof(fg_prune_stats). */
typedef struct fg_prune_stats {
    uint32_t struct_size;
    uint32_t reserved;
    uint64_t step;    /**< steps finished */
    double task_loss; /**< two-way cross-entropy of the last batch under the hard masks, nats per sequence */
    double lr;        /**< learning rate of the last step */
    uint64_t nodes;   /**< nodes whose mask is open after the last step */
} fg_prune_stats;

/** What a fast search has done so far. The caller sets struct_size to sizeof(fg_fast_prune_stats). */
typedef struct fg_fast_prune_stats {
    uint32_t struct_size;
    int32_t phase;   /**< what comes next: one of FG_FAST_PRUNE_* */
    uint64_t pieces; /**< of work that are done; how many there will be nobody knows */
    uint64_t nodes;  /**< of the circuit that was last looked at; while masks are learnt, of all of them on average */
    uint64_t edges;
    double loss; /**< of the circuit that was last looked at, or of the last batch */
} fg_fast_prune_stats;

/** Phases of a fast search. */
typedef enum fg_fast_prune_phase {
    FG_FAST_PRUNE_ATTRIBUTE = 0,
    FG_FAST_PRUNE_LEARN = 1,
    FG_FAST_PRUNE_CHOOSE = 2,
    FG_FAST_PRUNE_CLEAN = 3,
    FG_FAST_PRUNE_DONE = 4
} fg_fast_prune_phase;

/** What one task is pruned by. The examples stay the caller's. */
typedef struct fg_prune_task {
    fg_examples* train;      /**< masks are learnt on these */
    fg_examples* validation; /**< circuits are chosen on these, and on some of the others */
} fg_prune_task;

/** What a fast search found beside nodes and edges. The caller sets struct_size to sizeof(fg_found_circuit). */
typedef struct fg_found_circuit {
    uint32_t struct_size;
    uint32_t reached; /**< 1 when the target is kept on training and validation examples, else 0 */
    double scale;     /**< calibration, fitted on training examples */
    double shift;
} fg_found_circuit;

/** How a circuit (or the whole model) does on examples. The caller sets struct_size to sizeof(fg_task_stats). */
typedef struct fg_task_stats {
    uint32_t struct_size;
    uint32_t reserved;
    uint64_t nodes;     /**< nodes kept */
    uint64_t sequences; /**< sequences scored, two per pair */
    double loss;        /**< two-way cross-entropy after calibration, nats per sequence */
    double raw_loss;    /**< the same without calibration */
    double full_loss;   /**< cross-entropy over the whole vocabulary, without calibration */
    double accuracy;    /**< fraction of sequences whose calibrated answer is right */
    double scale;       /**< calibration: logit difference * scale + shift */
    double shift;
} fg_task_stats;

/** One edge of a circuit: a nonzero weight between two kept nodes (flat node indices). */
typedef struct fg_edge {
    uint32_t source;
    uint32_t target;
    float weight;
} fg_edge;

/**
 * A circuit: what stays of a model. Every node with keep 0 is replaced by its mean at every position. The caller sets
 * struct_size to sizeof(fg_circuit). Where a function takes one, NULL is the whole model.
 */
typedef struct fg_circuit {
    uint32_t struct_size;
    uint32_t frozen_norms; /**< 1: every RMSNorm divides by what it does in the whole model; else 0 */
    uint64_t nodes;        /**< must be the model's number of nodes */
    const uint8_t* keep;   /**< [nodes] of 0 and 1 */
    const float* means;    /**< [nodes] ablation values */
    /**
     * [n_edges] the edges between kept nodes that pass their source on; of all others the target gets the source's mean
     * (weights are not read). NULL for all of them: a circuit of nodes alone. fg_circuit_with_donors() does not look.
     */
    const fg_edge* edges;
    uint64_t n_edges;
    /**
     * [vocab_size] 1 for the tokens that are embedded as they are, 0 for those that are embedded as `embedding`. NULL
     * for all as they are. fg_circuit_with_donors() does not look.
     */
    const uint8_t* tokens;
    uint64_t vocab_size;    /**< the model's, where there are tokens or an embedding */
    const float* embedding; /**< [d_model] needed where there are tokens, and by fg_circuit_tokens() */
    uint64_t d_model;       /**< the model's, where there is an embedding */
} fg_circuit;

/* ---- Runtime ------------------------------------------------------------------------------------------------- */

/** Interface number the library was built with. Callable before fg_runtime_init(). Cannot fail. */
FG_API uint32_t fg_abi_version(void);

/**
 * Facts of the build as static JSON text: "abi", "version", "compiler", "libtorch", "cuda_kernels" (whether the
 * CUDA kernel library was built with it) and "struct_sizes" (bytes of every struct above). Cannot fail.
 */
FG_API const char* fg_build_info(void);

/** Name of a status ("FG_IO"), static text; "FG_UNKNOWN" for a number that is none. Cannot fail. */
FG_API const char* fg_status_name(fg_status status);

/**
 * Sentence for the last failed call of this thread, "" if there is none. Never NULL; valid until the next call
 * of this thread.
 */
FG_API const char* fg_last_error_message(void);

/**
 * Start the library: set the number of threads and find the devices. Call once, before any handle is made.
 * @param config_json {"threads": int, 0 for all cores}.
 * @return FG_INVALID_CONFIG; FG_INVALID_STATE when it was started with another configuration.
 */
FG_API fg_status fg_runtime_init(const char* config_json);

/**
 * Facts of this process as JSON: "threads", "cpu" (LibTorch's capability name), "kernels" (instruction set of the fast
 * plan's: "avx512", "avx2" or "portable"), "devices", "cuda_kernels".
 * @return FG_UNSUPPORTED when the environment variable FILIGREE_ISA names a set that this machine does not have.
 */
FG_API fg_status fg_runtime_info(fg_buffer** out_json);

/**
 * Measure what the machine can do at best with the runtime's threads, in about half a second, as JSON: "flops" (fp32
 * operations per second out of the caches), "bf16_flops" (the same with factors in bf16), "bytes" (read or copied in
 * memory per second).
 */
FG_API fg_status fg_runtime_measure(fg_buffer** out_json);

/** Release everything. Handles still alive become invalid. Safe to call twice; fg_runtime_init() may follow. */
FG_API void fg_runtime_shutdown(void);

/**
 * Fail on purpose, so that a binding can test how it maps errors.
 * @param kind "error:<status name>", "c10", "bad_alloc", "std" or "unknown": the exception thrown inside.
 * @return the status that the exception maps to; FG_INVALID_ARGUMENT for an unknown kind.
 */
FG_API fg_status fg_debug_raise(const char* kind);

/* ---- Buffers ------------------------------------------------------------------------------------------------- */

/** First byte; JSON buffers are NUL-terminated beyond their size. NULL for a closed handle. */
FG_API const void* fg_buffer_data(const fg_buffer* buffer);
/** Size in bytes, 0 for a closed handle. */
FG_API uint64_t fg_buffer_size(const fg_buffer* buffer);
/** Free the bytes. NULL and closed handles are ignored. */
FG_API void fg_buffer_destroy(fg_buffer* buffer);

/* ---- Model --------------------------------------------------------------------------------------------------- */

/**
 * Make a model with fresh weights.
 * @param config_json the architecture, field names of the published GPTConfig.
 * @param init_json {"seed": int, "positions": "none" | "added"} and the keys of execution_json of fg_model_load().
 * @param device "cpu", "cuda" or "cuda:<index>".
 * @return FG_INVALID_CONFIG, FG_UNSUPPORTED, FG_CUDA, FG_OUT_OF_MEMORY.
 */
FG_API fg_status fg_model_create(const char* config_json, const char* init_json, const char* device,
                                 fg_model** out_model);

/**
 * Load config.json and model.safetensors from a folder.
 * @param execution_json {"precision": "fp32" | "bf16", "plan": "fast" | "reference"}: precision is that of the matrix
 *        products, everything else is fp32; the reference plan composes every operation from LibTorch's.
 * @return FG_NOT_FOUND, FG_IO, FG_BAD_CHECKPOINT, FG_INVALID_CONFIG, FG_UNSUPPORTED, FG_CUDA, FG_OUT_OF_MEMORY.
 */
FG_API fg_status fg_model_load(const char* folder, const char* execution_json, const char* device,
                               fg_model** out_model);

/** Write config.json and model.safetensors into an existing folder, each under a temporary name, synced, renamed. */
FG_API fg_status fg_model_save(fg_model* model, const char* folder);

/**
 * Describe the model as JSON: "config"; "parameters" and "nonzeros", of the trainable tensors without the bigram table,
 * which L0 never counts; "nodes"; "tensors", a list of {"name", "family", "shape", "trainable", "nonzeros"}; "sites", a
 * list of {"name", "layer", "kind", "offset", "width"} that tells which nodes of the flat node space belong to which
 * site.
 */
FG_API fg_status fg_model_info(fg_model* model, fg_buffer** out_json);

/** Copy a tensor out, row-major fp32. @param count must be its number of elements. @return FG_NOT_FOUND. */
FG_API fg_status fg_model_read_tensor(fg_model* model, const char* name, uint64_t count, float* out_values);
/** Overwrite a tensor. @param count must be its number of elements. @return FG_NOT_FOUND. */
FG_API fg_status fg_model_write_tensor(fg_model* model, const char* name, const float* values, uint64_t count);

/**
 * Logits of every position.
 * @param tokens [batch, length] token ids, length at most block_size.
 * @param count  must be batch * length * vocab_size.
 * @param out_logits [batch, length, vocab_size] fp32.
 */
FG_API fg_status fg_model_logits(fg_model* model, const uint16_t* tokens, uint64_t batch, uint64_t length,
                                 uint64_t count, float* out_logits);

/**
 * Held-out loss over consecutive windows of block_size tokens, each predicting its tokens but the first.
 * @param count number of tokens; an incomplete last window is dropped, and fewer than one window is an error.
 * @param batch sequences per forward pass.
 * @param max_sequences windows to use, evenly spread over the stream; 0 for all.
 * @return FG_INVALID_ARGUMENT, FG_CANCELLED, FG_OUT_OF_MEMORY.
 */
FG_API fg_status fg_model_loss(fg_model* model, const uint16_t* tokens, uint64_t count, uint64_t batch,
                               uint64_t max_sequences, fg_eval_stats* out_stats);

/**
 * Mean activation of every node over pretraining text, after AbsTopK: the values of mean ablation.
 * Windows are those of fg_model_loss().
 * @param nodes must be the model's number of nodes.
 * @param out_means [nodes] fp32.
 */
FG_API fg_status fg_model_node_means(fg_model* model, const uint16_t* tokens, uint64_t count, uint64_t batch,
                                     uint64_t max_sequences, uint64_t nodes, float* out_means);

/**
 * Ask the call that runs on this model now, or else the next one, to stop between two steps or batches; it
 * returns FG_CANCELLED. May be called from any thread at any time.
 */
FG_API fg_status fg_model_cancel(fg_model* model);

/** Close the model. Trainers, examples and pruners made from it stay usable. NULL and closed handles are ignored. */
FG_API void fg_model_destroy(fg_model* model);

/* ---- Trainer ------------------------------------------------------------------------------------------------- */

/**
 * Prepare training from step 0.
 * @param config_json schedules, optimiser and sparsity (docs/c-abi.md).
 * @param corpora [n_corpora] streams; every token must be below vocab_size.
 * @return FG_INVALID_CONFIG (also when a tensor cannot keep the minimum of live weights), FG_INVALID_ARGUMENT
 *         (also for a token that does not fit the vocabulary), FG_OUT_OF_MEMORY.
 */
FG_API fg_status fg_trainer_create(fg_model* model, const char* config_json, const fg_corpus* corpora,
                                   uint64_t n_corpora, fg_trainer** out_trainer);

/**
 * Go on from a folder that fg_trainer_save() wrote, with the model loaded from the same folder: the steps that
 * follow are bit-identical to those of the run that was saved (same build, device, threads and corpora).
 * @return FG_NOT_FOUND, FG_IO, FG_BAD_CHECKPOINT, FG_INVALID_ARGUMENT, FG_OUT_OF_MEMORY.
 */
FG_API fg_status fg_trainer_resume(fg_model* model, const char* folder, const fg_corpus* corpora, uint64_t n_corpora,
                                   fg_trainer** out_trainer);

/**
 * Give the model another one to learn from: with "distill.weight" w and "distill.temperature" t the objective is
 * (1 - w) * cross-entropy + w * t^2 * KL(teacher || model), logits divided by t in the second. Needed before the first
 * step, also of a resumed trainer, when w is above 0. The trainer keeps the teacher alive and uses it in every step;
 * the statistics stay those of the cross-entropy.
 * @param teacher of the same vocabulary and device, with a block_size of at least the trainer's seq_len.
 * @return FG_INVALID_ARGUMENT for a teacher that does not fit, is not the one of the run that is resumed, or that the
 *         configuration has no use for.
 */
FG_API fg_status fg_trainer_set_teacher(fg_trainer* trainer, fg_model* teacher);

/**
 * Do up to n_steps steps, fewer when the configured number of steps is reached.
 * @return FG_INVALID_STATE when all steps are done or a teacher is missing; FG_DIVERGED (the message names the tensor);
 *         FG_CANCELLED (finished steps stay done); FG_OUT_OF_MEMORY.
 */
FG_API fg_status fg_trainer_step(fg_trainer* trainer, uint64_t n_steps, fg_train_stats* out_stats);

/** Do one step on a given batch instead of a sampled one. @param tokens [batch, length]. */
FG_API fg_status fg_trainer_step_on(fg_trainer* trainer, const uint16_t* tokens, uint64_t batch, uint64_t length,
                                    fg_train_stats* out_stats);

/** Weight statistics as JSON, names of method section 2.7: "L0", "weight_sparsity", "num_alive_neurons/...", ... */
FG_API fg_status fg_trainer_metrics(fg_trainer* trainer, fg_buffer** out_json);

/**
 * How the trainer computes and where the time of its steps since it was made went, as JSON: "plan", "crossover" (fast
 * plan: largest nonzero fraction of a matrix that is multiplied by its nonzeros), "dense_crossover" (the same for the
 * unembedding, whose inputs are dense), "seconds", "cpu_seconds" (that all threads of the process computed
 * meanwhile), "parts" (seconds of each).
 */
FG_API fg_status fg_trainer_profile(fg_trainer* trainer, fg_buffer** out_json);

/** Write config.json, model.safetensors and trainer.safetensors into an existing folder, as fg_model_save(). */
FG_API fg_status fg_trainer_save(fg_trainer* trainer, const char* folder);

/** Close the trainer. NULL and closed handles are ignored. */
FG_API void fg_trainer_destroy(fg_trainer* trainer);

/* ---- Pruning ------------------------------------------------------------------------------------------------- */

/**
 * Copy pairs of sequences to the model's device.
 * @param tokens [pairs, 2, length] token ids, right-padded with any valid id.
 * @param eval_positions [pairs, 2] position whose logits are scored.
 * @param answers [pairs, 2] right answer of each member; the other member's answer is its wrong one.
 * @return FG_INVALID_ARGUMENT for a token, position or answer out of range, or two equal answers in a pair.
 */
FG_API fg_status fg_examples_create(fg_model* model, const uint16_t* tokens, uint64_t pairs, uint64_t length,
                                    const int32_t* eval_positions, const uint16_t* answers, fg_examples** out_examples);
/** Free the examples. NULL and closed handles are ignored. */
FG_API void fg_examples_destroy(fg_examples* examples);

/**
 * Start learning masks on examples, with the model frozen.
 * @param config_json steps, batch size, learning rate, ... (docs/c-abi.md).
 * @param means [nodes] ablation values, copied.
 * @return FG_INVALID_CONFIG, FG_INVALID_ARGUMENT, FG_OUT_OF_MEMORY.
 */
FG_API fg_status fg_pruner_create(fg_model* model, const char* config_json, fg_examples* examples, const float* means,
                                  uint64_t nodes, fg_pruner** out_pruner);

/** Do up to n_steps mask-learning steps. @return as fg_trainer_step(). */
FG_API fg_status fg_pruner_step(fg_pruner* pruner, uint64_t n_steps, fg_prune_stats* out_stats);

/** Copy the mask parameters out, [nodes], each in [-1, 1]; a node is open when its value is >= 0. */
FG_API fg_status fg_pruner_scores(fg_pruner* pruner, uint64_t nodes, float* out_scores);

/**
 * Choose how many of the highest-scored nodes to keep: the fewest whose calibrated loss on the validation
 * examples is at most target_loss, by bisection (ties in score go to the lower node index). The calibration of
 * each candidate is fitted on the pruner's own examples. Without such a number all open nodes are kept and
 * the loss in out_stats is above the target.
 * @param out_keep [nodes] 1 for kept, 0 for ablated.
 */
FG_API fg_status fg_pruner_discretize(fg_pruner* pruner, fg_examples* validation, double target_loss, uint64_t nodes,
                                      uint8_t* out_keep, fg_task_stats* out_stats);

/** Close the pruner. NULL and closed handles are ignored. */
FG_API void fg_pruner_destroy(fg_pruner* pruner);

/**
 * Start the fast search for the circuits of one or several tasks (docs/pruning.md): they are candidates by attribution,
 * then learnt together as one batch of masks on the model compacted to them, then cleaned of nodes and edges.
 * @param config_json masks, targets, numbers of examples, ... (docs/c-abi.md).
 * @param means [nodes] ablation values, copied.
 * @return FG_INVALID_CONFIG, FG_INVALID_ARGUMENT, FG_OUT_OF_MEMORY.
 */
FG_API fg_status fg_fast_pruner_create(fg_model* model, const char* config_json, const fg_prune_task* tasks,
                                       uint64_t n_tasks, const float* means, uint64_t nodes,
                                       fg_fast_pruner** out_pruner);

/**
 * Do one piece of work, of tenths of a second on a small model; nothing when the phase is FG_FAST_PRUNE_DONE.
 * @return FG_CANCELLED (the search can go on), FG_DIVERGED, FG_OUT_OF_MEMORY.
 */
FG_API fg_status fg_fast_pruner_advance(fg_fast_pruner* pruner, fg_fast_prune_stats* out_stats);

/**
 * A circuit of a finished search. Where the target is not reached it is that of the candidates.
 * @param task, target indices into the tasks and the configured targets.
 * @param out_keep [nodes] 1 for kept, 0 for ablated.
 * @param out_edges an array of fg_edge in the order of fg_circuit_edges(): the edges that are left. Of a search that
 *        leaves out none, all between kept nodes.
 * @return FG_INVALID_STATE before the search is finished.
 */
FG_API fg_status fg_fast_pruner_circuit(fg_fast_pruner* pruner, uint64_t task, uint64_t target, uint64_t nodes,
                                        uint8_t* out_keep, fg_buffer** out_edges, fg_found_circuit* out_found);

/** Close the search. NULL and closed handles are ignored. */
FG_API void fg_fast_pruner_destroy(fg_fast_pruner* pruner);

/* ---- Circuits ------------------------------------------------------------------------------------------------ */

/**
 * Score a circuit.
 * @param circuit NULL for the whole model.
 * @param scale, shift calibration to apply; 1 and 0 for none.
 */
FG_API fg_status fg_circuit_evaluate(fg_model* model, fg_examples* examples, const fg_circuit* circuit, double scale,
                                     double shift, fg_task_stats* out_stats);

/**
 * Fit the two-way calibration on examples (scale and shift of the logit difference that minimise the loss), then
 * score with it. Arguments as fg_circuit_evaluate(); the fit is in out_stats.
 */
FG_API fg_status fg_circuit_calibrate(fg_model* model, fg_examples* examples, const fg_circuit* circuit,
                                      fg_task_stats* out_stats);

/**
 * Logit of a minus logit of b for every sequence, a being the first member's right answer and b the second's, without
 * calibration: above 0 where a is preferred, whichever is right. Arguments as fg_circuit_evaluate().
 * @param count must be the number of sequences, two per pair.
 * @param out_differences [pairs, 2] fp32.
 */
FG_API fg_status fg_circuit_differences(fg_model* model, fg_examples* examples, const fg_circuit* circuit,
                                        uint64_t count, float* out_differences);

/**
 * Edges of a circuit: every nonzero entry of the block matrices whose two end nodes are kept, in the order
 * layer, matrix (q, k, v, attention out, MLP in, MLP out), target, source. The buffer is an array of fg_edge.
 */
FG_API fg_status fg_circuit_edges(fg_model* model, const uint8_t* keep, uint64_t nodes, fg_buffer** out_edges);

/**
 * Find the tokens that a circuit has to tell apart: leave out as many as the target allows, greedily (docs/pruning.md).
 * Those that are left out are embedded as circuit->embedding.
 * @param circuit its tokens are those to begin with.
 * @param target_loss nats per sequence, to be kept on `train` and on `validation`.
 * @param calibrate 1: fit a calibration on `train` to every choice that is judged; 0: do not.
 * @param out_tokens [vocab_size] 1 for kept. All that the circuit has, where the target is out of reach with them.
 */
FG_API fg_status fg_circuit_tokens(fg_model* model, fg_examples* train, fg_examples* validation,
                                   const fg_circuit* circuit, double target_loss, uint32_t calibrate,
                                   uint64_t vocab_size, uint8_t* out_tokens, fg_found_circuit* out_found);

/**
 * As fg_circuit_differences(), but a node with keep 0 takes, at every position, the activation that another sequence
 * of the examples has in the whole model's run; means are not used. Resample ablation: the donor is any other
 * sequence. Interchange: keep 0 is the circuit, and the donor the other member of the pair. Positions beyond a donor's
 * end hold what padding makes, so a donor is better no shorter.
 * @param circuit not NULL.
 * @param donors [count] index of the donor of every sequence.
 */
FG_API fg_status fg_circuit_with_donors(fg_model* model, fg_examples* examples, const fg_circuit* circuit,
                                        const uint32_t* donors, uint64_t count, float* out_differences);

/**
 * What single nodes matter: fg_circuit_differences() of the circuit without one of its nodes, for each of some nodes.
 * Runs are batched and start at the half-layer of the node.
 * @param circuit not NULL; keep may be all ones.
 * @param nodes [n] flat indices.
 * @param count must be n times the number of sequences.
 * @param out_differences [n, pairs, 2] fp32.
 * @return FG_INVALID_ARGUMENT, FG_CANCELLED, FG_OUT_OF_MEMORY.
 */
FG_API fg_status fg_circuit_ablations(fg_model* model, fg_examples* examples, const fg_circuit* circuit,
                                      const uint32_t* nodes, uint64_t n, uint64_t count, float* out_differences);

/**
 * Activations of some nodes, after AbsTopK and ablation.
 * @param circuit NULL for the whole model.
 * @param nodes [n] flat indices.
 * @param count must be n times the number of sequences times the length of the examples.
 * @param out_values [n, pairs, 2, length] fp32; beyond the end of a sequence what padding makes.
 */
FG_API fg_status fg_circuit_activations(fg_model* model, fg_examples* examples, const fg_circuit* circuit,
                                        const uint32_t* nodes, uint64_t n, uint64_t count, float* out_values);

/**
 * Attention weights of one head.
 * @param circuit NULL for the whole model.
 * @param count must be the number of sequences times length times (length + 1).
 * @param out_weights [pairs, 2, length, length + 1] fp32: query, key; the last column is the sink's, 0 without sinks.
 */
FG_API fg_status fg_circuit_attention(fg_model* model, fg_examples* examples, const fg_circuit* circuit, uint64_t layer,
                                      uint64_t head, uint64_t count, float* out_weights);

/**
 * Find for every node of a circuit two values to say instead of its activation, so that the loss suffers least
 * (docs/evidence.md). An activation nearer to the first becomes the first, else the second.
 * @param circuit not NULL, with at least one node.
 * @param config_json steps, batch size, ... (docs/c-abi.md).
 * @param scale, shift calibration of the circuit, which stays as it is.
 * @param nodes must be the model's number of nodes.
 * @param out_low, out_high [nodes]; 0 for nodes outside the circuit.
 * @return FG_INVALID_CONFIG, FG_INVALID_ARGUMENT, FG_DIVERGED, FG_CANCELLED, FG_OUT_OF_MEMORY.
 */
FG_API fg_status fg_circuit_binarise(fg_model* model, fg_examples* examples, const fg_circuit* circuit,
                                     const char* config_json, double scale, double shift, uint64_t nodes,
                                     float* out_low, float* out_high);

/** As fg_circuit_differences(), with every node of the circuit at one of its two values. @param low, high [nodes]. */
FG_API fg_status fg_circuit_binarised(fg_model* model, fg_examples* examples, const fg_circuit* circuit,
                                      const float* low, const float* high, uint64_t nodes, uint64_t count,
                                      float* out_differences);

/**
 * Fit the two-way calibration to differences that were computed before, as fg_circuit_calibrate() does.
 * @param differences [count], pair by pair; count is even and at least 2.
 */
FG_API fg_status fg_calibration_fit(const float* differences, uint64_t count, double* out_scale, double* out_shift);

#ifdef __cplusplus
}
#endif

#endif /* FILIGREE_FILIGREE_H */
