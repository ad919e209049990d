// SPDX-License-Identifier: Apache-2.0
#include "kernels/loss.hpp"

#include "kernels/simd.hpp"

namespace filigree::kernels::FILIGREE_ISA {

void cross_entropy(const LossRows& rows, std::int64_t begin, std::int64_t end, float* scratch) {
    const auto V = rows.V;
    for (auto row = begin; row < end; ++row) {
        auto* logits = rows.logits + row * V;
        const auto* table = rows.table == nullptr ? nullptr : rows.table + rows.tokens[row] * V;
        const auto target = rows.targets[row];
        auto most = broadcast(-__builtin_inff());
        for (std::int64_t j = 0; j < V; j += kLanes) {
            const auto left = V - j;
            auto z = load_first(logits + j, left) + load_first(rows.bias + j, left);
            if (table != nullptr) {
                z += load_first(table + j, left);
            }
            if (left < kLanes) {
                const auto inside = lane_numbers() < broadcast(static_cast<std::int32_t>(left));
                z = inside ? z : broadcast(-__builtin_inff());
            }
            store(scratch + j, z);
            most = z > most ? z : most;
        }
        const auto top = largest(most);
        const auto target_z = scratch[target];
        Floats sums[2] = {};
        for (std::int64_t j = 0; j < V; j += 2 * kLanes) {
            const auto first = exp(load(scratch + j) - top);
            store(scratch + j, first);
            sums[0] += first;
            if (j + kLanes < V) {
                const auto second = exp(load(scratch + j + kLanes) - top);
                store(scratch + j + kLanes, second);
                sums[1] += second;
            }
        }
        const auto total = sum(sums[0] + sums[1]);
        rows.losses[row] = __builtin_log(static_cast<double>(total)) + static_cast<double>(top) - target_z;
        if (rows.scale == 0.0F) {
            continue;
        }
        const auto factor = rows.scale / total;
        scratch[target] -= total;
        for (std::int64_t j = 0; j < V; j += kLanes) {
            const auto left = V - j;
            const auto dz = load(scratch + j) * factor;
            store_first(logits + j, dz, left);
            if (rows.dbias != nullptr) {
                store_first(rows.dbias + j, load_first(rows.dbias + j, left) + dz, left);
            }
        }
    }
}

}  // namespace filigree::kernels::FILIGREE_ISA
