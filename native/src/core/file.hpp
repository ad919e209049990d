// SPDX-License-Identifier: Apache-2.0
// Files whose failures are Errors that name the file, and writes that either happen whole or leave nothing behind.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace filigree {

/// A file opened for reading. Reads go through read(2), not a mapping: a file that shrinks while it is used is then
/// an error and not a SIGBUS, which would end a JVM.
class InputFile {
public:
    /// @throws Error FG_NOT_FOUND, FG_IO (not readable, or not a regular file).
    explicit InputFile(const std::filesystem::path& path);
    InputFile(InputFile&& other) noexcept;
    InputFile(const InputFile&) = delete;  // one descriptor, one owner
    InputFile& operator=(InputFile&&) = delete;
    InputFile& operator=(const InputFile&) = delete;
    ~InputFile();

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
    /// Size in bytes when it was opened.
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

    /// Fill a buffer from an offset. @throws Error FG_IO; FG_BAD_CHECKPOINT when the file ends before.
    void read(std::uint64_t offset, std::span<std::byte> out) const;

private:
    std::filesystem::path path_;
    int descriptor_;
    std::uint64_t size_ = 0;
};

/// A file that appears under its name only when commit() has it safely on disk. Until then it is "<name>.partial",
/// which the destructor removes.
/// Writing past RLIMIT_FSIZE raises SIGXFSZ; a process that wants an Error instead ignores it, as the JVM does.
class OutputFile {
public:
    /// @throws Error FG_NOT_FOUND when the folder does not exist, FG_IO.
    explicit OutputFile(std::filesystem::path path);
    OutputFile(const OutputFile&) = delete;  // one temporary, one owner
    OutputFile& operator=(const OutputFile&) = delete;
    ~OutputFile();

    /// Append. @throws Error FG_IO (full disk, file too large, failing device).
    void write(std::span<const std::byte> bytes);
    void write(const std::string& text) { write(std::as_bytes(std::span(text))); }

    /// Sync the file, give it its name (replacing what had it), sync the folder. @throws Error FG_IO.
    void commit();

private:
    std::filesystem::path path_;
    std::filesystem::path partial_;
    int descriptor_;
    bool renamed_ = false;
};

/// Whole content of a text file. @throws Error FG_NOT_FOUND, FG_IO.
[[nodiscard]] std::string read_text(const std::filesystem::path& path);

}  // namespace filigree
