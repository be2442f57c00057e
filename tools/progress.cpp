// SPDX-License-Identifier: MIT
#include "progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <limits>

#include "terminal.h"

namespace lockstep::tools {
namespace {

constexpr std::size_t kBarWidth = 30;
constexpr std::chrono::duration<double> kBetweenLines{5};

// \source ECMA-48: back to the first column, and nothing behind it.
constexpr const char* kBeginLine = "\r\033[K";
constexpr std::size_t kAnyWidth = std::numeric_limits<std::size_t>::max();

void put(const std::string& text) { (void)std::fwrite(text.data(), 1, text.size(), stderr); }

}  // namespace

std::string size_text(std::uint64_t bytes) {
  if (bytes < 1'000'000) return fmt::format("{:.1f} kB", static_cast<double>(bytes) / 1e3);
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

std::string progress_text(const Progress& progress, std::size_t columns) {
  std::string text = fmt::format("{}", progress.pictures);
  std::string bar;
  if (progress.wanted) {
    const std::uint64_t wanted = std::max<std::uint64_t>(*progress.wanted, 1);
    const auto filled =
        static_cast<std::size_t>(std::min(progress.pictures, wanted) * kBarWidth / wanted);
    bar = fmt::format("[{:<{}}] ", std::string(filled, '#'), kBarWidth);
    text += fmt::format(" of {}", wanted);
  }
  text += " pictures";
  const double seconds = progress.elapsed.count();
  const double rate = seconds > 0 ? static_cast<double>(progress.pictures) / seconds : 0;
  for (const std::string& part :
       {fmt::format(", {:.1f} s", seconds), fmt::format(", {:.1f} a second", rate),
        ", " + size_text(progress.file_bytes)}) {
    if (text.size() + part.size() > columns) break;
    text += part;
  }
  if (bar.size() + text.size() <= columns) return bar + text;
  return text.substr(0, columns);
}

void ProgressLine::show(const Progress& progress) {
  if (can_draw(STDERR_FILENO)) {
    // Nothing in the last column: some terminals begin a new line behind it.
    put(kBeginLine + progress_text(progress, terminal_size(STDERR_FILENO).columns - 1));
    shown_ = true;
  } else if (progress.elapsed >= next_) {
    if (next_.count() > 0) put(progress_text(progress, kAnyWidth) + '\n');
    next_ = progress.elapsed + kBetweenLines;
  }
}

void ProgressLine::clear() {
  if (shown_) put(kBeginLine);
  shown_ = false;
}

}  // namespace lockstep::tools
