// SPDX-License-Identifier: MIT
// Copies pictures. A block copies one run of words of one plane: each thread takes kGatherLoads of them, a block's width
// apart, and has all of them on their way before it writes the first.
#pragma once

#include "device.h"
#include "parameters.h"

namespace lockstep::kernels {

LOCKSTEP_DEVICE std::uint32_t divide(std::uint32_t value, Divisor by) {
  return high_product(2 * value, by.multiplier) >> by.shift;
}

/// Where a word lies within a plane.
struct WordPlace {
  std::uint32_t row;
  std::uint32_t column;  ///< In words.
};

LOCKSTEP_DEVICE WordPlace place_of(const GatherPlane& plane, std::uint32_t word) {
  const std::uint32_t row = divide(word, plane.row_of_word);
  return {row, word - row * plane.words_per_row};
}

// Where a word is read: those behind the last are that one again, so that no read waits for a comparison.
LOCKSTEP_DEVICE WordPlace source_of(const GatherPlane& plane, std::uint32_t word) {
  return place_of(plane, least(word, plane.num_words - 1));
}

template <typename Word>
LOCKSTEP_DEVICE void copy_words(const GatherPlane& plane, Address from, Address to,
                                std::uint32_t first) {
  Word words[kGatherLoads];
  LOCKSTEP_UNROLL
  for (unsigned i = 0; i < kGatherLoads; ++i) {
    const WordPlace at = source_of(plane, first + i * kThreads);
    words[i] =
        load<Word>(from + std::uint64_t{at.row} * plane.from_stride + at.column * sizeof(Word));
  }
  LOCKSTEP_UNROLL
  for (unsigned i = 0; i < kGatherLoads; ++i) {
    const std::uint32_t word = first + i * kThreads;
    const WordPlace at = place_of(plane, word);
    if (word < plane.num_words)
      store<Word>(to + std::uint64_t{at.row} * plane.to_stride + at.column * sizeof(Word),
                  words[i]);
  }
}

// Rows that end within a word.
template <typename Word>
LOCKSTEP_DEVICE void copy_ragged(const GatherPlane& plane, Address from, Address to,
                                 std::uint32_t first) {
  Word words[kGatherLoads] = {};
  LOCKSTEP_UNROLL
  for (unsigned i = 0; i < kGatherLoads; ++i) {
    const std::uint32_t word = first + i * kThreads;
    const WordPlace at = place_of(plane, word);
    const Address source = from + std::uint64_t{at.row} * plane.from_stride;
    const std::uint32_t begin = at.column * static_cast<std::uint32_t>(sizeof(Word));
    if (word >= plane.num_words) continue;
    if (begin + sizeof(Word) <= plane.row_bytes) {
      words[i] = load<Word>(source + begin);
    } else {
      const Address target = to + std::uint64_t{at.row} * plane.to_stride;
      for (std::uint32_t byte = begin; byte < plane.row_bytes; ++byte)
        store(target + byte, load<std::uint8_t>(source + byte));
    }
  }
  LOCKSTEP_UNROLL
  for (unsigned i = 0; i < kGatherLoads; ++i) {
    const std::uint32_t word = first + i * kThreads;
    const WordPlace at = place_of(plane, word);
    const std::uint32_t begin = at.column * static_cast<std::uint32_t>(sizeof(Word));
    if (word < plane.num_words && begin + sizeof(Word) <= plane.row_bytes)
      store<Word>(to + std::uint64_t{at.row} * plane.to_stride + begin, words[i]);
  }
}

// 4 bytes of a row, from the byte 4 x `column` on, of a texture whose elements have 1 to 8 bytes.
LOCKSTEP_DEVICE std::uint32_t fetch_bytes(const GatherPlane& plane, Address texture,
                                          std::uint32_t column, std::uint32_t row) {
  const unsigned bits = plane.sample_bytes * 8u;
  const unsigned element_bytes = plane.channels * plane.sample_bytes;
  if (element_bytes == 8) {  // four channels of 16 bits
    const Texel texel = fetch(texture, column / 2, row);
    return column % 2 == 0 ? texel.x | texel.y << 16 : texel.z | texel.w << 16;
  }
  std::uint32_t bytes = 0;
  for (unsigned done = 0; done < 4; done += element_bytes) {
    const Texel texel = fetch(texture, (column * 4 + done) / element_bytes, row);
    std::uint32_t element = texel.x;
    if (plane.channels >= 2) element |= texel.y << bits;
    if (plane.channels == 4) element |= texel.z << 16 | texel.w << 24;
    bytes |= element << done * 8;
  }
  return bytes;
}

LOCKSTEP_DEVICE void copy_array(const GatherPlane& plane, Address texture, Address to,
                                std::uint32_t first) {
  std::uint32_t words[kGatherLoads];
  LOCKSTEP_UNROLL
  for (unsigned i = 0; i < kGatherLoads; ++i) {
    const WordPlace at = source_of(plane, first + i * kThreads);
    words[i] = fetch_bytes(plane, texture, at.column, at.row);
  }
  LOCKSTEP_UNROLL
  for (unsigned i = 0; i < kGatherLoads; ++i) {
    const std::uint32_t word = first + i * kThreads;
    const WordPlace at = place_of(plane, word);
    if (word >= plane.num_words) continue;
    const Address target = to + std::uint64_t{at.row} * plane.to_stride + at.column * 4u;
    const std::uint32_t left = plane.row_bytes - at.column * 4;
    if (plane.copy == GatherCopy::array4 && left >= 4) {
      store(target, words[i]);
    } else {
      for (unsigned byte = 0; byte < 4 && byte < left; ++byte)
        store(target + byte, static_cast<std::uint8_t>(words[i] >> byte * 8));
    }
  }
}

LOCKSTEP_DEVICE void gather_block(const GatherKind& kind, const std::uint64_t (&from)[kMaxPlanes],
                                  const std::uint64_t (&to)[kMaxPlanes], unsigned block,
                                  unsigned thread) {
  // Planes that there are not begin behind all blocks.
  const unsigned p = (block >= kind.planes[1].first_block) + (block >= kind.planes[2].first_block);
  const GatherPlane plane = kind.planes[p];
  const std::uint32_t first = (block - plane.first_block) * (kThreads * kGatherLoads) + thread;
  switch (plane.copy) {
    case GatherCopy::words16:
      return copy_words<Word16>(plane, from[p], to[p], first);
    case GatherCopy::ragged16:
      return copy_ragged<Word16>(plane, from[p], to[p], first);
    case GatherCopy::ragged4:
      return copy_ragged<std::uint32_t>(plane, from[p], to[p], first);
    case GatherCopy::bytes:
      return copy_words<std::uint8_t>(plane, from[p], to[p], first);
    case GatherCopy::array4:
    case GatherCopy::array_bytes:
      return copy_array(plane, from[p], to[p], first);
    case GatherCopy::none:
      return;
  }
}

/// \shape  grid: blocks of a picture (any number, each takes every so many) x pictures.
LOCKSTEP_DEVICE void gather(const GatherParameters& parameters, const Thread& thread) {
  const unsigned picture = thread.block_y;
  const GatherKind& kind = parameters.kinds[parameters.kind_of[picture]];
  for (unsigned block = thread.block_x; block < kind.num_blocks; block += thread.grid_x)
    gather_block(kind, parameters.from[picture], parameters.to[picture], block, thread.index);
}

}  // namespace lockstep::kernels
