// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/Parallel.h>

namespace filigree::ops {

/// LibTorch's pool has so many threads while this lives.
class ThreadCount {
public:
    explicit ThreadCount(int threads) : before_(at::get_num_threads()) { at::set_num_threads(threads); }
    ThreadCount(const ThreadCount&) = delete;  // ends once
    ThreadCount& operator=(const ThreadCount&) = delete;
    ~ThreadCount() { at::set_num_threads(before_); }

private:
    int before_;
};

}  // namespace filigree::ops
