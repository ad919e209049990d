/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file kernel_library.h
 * @brief Interface between the core and libfiligree_cuda.so, which it loads when LibTorch reports a CUDA device.
 *
 * Functions that can fail return 0, or a CUDA error number whose text fgk_last_error() has. Nothing throws.
 *
 * Those with a `stream` (a cudaStream_t) enqueue work on it and return: they wait for nothing, read no memory of the
 * host after they return and allocate none on the device. Pointers are to device memory unless said otherwise, arrays
 * are contiguous and rows are the last dimension unless a stride is given. Scratch memory is the caller's: `workspace`
 * has as many bytes as the function named after it says, starts on a boundary of 16 bytes, and is free again when the
 * work is done. Sizes of zero are allowed and launch nothing.
 *
 * The same call on the same data gives the same bits, on the same kind of device.
 */
#ifndef FILIGREE_KERNEL_LIBRARY_H
#define FILIGREE_KERNEL_LIBRARY_H

#include <stdint.h>

#define FGK_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

/** Raised with every change of this header; the core refuses a library of another number. */
#define FGK_INTERFACE_VERSION 5

/** What kernels have to know about a device. */
typedef struct fgk_device {
    char name[256];
    int32_t compute_major;
    int32_t compute_minor;
    int32_t multiprocessors;
    int32_t driver_version;  /**< newest CUDA version the driver supports, 1000 * major + 10 * minor */
    int32_t runtime_version; /**< CUDA version of the runtime in this library, same coding */
    int32_t reserved;
    uint64_t memory;        /**< bytes */
    uint64_t shared_memory; /**< bytes per block, opt-in maximum */
    uint64_t l2_cache;      /**< bytes */
} fgk_device;

FGK_API int32_t fgk_interface_version(void);

/** Facts of the device with this CUDA index. Nothing is written on failure. */
FGK_API int32_t fgk_device_facts(int32_t index, fgk_device* out_device);

/** Text of the last failure of this thread, "" if there was none. Valid until the next call of this thread. */
FGK_API const char* fgk_last_error(void);

/** Types of elements. */
enum { FGK_F32 = 0, FGK_BF16 = 1 };

/* ---- A node site: bias, norm or activation, AbsTopK, mean ablation, in one pass over memory each way. ----
 *   b = x + bias
 *   u = b, or b / rms(b) * gain, or gelu(b)      rms(b) = sqrt(mean(b^2) + 2^-23), gelu exact (erf)
 *   s = u where |u| is among the k largest of the row, else 0
 *   y = s, or s * gate + mean * (1 - gate); plus residual, where one is given
 * The order of |u| is that of its bits in fp32, with every NaN above the rest; among equals the lower index goes
 * first. Exactly k are kept. The gradient of the residual is that of y. */

enum { FGK_IDENTITY = 0, FGK_RMS_NORM = 1, FGK_GELU = 2 };
/** Longest row of a site. */
enum { FGK_LONGEST_ROW = 16384 };

typedef struct fgk_site {
    int64_t rows;
    int64_t n;              /**< width of a row, at most FGK_LONGEST_ROW */
    int64_t k;              /**< entries to keep, 1..n */
    const void* x;          /**< row r starts at x + r * x_stride */
    int64_t x_stride;       /**< elements, >= n */
    const float* bias;      /**< [n], or NULL */
    const float* gain;      /**< [n], with FGK_RMS_NORM */
    const float* gate;      /**< [n], or NULL for no gate */
    const float* mean;      /**< [n], with a gate */
    const float* residual;  /**< [rows, n], or NULL; with y of fp32 */
    void* y;                /**< out, [rows, n] */
    float* inverse_rms;     /**< out, [rows], with FGK_RMS_NORM; NULL when no gradient will be asked for */
    uint32_t* kept;         /**< out, [rows, 2 * ceil(n / 64)] bits: entry j is bit j % 32 of word j / 32; or NULL */
    int32_t source;         /**< FGK_IDENTITY, FGK_RMS_NORM, FGK_GELU */
    int32_t x_type, y_type; /**< FGK_F32 or FGK_BF16 */
} fgk_site;
FGK_API int32_t fgk_site_forward(const fgk_site* site, void* stream);

typedef struct fgk_site_gradients {
    int64_t rows;
    int64_t n;
    const void* dy; /**< [rows, n], of y_type */
    const void* x;  /**< as in the forward; NULL where nothing is needed of it: with FGK_IDENTITY and no dgate */
    int64_t x_stride;
    const float* bias;        /**< as in the forward */
    const float* gain;        /**< as in the forward */
    const float* gate;        /**< as in the forward */
    const float* mean;        /**< as in the forward */
    const float* inverse_rms; /**< of the forward */
    const uint32_t* kept;     /**< of the forward */
    const float* also;        /**< [rows, n], added to dx, or NULL; with x of fp32: a gradient of x from elsewhere */
    void* dx;                 /**< out, row r starts at dx + r * dx_stride, of x_type */
    int64_t dx_stride;
    float* dbias; /**< [n], added to: of a bias, here or already in x; NULL when not wanted */
    float* dgain; /**< [n], added to; NULL when not wanted; with FGK_RMS_NORM */
    float* dgate; /**< [n], added to; NULL when not wanted */
    int32_t source;
    int32_t x_type, y_type;
} fgk_site_gradients;
FGK_API int32_t fgk_site_backward(const fgk_site_gradients* site, void* workspace, void* stream);
/** Bytes; host arithmetic. */
FGK_API int64_t fgk_site_backward_workspace(int64_t rows, int64_t n);

