// SPDX-License-Identifier: MIT
#include "terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "output.h"

namespace lockstep::tools {
namespace {

// \source ECMA-48, and xterm's control sequences for the second screen and the cursor.
constexpr const char* kEnter = "\033[?1049h\033[?25l";
constexpr const char* kLeave = "\033[0m\033[?25h\033[?1049l";
constexpr const char* kHome = "\033[H";
constexpr const char* kEndOfLine = "\033[0m\033[K";
constexpr const char* kClearBelow = "\033[J";

const char* sequence_of(ViewLine::Style style) {
  switch (style) {
    case ViewLine::Style::plain:
      return "";
    case ViewLine::Style::title:
      return "\033[1m";
    case ViewLine::Style::attention:
      return "\033[1;33m";
    case ViewLine::Style::faint:
      return "\033[2m";
  }
  return "";
}

void put(std::string_view text) {
  print_text(text);
  flush_output();
}

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace

bool can_draw(int fd) {
  return isatty(fd) == 1 && !variable("TERM").empty() && variable("TERM") != "dumb";
}

TerminalSize terminal_size(int fd) {
  winsize window{};
  if (ioctl(fd, TIOCGWINSZ, &window) != 0 || window.ws_col == 0 || window.ws_row == 0) return {};
  return {window.ws_col, window.ws_row};
}

// \source https://no-color.org: set and not empty.
Screen::Screen() : colours_(variable("NO_COLOR").empty()) { put(kEnter); }

Screen::~Screen() { put(kLeave); }

void Screen::draw(const std::vector<ViewLine>& lines) {
  std::string text = kHome;
  for (const ViewLine& line : lines) {
    if (&line != &lines.front()) text += "\r\n";
    if (colours_) text += sequence_of(line.style);
    text += line.text + kEndOfLine;
  }
  put(text + kClearBelow);
}

}  // namespace lockstep::tools
