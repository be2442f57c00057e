// SPDX-License-Identifier: MIT
// Mosaics. A thread makes two by two pixels of a tile, with the chroma that they share.
#pragma once

#include "device.h"
#include "parameters.h"
#include "sampling.h"

namespace lockstep::kernels {

template <typename Word>
LOCKSTEP_DEVICE void store_word(Address to, std::uint32_t word, bool is_aligned) {
  if (sizeof(Word) == 1 || is_aligned) {
    store<Word>(to, static_cast<Word>(word));
  } else {
    LOCKSTEP_UNROLL
    for (unsigned i = 0; i < sizeof(Word); ++i)
      store<std::uint8_t>(to + i, static_cast<std::uint8_t>(word >> i * 8));
  }
}

// As it is stored.
template <typename Sample>
LOCKSTEP_DEVICE std::uint32_t stored(float sample) {
  return sizeof(Sample) == 2 ? rounded(sample * (1.0f / 64)) << 6 : rounded(sample);
}

template <typename Sample>
LOCKSTEP_DEVICE void store_samples(Address to, float first, float second, bool is_aligned) {
  const std::uint32_t a = stored<Sample>(first);
  const std::uint32_t b = stored<Sample>(second);
  if constexpr (sizeof(Sample) == 2)
    store_word<std::uint32_t>(to, a | b << 16, is_aligned);
  else
    store_word<std::uint16_t>(to, a | b << 8, is_aligned);
}

template <typename Reader>
LOCKSTEP_DEVICE void tile_luma(const Reader& reader, const TileParameters& to, const TileTask& tile,
                               int x, int y) {
  using Sample = typename Reader::Sample;
  const Between left = between(x, tile.across, tile.across.from, 1);
  const Between right = between(x + 1, tile.across, tile.across.from, 1);
  LOCKSTEP_UNROLL
  for (int i = 0; i < 2; ++i) {
    if (y + i >= tile.down.to) return;
    const Between down = between(y + i, tile.down, tile.down.from, 1);
    const Address at = to.to[0] + static_cast<std::uint64_t>(tile.y + y + i) * to.to_strides[0] +
                       static_cast<unsigned>(tile.x + x) * sizeof(Sample);
    const float first = luma_at(reader, left, down);
    if (x + 1 < tile.across.to)
      store_samples<Sample>(at, first, luma_at(reader, right, down), to.to_is_aligned);
    else
      store_word<Sample>(at, stored<Sample>(first), to.to_is_aligned);
  }
}

template <typename Reader>
LOCKSTEP_DEVICE void tile_chroma(const Reader& reader, const TileParameters& to,
                                 const TileTask& tile, int x, int y) {
  using Sample = typename Reader::Sample;
  // Both sides have half as many samples, so that they stand to each other as luma does.
  const Between across = between(x / 2, tile.across, (tile.across.from + 1) / 2, 1);
  const Between down = between(y / 2, tile.down, (tile.down.from + 1) / 2, 1);
  const Chroma chroma = chroma_at(reader, across, down);
  store_samples<Sample>(to.to[1] + static_cast<std::uint64_t>((tile.y + y) / 2) * to.to_strides[1] +
                            static_cast<unsigned>(tile.x + x) * sizeof(Sample),
                        chroma.u, chroma.v, to.to_is_aligned);
}

template <typename Reader>
LOCKSTEP_DEVICE void tile_yuv(const Reader& reader, const TileParameters& to, const TileTask& tile,
                              int x, int y) {
  tile_luma(reader, to, tile, x, y);
  tile_chroma(reader, to, tile, x, y);
}

LOCKSTEP_DEVICE void store_pixel(const TileParameters& to, const TileTask& tile, int x, int y,
                                 std::uint32_t pixel) {
  store_word<std::uint32_t>(to.to[0] + static_cast<std::uint64_t>(tile.y + y) * to.to_strides[0] +
                                static_cast<unsigned>(tile.x + x) * 4u,
                            pixel, to.to_is_aligned);
}

template <typename Reader>
LOCKSTEP_DEVICE void tile_rgba(const Reader& reader, const TileParameters& to, const TileTask& tile,
                               int x, int y) {
  const Conversion& by = to.conversions[Reader::kTenBits];
  LOCKSTEP_LOOP
  for (int i = 0; i < 4; ++i) {
    const int column = x + i % 2;
    const int row = y + i / 2;
    if (column >= tile.across.to || row >= tile.down.to) continue;
    const Rgb rgb = rgb_at(reader, pixel_axis(column, tile.across), pixel_axis(row, tile.down), by);
    store_pixel(to, tile, column, row,
                byte_of(rgb.c[0] * 255.0f) | byte_of(rgb.c[1] * 255.0f) << 8 |
                    byte_of(rgb.c[2] * 255.0f) << 16 | 0xff000000u);
  }
}

template <typename Reader>
LOCKSTEP_DEVICE void tile_four_bytes(const Reader& reader, const TileParameters& to,
                                     const TileTask& tile, int x, int y) {
  LOCKSTEP_LOOP
  for (int i = 0; i < 4; ++i) {
    const int column = x + i % 2;
    const int row = y + i / 2;
    if (column >= tile.across.to || row >= tile.down.to) continue;
    const Between across = between(column, tile.across, tile.across.from, 1);
    const Between down = between(row, tile.down, tile.down.from, 1);
    const auto first = reader.row(0, down.first);
    const auto second = reader.row(0, down.second);
    const std::uint32_t a = reader.pixel(first, across.first);
    const std::uint32_t b = reader.pixel(first, across.second);
    const std::uint32_t c = reader.pixel(second, across.first);
    const std::uint32_t d = reader.pixel(second, across.second);
    std::uint32_t pixel = 0;
    LOCKSTEP_UNROLL
    for (int shift = 0; shift < 32; shift += 8) {
      const float top =
          blend(float_of(a >> shift & 0xff), float_of(b >> shift & 0xff), across.weight);
      const float bottom =
          blend(float_of(c >> shift & 0xff), float_of(d >> shift & 0xff), across.weight);
      pixel |= rounded(blend(top, bottom, down.weight)) << shift;
    }
    store_pixel(to, tile, column, row, pixel);
  }
}

template <typename Reader8, typename Reader10>
LOCKSTEP_DEVICE void tile_by(const Reader8& reader8, const Reader10& reader10,
                             const TileParameters& to, const TileTask& tile, int x, int y) {
  switch (tile.kind) {
    case TileKind::nv12:
      return tile_yuv(reader8, to, tile, x, y);
    case TileKind::p010:
      return tile_yuv(reader10, to, tile, x, y);
    case TileKind::nv12_to_rgba:
      return tile_rgba(reader8, to, tile, x, y);
    case TileKind::p010_to_rgba:
      return tile_rgba(reader10, to, tile, x, y);
    case TileKind::four_bytes:
      return tile_four_bytes(reader8, to, tile, x, y);
    case TileKind::grey:
      return tile_luma(reader8, to, tile, x, y);
  }
}

template <bool kAligned>
LOCKSTEP_DEVICE void tile_from_memory(const TileParameters& to, const TileTask& tile, int x,
                                      int y) {
  const MemoryReader<std::uint8_t, kAligned> reader8{{tile.from[0], tile.from[1]},
                                                     {tile.from_strides[0], tile.from_strides[1]}};
  const MemoryReader<std::uint16_t, kAligned> reader10{
      {tile.from[0], tile.from[1]}, {tile.from_strides[0], tile.from_strides[1]}};
  tile_by(reader8, reader10, to, tile, x, y);
}

/// \shape  grid: columns x rows of blocks of kTileColumns x kTileRows pixels of the largest tile, x tiles.
LOCKSTEP_DEVICE void tile(const TileParameters& parameters, const Thread& thread) {
  const TileTask& task = parameters.tiles[thread.block_z];
  const int x = static_cast<int>(thread.block_x * kTileColumns + thread.index % 32 * 2);
  const int y = static_cast<int>(thread.block_y * kTileRows + thread.index / 32 * 2);
  if (x >= task.across.to || y >= task.down.to) return;
  switch (task.access) {
    case Access::aligned:
      return tile_from_memory<true>(parameters, task, x, y);
    case Access::unaligned:
      return tile_from_memory<false>(parameters, task, x, y);
    case Access::array:
      return tile_by(ArrayReader<std::uint8_t>{{task.from[0], task.from[1]}},
                     ArrayReader<std::uint16_t>{{task.from[0], task.from[1]}}, parameters, task, x,
                     y);
  }
}

/// \shape  grid: blocks of a row of the widest plane x rows of the highest x planes.
LOCKSTEP_DEVICE void fill(const FillParameters& parameters, const Thread& thread) {
  const FillPlane& plane = parameters.planes[thread.block_z];
  if (thread.block_y >= plane.rows) return;
  const Address row = plane.to + static_cast<std::uint64_t>(thread.block_y) * plane.stride;
  // Words at addresses that are whole, the first and the last of them in part.
  const unsigned before = static_cast<unsigned>(row % 4);
  const unsigned begin = thread.block_x * kFillBytes + thread.index * 4;
  if (begin >= before + plane.row_bytes) return;
  std::uint32_t word = 0;
  bool is_whole = true;
  LOCKSTEP_UNROLL
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned byte = begin + i - before;  // beyond any row where it is before the first
    const bool is_inside = begin + i >= before && byte < plane.row_bytes;
    is_whole = is_whole && is_inside;
    if (is_inside) word |= static_cast<std::uint32_t>(plane.bytes[byte % plane.period]) << i * 8;
  }
  const Address at = row - before + begin;
  if (is_whole) return store<std::uint32_t>(at, word);
  LOCKSTEP_UNROLL
  for (unsigned i = 0; i < 4; ++i)
    if (begin + i >= before && begin + i - before < plane.row_bytes)
      store<std::uint8_t>(at + i, static_cast<std::uint8_t>(word >> i * 8));
}

}  // namespace lockstep::kernels