/* ---- Causal softmax attention with a sink (method 1.4). ----
 *   y_i = sum_j exp(s_ij) v_j / (exp(sink) + sum_j exp(s_ij)),  s_ij = q_i . k_j / sqrt(dh),  j <= i
 * bf16 with a head size of 16 runs on tensor cores, which take the weights exp(s_ij) as bf16. */

/** Largest head size. */
enum { FGK_LARGEST_HEAD = 32 };

/** Element (b, t, c) is at data[b * batch_stride + t * time_stride + c]; head h has channels h * dh to (h + 1) * dh. */
typedef struct fgk_heads {
    void* data;
    int64_t batch_stride, time_stride; /**< elements */
} fgk_heads;

typedef struct fgk_attention {
    int64_t B, T, H, dh;
    fgk_heads q, k, v;
    const float* sink; /**< [H], or NULL for none */
    fgk_heads y;       /**< out; read by the backward */
    float* log_sum;    /**< [B, H, T], out: log of the denominator; read by the backward; NULL for a forward alone */
    int32_t type;      /**< of q, k, v, y and their gradients */
    int32_t reserved;
} fgk_attention;
FGK_API int32_t fgk_attention_forward(const fgk_attention* attention, void* stream);

typedef struct fgk_attention_gradients {
    fgk_attention forward;
    fgk_heads dy;
    fgk_heads dq, dk, dv; /**< out */
    float* dsink;         /**< [H], added to; NULL without a sink */
} fgk_attention_gradients;
FGK_API int32_t fgk_attention_backward(const fgk_attention_gradients* attention, void* workspace, void* stream);
FGK_API int64_t fgk_attention_backward_workspace(int64_t B, int64_t T, int64_t H);

/* ---- Cross-entropy of rows of logits, with a bias and a row of the bigram table added on the fly. ----
 *   z = logits + bias + table[token], loss = log sum exp(z) - z[target], dz = (softmax(z) - onehot(target)) * scale */

typedef struct fgk_loss {
    int64_t rows, V;
    void* logits;           /**< [rows, V]; becomes dz when scale is not 0 */
    const float* bias;      /**< [V] */
    const float* table;     /**< [V, V], or NULL for none */
    const int64_t* tokens;  /**< [rows], with a table */
    const int64_t* targets; /**< [rows] */
    float* losses;          /**< out, [rows] */
    float scale;
    int32_t type; /**< of logits and dz */
} fgk_loss;
FGK_API int32_t fgk_cross_entropy(const fgk_loss* loss, void* stream);

/* ---- Sums. ---- */

/** sums[j] += sum over rows of x[row, j]. @param x [rows, n]. */
FGK_API int32_t fgk_add_column_sums(const void* x, int32_t type, int64_t rows, int64_t n, float* sums, void* workspace,
                                    void* stream);
FGK_API int64_t fgk_add_column_sums_workspace(int64_t rows, int64_t n);

/** gradient[tokens[i], j] += scale * the sum of rows[i, j] over all i with that token, in an order that depends on the
 *  tokens alone.
 *  @param rows [count, n]. @param tokens [count], in [0, V). @param gradient [V, n]. */
FGK_API int32_t fgk_add_rows(const void* rows, int32_t type, int64_t count, int64_t n, const int64_t* tokens, int64_t V,
                             float scale, float* gradient, void* workspace, void* stream);
FGK_API int64_t fgk_add_rows_workspace(int64_t count, int64_t V);

/* ---- The weights' nonzeros, and products with them. ---- */

/** Lines, rows or columns, of a matrix in sliced ELLPACK (SELL-C-sigma, Kreutzer et al. 2014, C = 8, sigma = 64):
 *  among 64 lines that follow each other the longest come first, equal ones in ascending order; eight of them are a
 *  slice, in which the first entries of all eight lie side by side, then the second ones, and so on. */
enum { FGK_SLICE_LINES = 8, FGK_SORTED_LINES = 64 };

typedef struct fgk_entry {
    int32_t index; /**< column of a row, or row of a column */
    float value;
} fgk_entry;

/** Longest line whose entries are ordered for the banks of shared memory. */
enum { FGK_ORDERED_ENTRIES = 256 };

/** Entry e of the line at place p is entries[begin[p / 8] + 8 * e + p % 8]; what would lie at `capacity` or behind it
 *  is left out. The order is that of the index; in lines of up to FGK_ORDERED_ENTRIES first that of the lowest bit of
 *  index - p, then of the next, then of the third. */
