// SPDX-License-Identifier: Apache-2.0
#include "core/safetensors.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <numeric>

#include "core/error.hpp"
#include "support/expect_error.hpp"
#include "support/file_size_limit.hpp"
#include "support/temporary_folder.hpp"

namespace filigree {
namespace {

using std::filesystem::path;

std::string content(const path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

void put(const path& file, const std::string& bytes) { std::ofstream(file, std::ios::binary) << bytes; }

/// A file with this header and so many zero bytes of data.
std::string file_of(const std::string& header, std::size_t data) {
    const std::uint64_t length = header.size();
    std::string bytes(sizeof length, '\0');
    std::memcpy(bytes.data(), &length, sizeof length);
    return bytes + header + std::string(data, '\0');
}

class Safetensors : public testing::Test {
protected:
    Safetensors() {
        std::iota(values_.begin(), values_.end(), -2.5F);
        values_[3] = std::numeric_limits<float>::quiet_NaN();
    }

    void write(const path& file) const {
        write_safetensors(file,
                          {{"ids", DType::kU16, {3}, std::as_bytes(std::span(ids_))},
                           {"a.weight", DType::kF32, {2, 3}, std::as_bytes(std::span(values_))},
                           {"nothing", DType::kF32, {0, 4}, {}},
                           {"scalar", DType::kF32, {}, std::as_bytes(std::span(values_).first(1))}},
                          {{"note", "caf\xc3\xa9 \"quoted\"\n"}});
    }

    void expect_bad(const std::string& header, std::size_t data, const std::string& part) const {
        put(file_, file_of(header, data));
        EXPECT_FG_ERROR(SafetensorsFile{file_}, FG_BAD_CHECKPOINT, part);
        EXPECT_FG_ERROR(SafetensorsFile{file_}, FG_BAD_CHECKPOINT, file_.string());
    }

    TemporaryFolder folder_;
    path file_ = folder_ / "model.safetensors";
    std::array<float, 6> values_{};
    std::array<std::uint16_t, 3> ids_{1, 2, 65535};
};

TEST_F(Safetensors, WhatIsWrittenIsReadBack) {
    write(file_);
    const SafetensorsFile file(file_);
    EXPECT_EQ(file.metadata().at("note"), "caf\xc3\xa9 \"quoted\"\n");
    ASSERT_EQ(file.tensors().size(), 4U);
    std::array<float, 6> read{};
    file.read_f32("a.weight", std::array<std::int64_t, 2>{2, 3}, read);
    EXPECT_EQ(std::memcmp(read.data(), values_.data(), sizeof values_), 0);
    std::array<float, 1> scalar{};
    file.read_f32("scalar", {}, scalar);
    EXPECT_EQ(scalar[0], -2.5F);
    file.read_f32("nothing", std::array<std::int64_t, 2>{0, 4}, {});
    EXPECT_EQ(file.find("ids")->dtype, DType::kU16);
    EXPECT_EQ(file.find("absent"), nullptr);
    EXPECT_FALSE(exists(path(file_) += ".partial"));
}

TEST_F(Safetensors, EveryTensorIsAlignedToItsElements) {
    write(file_);
    const SafetensorsFile file(file_);
    for (const auto& tensor : file.tensors()) EXPECT_EQ(tensor.offset % size(tensor.dtype), 0U);
}

TEST_F(Safetensors, SameTensorsGiveTheSameBytes) {
    write(file_);
    write(folder_ / "again.safetensors");
    EXPECT_EQ(content(file_), content(folder_ / "again.safetensors"));
}

TEST_F(Safetensors, FileWithoutTensorsIsValid) {
    write_safetensors(file_, {}, {});
    EXPECT_TRUE(SafetensorsFile(file_).tensors().empty());
}

TEST_F(Safetensors, ReadingAsSomethingElseNamesTheTensor) {
    write(file_);
    const SafetensorsFile file(file_);
    std::array<float, 6> out{};
    EXPECT_FG_ERROR(file.read_f32("b", std::array<std::int64_t, 1>{6}, out), FG_BAD_CHECKPOINT, "has no tensor \"b\"");
    EXPECT_FG_ERROR(file.read_f32("a.weight", std::array<std::int64_t, 2>{3, 2}, out), FG_BAD_CHECKPOINT,
                    "\"a.weight\" is [2, 3], [3, 2] was expected");
    EXPECT_FG_ERROR(file.read_f32("ids", std::array<std::int64_t, 1>{3}, out), FG_BAD_CHECKPOINT,
                    "\"ids\" is U16, F32 was expected");
}

TEST_F(Safetensors, MissingFileAndFolderAreNotFound) {
    EXPECT_FG_ERROR(SafetensorsFile{file_}, FG_NOT_FOUND, file_.string());
    EXPECT_FG_ERROR(write(folder_ / "no/model.safetensors"), FG_NOT_FOUND, "no/model.safetensors");
    EXPECT_FG_ERROR(SafetensorsFile{folder_.path()}, FG_IO, "not a regular file");
}

TEST_F(Safetensors, MalformedHeadersAreRefused) {
    const std::string good = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
    put(file_, file_of(good, 8));
    EXPECT_NO_THROW(SafetensorsFile{file_});
    put(file_, file_of(good + "   ", 8));
    EXPECT_NO_THROW(SafetensorsFile{file_});

    expect_bad(good, 7, "\"a\" ends at byte 8 of the data, and the file has 7");
    expect_bad(good, 9, "the last 1 bytes belong to no tensor");
    expect_bad(" " + good, 8, "does not begin with {");
    expect_bad("{\"a\":", 0, "not valid JSON");
    expect_bad("{\"\xff\":1}", 0, "not valid JSON");
    expect_bad(good + "{}", 8, "not valid JSON");
    expect_bad("", 0, "does not begin with {");
    expect_bad(R"({"a":7})", 0, "exactly dtype, shape and data_offsets");
    expect_bad(R"({"a":{"dtype":"F32","shape":[2]}})", 8, "exactly dtype, shape and data_offsets");
    expect_bad(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}})", 8, "exactly dtype");
    expect_bad(R"({"a":{"dtype":"F99","shape":[2],"data_offsets":[0,8]}})", 8, "dtype \"F99\"");
    expect_bad(R"({"a":{"dtype":4,"shape":[2],"data_offsets":[0,8]}})", 8, "dtype that is not text");
    expect_bad(R"({"a":{"dtype":"F32","shape":2,"data_offsets":[0,8]}})", 8, "shape that is not a list");
    expect_bad(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8, "extent -2");
    expect_bad(R"({"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})", 8, "extent 2.0");
    expect_bad(R"({"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,8]}})", 8, "extent 1844");
    expect_bad(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8, "8 bytes, which does not fit F32 [3]");
    // 2^31 * 2^31 * 4 wraps to 0.
    expect_bad(R"({"a":{"dtype":"F32","shape":[2147483648,2147483648],"data_offsets":[0,0]}})", 0, "does not fit");
    expect_bad(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8, "ends before it begins");
    expect_bad(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}})", 8, "not two offsets");
    expect_bad(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}})", 8, "not two offsets");
    expect_bad(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,99999999999]}})", 8, "truncated");
    expect_bad(R"({"__metadata__":{"a":1}})", 0, "__metadata__.a is not text");
    expect_bad(R"({"__metadata__":[]})", 0, "__metadata__ is not an object");
}

