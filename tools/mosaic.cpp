// SPDX-License-Identifier: MIT
#include "mosaic.h"

#include <algorithm>

namespace lockstep::tools {
namespace {

// The pixels from `left` to `right` and `top` to `bottom`, the latter not included.
LumaView part_of(const LumaView& picture, std::size_t left, std::size_t top, std::size_t right,
                 std::size_t bottom) {
  LumaView part = picture;
  part.width = static_cast<std::uint32_t>(right - left);
  part.height = static_cast<std::uint32_t>(bottom - top);
  part.bytes = picture.bytes.subspan(top * picture.stride_bytes + left * picture.pixel_bytes);
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
  for (std::size_t row = 0; row < grid.rows; ++row) {
    for (std::size_t column = 0; column < grid.columns; ++column)
      codes.push_back(read_code(part_of(
          picture, column * picture.width / grid.columns, row * picture.height / grid.rows,
          (column + 1) * picture.width / grid.columns, (row + 1) * picture.height / grid.rows)));
  }
  return codes;
}

std::optional<Grid> find_grid(const LumaView& picture) {
  std::optional<Grid> best;
  std::size_t most = 0;
  for (std::size_t rows = 1; rows <= kMaxGridSide; ++rows) {
    for (std::size_t columns = 1; columns <= kMaxGridSide; ++columns) {
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
