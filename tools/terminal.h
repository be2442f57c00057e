// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <vector>

#include "light_view.h"

namespace lockstep::tools {

/// Whether `fd`, standard output or standard error, is a terminal that can be drawn on.
bool can_draw(int fd);

struct TerminalSize {
  std::size_t columns = 80;
  std::size_t rows = 24;
};

/// Of the terminal at `fd` at present: it may change at any time. The default where it is not known.
TerminalSize terminal_size(int fd);

/// Standard output as a screen that is drawn anew in place. What was on it comes back at the end.
class Screen {
 public:
  Screen();
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  /// Shows these lines, which must fit terminal_size(), and nothing else.
  void draw(const std::vector<ViewLine>& lines);

 private:
  bool colours_;
};

}  // namespace lockstep::tools
