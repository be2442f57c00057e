// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <vector>

#include "light_view.h"

namespace lockstep::tools {

/// Whether standard output is a terminal that can be drawn on.
bool can_draw();

/// Standard output as a screen that is drawn anew in place. What was on it comes back at the end.
class Screen {
 public:
  struct Size {
    std::size_t columns = 80;
    std::size_t rows = 24;
  };

  Screen();
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  /// At present: it may change at any time.
  static Size size();
  /// Shows these lines, which must fit the size, and nothing else.
  void draw(const std::vector<ViewLine>& lines);

 private:
  bool colours_;
};

}  // namespace lockstep::tools
