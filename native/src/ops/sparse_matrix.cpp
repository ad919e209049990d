// SPDX-License-Identifier: Apache-2.0
#include "ops/sparse_matrix.hpp"

#include <ATen/ops/empty.h>

#include <algorithm>

#include "kernels/kernels.hpp"
#include "ops/backend.hpp"

namespace filigree::ops {

void SparseMatrix::Entries::resize(std::int64_t lines, std::int64_t entries) {
    begin.resize(static_cast<std::size_t>(lines));
    count.resize(static_cast<std::size_t>(lines));
    // Only ever longer: the lengths differ a little from step to step while weights that are zero come and go.
    const auto room = static_cast<std::size_t>(entries + kernels::kLinePadding);
    if (index.size() < room) {
        index.resize(room);
        value.resize(room);
    }
}

bool SparseMatrix::assign(const at::Tensor& w, std::int64_t most) {
    if (backend_of(w.device(), Plan::kFast) == Backend::kCuda) {
        const auto nonzeros = w.count_nonzero().item<std::int64_t>();
        if (nonzeros > most) {
            return false;
        }
        assign_on_device(w, nonzeros);
        return true;
    }
    constexpr std::int32_t kSmallest = 1;  // bits of the smallest magnitude above zero
    const auto& kernels = kernels::kernels();
    const auto m = w.size(0);
    const auto n = w.size(1);
    const auto* data = w.const_data_ptr<float>();

    std::int32_t none = 0;
    std::int64_t listed = 0;
    const auto nonzeros = kernels.scan_magnitudes(data, m * n, kSmallest, kSmallest, &none, &listed);
    if (nonzeros > most) {
        return false;
    }
    // A line is compressed with room for all of it: the last one may begin where all entries but none of its own are.
    rows_.resize(m, nonzeros + n);
    columns_.resize(n, nonzeros);

    std::int32_t used = 0;
    std::fill(columns_.count.begin(), columns_.count.end(), 0);
    for (std::int64_t r = 0; r < m; ++r) {
        const auto row = static_cast<std::size_t>(r);
        rows_.begin[row] = used;
        rows_.count[row] = kernels.compress_line(data + r * n, n, rows_.index.data() + used, rows_.value.data() + used);
        const auto end = used + rows_.count[row];
        for (; used < end; ++used) {
            ++columns_.count[static_cast<std::size_t>(rows_.index[static_cast<std::size_t>(used)])];
        }
    }
    std::int32_t start = 0;
    for (std::size_t c = 0; c < columns_.begin.size(); ++c) {
        columns_.begin[c] = start;
        start += columns_.count[c];
        columns_.count[c] = 0;
    }
    for (std::size_t r = 0; r < rows_.begin.size(); ++r) {
        const auto end = static_cast<std::size_t>(rows_.begin[r] + rows_.count[r]);
        for (auto e = static_cast<std::size_t>(rows_.begin[r]); e < end; ++e) {
            const auto column = static_cast<std::size_t>(rows_.index[e]);
            const auto place = static_cast<std::size_t>(columns_.begin[column] + columns_.count[column]++);
            columns_.index[place] = static_cast<std::int32_t>(r);
            columns_.value[place] = rows_.value[e];
        }
    }
    return true;
}

void SparseMatrix::DeviceEntries::resize(std::int64_t lines, std::int64_t longest, std::int64_t nonzeros,
                                         at::Device device) {
    const auto options = at::TensorOptions(device).dtype(at::kInt);
    const auto& kernels = cuda_kernels();
    if (!line.defined()) {
        const auto places = kernels.places(lines);
        line = at::empty({places}, options);
        length = at::empty({places}, options);
        begin = at::empty({places / FGK_SLICE_LINES}, options);
    }
    const auto capacity = kernels.slices_room(lines, longest, nonzeros);
    if (!entries.defined() || entries.numel() < capacity) {
        static_assert(sizeof(fgk_entry) == sizeof(std::int64_t));
        entries = at::empty({capacity}, options.dtype(at::kLong));
    }
}

fgk_slices SparseMatrix::DeviceEntries::view() const {
    return {line.mutable_data_ptr<std::int32_t>(), length.mutable_data_ptr<std::int32_t>(),
            begin.mutable_data_ptr<std::int32_t>(), static_cast<fgk_entry*>(entries.mutable_data_ptr()),
            entries.numel()};
}

void SparseMatrix::assign_on_device(const at::Tensor& w, std::int64_t most) {
    const auto room = std::max<std::int64_t>(most, 1);
    device_rows_.resize(w.size(0), w.size(1), room, w.device());
    device_columns_.resize(w.size(1), w.size(0), room, w.device());
    const auto rows = device_rows_.view();
    const auto columns = device_columns_.view();
    const auto& kernels = cuda_kernels();
    const auto workspace = kernel_workspace(kernels.take_nonzeros_workspace(w.size(0), w.size(1)), w.device());
    kernels.check(kernels.take_nonzeros(w.const_data_ptr<float>(), w.size(0), w.size(1), &rows, &columns,
                                        workspace.mutable_data_ptr(), current_stream(w.device())));
}

}  // namespace filigree::ops
