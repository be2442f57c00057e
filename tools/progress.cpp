// SPDX-License-Identifier: MIT
#include "progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace lockstep::tools {
namespace {

constexpr std::size_t kBarWidth = 30;
constexpr std::chrono::duration<double> kBetweenLines{5};

bool is_terminal() { return isatty(STDERR_FILENO) == 1; }

}  // namespace

std::string size_text(std::uint64_t bytes) {
  if (bytes < 1'000'000) return fmt::format("{:.1f} kB", static_cast<double>(bytes) / 1e3);
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

std::string progress_text(const Progress& progress) {
  std::string text;
  if (progress.wanted) {
    const std::uint64_t wanted = std::max<std::uint64_t>(*progress.wanted, 1);
    const auto filled =
        static_cast<std::size_t>(std::min(progress.pictures, wanted) * kBarWidth / wanted);
    text = fmt::format("[{:<{}}] {} of {}", std::string(filled, '#'), kBarWidth, progress.pictures,
                       wanted);
  } else {
    text = fmt::format("{}", progress.pictures);
  }
  const double seconds = progress.elapsed.count();
  const double rate = seconds > 0 ? static_cast<double>(progress.pictures) / seconds : 0;
  return fmt::format("{} pictures, {:.1f} s, {:.1f} a second, {}", text, seconds, rate,
                     size_text(progress.file_bytes));
}

void ProgressLine::show(const Progress& progress) {
  if (is_terminal()) {
    fmt::print(stderr, "\r\033[K{}", progress_text(progress));
    shown_ = true;
  } else if (progress.elapsed >= next_) {
    if (next_.count() > 0) fmt::print(stderr, "{}\n", progress_text(progress));
    next_ = progress.elapsed + kBetweenLines;
  }
  std::fflush(stderr);
}

void ProgressLine::clear() {
  if (shown_) fmt::print(stderr, "\r\033[K");
  shown_ = false;
}

}  // namespace lockstep::tools
