// SPDX-License-Identifier: Apache-2.0
#include "core/safetensors.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/error.hpp"
#include "core/json.hpp"

// Values go to the file as they are in memory; the format is little-endian.
static_assert(std::endian::native == std::endian::little);

namespace filigree {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kLengthBytes = 8;
// The limit of the reference implementation.
constexpr std::uint64_t kLargestHeader = 100'000'000;
constexpr const char* kMetadataKey = "__metadata__";

struct DTypeFacts {
    DType dtype;
    std::string_view name;
    std::size_t size;
};
constexpr std::array<DTypeFacts, 4> kDTypes{{
    {DType::kF32, "F32", 4},
    {DType::kBf16, "BF16", 2},
    {DType::kI32, "I32", 4},
    {DType::kU16, "U16", 2},
}};

std::optional<DType> dtype_of(std::string_view name) {
    for (const auto& facts : kDTypes) {
        if (facts.name == name) return facts.dtype;
    }
    return std::nullopt;
}

std::string text(std::span<const std::int64_t> shape) {
    std::string result = "[";
    for (const auto extent : shape) {
        if (result.size() > 1) result += ", ";
        result += std::to_string(extent);
    }
    return result + "]";
}

/// Bytes of a tensor; nothing when that does not fit 64 bits.
std::optional<std::uint64_t> byte_size(DType dtype, std::span<const std::int64_t> shape) {
    std::uint64_t bytes = size(dtype);
    for (const auto extent : shape) {
        if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(extent), &bytes)) return std::nullopt;
    }
    return bytes;
}

SafetensorsMetadata parse_metadata(const Json& value, const std::filesystem::path& path) {
    FG_EXPECTS(value.is_object(), FG_BAD_CHECKPOINT, path, ": ", kMetadataKey, " is not an object");
    SafetensorsMetadata metadata;
    for (const auto& [key, entry] : value.items()) {
        FG_EXPECTS(entry.is_string(), FG_BAD_CHECKPOINT, path, ": ", kMetadataKey, ".", key, " is not text");
        metadata.emplace(key, entry.get<std::string>());
    }
    return metadata;
}

/// @param data_start offset of the first tensor byte in the file; @param data_size bytes from there to the end.
SafetensorsFile::Tensor parse_tensor(const std::string& name, const Json& value, std::uint64_t data_start,
                                     std::uint64_t data_size, const std::filesystem::path& path) {
    const auto expect = [&](bool condition, const auto&... parts) {
        FG_EXPECTS(condition, FG_BAD_CHECKPOINT, path, ": tensor \"", name, "\" ", parts...);
    };
    expect(value.is_object() && value.size() == 3 && value.contains("dtype") && value.contains("shape") &&
               value.contains("data_offsets"),
           "does not have exactly dtype, shape and data_offsets");

    const Json& dtype_name = value["dtype"];
    expect(dtype_name.is_string(), "has a dtype that is not text");
    const auto dtype = dtype_of(dtype_name.get_ref<const std::string&>());
    expect(dtype.has_value(), "has dtype ", dtype_name, ", which is none of F32, BF16, I32, U16");

    const Json& extents = value["shape"];
    expect(extents.is_array(), "has a shape that is not a list");
    std::vector<std::int64_t> shape;
    for (const Json& extent : extents) {
        expect(extent.is_number_unsigned() &&
                   extent.get<std::uint64_t>() <= std::uint64_t{std::numeric_limits<std::int64_t>::max()},
               "has the extent ", extent, " in its shape");
        shape.push_back(extent.get<std::int64_t>());
    }

    const Json& offsets = value["data_offsets"];
    expect(
        offsets.is_array() && offsets.size() == 2 && offsets[0].is_number_unsigned() && offsets[1].is_number_unsigned(),
        "has data_offsets that are not two offsets");
    const auto begin = offsets[0].get<std::uint64_t>();
    const auto end = offsets[1].get<std::uint64_t>();
    expect(begin <= end, "ends before it begins: ", offsets);
    expect(end <= data_size, "ends at byte ", end, " of the data, and the file has ", data_size, ": it is truncated");
    const auto needed = byte_size(*dtype, shape);
    expect(needed.has_value() && *needed == end - begin, "has ", end - begin, " bytes, which does not fit ",
           filigree::name(*dtype), " ", text(shape));
    return {name, *dtype, std::move(shape), data_start + begin, end - begin};
}

}  // namespace

std::string_view name(DType dtype) noexcept { return kDTypes[static_cast<std::size_t>(dtype)].name; }
std::size_t size(DType dtype) noexcept { return kDTypes[static_cast<std::size_t>(dtype)].size; }

