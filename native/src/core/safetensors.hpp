// SPDX-License-Identifier: Apache-2.0
// The safetensors file format: an 8-byte little-endian header length, a JSON header (name -> dtype, shape,
// data_offsets, and text pairs under "__metadata__"), then the tensors' bytes, row-major, without holes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.hpp"

namespace filigree {

/// Element types a Filigree file may hold.
enum class DType : std::uint8_t { kF32, kBf16, kI32, kU16 };

[[nodiscard]] std::string_view name(DType dtype) noexcept;
/// Bytes of one element.
[[nodiscard]] std::size_t size(DType dtype) noexcept;

/// A tensor to write. Its values are borrowed.
struct TensorToWrite {
    std::string name;
    DType dtype;
    std::vector<std::int64_t> shape;
    std::span<const std::byte> bytes;  // row-major
};

using SafetensorsMetadata = std::map<std::string, std::string>;

/// Write a file. Tensors of wider types come first, so that every tensor is aligned to its element size.
/// @throws Error FG_NOT_FOUND, FG_IO; then nothing is left behind, and an older file of that name is untouched.
void write_safetensors(const std::filesystem::path& path, std::vector<TensorToWrite> tensors,
                       const SafetensorsMetadata& metadata);

/// An open file whose header has been checked in full: every tensor lies inside the file, fits its shape, and
/// overlaps no other. Values are read on demand.
class SafetensorsFile {
public:
    struct Tensor {
        std::string name;
        DType dtype;
        std::vector<std::int64_t> shape;
        std::uint64_t offset;  // of the first byte, in the file
        std::uint64_t bytes;
    };

    /// @throws Error FG_NOT_FOUND, FG_IO, FG_BAD_CHECKPOINT.
    explicit SafetensorsFile(const std::filesystem::path& path);

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return file_.path(); }
    /// In the order of their bytes.
    [[nodiscard]] const std::vector<Tensor>& tensors() const noexcept { return tensors_; }
    [[nodiscard]] const SafetensorsMetadata& metadata() const noexcept { return metadata_; }

    /// NULL when there is none of this name.
    [[nodiscard]] const Tensor* find(std::string_view name) const noexcept;

    /// Copy an F32 tensor out. @throws Error FG_BAD_CHECKPOINT when it is missing, or of another type or shape.
    void read_f32(std::string_view name, std::span<const std::int64_t> shape, std::span<float> out) const;

private:
    InputFile file_;
    std::vector<Tensor> tensors_;
    SafetensorsMetadata metadata_;
};

}  // namespace filigree
