// SPDX-License-Identifier: Apache-2.0
// Cross-entropy of rows of logits with bias and bigram row (kernel_library.h has the formula). A block has a row; the
// logits' gradient takes their place, so that there is never a second array of that size, nor an fp32 copy of bf16
// logits.
#include <cmath>

#include "group.cuh"

namespace filigree::cuda {
namespace {

constexpr int kThreads = 256;

struct RowLogits {
    const fgk_loss& loss;
    const void* row;
    const float* bigram;

    __device__ RowLogits(const fgk_loss& l, std::int64_t r)
        : loss(l),
          row(row_of(l.logits, l.type, r, l.V)),
          bigram(l.table == nullptr ? nullptr : l.table + l.tokens[r] * l.V) {}
    __device__ float operator[](std::int64_t j) const {
        const auto z = load(row, loss.type, j) + loss.bias[j];
        return bigram == nullptr ? z : z + bigram[j];
    }
};

__global__ void __launch_bounds__(kThreads) cross_entropy(fgk_loss loss) {
    Group<kThreads> group(shared_memory<Group<kThreads>::Scratch>());
    const std::int64_t row = blockIdx.x;
    const RowLogits z(loss, row);
    // The largest and the sum of exp(z - largest) so far, of this thread.
    float most = -INFINITY;
    float sum = 0.0F;
    for (std::int64_t j = threadIdx.x; j < loss.V; j += kThreads) {
        const auto x = z[j];
        if (x == -INFINITY) continue;  // adds nothing, and -inf - -inf is no number
        if (x > most) {
            sum *= expf(most - x);
            most = x;
        }
        sum += expf(x - most);
    }
    const auto most_of_row = group.most(most);
    sum = group.sum(most == -INFINITY ? sum : sum * expf(most - most_of_row));
    const auto log_sum = most_of_row + logf(sum);
    const auto target = loss.targets[row];
    if (threadIdx.x == 0) loss.losses[row] = log_sum - z[target];
    if (loss.scale == 0.0F) return;
    __syncthreads();  // z[target] is about to be overwritten
    auto* dz = row_of(loss.logits, loss.type, row, loss.V);
    for (std::int64_t j = threadIdx.x; j < loss.V; j += kThreads) {
        store(dz, loss.type, j, (expf(z[j] - log_sum) - (j == target ? 1.0F : 0.0F)) * loss.scale);
    }
}

}  // namespace
}  // namespace filigree::cuda

std::int32_t fgk_cross_entropy(const fgk_loss* loss, void* stream) {
    using namespace filigree::cuda;
    if (loss->rows == 0) return 0;
    FGK_EXPECTS(loss->V >= 1 && is_type(loss->type), "fgk_cross_entropy: no vocabulary, or unknown type");
    FGK_LAUNCH(static_cast<unsigned>(loss->rows), kThreads, sizeof(Group<kThreads>::Scratch), stream, cross_entropy,
               *loss);
    return 0;
}