void write_safetensors(const std::filesystem::path& path, std::vector<TensorToWrite> tensors,
                       const SafetensorsMetadata& metadata) {
    std::stable_sort(tensors.begin(), tensors.end(),
                     [](const auto& a, const auto& b) { return size(a.dtype) > size(b.dtype); });
    // Keys in the order of the bytes, as readers of the header by eye expect.
    nlohmann::ordered_json header = nlohmann::ordered_json::object();
    if (!metadata.empty()) header[kMetadataKey] = metadata;
    std::uint64_t end = 0;
    for (const auto& tensor : tensors) {
        FG_EXPECTS(byte_size(tensor.dtype, tensor.shape) == tensor.bytes.size(), FG_INTERNAL, "tensor ", tensor.name,
                   " has ", tensor.bytes.size(), " bytes, which does not fit ", name(tensor.dtype), " ",
                   text(tensor.shape));
        FG_EXPECTS(!header.contains(tensor.name), FG_INTERNAL, "tensor ", tensor.name, " is written twice");
        const std::uint64_t begin = end;
        end += tensor.bytes.size();
        header[tensor.name] = {{"dtype", name(tensor.dtype)}, {"shape", tensor.shape}, {"data_offsets", {begin, end}}};
    }
    std::string header_text = header.dump();
    header_text.resize((header_text.size() + 7) / 8 * 8, ' ');

    OutputFile file(path);
    const std::array<std::uint64_t, 1> length{header_text.size()};
    file.write(std::as_bytes(std::span(length)));
    file.write(header_text);
    for (const auto& tensor : tensors) file.write(tensor.bytes);
    file.commit();
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : file_(path) {
    FG_EXPECTS(file_.size() >= kLengthBytes, FG_BAD_CHECKPOINT, path, " is truncated: it has ", file_.size(), " bytes");
    std::array<std::uint64_t, 1> length{};
    file_.read(0, std::as_writable_bytes(std::span(length)));
    const std::uint64_t header_size = length[0];
    FG_EXPECTS(header_size <= kLargestHeader, FG_BAD_CHECKPOINT, path,
               " is no safetensors file: its header would have ", header_size, " bytes");
    FG_EXPECTS(header_size <= file_.size() - kLengthBytes, FG_BAD_CHECKPOINT, path,
               " is truncated: its header should have ", header_size, " bytes, and the file has ", file_.size());
    std::string header(header_size, '\0');
    file_.read(kLengthBytes, std::as_writable_bytes(std::span(header)));
    FG_EXPECTS(header.starts_with('{'), FG_BAD_CHECKPOINT, path, ": the header does not begin with {");

    const std::uint64_t data_start = kLengthBytes + header_size;
    const std::uint64_t data_size = file_.size() - data_start;
    const Json entries = parse_json(header, FG_BAD_CHECKPOINT, message("the header of ", path));
    for (const auto& [key, value] : entries.items()) {
        if (key == kMetadataKey) {
            metadata_ = parse_metadata(value, path);
        } else {
            tensors_.push_back(parse_tensor(key, value, data_start, data_size, path));
        }
    }
    std::sort(tensors_.begin(), tensors_.end(), [](const Tensor& a, const Tensor& b) {
        return std::pair(a.offset, a.bytes) < std::pair(b.offset, b.bytes);
    });
    std::uint64_t next = data_start;
    for (const auto& tensor : tensors_) {
        FG_EXPECTS(tensor.offset >= next, FG_BAD_CHECKPOINT, path, ": tensor \"", tensor.name,
                   "\" overlaps the one before it");
        FG_EXPECTS(tensor.offset == next, FG_BAD_CHECKPOINT, path, ": ", tensor.offset - next,
                   " bytes before tensor \"", tensor.name, "\" belong to no tensor");
        next += tensor.bytes;
    }
    FG_EXPECTS(next == file_.size(), FG_BAD_CHECKPOINT, path, ": the last ", file_.size() - next,
               " bytes belong to no tensor");
}

const SafetensorsFile::Tensor* SafetensorsFile::find(std::string_view name) const noexcept {
    const auto found = std::find_if(tensors_.begin(), tensors_.end(), [&](const auto& t) { return t.name == name; });
    return found == tensors_.end() ? nullptr : &*found;
}

void SafetensorsFile::read_f32(std::string_view name, std::span<const std::int64_t> shape, std::span<float> out) const {
    const Tensor* tensor = find(name);
    FG_EXPECTS(tensor != nullptr, FG_BAD_CHECKPOINT, path(), " has no tensor \"", name, "\"");
    FG_EXPECTS(tensor->dtype == DType::kF32, FG_BAD_CHECKPOINT, path(), ": tensor \"", name, "\" is ",
               filigree::name(tensor->dtype), ", F32 was expected");
    FG_EXPECTS(std::equal(shape.begin(), shape.end(), tensor->shape.begin(), tensor->shape.end()), FG_BAD_CHECKPOINT,
               path(), ": tensor \"", name, "\" is ", text(tensor->shape), ", ", text(shape), " was expected");
    FG_EXPECTS(out.size_bytes() == tensor->bytes, FG_INTERNAL, "tensor \"", name, "\" is read into ", out.size(),
               " values");
    file_.read(tensor->offset, std::as_writable_bytes(out));
}

}  // namespace filigree
