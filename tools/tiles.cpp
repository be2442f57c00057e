// SPDX-License-Identifier: MIT
#include "tiles.h"

#include <algorithm>

namespace lockstep::tools {
namespace {

LumaView part_of(const LumaView& picture, const Rectangle& tile) {
  if (tile.width == 0 || tile.height == 0) return {};
  LumaView part = picture;
  part.width = tile.width;
  part.height = tile.height;
  part.bytes = picture.bytes.subspan(tile.y * picture.stride_bytes + tile.x * picture.pixel_bytes);
  return part;
}

std::size_t count_readable(const LumaView& picture, const Grid& grid) {
  const auto codes = read_tiles(picture, grid);
  return static_cast<std::size_t>(
      std::count_if(codes.begin(), codes.end(), [](const auto& code) { return code.has_value(); }));
}

}  // namespace

std::vector<std::optional<PaintedCode>> read_tiles(const LumaView& picture, const Grid& grid) {
  std::vector<std::optional<PaintedCode>> codes;
  for (std::size_t slot = 0; slot < std::size_t{grid.rows} * grid.columns; ++slot)
    codes.push_back(
        read_code(part_of(picture, tile_of(slot, grid, picture.width, picture.height))));
  return codes;
}

std::optional<Grid> find_grid(const LumaView& picture) {
  std::optional<Grid> best;
  std::size_t most = 0;
  for (std::uint32_t rows = 1; rows <= kMaxGridSide; ++rows) {
    for (std::uint32_t columns = 1; columns <= kMaxGridSide; ++columns) {
      const Grid grid{rows, columns};
      const std::size_t readable = count_readable(picture, grid);
      const bool fewer_tiles = best && rows * columns < best->rows * best->columns;
      if (readable > most || (readable > 0 && readable == most && fewer_tiles)) {
        best = grid;
        most = readable;
      }
    }
  }
  return best;
}

}  // namespace lockstep::tools
