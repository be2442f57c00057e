// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "lockstep/export.h"
#include "lockstep/result.h"

namespace lockstep {

/// How many tiles a mosaic has each way.
struct Grid {
  std::uint32_t rows = 0;
  std::uint32_t columns = 0;

  friend bool operator==(const Grid&, const Grid&) = default;
};

/// A part of a picture. \units pixels from the picture's upper left.
struct Rectangle {
  std::uint32_t x = 0;
  std::uint32_t y = 0;
  std::uint32_t width = 0;
  std::uint32_t height = 0;

  friend bool operator==(const Rectangle&, const Rectangle&) = default;
};

/// Most slots that a mosaic is laid out for.
inline constexpr std::size_t kMaxTiles = 65536;

/// The grid for that many slots: `wanted`, where what is 0 is chosen so that it is as square as
/// possible, wider rather than higher.
///
/// \errors  invalid_argument  no slot, more than kMaxTiles, or fewer tiles wanted than there are slots.
LOCKSTEP_API Result<Grid> grid_for(std::size_t num_slots, Grid wanted = {});

/// Where slot `slot` lies in a mosaic of that size: row by row, from the upper left.
///
/// The tiles cover the picture without gap or overlap. They meet at even pixels, so that no chroma
/// sample belongs to two of them; where the size does not divide they differ by two pixels at
/// most, and the last takes what is odd.
///
/// \shape   empty where the picture is smaller than two pixels a tile, and for a slot that the grid does not have.
LOCKSTEP_API Rectangle tile_of(std::size_t slot, Grid grid, std::uint32_t width,
                               std::uint32_t height);

}  // namespace lockstep
