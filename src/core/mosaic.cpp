// SPDX-License-Identifier: MIT
#include "lockstep/mosaic.h"

#include <string>

#include "support/divide_up.h"

namespace lockstep {
namespace {

// Where tile `index` of `count` begins within `length` pixels.
std::uint32_t cut(std::uint32_t index, std::uint32_t count, std::uint32_t length) {
  if (index == count) return length;
  return static_cast<std::uint32_t>(std::uint64_t{index} * length / count) & ~1u;
}

}  // namespace

Result<Grid> grid_for(std::size_t num_slots, Grid wanted) {
  if (num_slots < 1 || num_slots > kMaxTiles)
    return Error{Errc::invalid_argument, 0,
                 "lay out a mosaic of " + std::to_string(num_slots) + " slots, wanted 1 to " +
                     std::to_string(kMaxTiles)};
  Grid grid = wanted;
  if (grid.columns == 0 && grid.rows == 0) {
    grid.columns = 1;
    while (std::size_t{grid.columns} * grid.columns < num_slots) grid.columns++;
  }
  if (grid.columns == 0) grid.columns = divide_up(num_slots, grid.rows);
  if (grid.rows == 0) grid.rows = divide_up(num_slots, grid.columns);
  if (std::size_t{grid.rows} * grid.columns < num_slots) {
    return Error{Errc::invalid_argument, 0,
                 "lay out " + std::to_string(num_slots) + " slots in " + std::to_string(grid.rows) +
                     " rows of " + std::to_string(grid.columns) +
                     ", too few tiles; raise rows or columns, or leave one of them 0"};
  }
  return grid;
}

Rectangle tile_of(std::size_t slot, Grid grid, std::uint32_t width, std::uint32_t height) {
  if (grid.columns == 0 || slot / grid.columns >= grid.rows) return {};
  const auto row = static_cast<std::uint32_t>(slot / grid.columns);
  const auto column = static_cast<std::uint32_t>(slot % grid.columns);
  Rectangle tile;
  tile.x = cut(column, grid.columns, width);
  tile.y = cut(row, grid.rows, height);
  tile.width = cut(column + 1, grid.columns, width) - tile.x;
  tile.height = cut(row + 1, grid.rows, height) - tile.y;
  return tile;
}

}  // namespace lockstep
