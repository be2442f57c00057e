// SPDX-License-Identifier: MIT
// Tensors of frames, in one pass. A thread makes two pixels side by side of each of a few rows: what its columns take of
// the frame is reckoned once, and both values of a channel are written by one store, so that a warp writes whole lines.
#pragma once

#include "device.h"
#include "parameters.h"
#include "sampling.h"

namespace lockstep::kernels {

/// As TensorType and TensorOrder; the compiler of kernels does not see those.
enum class Element : std::uint8_t { byte, half, single };
enum class Order : std::uint8_t { planar, packed };

template <Element kElement>
inline constexpr unsigned kBytesOf = kElement == Element::byte
                                         ? 1
                                         : (kElement == Element::half ? 2 : 4);

template <Element kElement>
LOCKSTEP_DEVICE void store_element(Address to, float value) {
  if constexpr (kElement == Element::byte)
    store<std::uint8_t>(to, static_cast<std::uint8_t>(byte_of(value)));
  else if constexpr (kElement == Element::half)
    store<std::uint16_t>(to, half_of(value));
  else
    store<std::uint32_t>(to, bits_of(value));
}

/// Two that follow each other, aligned together.
template <Element kElement>
LOCKSTEP_DEVICE void store_pair(Address to, float first, float second) {
  if constexpr (kElement == Element::byte)
    store<std::uint16_t>(to, static_cast<std::uint16_t>(byte_of(first) | byte_of(second) << 8));
  else if constexpr (kElement == Element::half)
    store<std::uint32_t>(to, halves_of(first, second));
  else
    store_two(to, first, second);
}

/// Two pixels side by side, as the tensor holds them.
struct PixelPair {
  float c[2][3];
};

/// The tensor as a place to write to.
template <Element kElement, Order kOrder>
struct Output {
  const TensorParameters& to;
  unsigned frame;

  LOCKSTEP_DEVICE void write(int x, int y, const PixelPair& pair) const {
    constexpr unsigned kBytes = kBytesOf<kElement>;
    const std::uint64_t rows =
        std::uint64_t{frame} * (kOrder == Order::planar ? 3 : 1) * to.height +
        static_cast<unsigned>(y);
    const std::uint64_t pixel = rows * to.width + static_cast<unsigned>(x);
    const Address at = to.tensor + pixel * (kOrder == Order::planar ? kBytes : 3 * kBytes);
    if (to.has_pairs)
      write_pairs(at, pair);
    else
      write_single(at, pair, static_cast<unsigned>(x) + 1 < to.width);
  }

 private:
  LOCKSTEP_DEVICE std::uint64_t plane_bytes() const {
    return std::uint64_t{to.width} * to.height * kBytesOf<kElement>;
  }

  LOCKSTEP_DEVICE void write_pairs(Address at, const PixelPair& pair) const {
    if constexpr (kOrder == Order::planar) {
      LOCKSTEP_UNROLL
      for (int c = 0; c < 3; ++c)
        store_pair<kElement>(at + c * plane_bytes(), pair.c[0][c], pair.c[1][c]);
    } else {
      constexpr unsigned kBytes = kBytesOf<kElement>;
      store_pair<kElement>(at, pair.c[0][0], pair.c[0][1]);
      store_pair<kElement>(at + 2 * kBytes, pair.c[0][2], pair.c[1][0]);
      store_pair<kElement>(at + 4 * kBytes, pair.c[1][1], pair.c[1][2]);
    }
  }

  LOCKSTEP_DEVICE void write_single(Address at, const PixelPair& pair, bool both) const {
    constexpr unsigned kBytes = kBytesOf<kElement>;
    LOCKSTEP_UNROLL
    for (int c = 0; c < 3; ++c) {
      const Address first = at + c * (kOrder == Order::planar ? plane_bytes() : kBytes);
      store_element<kElement>(first, pair.c[0][c]);
      if (both)
        store_element<kElement>(first + (kOrder == Order::planar ? kBytes : 3 * kBytes),
                                pair.c[1][c]);
    }
  }
};

/// The same for a type and an order that are told at run time.
struct AnyOutput {
  const TensorParameters& to;
  unsigned frame;

