// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "lockstep/result.h"

namespace lockstep::tools {

/// A file that a command is to write: opened before anything starts, so that it is known whether it
/// can be, and taken away again if it is new and nothing came of it.
///
/// \thread  one caller at a time.
class OutputFile {
 public:
  /// Opens it. What is in it stays.
  ///
  /// \errors  busy              it is there already, and `overwrite` was not asked for; devices and
  ///                            pipes may be.
  ///          invalid_argument  it is a folder.
  ///          not_found, permission_denied, io  the system does not open it.
  ///          All texts begin with `act`, which names the file.
  static Result<OutputFile> open(const std::string& path, bool overwrite, const std::string& act);

  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  /// Closes it. Takes it away if open() made it and it is empty.
  ~OutputFile();

  int fd() const { return fd_; }
  const std::string& path() const { return path_; }
  bool is_regular() const;
  std::uint64_t size_bytes() const;
  /// Whether its path still leads to it: not if it was removed, renamed or replaced since.
  bool is_in_place() const;
  /// Takes it away if open() made it, whatever is in it.
  void discard();

 private:
  OutputFile(std::string path, int fd, bool is_new)
      : path_(std::move(path)), fd_(fd), new_(is_new) {}

  std::string path_;
  int fd_ = -1;
  bool new_ = false;
};

}  // namespace lockstep::tools
