// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "lockstep/export.h"
#include "lockstep/format.h"

namespace lockstep {

/// What a simulated frame says of itself in its own pixels.
struct PaintedCode {
  std::uint8_t sensor = 0;              ///< 0..63.
  std::uint32_t sequence = 0;           ///< Low 24 bits of the sequence number.
  std::uint64_t captured_us = 0;        ///< Low 40 bits of the capture time. \units microseconds.
  std::uint16_t settings_revision = 0;  ///< Low 12 bits.

  friend bool operator==(const PaintedCode&, const PaintedCode&) = default;
};

/// Black and white cells in the picture's upper left: kCodeColumns x kCodeRows of them. A cell is
/// 1/kCodeWidthInCells of the picture's width and 1/kCodeHeightInCells of its height (square at
/// 16:9), so that the code keeps its place however the picture is scaled, in proportion or not.
///
/// \shape   row-major bits, most significant first, white for 1: 16 fixed cells of a checkerboard
///          that starts white, by which a reader finds black and white; sensor 6, sequence 24,
///          captured 40, revision 12; CRC-30 of those 82 (polynomial 0x2030b9c7, start all ones).
inline constexpr std::size_t kCodeColumns = 16;
inline constexpr std::size_t kCodeRows = 8;
inline constexpr std::size_t kCodeWidthInCells = 60;
inline constexpr std::size_t kCodeHeightInCells = 34;

/// A picture's brightness as rows of bytes. \shape height x width, stride_bytes from row to row,
/// pixel_bytes from pixel to pixel.
struct LumaView {
  std::span<const std::byte> bytes;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::size_t stride_bytes = 0;
  std::size_t pixel_bytes = 1;
};

/// Whether a picture of that size has room for a code: cells of at least two pixels each way.
LOCKSTEP_API bool has_room_for_code(std::uint32_t width, std::uint32_t height);

/// Paints the code into a frame of any of our formats. Does nothing where there is no room.
LOCKSTEP_API void paint_code(const PaintedCode& code, const Format& format, const Layout& layout,
                             std::span<std::byte> frame);

/// Reads the code that fills the picture as paint_code() painted it, scaled and encoded since;
/// nothing if the check sum is wrong or there is no room. Give a tile of a mosaic as a view of its
/// own.
///
/// Encoders smear small cells: up to 3 that came out as doubtful greys are turned over where that
/// makes the check sum right. Cells that are clearly of the wrong colour are not.
LOCKSTEP_API std::optional<PaintedCode> read_code(const LumaView& picture);

/// The brightness of a frame of any of our formats: the luma plane, or the green bytes, or the high
/// bytes.
LOCKSTEP_API LumaView luma_of(const Format& format, const Layout& layout,
                              std::span<const std::byte> frame);

}  // namespace lockstep