  template <Element kElement>
  LOCKSTEP_DEVICE void write_ordered(int x, int y, const PixelPair& pair) const {
    if (to.order == static_cast<std::uint8_t>(Order::planar))
      Output<kElement, Order::planar>{to, frame}.write(x, y, pair);
    else
      Output<kElement, Order::packed>{to, frame}.write(x, y, pair);
  }
  LOCKSTEP_DEVICE void write(int x, int y, const PixelPair& pair) const {
    if (to.type == static_cast<std::uint8_t>(Element::byte))
      write_ordered<Element::byte>(x, y, pair);
    else if (to.type == static_cast<std::uint8_t>(Element::half))
      write_ordered<Element::half>(x, y, pair);
    else
      write_ordered<Element::single>(x, y, pair);
  }
};

/// One column of a frame's content; of what is beside it, the nearest.
struct Column {
  PixelAxis axis;
  bool is_content;
};

LOCKSTEP_DEVICE Column column_at(int x, const TensorFrame& frame) {
  const int position = x - frame.x;
  const int last = frame.across.to - 1;
  const int nearest = position < 0 ? 0 : (position > last ? last : position);
  return {pixel_axis(nearest, frame.across), position == nearest};
}

template <typename Reader>
LOCKSTEP_DEVICE void tensor_pixel(const TensorParameters& to, const Reader& reader,
                                  const Column& column, const PixelAxis& row, float (&out)[3]) {
  const Rgb rgb = rgb_at(reader, column.axis, row, to.conversions[Reader::kTenBits]);
  LOCKSTEP_UNROLL
  for (int c = 0; c < 3; ++c)
    out[c] = column.is_content ? multiply_add(rgb.c[c], to.gain[c], to.offset[c]) : to.bar[c];
}

template <int kRows, typename Reader, typename Out>
LOCKSTEP_DEVICE void tensor_rows(const TensorParameters& to, const TensorFrame& frame,
                                 const Reader& reader, const Out& out, int x, int first_row) {
  const Column left = column_at(x, frame);
  const Column right = column_at(x + 1, frame);
  LOCKSTEP_UNROLL
  for (int i = 0; i < kRows; ++i) {
    const int y = first_row + i;
    if (y >= static_cast<int>(to.height)) return;
    const int position = y - frame.y;
    PixelPair pair;
    if (position >= 0 && position < frame.down.to && (left.is_content || right.is_content)) {
      const PixelAxis row = pixel_axis(position, frame.down);
      tensor_pixel(to, reader, left, row, pair.c[0]);
      tensor_pixel(to, reader, right, row, pair.c[1]);
    } else {
      LOCKSTEP_UNROLL
      for (int c = 0; c < 3; ++c) pair.c[0][c] = pair.c[1][c] = to.bar[c];
    }
    out.write(x, y, pair);
  }
}

template <int kRows, bool kAligned, typename Out>
LOCKSTEP_DEVICE void tensor_from_memory(const TensorParameters& to, const TensorFrame& frame,
                                        const Out& out, int x, int first_row) {
  if (frame.ten_bits)
    tensor_rows<kRows>(to, frame,
                       MemoryReader<std::uint16_t, kAligned>{{frame.from[0], frame.from[1]},
                                                             {frame.strides[0], frame.strides[1]}},
                       out, x, first_row);
  else
    tensor_rows<kRows>(to, frame,
                       MemoryReader<std::uint8_t, kAligned>{{frame.from[0], frame.from[1]},
                                                            {frame.strides[0], frame.strides[1]}},
                       out, x, first_row);
}

template <int kRows, typename Out>
LOCKSTEP_DEVICE void tensor_from_array(const TensorParameters& to, const TensorFrame& frame,
                                       const Out& out, int x, int first_row) {
  if (frame.ten_bits)
    tensor_rows<kRows>(to, frame, ArrayReader<std::uint16_t>{{frame.from[0], frame.from[1]}}, out,
                       x, first_row);
  else
    tensor_rows<kRows>(to, frame, ArrayReader<std::uint8_t>{{frame.from[0], frame.from[1]}}, out, x,
                       first_row);
}

/// Where the thread's pixels begin, and whether there are any.
///
/// \shape  grid: columns of blocks of kTensorColumns pixels x rows of kTensorWarps x kRows x frames.
struct TensorPlace {
  int x;
  int y;
  bool is_inside;
};

template <int kRows>
LOCKSTEP_DEVICE TensorPlace tensor_place(const TensorParameters& to, const Thread& thread) {
  const unsigned x = thread.block_x * kTensorColumns + thread.index % 32 * 2;
  const unsigned y = (thread.block_y * kTensorWarps + thread.index / 32) * kRows;
  return {static_cast<int>(x), static_cast<int>(y), x < to.width && y < to.height};
}

/// For frames that are all aligned, or arrays.
template <int kRows, typename Out>
LOCKSTEP_DEVICE void tensor(const TensorParameters& to, const Thread& thread) {
  const TensorPlace place = tensor_place<kRows>(to, thread);
  if (!place.is_inside) return;
  const TensorFrame& frame = to.frames[thread.block_z];
  const Out out{to, thread.block_z};
  if (frame.access == Access::array)
    tensor_from_array<kRows>(to, frame, out, place.x, place.y);
  else
    tensor_from_memory<kRows, true>(to, frame, out, place.x, place.y);
}

/// For any frames. Slower.
LOCKSTEP_DEVICE void tensor_of_any(const TensorParameters& to, const Thread& thread) {
  const TensorPlace place = tensor_place<1>(to, thread);
  if (!place.is_inside) return;
  const TensorFrame& frame = to.frames[thread.block_z];
  const AnyOutput out{to, thread.block_z};
  if (frame.access == Access::array)
    tensor_from_array<1>(to, frame, out, place.x, place.y);
  else
    tensor_from_memory<1, false>(to, frame, out, place.x, place.y);
}

}  // namespace lockstep::kernels
