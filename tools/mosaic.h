// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "lockstep/painted_code.h"

namespace lockstep::tools {

/// How a picture is divided into tiles of equal size.
struct Grid {
  std::size_t rows = 1;
  std::size_t columns = 1;

  friend bool operator==(const Grid&, const Grid&) = default;
};

/// Most rows and columns that find_grid() tries: a tile for every sensor that a rig may have.
inline constexpr std::size_t kMaxGridSide = 8;

/// Reads the painted code of each tile. \shape row-major; nothing where none can be read.
std::vector<std::optional<PaintedCode>> read_tiles(const LumaView& picture, const Grid& grid);

/// The division in which most codes can be read; of equals the one with fewest tiles. Nothing where
/// no code can be read in any.
std::optional<Grid> find_grid(const LumaView& picture);

}  // namespace lockstep::tools
