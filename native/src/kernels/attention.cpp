// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention.hpp"

#include "kernels/simd.hpp"

namespace filigree::kernels::FILIGREE_ISA {
namespace {

constexpr std::int64_t kQueries = kLanes;                  // of a block, one per lane
constexpr std::int64_t kKeys = 8;                          // dot products in flight at a time
constexpr std::int64_t kChannels = kLanes == 16 ? 16 : 8;  // sums held in registers at a time
constexpr std::int64_t kUpdates = 4;                       // keys updated at a time
constexpr float kMinusInfinity = -__builtin_inff();

inline float inverse_root(std::int64_t dh) { return 1.0F / __builtin_sqrtf(static_cast<float>(dh)); }

/// One head of one sequence in an array: row t is at data + t * stride.
template <typename Value>
struct Head {
    Value* data;
    std::int64_t stride;
    [[nodiscard]] Value* row(std::int64_t t) const { return data + t * stride; }
};
template <typename Array>
auto head_of(const Array& array, std::int64_t index, std::int64_t H, std::int64_t dh) {
    return Head{array.data + index / H * array.batch_stride + index % H * dh, array.time_stride};
}

/// Rows first .. first + valid as columns: columns[c] has channel c of every query, times a factor, 0 in other lanes.
void read_columns(const Head<const float>& rows, std::int64_t first, std::int64_t valid, std::int64_t dh, float factor,
                  float* columns) {
    for (std::int64_t lane = 0; lane < kQueries; ++lane) {
        for (std::int64_t c = 0; c < dh; ++c) {
            columns[c * kLanes + lane] = lane < valid ? rows.row(first + lane)[c] * factor : 0.0F;
        }
    }
}

void write_columns(const float* columns, std::int64_t first, std::int64_t valid, std::int64_t dh,
                   const Head<float>& rows) {
    for (std::int64_t lane = 0; lane < valid; ++lane) {
        for (std::int64_t c = 0; c < dh; ++c) {
            rows.row(first + lane)[c] = columns[c * kLanes + lane];
        }
    }
}

/// Rows first .. first + valid of a head, times a factor, padded to whole vectors; 0 in rows beyond.
void read_rows(const Head<const float>& rows, std::int64_t first, std::int64_t valid, std::int64_t dh, float factor,
               float* out) {
    const auto width = padded(dh);
    for (std::int64_t lane = 0; lane < kQueries; ++lane) {
        for (std::int64_t c = 0; c < width; c += kLanes) {
            store(out + lane * width + c,
                  lane < valid ? load_first(rows.row(first + lane) + c, dh - c) * factor : Floats{});
        }
    }
}

/// dots[i] = row j + i . columns, for every query.
template <std::int64_t kCount>
inline void dot_products(const Head<const float>& rows, std::int64_t j, std::int64_t dh, const float* columns,
                         Floats* dots) {
    Floats sums[kCount] = {};
    const auto* row = rows.row(j);
    for (std::int64_t c = 0; c < dh; ++c) {
        const auto column = load(columns + c * kLanes);
        for (std::int64_t i = 0; i < kCount; ++i) {
            sums[i] += column * row[i * rows.stride + c];
        }
    }
    for (std::int64_t i = 0; i < kCount; ++i) {
        dots[i] = sums[i];
    }
}

/// use(j, rows j . columns) for j in [0, keys).
template <typename Use>
inline void for_each_dot(const Head<const float>& rows, std::int64_t keys, std::int64_t dh, const float* columns,
                         const Use& use) {
    Floats dots[kKeys];
    std::int64_t j = 0;
    for (; j + kKeys <= keys; j += kKeys) {
        dot_products<kKeys>(rows, j, dh, columns, dots);
        for (std::int64_t i = 0; i < kKeys; ++i) {
            use(j + i, dots[i]);
        }
    }
    for (; j < keys; ++j) {
        dot_products<1>(rows, j, dh, columns, dots);
        use(j, dots[0]);
    }
}

/// columns[c .. c + kCount) = factor * sum over keys j of weights[j] * row j.
template <std::int64_t kCount>
inline void weighted_channels(const float* weights, const Head<const float>& rows, std::int64_t keys, std::int64_t c,
                              Floats factor, float* columns) {
    Floats sums[kCount] = {};
    for (std::int64_t j = 0; j < keys; ++j) {
        const auto weight = load(weights + j * kLanes);
        const auto* row = rows.row(j) + c;
        for (std::int64_t i = 0; i < kCount; ++i) {
            sums[i] += weight * row[i];
        }
    }
    for (std::int64_t i = 0; i < kCount; ++i) {
        store(columns + (c + i) * kLanes, sums[i] * factor);
    }
}
inline void weighted_sum(const float* weights, const Head<const float>& rows, std::int64_t keys, std::int64_t dh,
                         Floats factor, float* columns) {
    std::int64_t c = 0;
    for (; c + kChannels <= dh; c += kChannels) {
        weighted_channels<kChannels>(weights, rows, keys, c, factor, columns);
    }
    for (; c < dh; ++c) {
        weighted_channels<1>(weights, rows, keys, c, factor, columns);
    }
}

/// sums[j] += sum over queries i of weights[j][i] * rows[i], for keys j; rows and sums have `width` channels.
template <std::int64_t kCount>
inline void update_keys(const float* weights, const Floats* rows, std::int64_t j, std::int64_t width, float* sums) {
    Floats totals[kCount];
    for (std::int64_t i = 0; i < kCount; ++i) {
        totals[i] = load(sums + (j + i) * width);
    }
    for (std::int64_t query = 0; query < kQueries; ++query) {
        for (std::int64_t i = 0; i < kCount; ++i) {
            totals[i] += rows[query] * weights[(j + i) * kLanes + query];
        }
    }
    for (std::int64_t i = 0; i < kCount; ++i) {
        store(sums + (j + i) * width, totals[i]);
    }
}
inline void add_outer_products(const float* weights, const float* rows, std::int64_t keys, std::int64_t width,
                               float* sums) {
    for (std::int64_t c = 0; c < width; c += kLanes) {
        Floats block[kQueries];
        for (std::int64_t query = 0; query < kQueries; ++query) {
            block[query] = load(rows + query * width + c);
        }
        std::int64_t j = 0;
        for (; j + kUpdates <= keys; j += kUpdates) {
            update_keys<kUpdates>(weights, block, j, width, sums + c);
        }
        for (; j < keys; ++j) {
            update_keys<1>(weights, block, j, width, sums + c);
        }
    }
}

/// Lanes whose query, first + lane, sees key j.
inline Ints sees(std::int64_t first, std::int64_t j) {
    return lane_numbers() >= broadcast(static_cast<std::int32_t>(j - first));
}

}  // namespace

void attention_forward(const AttentionHeads& heads, std::int64_t begin, std::int64_t end, float* scratch) {
    const auto T = heads.T;
    const auto H = heads.H;
    const auto dh = heads.dh;
    const auto scale = inverse_root(dh);
    auto* columns = scratch;                // [dh, lanes]: q, then y
    auto* weights = columns + dh * kLanes;  // [T, lanes]
    for (auto index = begin; index < end; ++index) {
        const auto q = head_of(heads.q, index, H, dh);
        const auto k = head_of(heads.k, index, H, dh);
        const auto v = head_of(heads.v, index, H, dh);
        const auto y = head_of(heads.y, index, H, dh);
        for (std::int64_t first = 0; first < T; first += kQueries) {
            const auto valid = T - first < kQueries ? T - first : kQueries;
            const auto keys = first + valid;
            read_columns(q, first, valid, dh, scale, columns);
            auto most = broadcast(heads.sink == nullptr ? kMinusInfinity : heads.sink[index % H]);
            for_each_dot(k, keys, dh, columns, [&](std::int64_t j, Floats score) {
                if (j > first) {
                    score = sees(first, j) ? score : broadcast(kMinusInfinity);
                }
                most = score > most ? score : most;
                store(weights + j * kLanes, score);
            });
            auto total = heads.sink == nullptr ? Floats{} : exp(heads.sink[index % H] - most);
            for (std::int64_t j = 0; j < keys; ++j) {
                const auto weight = exp(load(weights + j * kLanes) - most);
                total += weight;
                store(weights + j * kLanes, weight);
            }
            const auto inverse = 1.0F / total;
            weighted_sum(weights, v, keys, dh, inverse, columns);
            write_columns(columns, first, valid, dh, y);
            if (heads.largest != nullptr) {
                store_first(heads.largest + index * T + first, most, valid);
                store_first(heads.inverse_sum + index * T + first, inverse, valid);
            }
        }
    }
}

// With p the weights and ds = p * (dy . v - sum over keys of p dy . v), the gradient of a score:
//   dq_i = scale sum_j ds_ij k_j, dk_j = scale sum_i ds_ij q_i, dv_j = sum_i p_ij dy_i
// The sink is a key whose value is 0: its ds is -p_sink times the same sum.
void attention_backward(const AttentionGradients& heads, std::int64_t begin, std::int64_t end, float* scratch) {
    const auto T = heads.T;
    const auto H = heads.H;
    const auto dh = heads.dh;
    const auto width = padded(dh);
    const auto scale = inverse_root(dh);
    auto* q_columns = scratch;                     // [dh, lanes], scaled; then dq
    auto* dy_columns = q_columns + dh * kLanes;    // [dh, lanes]
    auto* q_rows = dy_columns + dh * kLanes;       // [lanes, width], scaled
    auto* dy_rows = q_rows + kLanes * width;       // [lanes, width]
    auto* weights = dy_rows + kLanes * width;      // [T, lanes]: p
    auto* score_gradients = weights + T * kLanes;  // [T, lanes]: dy . v, then ds
    auto* dk_sums = score_gradients + T * kLanes;  // [T, width]
    auto* dv_sums = dk_sums + T * width;           // [T, width]
    for (auto index = begin; index < end; ++index) {
        const auto q = head_of(heads.q, index, H, dh);
        const auto k = head_of(heads.k, index, H, dh);
        const auto v = head_of(heads.v, index, H, dh);
        const auto dy = head_of(heads.dy, index, H, dh);
        const auto dq = head_of(heads.dq, index, H, dh);
        for (std::int64_t i = 0; i < 2 * T * width; ++i) {
            dk_sums[i] = 0.0F;
        }
        Floats dsink{};
        for (std::int64_t first = 0; first < T; first += kQueries) {
            const auto valid = T - first < kQueries ? T - first : kQueries;
            const auto keys = first + valid;
            read_columns(q, first, valid, dh, scale, q_columns);
            read_columns(dy, first, valid, dh, 1.0F, dy_columns);
            read_rows(q, first, valid, dh, scale, q_rows);
            read_rows(dy, first, valid, dh, 1.0F, dy_rows);
            const auto most = load_first(heads.largest + index * T + first, valid);
            const auto inverse = load_first(heads.inverse_sum + index * T + first, valid);
            for_each_dot(k, keys, dh, q_columns, [&](std::int64_t j, Floats score) {
                auto weight = exp(score - most) * inverse;
                if (j > first) {
                    weight = sees(first, j) ? weight : Floats{};
                }
                store(weights + j * kLanes, weight);
            });
            Floats along{};
            for_each_dot(v, keys, dh, dy_columns, [&](std::int64_t j, Floats gradient) {
                along += load(weights + j * kLanes) * gradient;
                store(score_gradients + j * kLanes, gradient);
            });
            for (std::int64_t j = 0; j < keys; ++j) {
                store(score_gradients + j * kLanes,
                      load(weights + j * kLanes) * (load(score_gradients + j * kLanes) - along));
            }
            if (heads.dsink != nullptr) {
                // Lanes without a query have no largest score that bounds this one.
                const auto has_query = lane_numbers() < broadcast(static_cast<std::int32_t>(valid));
                const auto weight = exp(heads.sink[index % H] - most) * inverse;
                dsink -= (has_query ? weight : Floats{}) * along;
            }
            weighted_sum(score_gradients, k, keys, dh, broadcast(scale), q_columns);
            write_columns(q_columns, first, valid, dh, dq);
            add_outer_products(score_gradients, q_rows, keys, width, dk_sums);
            add_outer_products(weights, dy_rows, keys, width, dv_sums);
        }
        const auto dk = head_of(heads.dk, index, H, dh);
        const auto dv = head_of(heads.dv, index, H, dh);
        for (std::int64_t t = 0; t < T; ++t) {
            for (std::int64_t c = 0; c < width; c += kLanes) {
                store_first(dk.row(t) + c, load(dk_sums + t * width + c), dh - c);
                store_first(dv.row(t) + c, load(dv_sums + t * width + c), dh - c);
            }
        }
        if (heads.dsink != nullptr) {
            heads.dsink[index] = sum(dsink);
        }
    }
}

}  // namespace filigree::kernels::FILIGREE_ISA