typedef struct fgk_slices {
    int32_t* line;      /**< [fgk_places(lines)], -1 behind the last */
    int32_t* length;    /**< [fgk_places(lines)], entries of the line that are there */
    int32_t* begin;     /**< [fgk_places(lines) / 8] */
    fgk_entry* entries; /**< [capacity], on a boundary of 8 bytes */
    int64_t capacity;
} fgk_slices;
/** Host arithmetic. */
FGK_API int64_t fgk_places(int64_t lines);
/** Capacity for any matrix of so many lines, of `longest` entries each, with at most so many nonzeros. Host
 *  arithmetic. */
FGK_API int64_t fgk_slices_room(int64_t lines, int64_t longest, int64_t nonzeros);

/** Take the nonzeros of a weight by row and by column. @param w [m, n]. */
FGK_API int32_t fgk_take_nonzeros(const float* w, int64_t m, int64_t n, const fgk_slices* rows,
                                  const fgk_slices* columns, void* workspace, void* stream);
FGK_API int64_t fgk_take_nonzeros_workspace(int64_t m, int64_t n);

/** y = x a^T + bias for a matrix a [n, k] given by its rows: sums are fp32, in the order of the entries.
 *  @param x [rows, k]. @param bias [n], or NULL. @param y [rows, n]. */
FGK_API int32_t fgk_sparse_product(const void* x, int32_t x_type, int64_t rows, int64_t k, const fgk_slices* a,
                                   int64_t n, const float* bias, void* y, int32_t y_type, void* stream);
/** Largest k that a sparse product takes on the current device: its shared memory bounds it. 0 when there is none. */
FGK_API int64_t fgk_sparse_product_longest(int32_t x_type);

/* ---- The optimizer (method 2.1.5 to 2.1.8). ---- */

/** What is known of the gradient on the device, without the host having looked. */
typedef struct fgk_gradient_state {
    double norm;      /**< L2, of the last step */
    double scale;     /**< what gradients of the last step were multiplied with */
    int64_t diverged; /**< steps since the norm was not finite for the first time; weights are untouched since */
} fgk_gradient_state;

/** Rules for the scale, with rms = norm / sqrt(n): always 1 / (rms + floor), or only where that is below 1. */
enum { FGK_NORMALIZE = 0, FGK_CLIP = 1 };

/** norm and scale of a gradient. @param g [n]. @param state device memory, zero at first. */
FGK_API int32_t fgk_gradient_norm(const float* g, int64_t n, int32_t rule, double floor, fgk_gradient_state* state,
                                  void* workspace, void* stream);
FGK_API int64_t fgk_gradient_norm_workspace(int64_t n);

/** One tensor of the flat parameters. */
typedef struct fgk_tensor {
    int64_t offset;        /**< first element in the flat arrays */
    int64_t rows, columns; /**< a vector is one row */
    int64_t kept;          /**< entries that the projection keeps, or -1 for no projection */
    int32_t axis;          /**< the minimum-alive rule protects: FGK_NO_LINES, FGK_ROWS, FGK_COLUMNS */
    int32_t minimum_alive; /**< the largest entries of every such line that are kept first; they count inside `kept` */
    float decay;           /**< factor after everything else */
    int32_t reserved;
} fgk_tensor;
enum { FGK_NO_LINES = 0, FGK_ROWS = 1, FGK_COLUMNS = 2 };

typedef struct fgk_adam {
    float beta1, one_minus_beta1, beta2, one_minus_beta2;
    float step; /**< learning rate over the first bias correction */
    float root; /**< 1 over the root of the second */
    float eps;
    float reserved;
} fgk_adam;

/** One step on all tensors, which also clears the gradient; nothing happens once state says diverged.
 *    g <- g * scale; m <- b1 m + (1 - b1) g; v <- b2 v + (1 - b2) g^2; w <- w - step m / (sqrt(v) * root + eps)
 *    w <- w where |w| is among the `kept` largest of its tensor, else 0;  w <- w * decay
 *  Equal magnitudes go to the lower index. About 8 launches, 4 more where lines have a minimum, and one more for every
 *  24 tensors.
 *  @param tensors host memory, `count` of them. @param w,m,v,g flat, on boundaries of 16 bytes. */
FGK_API int32_t fgk_optimizer_step(const fgk_tensor* tensors, int32_t count, const fgk_adam* adam,
                                   const fgk_gradient_state* state, float* w, float* m, float* v, float* g,
                                   void* workspace, void* stream);

/** The projection and decay alone. @param w as above. */
FGK_API int32_t fgk_project(const fgk_tensor* tensors, int32_t count, float* w, void* workspace, void* stream);

/** For both of them. @param tensors host memory. */
FGK_API int64_t fgk_project_workspace(const fgk_tensor* tensors, int32_t count);

#ifdef __cplusplus
}
#endif

#endif /* FILIGREE_KERNEL_LIBRARY_H */
