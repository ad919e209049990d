// SPDX-License-Identifier: Apache-2.0
#include "core/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "core/error.hpp"

namespace filigree {
namespace {

// Linux transfers at most 0x7ffff000 bytes in a call.
constexpr std::size_t kLargestTransfer = std::size_t{1} << 30;

[[noreturn]] void fail(const char* what, const std::filesystem::path& path, int code) {
    throw Error(FG_IO, message("cannot ", what, " ", path, ": ", std::generic_category().message(code)));
}

}  // namespace

InputFile::InputFile(const std::filesystem::path& path)
    : path_(path), descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (descriptor_ < 0) {
        FG_EXPECTS(errno != ENOENT && errno != ENOTDIR, FG_NOT_FOUND, path, " does not exist");
        fail("open", path, errno);
    }
    struct stat facts {};
    if (::fstat(descriptor_, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        ::close(descriptor_);
        throw Error(FG_IO, message(path, " is not a regular file"));
    }
    size_ = static_cast<std::uint64_t>(facts.st_size);
}

InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_) {}

InputFile::~InputFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

void InputFile::read(std::uint64_t offset, std::span<std::byte> out) const {
    while (!out.empty()) {
        const ssize_t n =
            ::pread(descriptor_, out.data(), std::min(out.size(), kLargestTransfer), static_cast<off_t>(offset));
        if (n < 0) {
            if (errno == EINTR) continue;
            fail("read", path_, errno);
        }
        FG_EXPECTS(n > 0, FG_BAD_CHECKPOINT, path_, " is truncated: it ends before byte ", offset + out.size());
        offset += static_cast<std::uint64_t>(n);
        out = out.subspan(static_cast<std::size_t>(n));
    }
}

OutputFile::OutputFile(std::filesystem::path path) : path_(std::move(path)), partial_(path_) {
    partial_ += ".partial";
    descriptor_ = ::open(partial_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor_ < 0) {
        FG_EXPECTS(errno != ENOENT && errno != ENOTDIR, FG_NOT_FOUND, "the folder of ", path_, " does not exist");
        fail("create", partial_, errno);
    }
}

OutputFile::~OutputFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!renamed_) ::unlink(partial_.c_str());
}

void OutputFile::write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(descriptor_, bytes.data(), std::min(bytes.size(), kLargestTransfer));
        if (n < 0) {
            if (errno == EINTR) continue;
            fail("write", path_, errno);
        }
        bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
}

void OutputFile::commit() {
    if (::fsync(descriptor_) != 0) fail("write", path_, errno);
    // Network file systems report a full disk only here.
    if (::close(std::exchange(descriptor_, -1)) != 0) fail("write", path_, errno);
    if (::rename(partial_.c_str(), path_.c_str()) != 0) fail("rename a finished file to", path_, errno);
    renamed_ = true;
    // The name itself lives in the folder, which is synced apart from the file.
    const auto folder = path_.has_parent_path() ? path_.parent_path() : std::filesystem::path(".");
    const int folder_descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder_descriptor < 0) fail("open folder", folder, errno);
    const int failed = ::fsync(folder_descriptor) != 0 ? errno : 0;
    ::close(folder_descriptor);
    // Some file systems cannot sync a folder and say EINVAL; there the rename is all there is.
    if (failed != 0 && failed != EINVAL) fail("sync folder", folder, failed);
}

std::string read_text(const std::filesystem::path& path) {
    const InputFile file(path);
    std::string text(file.size(), '\0');
    file.read(0, std::as_writable_bytes(std::span(text)));
    return text;
}

}  // namespace filigree
