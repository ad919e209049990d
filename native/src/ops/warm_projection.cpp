// SPDX-License-Identifier: Apache-2.0
#include "ops/warm_projection.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <bit>
#include <iterator>
#include <limits>
#include <string>

#include "core/error.hpp"
#include "kernels/kernels.hpp"
#include "ops/scratch.hpp"

namespace filigree::ops {
namespace {

constexpr std::int32_t kBeyondAll = std::numeric_limits<std::int32_t>::max();  // above the bits of every magnitude
constexpr std::int64_t kChunk = 1 << 16;                                       // entries that a thread takes at a time
constexpr float kSmallestRadius = 1e-3F;
constexpr float kLargestRadius = 0.5F;
constexpr std::int64_t kListPadding = 16;

std::int32_t magnitude(float x) { return std::bit_cast<std::int32_t>(x) & kBeyondAll; }

/// The largest entries of a line seen so far; equal ones stay in the order in which they came.
struct Largest {
    std::vector<std::int32_t> bits;   // descending
    std::vector<std::int32_t> index;  // flat

    explicit Largest(std::int64_t count)
        : bits(static_cast<std::size_t>(count), -1), index(static_cast<std::size_t>(count), -1) {}

    /// Bits that an entry must exceed to get in.
    [[nodiscard]] std::int32_t cutoff() const { return bits.back(); }
    void take(std::int32_t entry_bits, std::int32_t entry_index) {
        auto place = bits.size() - 1;
        for (; place > 0 && bits[place - 1] < entry_bits; --place) {
            bits[place] = bits[place - 1];
            index[place] = index[place - 1];
        }
        bits[place] = entry_bits;
        index[place] = entry_index;
    }
    /// Append the indices of those below `high`.
    void list_below(std::int32_t high, std::vector<std::int32_t>& list) const {
        for (std::size_t i = 0; i < bits.size(); ++i) {
            if (bits[i] < high) {
                list.push_back(index[i]);
            }
        }
    }
};

struct ThreadLists {
    Scratch<std::int32_t> found;
};
ThreadLists& thread_lists() {
    thread_local ThreadLists mine;
    return mine;
}

void append_shifted(std::vector<std::int32_t>& list, const std::int32_t* found, std::int64_t count,
                    std::int64_t shift) {
    for (std::int64_t i = 0; i < count; ++i) {
        list.push_back(static_cast<std::int32_t>(found[i] + shift));
    }
}

/// Run body(chunk, first, last) for ranges of `per_chunk` out of `size` over all threads.
template <typename Body>
void for_chunks(std::int64_t size, std::int64_t per_chunk, const Body& body) {
    const auto chunks = (size + per_chunk - 1) / per_chunk;
    at::parallel_for(0, chunks, 1, [&](std::int64_t begin, std::int64_t end) {
        for (auto chunk = begin; chunk < end; ++chunk) {
            body(static_cast<std::size_t>(chunk), chunk * per_chunk, std::min(size, (chunk + 1) * per_chunk));
        }
    });
}

}  // namespace

WarmProjection::Bracket WarmProjection::first_bracket(const WeightSpan& w, std::int64_t k) const {
    if (threshold_ > 0.0F) {
        return {magnitude(threshold_ * (1.0F - radius_)), magnitude(threshold_ * (1.0F + radius_))};
    }
    if (k == 0) {
        return {kBeyondAll - 1, kBeyondAll};
    }
    // The top bits of the magnitude: 16 bins an octave.
    constexpr int kShift = 19;
    constexpr std::size_t kBins = std::size_t{1} << (31 - kShift);
    std::vector<std::int64_t> bins(kBins, 0);
    for (std::int64_t i = 0; i < w.size(); ++i) {
        ++bins[static_cast<std::size_t>(magnitude(w.data[i]) >> kShift)];
    }
    auto bin = kBins;
    for (std::int64_t above = 0; bin > 0 && above < k;) {
        above += bins[--bin];
    }
    const auto low = static_cast<std::int32_t>(bin) << kShift;
    return {low, bin + 1 < kBins ? low + (1 << kShift) : kBeyondAll};
}

void WarmProjection::count_by_row(const WeightSpan& w, const Bracket& bracket, std::int64_t per_line) {
    struct Part {
        std::int64_t above = 0;
        std::vector<std::int32_t> inside, forced;
    };
    const bool by_row = per_line > 0;
    const auto length = by_row ? w.columns : w.size();
    // Rows stay whole where they are counted one by one.
    const auto rows_at_once = by_row ? std::max<std::int64_t>(1, kChunk / w.columns) : 0;
    const auto unit = by_row ? rows_at_once * w.columns : kChunk;
    std::vector<Part> parts(static_cast<std::size_t>((w.size() + unit - 1) / unit));
    for_chunks(w.size(), unit, [&](std::size_t chunk, std::int64_t first, std::int64_t last) {
        const auto& kernels = kernels::kernels();
        auto& part = parts[chunk];
        const auto step = std::min(length, last - first);
        auto* found = thread_lists().found.room(step + kListPadding);
        for (auto at = first; at < last; at += step) {
            const auto n = std::min(step, last - at);
            std::int64_t listed = 0;
            const auto above = kernels.scan_magnitudes(w.data + at, n, bracket.low, bracket.high, found, &listed);
            part.above += above;
            append_shifted(part.inside, found, listed, at);
            if (by_row && above < per_line) {
                Largest largest(per_line);
                constexpr std::int64_t kPiece = 64;  // the cutoff is brought up to date after each
                for (std::int64_t i = 0; i < n; i += kPiece) {
                    static_cast<void>(kernels.scan_magnitudes(w.data + at + i, std::min(kPiece, n - i),
                                                              largest.cutoff() + 1, kBeyondAll, found, &listed));
                    for (std::int64_t e = 0; e < listed; ++e) {
                        const auto index = at + i + found[e];
                        const auto bits = magnitude(w.data[index]);
                        if (bits > largest.cutoff()) {
                            largest.take(bits, static_cast<std::int32_t>(index));
                        }
                    }
                }
                largest.list_below(bracket.high, part.forced);
            }
        }
    });
    for (const auto& part : parts) {
        found_.above += part.above;
        found_.inside.insert(found_.inside.end(), part.inside.begin(), part.inside.end());
        found_.forced.insert(found_.forced.end(), part.forced.begin(), part.forced.end());
    }
}

void WarmProjection::force_columns(const WeightSpan& w, std::int32_t high, std::int64_t per_line) {
    constexpr std::int64_t kStrip = 256;  // columns that a thread takes at a time
    std::vector<std::vector<std::int32_t>> parts(static_cast<std::size_t>((w.columns + kStrip - 1) / kStrip));
    for_chunks(w.columns, kStrip, [&](std::size_t chunk, std::int64_t first, std::int64_t last) {
        const auto& kernels = kernels::kernels();
        const auto n = last - first;
        std::vector<std::int32_t> cutoffs(static_cast<std::size_t>(n), 0);
        kernels.count_columns(w.data + first, w.columns, w.rows, n, high, cutoffs.data());
        std::vector<Largest> largest;
        std::vector<std::size_t> place(static_cast<std::size_t>(n));
        for (std::size_t j = 0; j < cutoffs.size(); ++j) {
            const bool lacking = cutoffs[j] < per_line;
            place[j] = largest.size();
            if (lacking) {
                largest.emplace_back(per_line);
            }
            cutoffs[j] = lacking ? -1 : kBeyondAll;
        }
        if (largest.empty()) {
            return;
        }
        auto* found = thread_lists().found.room(kStrip + kListPadding);
        for (std::int64_t row = 0; row < w.rows; ++row) {
            const auto* line = w.data + row * w.columns + first;
            const auto listed = kernels.exceed_cutoffs(line, n, cutoffs.data(), found);
            for (std::int64_t e = 0; e < listed; ++e) {
                const auto j = static_cast<std::size_t>(found[e]);
                auto& best = largest[place[j]];
                best.take(magnitude(line[j]),
                          static_cast<std::int32_t>(row * w.columns + first + static_cast<std::int64_t>(j)));
                cutoffs[j] = best.cutoff();
            }
        }
        for (const auto& best : largest) {
            best.list_below(high, parts[chunk]);
        }
    });
    for (const auto& part : parts) {
        found_.forced.insert(found_.forced.end(), part.begin(), part.end());
    }
}

void WarmProjection::count(const WeightSpan& w, const Bracket& bracket, AliveAxis axis, std::int64_t per_line) {
    found_.above = 0;
    found_.inside.clear();
    found_.forced.clear();
    count_by_row(w, bracket, axis == AliveAxis::kRows ? per_line : 0);
    if (axis == AliveAxis::kColumns && per_line > 0) {
        force_columns(w, bracket.high, per_line);
    }
    if (!found_.forced.empty()) {
        std::sort(found_.forced.begin(), found_.forced.end());
        std::erase_if(found_.inside, [&](std::int32_t i) {
            return std::binary_search(found_.forced.begin(), found_.forced.end(), i);
        });
    }
}

void WarmProjection::apply(const WeightSpan& w, std::int64_t k, AliveAxis axis, std::int64_t minimum_alive,
                           float decay) {
    const auto lines = axis == AliveAxis::kNone ? 0 : (axis == AliveAxis::kRows ? w.rows : w.columns);
    const auto per_line = std::min(minimum_alive, axis == AliveAxis::kRows ? w.columns : w.rows);
    FG_EXPECTS(lines * per_line <= k, FG_INVALID_ARGUMENT, "cannot keep ", per_line, " weights in each of ", lines,
               axis == AliveAxis::kRows ? " rows" : " columns", " with only ", k, " weights in all");

    // How many of the bracket's entries are kept. The bracket is moved until that is between none and all of them:
    // k = above + forced + wanted.
    auto bracket = first_bracket(w, k);
    std::int64_t wanted = 0;
    auto step = 2.0F * radius_;
    int moves = 0;
    for (;; ++moves) {
        count(w, bracket, axis, per_line);
        wanted = k - found_.above - static_cast<std::int64_t>(found_.forced.size());
        const auto inside = static_cast<std::int64_t>(found_.inside.size());
        if (wanted >= 0 && (wanted <= inside || bracket.low == 0)) {
            wanted = std::min(wanted, inside);
            break;
        }
        if (moves == 0 && threshold_ > 0.0F) {
            threshold_ = 0.0F;  // it moved too far to be of use
            bracket = first_bracket(w, k);
        } else if (wanted < 0) {
            // Forced entries push the threshold up. Above every number there is nothing but them.
            const auto next = std::bit_cast<float>(bracket.high) * (1.0F + step);
            bracket = {bracket.high, next < std::numeric_limits<float>::max() && bracket.high != kBeyondAll
                                         ? std::max(magnitude(next), bracket.high + 1)
                                         : kBeyondAll};
        } else {
            bracket = {step < 1.0F ? magnitude(std::bit_cast<float>(bracket.low) * (1.0F - step)) : 0, bracket.low};
        }
        step *= 2.0F;
    }

    // The largest of the bracket, equal ones to the lower index.
    auto& kept = found_.inside;
    const auto larger = [&](std::int32_t i, std::int32_t j) {
        const auto a = magnitude(w.data[i]);
        const auto b = magnitude(w.data[j]);
        return a != b ? a > b : i < j;
    };
    const auto listed = static_cast<std::int64_t>(kept.size());
    if (wanted > 0 && wanted < listed) {
        std::nth_element(kept.begin(), kept.begin() + (wanted - 1), kept.end(), larger);
    }
    threshold_ = wanted > 0 && wanted < listed ? std::abs(w.data[kept[static_cast<std::size_t>(wanted - 1)]])
                                               : std::bit_cast<float>(bracket.high);
    if (!(threshold_ < std::numeric_limits<float>::max())) {
        threshold_ = 0.0F;
    }
    kept.resize(static_cast<std::size_t>(wanted));
    kept.insert(kept.end(), found_.forced.begin(), found_.forced.end());
    // Wide enough for the next step, narrow enough to list little.
    radius_ =
        moves > 0 ? radius_ * 2.0F : radius_ * (listed > std::max<std::int64_t>(w.size() / 64, 256) ? 0.7F : 1.0F);
    radius_ = std::clamp(radius_, kSmallestRadius, kLargestRadius);

    std::vector<float> values;
    values.reserve(kept.size());
    std::transform(kept.begin(), kept.end(), std::back_inserter(values),
                   [&](std::int32_t i) { return w.data[i] * decay; });
    for_chunks(w.size(), kChunk, [&](std::size_t, std::int64_t first, std::int64_t last) {
        kernels::kernels().keep_large(w.data + first, last - first, bracket.high, decay);
    });
    for (std::size_t i = 0; i < kept.size(); ++i) {
        w.data[kept[i]] = values[i];
    }
}

}  // namespace filigree::ops
