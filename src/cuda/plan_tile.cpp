// SPDX-License-Identifier: MIT
#include <algorithm>
#include <optional>
#include <string>

#include "cuda/conversion.h"
#include "cuda/plan.h"
#include "cuda/plan_checks.h"
#include "cuda/plan_scale.h"
#include "support/divide_up.h"

namespace lockstep {

using kernels::FillParameters;
using kernels::FillPlane;
using kernels::TileKind;
using kernels::TileParameters;
using kernels::TileTask;

namespace {

std::string place_text(const Rectangle& place) {
  return std::to_string(place.width) + "x" + std::to_string(place.height) + " at " +
         std::to_string(place.x) + "," + std::to_string(place.y);
}

Result<void> check_place(const Rectangle& place, const CudaPicture& picture, bool even_column,
                         bool even_row, const std::string& act) {
  if (std::uint64_t{place.x} + place.width > picture.width ||
      std::uint64_t{place.y} + place.height > picture.height)
    return invalid(act + "its place, " + place_text(place) + ", reaches beyond " +
                   text_of(picture));
  if ((even_column && place.x % 2 != 0) || (even_row && place.y % 2 != 0))
    return invalid(act + "its place, " + place_text(place) + ", begins at an odd pixel");
  return {};
}

std::optional<TileKind> kind_of(PixelFormat from, PixelFormat to) {
  if (from == to) {
    if (from == PixelFormat::nv12) return TileKind::nv12;
    if (from == PixelFormat::p010_10le) return TileKind::p010;
    if (from == PixelFormat::bgrx || from == PixelFormat::rgba) return TileKind::four_bytes;
    if (from == PixelFormat::gray8) return TileKind::grey;
  }
  if (to == PixelFormat::rgba && from == PixelFormat::nv12) return TileKind::nv12_to_rgba;
  if (to == PixelFormat::rgba && from == PixelFormat::p010_10le) return TileKind::p010_to_rgba;
  return std::nullopt;
}

Result<TileTask> plan_one(const TileSource& tile, const CudaPicture& mosaic,
                          const std::string& act) {
  const CudaPicture& picture = tile.source.picture;
  const auto kind = kind_of(picture.pixel_format, mosaic.pixel_format);
  if (!kind)
    return invalid(act + to_string(picture.pixel_format) + " into a mosaic of " +
                   to_string(mosaic.pixel_format));
  if (auto checked = check_source(tile.source, act); !checked) return std::move(checked).error();
  auto access = check_access(tile.source, act);
  if (!access) return std::move(access).error();
  if (auto checked = check_place(tile.place, mosaic, true, true, act); !checked)
    return std::move(checked).error();
  TileTask task{};
  for (std::size_t p = 0; p < 2; ++p) {
    task.from[p] = picture.planes[p];
    task.from_strides[p] = picture.are_arrays ? 0 : static_cast<std::uint32_t>(picture.strides[p]);
  }
  task.across = scale_of(picture.width, tile.place.width);
  task.down = scale_of(picture.height, tile.place.height);
  task.x = static_cast<std::uint16_t>(tile.place.x);
  task.y = static_cast<std::uint16_t>(tile.place.y);
  task.kind = *kind;
  task.access = *access;
  return task;
}

// The bytes that a plane is filled with, and what they stand for.
struct Pattern {
  std::array<std::uint8_t, 4> bytes{};
  unsigned period = 1;
  unsigned columns = 1;  // pixels that one period covers
  unsigned rows = 1;     // pixels that one row covers
};

std::array<Pattern, kMaxPlanes> patterns_of(PixelFormat format, std::array<std::uint8_t, 3> c) {
  switch (format) {
    case PixelFormat::nv12:
      return {{{{c[0]}, 1, 1, 1}, {{c[1], c[2]}, 2, 2, 2}}};
    case PixelFormat::i420:
      return {{{{c[0]}, 1, 1, 1}, {{c[1]}, 1, 2, 2}, {{c[2]}, 1, 2, 2}}};
    case PixelFormat::p010_10le:
      return {{{{0, c[0]}, 2, 1, 1}, {{0, c[1], 0, c[2]}, 4, 2, 2}}};
    case PixelFormat::yuy2:
      return {{{{c[0], c[1], c[0], c[2]}, 4, 2, 1}}};
    case PixelFormat::uyvy:
      return {{{{c[1], c[0], c[2], c[0]}, 4, 2, 1}}};
    case PixelFormat::rgb:
      return {{{{c[0], c[1], c[2]}, 3, 1, 1}}};
    case PixelFormat::rgba:
      return {{{{c[0], c[1], c[2], 255}, 4, 1, 1}}};
    case PixelFormat::bgrx:
      return {{{{c[2], c[1], c[0], 255}, 4, 1, 1}}};
    case PixelFormat::gray8:
      return {{{{c[0]}, 1, 1, 1}}};
  }
  return {};
}

FillPlane fill_plane(const CudaPicture& picture, std::size_t p, const Rectangle& place,
                     const Pattern& pattern) {
  FillPlane plane{};
  const std::size_t stride = picture.strides[p];
  plane.to = picture.planes[p] + place.y / pattern.rows * stride +
             std::size_t{place.x / pattern.columns} * pattern.period;
  plane.stride = static_cast<std::uint32_t>(stride);
  plane.row_bytes = divide_up(place.width, pattern.columns) * pattern.period;
  plane.rows = divide_up(place.height, pattern.rows);
  std::copy(pattern.bytes.begin(), pattern.bytes.end(), plane.bytes);
  plane.period = pattern.period;
  return plane;
}

}  // namespace

Result<Launch<TileParameters>> plan_tile(std::span<const TileSource> tiles,
                                         const CudaPicture& mosaic, ColourMatrix matrix,
                                         ColourRange range) {
  if (auto counted = check_count("tile", "pictures", tiles.size()); !counted)
    return std::move(counted).error();
  if (mosaic.are_arrays) return invalid("tile into CUDA arrays; kernels write to memory only");
  if (auto checked = check_target(mosaic, "tile into a mosaic, "); !checked)
    return std::move(checked).error();
  Launch<TileParameters> launch;
  TileParameters& parameters = launch.parameters;
  unsigned num_tiles = 0;
  for (std::size_t i = 0; i < tiles.size(); ++i) {
    auto task = plan_one(tiles[i], mosaic, "tile picture " + std::to_string(i) + ", ");
    if (!task) return std::move(task).error();
    const Rectangle& place = tiles[i].place;
    if (place.width == 0 || place.height == 0) continue;
    launch.grid[0] = std::max(launch.grid[0], divide_up(place.width, kernels::kTileColumns));
    launch.grid[1] = std::max(launch.grid[1], divide_up(place.height, kernels::kTileRows));
    launch.grid[2] = num_tiles + 1;
    parameters.tiles[num_tiles++] = *task;
  }
  for (std::size_t p = 0; p < 2; ++p) {
    parameters.to[p] = mosaic.planes[p];
    parameters.to_strides[p] = static_cast<std::uint32_t>(mosaic.strides[p]);
  }
  parameters.conversions[0] = conversion(matrix, range, false);
  parameters.conversions[1] = conversion(matrix, range, true);
  parameters.to_is_aligned = pairs_are_aligned(mosaic);
  return launch;
}

Result<Launch<FillParameters>> plan_fill(const CudaPicture& picture, const Rectangle& place,
                                         std::array<std::uint8_t, 3> colour) {
  const std::string act = "fill a part of a picture, ";
  if (picture.are_arrays) return invalid(act + "in CUDA arrays; kernels write to memory only");
  auto shape = check_target(picture, act);
  if (!shape) return std::move(shape).error();
  const auto patterns = patterns_of(picture.pixel_format, colour);
  // The widest and highest samples are those of the last plane.
  const Pattern& coarsest = patterns[shape->num_planes - 1];
  if (auto checked = check_place(place, picture, coarsest.columns == 2, coarsest.rows == 2, act);
      !checked)
    return std::move(checked).error();
  Launch<FillParameters> launch;
  if (place.width == 0 || place.height == 0) return launch;
  for (std::size_t p = 0; p < shape->num_planes; ++p) {
    const FillPlane plane = fill_plane(picture, p, place, patterns[p]);
    launch.parameters.planes[p] = plane;
    // A row may begin within a word.
    launch.grid[0] = std::max(launch.grid[0], divide_up(plane.row_bytes + 3, kernels::kFillBytes));
    launch.grid[1] = std::max(launch.grid[1], plane.rows);
  }
  launch.grid[2] = static_cast<unsigned>(shape->num_planes);
  return launch;
}

}  // namespace lockstep
