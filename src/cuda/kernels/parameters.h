// SPDX-License-Identifier: MIT
// What kernels are given, by value: at most 4 KiB, which every driver takes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lockstep::kernels {

inline constexpr unsigned kThreads = 256;  ///< Of a block.
inline constexpr unsigned kMaxPictures = 64;
inline constexpr unsigned kMaxPlanes = 3;
inline constexpr std::size_t kMaxParameterBytes = 4096;

/// Division by a number that is known before, of what is less than 2^31: twice that, times the multiplier, of which the
/// upper 32 bits are shifted.
struct Divisor {
  std::uint32_t multiplier;
  std::uint32_t shift;
};

/// How the words of a plane are copied.
enum class GatherCopy : std::uint8_t {
  none,      ///< There is no such plane.
  words16,   ///< All by 16 bytes.
  ragged16,  ///< By 16 bytes, and the end of each row byte by byte.
  ragged4,   ///< By 4 bytes, and the end of each row byte by byte.
  bytes,
  array4,      ///< From a texture, by 4 bytes, and the end of each row byte by byte.
  array_bytes  ///< From a texture, 4 bytes in turn.
};

/// How a plane lies in memory, there and here.
struct GatherPlane {
  std::uint32_t from_stride;
  std::uint32_t to_stride;
  std::uint32_t row_bytes;
  std::uint32_t num_words;  ///< Of all rows.
  std::uint32_t words_per_row;
  Divisor row_of_word;
  std::uint32_t first_block;  ///< Of the picture's blocks.
  GatherCopy copy;
  std::uint8_t channels;      ///< Of a texture: 1, 2 or 4 ...
  std::uint8_t sample_bytes;  ///< ... of 1 or 2 bytes.
  std::uint8_t unused;
};

/// How the planes of a picture lie. Pictures of a batch are mostly alike.
struct GatherKind {
  GatherPlane planes[kMaxPlanes];
  std::uint32_t num_blocks;
};

inline constexpr unsigned kMaxGatherKinds = 8;

/// Words of a thread: 4 of 16 bytes keep an H100 busy (lockstep bench, cuda/gather).
inline constexpr unsigned kGatherLoads = 4;

struct GatherParameters {
  std::uint64_t from[kMaxPictures][kMaxPlanes];
  std::uint64_t to[kMaxPictures][kMaxPlanes];
  GatherKind kinds[kMaxGatherKinds];
  std::uint8_t kind_of[kMaxPictures];
};
static_assert(sizeof(GatherParameters) <= kMaxParameterBytes);

/// Red, green and blue of 0 to 1 by the samples of one depth: of 8 bits, or of 10 at the top of 16.
struct Conversion {
  float luma;
  float u[3];
  float v[3];
  float offset[3];
};

/// How the samples of a picture are read.
enum class Access : std::uint8_t {
  aligned,    ///< Each, and each pair of chroma or pixel of 4 bytes, by one load.
  unaligned,  ///< Byte by byte.
  array,      ///< By textures.
};

/// A scale of an axis: from samples of the one to samples of the other.
struct Scale {
  std::uint16_t from;
  std::uint16_t to;
  float inverse;  ///< Of 2 x `to`.
};

/// What a tile is made of, and what of it.
enum class TileKind : std::uint8_t {
  nv12,
  p010,
  nv12_to_rgba,
  p010_to_rgba,
  four_bytes,  ///< BGRx to BGRx, RGBA to RGBA.
  grey,
};

struct TileTask {
  std::uint64_t from[2];
  std::uint32_t from_strides[2];
  Scale across;
  Scale down;
  std::uint16_t x;  ///< Even, as is y.
  std::uint16_t y;
  TileKind kind;
  Access access;
  std::uint16_t unused;
};

inline constexpr unsigned kTileColumns =
    64;  ///< Pixels of a block each way; a thread has 2 x 2 of them.
inline constexpr unsigned kTileRows = 16;

struct TileParameters {
  TileTask tiles[kMaxPictures];
  std::uint64_t to[2];
  std::uint32_t to_strides[2];
  Conversion conversions[2];  ///< Of 8 bits, and of 10.
  bool to_is_aligned;         ///< Pairs of samples and pixels of 4 bytes are written by one store.
};
static_assert(sizeof(TileParameters) <= kMaxParameterBytes);

/// Rows of a plane that are filled with bytes that repeat.
struct FillPlane {
  std::uint64_t to;
  std::uint32_t stride;
  std::uint32_t row_bytes;
  std::uint32_t rows;
  std::uint8_t bytes[4];
  std::uint32_t period;  ///< How many of them repeat, from the start of each row.
};

inline constexpr unsigned kFillBytes = kThreads * 4;  ///< Of a row, that a block fills.

struct FillParameters {
  FillPlane planes[kMaxPlanes];
};

struct TensorFrame {
  std::uint64_t from[2];
  std::uint32_t strides[2];
  Scale across;  ///< `to` are the content's sides.
  Scale down;
  std::uint16_t x;  ///< Where in the tensor the content begins.
  std::uint16_t y;
  bool ten_bits;
  Access access;
  std::uint16_t unused;
};

inline constexpr unsigned kTensorColumns =
    64;  ///< Pixels of a block; a thread has 2 of them, in each of its rows.
inline constexpr unsigned kTensorWarps = kThreads / 32;
inline constexpr unsigned kTensorRows = 2;  ///< Of a thread, where all frames are aligned.
/// Of frames whose columns a block may share: two samples of chroma a row.
inline constexpr unsigned kMinSharedWidth = 3;

struct TensorParameters {
  TensorFrame frames[kMaxPictures];
  std::uint64_t tensor;
  std::uint32_t width;
  std::uint32_t height;
  Conversion conversions[2];  ///< Of 8 bits, and of 10; to the channels in the tensor's order.
  float gain[3];              ///< From 0 to 1 to what the tensor holds.
  float offset[3];
  float bar[3];  ///< As the tensor holds it.
  std::uint8_t
      type;  ///< TensorType and TensorOrder, for the kernel that is not made for one of them.
  std::uint8_t order;
  bool has_pairs;  ///< The width is even, so that two values in turn are aligned together.
};
static_assert(sizeof(TensorParameters) <= kMaxParameterBytes);

}  // namespace lockstep::kernels
