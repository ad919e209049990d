// SPDX-License-Identifier: Apache-2.0
// Where the time of a training step goes.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>

namespace filigree {

enum class Part : std::uint8_t {
    kProducts,         ///< y = x w^T + b of every matrix
    kInputGradients,   ///< dx of every matrix
    kWeightGradients,  ///< dw and db of every matrix
    kSites,            ///< norms, activations, AbsTopK, both ways
    kAttention,        ///< both ways
    kLoss,             ///< bigram and cross-entropy, both ways
    kEmbedding,        ///< its gradient
    kGradientNorm,
    kAdam,
    kProjection,   ///< with decay
    kSparseForms,  ///< taking the nonzeros of the matrices
};
inline constexpr std::size_t kParts = 11;
[[nodiscard]] const char* part_name(Part part);

/// Seconds that a clock of the processor's time shows: CLOCK_THREAD_CPUTIME_ID, CLOCK_PROCESS_CPUTIME_ID.
[[nodiscard]] double processor_seconds(clockid_t clock);

/// Seconds of each part, summed over the steps since it was made.
class Profile {
public:
    void add(Part part, double seconds) { seconds_[static_cast<std::size_t>(part)] += seconds; }
    [[nodiscard]] double seconds(Part part) const { return seconds_[static_cast<std::size_t>(part)]; }

    /// Makes timers on this thread count for `profile` while it lives.
    class Scope {
    public:
        explicit Scope(Profile& profile);
        Scope(const Scope&) = delete;  // ends once
        Scope& operator=(const Scope&) = delete;
        ~Scope();

    private:
        Profile* before_;
    };

private:
    friend class PartTimer;
    static thread_local Profile* current;
    std::array<double, kParts> seconds_{};
};

/// Adds its lifetime to a part of the profile in scope, if there is one.
class PartTimer {
public:
    explicit PartTimer(Part part) : part_(part), start_(std::chrono::steady_clock::now()) {}
    PartTimer(const PartTimer&) = delete;  // counts once
    PartTimer& operator=(const PartTimer&) = delete;
    ~PartTimer() {
        if (Profile::current != nullptr) {
            Profile::current->add(part_,
                                  std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count());
        }
    }

private:
    Part part_;
    std::chrono::steady_clock::time_point start_;
};

}  // namespace filigree