TEST_F(Safetensors, OverlapsHolesAndDoubleNamesAreRefused) {
    expect_bad(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
               R"("b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
               12, "\"b\" overlaps");
    expect_bad(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
               R"("b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
               12, "4 bytes before tensor \"b\" belong to no tensor");
    expect_bad(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
               R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
               4, "\"a\" twice");
    expect_bad(R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4, "\"dtype\" twice");
}

TEST_F(Safetensors, HeaderLengthIsBounded) {
    put(file_, std::string("\xff\xff\xff\xff\xff\xff\xff\xff", 8));
    EXPECT_FG_ERROR(SafetensorsFile{file_}, FG_BAD_CHECKPOINT, "no safetensors file");
    put(file_, std::string("\x40\0\0\0\0\0\0\0{}", 10));
    EXPECT_FG_ERROR(SafetensorsFile{file_}, FG_BAD_CHECKPOINT, "truncated");
}

TEST_F(Safetensors, EveryTruncationIsRefused) {
    write(file_);
    const std::string whole = content(file_);
    for (std::size_t length = 0; length < whole.size(); ++length) {
        put(file_, whole.substr(0, length));
        EXPECT_FG_ERROR(SafetensorsFile{file_}, FG_BAD_CHECKPOINT, file_.string());
    }
}

TEST_F(Safetensors, EveryBitFlipIsRefusedOrHarmless) {
    write(file_);
    const std::string whole = content(file_);
    std::size_t refused = 0;
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
        std::string flipped = whole;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
        put(file_, flipped);
        try {
            const SafetensorsFile file(file_);
            for (const auto& tensor : file.tensors()) {
                ASSERT_LE(tensor.offset + tensor.bytes, whole.size());
                if (tensor.dtype != DType::kF32) continue;
                std::vector<float> out(tensor.bytes / sizeof(float));
                file.read_f32(tensor.name, tensor.shape, out);
            }
        } catch (const Error& error) {
            EXPECT_EQ(error.status(), FG_BAD_CHECKPOINT) << error.what();
            ++refused;
        }
    }
    EXPECT_GT(refused, whole.size());
}

TEST_F(Safetensors, FileThatShrinksWhileOpenIsAnError) {
    write(file_);
    const SafetensorsFile file(file_);
    resize_file(file_, 40);
    std::array<float, 6> out{};
    EXPECT_FG_ERROR(file.read_f32("a.weight", std::array<std::int64_t, 2>{2, 3}, out), FG_BAD_CHECKPOINT, "truncated");
}

TEST_F(Safetensors, FullDiskKeepsTheOldFileAndLeavesNothingElse) {
    write(file_);
    const std::string before = content(file_);
    for (rlim_t limit = 0; limit < before.size(); limit += 7) {
        {
            const FileSizeLimit full(limit);
            EXPECT_FG_ERROR(write(file_), FG_IO, file_.string());
        }
        EXPECT_EQ(content(file_), before);
        EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 1);
    }
}

}  // namespace
}  // namespace filigree
