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

/// Division by a number that is known before, of what is less than 2^31.
struct Divisor {
  std::uint32_t multiplier;  ///< 0: by one.
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

struct GatherParameters {
  std::uint64_t from[kMaxPictures][kMaxPlanes];
  std::uint64_t to[kMaxPictures][kMaxPlanes];
  GatherKind kinds[kMaxGatherKinds];
  std::uint8_t kind_of[kMaxPictures];
};
static_assert(sizeof(GatherParameters) <= kMaxParameterBytes);

}  // namespace lockstep::kernels
