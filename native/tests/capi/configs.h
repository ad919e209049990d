/* SPDX-License-Identifier: Apache-2.0 */
/* A model small enough to train in milliseconds, and the configurations of its training and pruning. */
#ifndef FILIGREE_TESTS_CAPI_CONFIGS_H
#define FILIGREE_TESTS_CAPI_CONFIGS_H

#define TEST_BLOCK 16
#define TEST_VOCAB 64
#define TEST_LAYERS 2
#define TEST_WIDTH 16
#define TEST_ATTENTION 16 /* n_head * d_head */
#define TEST_MLP 32
/* Widths of the eight sites of a layer. */
#define TEST_NODES (TEST_LAYERS * (4 * TEST_WIDTH + 3 * TEST_ATTENTION + TEST_MLP))
#define TEST_STEPS 12

/* clang-format off */
#define TEST_MODEL_REST                                                                                     \
    "\"block_size\":16,\"vocab_size\":64,\"n_layer\":2,\"n_head\":2,\"d_head\":8,\"d_model\":16,"           \
    "\"bias\":true,\"ln_bias\":false,\"rms_norm\":true,"                                                    \
    "\"residual_activation_type\":\"identity\",\"activation_type\":\"gelu\",\"afrac\":0.25,"                \
    "\"afrac_loctypes\":\"attn_in,attn_q,attn_k,attn_v,attn_out,mlp_in,mlp_neuron,mlp_out\","               \
    "\"debug_nans\":false,\"tied_unembed\":false,\"tokenizer_name\":\"test\",\"grad_checkpointing\":false," \
    "\"d_mlp\":32,\"enable_bigram_table\":true,\"learnable_bigram_table\":true,\"d_pos_emb\":null,"         \
    "\"dropout_cat_pos_emb\":false,\"sinusoidal_cat_pos_emb\":false,\"enable_sparse_kernels\":false,"       \
    "\"flash\":true,\"sink\":true"
#define TEST_MODEL "{\"dropout\":0.0," TEST_MODEL_REST "}"
#define TEST_INIT "{\"seed\":7,\"positions\":\"none\",\"precision\":\"fp32\",\"plan\":\"fast\"}"
#define TEST_EXECUTION "{\"precision\":\"fp32\",\"plan\":\"fast\"}"

#define TEST_TRAINER_REST                                                                                   \
    "\"batch_size\":4,\"accumulate\":1,\"seq_len\":16,\"seed\":3,\"lr\":0.01,\"warmup\":0.1,"                                \
    "\"adam\":{\"beta1\":0.9,\"beta2\":0.95,\"eps\":0.1},\"weight_decay\":0.1,\"gradient\":\"normalize\","  \
    "\"sparsity\":{\"fractions\":{\"matrix\":0.25,\"embedding\":0.5,\"unembedding\":0.5,\"bias\":0.5,"      \
    "\"position\":1.0},\"anneal\":{\"shape\":\"linear\",\"start\":0.0,\"end\":0.5,\"exponent\":1.0},"       \
    "\"minimum_alive\":1,\"sharkfin\":true,"                                                                  \
    "\"revive\":{\"every\":0,\"until\":1.0,\"weights\":1,\"share\":0.0},"                                     \
    "\"levels\":{\"count\":1,\"ratio\":1.0,\"settle\":0.0}},"                                                \
    "\"distill\":{\"weight\":0.0,\"temperature\":1.0}"
#define TEST_TRAINER "{\"steps\":12," TEST_TRAINER_REST "}"
#define TEST_LONG_TRAINER "{\"steps\":100000000," TEST_TRAINER_REST "}"

#define TEST_MASKS                                                                                          \
    "{\"steps\":8,\"batch_pairs\":4,\"seed\":5,\"lr\":0.01,\"beta1\":0.9,\"beta2\":0.95,\"eps\":1e-8,"      \
    "\"weight_decay\":0.001,\"k_coef\":0.001,\"init_scale\":0.01,\"init_bias\":0.1,\"temperature\":1.0,"    \
    "\"warmup\":0.1,\"clip_rms\":1.0}"
#define TEST_OPTIONS "{\"ablation\":\"mean\",\"calibrate\":true,\"tied_qk\":false,\"frozen_norms\":false}"
#define TEST_PRUNER "{\"masks\":" TEST_MASKS ",\"options\":" TEST_OPTIONS "}"
#define TEST_FAST_PRUNER                                                                                         \
    "{\"masks\":" TEST_MASKS ",\"options\":" TEST_OPTIONS ",\"k_factors\":[1.0,3.0],\"targets\":[10.0,5.0]," \
    "\"margin\":1.0,\"attribution_pairs\":2,\"candidate_factor\":1.5,\"selection_pairs\":4,\"ranking_pairs\":2,\"exact_parts\":4096,\"edges\":true}"
/* clang-format on */

#endif /* FILIGREE_TESTS_CAPI_CONFIGS_H */
