// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace lockstep::tools {

/// How far a recording is.
struct Progress {
  std::uint64_t pictures = 0;
  std::optional<std::uint64_t> wanted;  ///< Nothing: until interrupted.
  std::chrono::duration<double> elapsed{0};
  std::uint64_t file_bytes = 0;
};

/// "[#####     ] 150 of 300 pictures, 5.0 s, 30.0 a second, 12.3 MB"; without the bar where no end
/// is known. Where there are fewer columns the bar goes first, and then what stands last.
std::string progress_text(const Progress& progress, std::size_t columns);

/// "12.3 MB".
std::string size_text(std::uint64_t bytes);

/// Shows progress on standard error: a line that changes where that is a terminal that can be drawn
/// on, a new line every few seconds where it is not.
class ProgressLine {
 public:
  void show(const Progress& progress);
  /// Takes the changing line away, for other output.
  void clear();

 private:
  bool shown_ = false;
  std::chrono::duration<double> next_{0};
};

}  // namespace lockstep::tools
