// SPDX-License-Identifier: Apache-2.0
// Handles are numbers dressed as pointers: a closed or foreign one is looked up, not dereferenced, so every misuse is a
// status and never a crash.
#pragma once

#include <filigree/filigree.h>

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "capi/guard.hpp"
#include "core/memory_cache.hpp"
#include "prune/examples.hpp"
#include "prune/fast_pruner.hpp"
#include "prune/pruner.hpp"
#include "train/trainer.hpp"

namespace filigree::capi {

/// What fg_buffer stands for.
struct Buffer {
    std::vector<char> bytes;  // JSON has a NUL beyond `size`
    std::uint64_t size = 0;
};

/// The object behind a handle type, its name in messages and the number in the low bits of its handles.
template <typename Handle>
struct HandleTraits;
template <>
struct HandleTraits<fg_buffer> {
    using Object = Buffer;
    static constexpr const char* kName = "buffer";
    static constexpr std::uintptr_t kTag = 1;
};
template <>
struct HandleTraits<fg_model> {
    using Object = Model;
    static constexpr const char* kName = "model";
    static constexpr std::uintptr_t kTag = 2;
};
template <>
struct HandleTraits<fg_trainer> {
    using Object = Trainer;
    static constexpr const char* kName = "trainer";
    static constexpr std::uintptr_t kTag = 3;
};
template <>
struct HandleTraits<fg_examples> {
    using Object = Examples;
    static constexpr const char* kName = "examples";
    static constexpr std::uintptr_t kTag = 4;
};
template <>
struct HandleTraits<fg_pruner> {
    using Object = Pruner;
    static constexpr const char* kName = "pruner";
    static constexpr std::uintptr_t kTag = 5;
};
template <>
struct HandleTraits<fg_fast_pruner> {
    using Object = FastPruner;
    static constexpr const char* kName = "fast pruner";
    static constexpr std::uintptr_t kTag = 6;
};

/// All live objects of one handle type. Thread-safe.
template <typename Handle>
class Registry {
    using Traits = HandleTraits<Handle>;
    using Object = typename Traits::Object;

public:
    static Registry& instance() {
        static auto* registry = new Registry;  // never destroyed: late destroys at process exit must stay harmless
        return *registry;
    }

    Handle* add(std::shared_ptr<Object> object) {
        const std::lock_guard lock(mutex_);
        const auto id = ++next_ << kTagBits | Traits::kTag;
        objects_.emplace(id, std::move(object));
        return reinterpret_cast<Handle*>(id);
    }

    /// @throws FG_INVALID_ARGUMENT for NULL or a handle of another type, FG_INVALID_STATE for a closed one.
    std::shared_ptr<Object> get(const Handle* handle) {
        require(handle, Traits::kName);
        const auto id = reinterpret_cast<std::uintptr_t>(handle);
        FG_EXPECTS((id & kTagMask) == Traits::kTag, FG_INVALID_ARGUMENT, "this handle is not a ", Traits::kName);
        auto object = find(handle);
        FG_EXPECTS(object != nullptr, FG_INVALID_STATE, "the ", Traits::kName, " is closed");
        return object;
    }

    /// The object, or NULL when the handle is closed or was never one.
    std::shared_ptr<Object> find(const Handle* handle) {
        const std::lock_guard lock(mutex_);
        const auto found = objects_.find(reinterpret_cast<std::uintptr_t>(handle));
        return found == objects_.end() ? nullptr : found->second;
    }

    void remove(const Handle* handle) noexcept {
        std::shared_ptr<Object> last;  // destroyed outside the lock
        const std::lock_guard lock(mutex_);
        const auto found = objects_.find(reinterpret_cast<std::uintptr_t>(handle));
        if (found != objects_.end()) {
            last = std::move(found->second);
            objects_.erase(found);
        }
    }

    void clear() noexcept {
        std::map<std::uintptr_t, std::shared_ptr<Object>> all;
        const std::lock_guard lock(mutex_);
        all.swap(objects_);
    }

private:
    static constexpr unsigned kTagBits = 3;
    static constexpr std::uintptr_t kTagMask = (std::uintptr_t{1} << kTagBits) - 1;

    std::mutex mutex_;
    std::map<std::uintptr_t, std::shared_ptr<Object>> objects_;
    std::uintptr_t next_ = 0;
};

template <typename Handle>
[[nodiscard]] auto object_of(const Handle* handle) {
    return Registry<Handle>::instance().get(handle);
}

template <typename Handle, typename Object>
[[nodiscard]] Handle* make_handle(std::shared_ptr<Object> object) {
    return Registry<Handle>::instance().add(std::move(object));
}

/// A model for the length of a call, whose tensors take their memory from those that this call and earlier ones of the
/// thread have let go.
class Occupied {
public:
    /// @throws FG_INVALID_STATE when another thread holds it.
    explicit Occupied(Model& model) : lock_(model.in_use(), std::try_to_lock) {
        FG_EXPECTS(lock_.owns_lock(), FG_INVALID_STATE, "the model is in use by another thread");
    }
    Occupied(const Occupied&) = delete;  // ends once
    Occupied& operator=(const Occupied&) = delete;
    ~Occupied() { memory().trim(kKept); }

private:
    static constexpr std::size_t kKept = std::size_t{256} << 20;  // bytes, from one call to the next

    static MemoryCache& memory() {
        thread_local MemoryCache cache;
        return cache;
    }

    std::unique_lock<std::mutex> lock_;
    MemoryCache::Scope scope_{memory()};
};

/// A buffer of JSON text.
[[nodiscard]] inline fg_buffer* make_json_buffer(const std::string& text) {
    auto buffer = std::make_shared<Buffer>();
    buffer->bytes.assign(text.c_str(), text.c_str() + text.size() + 1);
    buffer->size = text.size();
    return make_handle<fg_buffer>(std::move(buffer));
}

/// Check the length of a flat array over the nodes of a model. @throws FG_INVALID_ARGUMENT.
inline void require_nodes(const Model& model, std::uint64_t nodes) {
    FG_EXPECTS(nodes == static_cast<std::uint64_t>(model.nodes().size()), FG_INVALID_ARGUMENT, "nodes is ", nodes,
               ", the model has ", model.nodes().size());
}

/// A count as a signed size. @throws FG_INVALID_ARGUMENT for 0 and from 2^31, so that no product of two overflows.
[[nodiscard]] inline std::int64_t to_size(std::uint64_t count, const char* name) {
    FG_EXPECTS(count >= 1 && count < (std::uint64_t{1} << 31), FG_INVALID_ARGUMENT, name, " is ", count,
               ", out of range");
    return static_cast<std::int64_t>(count);
}

}  // namespace filigree::capi
