// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "lockstep/mosaic.h"
#include "lockstep/painted_code.h"

namespace lockstep::tools {

/// Most rows and columns that find_grid() tries: a tile for every sensor that a rig may have.
inline constexpr std::uint32_t kMaxGridSide = 8;

/// Reads the painted code of each tile. \shape row-major; nothing where none can be read.
std::vector<std::optional<PaintedCode>> read_tiles(const LumaView& picture, const Grid& grid);

/// The division in which most codes can be read; of equals the one with fewest tiles. Nothing where
/// no code can be read in any.
std::optional<Grid> find_grid(const LumaView& picture);

}  // namespace lockstep::tools
