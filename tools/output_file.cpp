// SPDX-License-Identifier: MIT
#include "output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace lockstep::tools {

Result<OutputFile> OutputFile::open(const std::string& path, bool overwrite,
                                    const std::string& act) {
  bool is_new = true;
  int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0 && errno == EEXIST) {
    is_new = false;
    struct stat status {};
    const bool known = stat(path.c_str(), &status) == 0;
    if (known && S_ISDIR(status.st_mode))
      return Error{Errc::invalid_argument, EISDIR, act + ": it is a folder"};
    if (known && S_ISREG(status.st_mode) && !overwrite)
      return Error{Errc::busy, EEXIST,
                   act + ": it is there already; choose another name or give --overwrite"};
    fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  }
  if (fd < 0) return system_error(errno, act);
  return OutputFile(path, fd, is_new);
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), new_(other.new_) {}

OutputFile::~OutputFile() {
  if (fd_ < 0) return;
  if (size_bytes() == 0) discard();
  close(fd_);
}

bool OutputFile::is_regular() const {
  struct stat status {};
  return fstat(fd_, &status) == 0 && S_ISREG(status.st_mode);
}

std::uint64_t OutputFile::size_bytes() const {
  struct stat status {};
  return fstat(fd_, &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

bool OutputFile::is_in_place() const {
  struct stat ours {};
  struct stat there {};
  return fstat(fd_, &ours) == 0 && stat(path_.c_str(), &there) == 0 &&
         ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

void OutputFile::discard() {
  // Only a file that is ours for certain.
  if (new_ && is_in_place()) unlink(path_.c_str());
  new_ = false;
}

}  // namespace lockstep::tools
