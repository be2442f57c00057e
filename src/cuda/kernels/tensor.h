// SPDX-License-Identifier: MIT
// Tensors of frames, in one pass. A thread makes two pixels side by side of each of a few rows: both values of a channel are
// written by one store, so that a warp writes whole lines. What bounds it is not memory but the number of instructions: what
// columns and rows take of a frame is therefore computed once for a block.
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

/// Where columns and rows of the tensor lie in a frame, as a thread computes it by itself. Beside the frame's content it is
/// the nearest of that.
struct OwnAxes {
  const TensorFrame& frame;

  LOCKSTEP_DEVICE PixelAxis column(int x) const { return axis(x - frame.x, frame.across); }
  LOCKSTEP_DEVICE PixelAxis row(int y) const { return axis(y - frame.y, frame.down); }

 private:
  LOCKSTEP_DEVICE static PixelAxis axis(int position, Scale scale) {
    const int last = scale.to - 1;
    return pixel_axis(position < 0 ? 0 : (position > last ? last : position), scale);
  }
};

/// The same for a block, each computed once: the threads of the block share it. The second sample of a column lies right
/// behind its first, so that both have one address; rows are offsets.
///
/// \shape  frames of at least kMinSharedWidth pixels a row, and planes of less than 4 GiB.
template <int kRows>
struct SharedAxes {
  // Two columns side by side.
  struct alignas(16) Columns {
    std::uint32_t first[2];
    float weight[2];

    LOCKSTEP_DEVICE void set(unsigned index, const Between& at, int limit) {
      const bool is_last = at.first == limit - 1;
      first[index] = static_cast<std::uint32_t>(is_last ? at.first - 1 : at.first);
      weight[index] = is_last ? 1.0f : (at.second == at.first ? 0.0f : at.weight);
    }
  };
  struct alignas(16) Row {
    std::uint32_t luma[2];
    std::uint32_t chroma[2];
  };
  struct alignas(8) RowWeights {
    float luma;
    float chroma;
  };

  Columns luma[kTensorColumns / 2];
  Columns chroma[kTensorColumns / 2];
  Row rows[kTensorWarps * kRows];
  RowWeights row_weights[kTensorWarps * kRows];

  /// To be called by every thread of the block before any reads.
  LOCKSTEP_DEVICE void compute(const TensorParameters& to, const Thread& thread) {
    const TensorFrame& frame = to.frames[thread.block_z];
    const int first_x = static_cast<int>(thread.block_x * kTensorColumns);
    const int first_y = static_cast<int>(thread.block_y * kTensorWarps * kRows);
    const bool has_content = first_x + static_cast<int>(kTensorColumns) > frame.x &&
                             first_x < frame.x + frame.across.to &&
                             first_y + static_cast<int>(kTensorWarps * kRows) > frame.y &&
                             first_y < frame.y + frame.down.to;
    if (!has_content) return;
    const OwnAxes own{frame};
    const unsigned row = thread.index - kTensorColumns;
    if (thread.index < kTensorColumns) {
      const PixelAxis axis = own.column(first_x + static_cast<int>(thread.index));
      luma[thread.index / 2].set(thread.index % 2, axis.luma, frame.across.from);
      chroma[thread.index / 2].set(thread.index % 2, axis.chroma, (frame.across.from + 1) / 2);
    } else if (row < kTensorWarps * kRows) {
      const PixelAxis axis = own.row(first_y + static_cast<int>(row));
      rows[row] = {
          {offset_of(axis.luma.first, frame, 0), offset_of(axis.luma.second, frame, 0)},
          {offset_of(axis.chroma.first, frame, 1), offset_of(axis.chroma.second, frame, 1)}};
      row_weights[row] = {axis.luma.weight, axis.chroma.weight};
    }
  }

 private:
  LOCKSTEP_DEVICE static std::uint32_t offset_of(int row, const TensorFrame& frame, int plane) {
    return static_cast<std::uint32_t>(row) *
           (frame.access == Access::array ? 1u : frame.strides[plane]);
  }
};

LOCKSTEP_DEVICE bool is_within(int position, int begin, int count) {
  return position >= begin && position < begin + count;
}

LOCKSTEP_DEVICE void set_pixel(const TensorParameters& to, bool is_content, const Rgb& rgb,
                               float (&out)[3]) {
  LOCKSTEP_UNROLL
  for (int c = 0; c < 3; ++c)
    out[c] = is_content ? multiply_add(rgb.c[c], to.gain[c], to.offset[c]) : to.bar[c];
}

LOCKSTEP_DEVICE void set_bars(const TensorParameters& to, PixelPair& pair) {
  LOCKSTEP_UNROLL
  for (int c = 0; c < 3; ++c) pair.c[0][c] = pair.c[1][c] = to.bar[c];
}

/// Rows of a pair of columns, whose places are in `axes`.
template <int kRows, typename Reader, typename Out>
LOCKSTEP_DEVICE void tensor_rows(const TensorParameters& to, const TensorFrame& frame,
                                 const Reader& reader, const SharedAxes<kRows>& axes,
                                 const Out& out, int x, int first_row) {
  const bool is_content[2] = {is_within(x, frame.x, frame.across.to),
                              is_within(x + 1, frame.x, frame.across.to)};
  const unsigned column = static_cast<unsigned>(x) % kTensorColumns / 2;
  const auto luma_columns = axes.luma[column];
  const auto chroma_columns = axes.chroma[column];
  LOCKSTEP_UNROLL
  for (int i = 0; i < kRows; ++i) {
    const int y = first_row + i;
    if (y >= static_cast<int>(to.height)) return;
    PixelPair pair;
    if ((is_content[0] || is_content[1]) && is_within(y, frame.y, frame.down.to)) {
      const unsigned index = static_cast<unsigned>(y) % (kTensorWarps * kRows);
      const auto row = axes.rows[index];
      const auto weights = axes.row_weights[index];
      const auto luma_first = reader.row_at(0, row.luma[0]);
      const auto luma_second = reader.row_at(0, row.luma[1]);
      const auto chroma_first = reader.row_at(1, row.chroma[0]);
      const auto chroma_second = reader.row_at(1, row.chroma[1]);
      LOCKSTEP_UNROLL
      for (int k = 0; k < 2; ++k) {
        const float luma = luma_between(reader, luma_first, luma_second, luma_columns.first[k],
                                        luma_columns.weight[k], weights.luma);
        const Chroma chroma =
            chroma_between(reader, chroma_first, chroma_second, chroma_columns.first[k],
                           chroma_columns.weight[k], weights.chroma);
        set_pixel(to, is_content[k], rgb_of(luma, chroma, to.conversions[Reader::kTenBits]),
                  pair.c[k]);
      }
    } else {
      set_bars(to, pair);
    }
    out.write(x, y, pair);
  }
}

/// The same row by row, each thread for itself.
template <int kRows, typename Reader, typename Out>
LOCKSTEP_DEVICE void tensor_rows(const TensorParameters& to, const TensorFrame& frame,
                                 const Reader& reader, const OwnAxes& axes, const Out& out, int x,
                                 int first_row) {
  static_assert(kRows == 1);
  const bool is_content[2] = {is_within(x, frame.x, frame.across.to),
                              is_within(x + 1, frame.x, frame.across.to)};
  PixelPair pair;
  if ((is_content[0] || is_content[1]) && is_within(first_row, frame.y, frame.down.to)) {
    const PixelAxis row = axes.row(first_row);
    LOCKSTEP_UNROLL
    for (int k = 0; k < 2; ++k)
      set_pixel(to, is_content[k],
                rgb_at(reader, axes.column(x + k), row, to.conversions[Reader::kTenBits]),
                pair.c[k]);
  } else {
    set_bars(to, pair);
  }
  out.write(x, first_row, pair);
}

template <int kRows, bool kAligned, typename Axes, typename Out>
LOCKSTEP_DEVICE void tensor_from_memory(const TensorParameters& to, const TensorFrame& frame,
                                        const Axes& axes, const Out& out, int x, int first_row) {
  if (frame.ten_bits)
    tensor_rows<kRows>(to, frame,
                       MemoryReader<std::uint16_t, kAligned>{{frame.from[0], frame.from[1]},
                                                             {frame.strides[0], frame.strides[1]}},
                       axes, out, x, first_row);
  else
    tensor_rows<kRows>(to, frame,
                       MemoryReader<std::uint8_t, kAligned>{{frame.from[0], frame.from[1]},
                                                            {frame.strides[0], frame.strides[1]}},
                       axes, out, x, first_row);
}

template <int kRows, typename Axes, typename Out>
LOCKSTEP_DEVICE void tensor_from_array(const TensorParameters& to, const TensorFrame& frame,
                                       const Axes& axes, const Out& out, int x, int first_row) {
  if (frame.ten_bits)
    tensor_rows<kRows>(to, frame, ArrayReader<std::uint16_t>{{frame.from[0], frame.from[1]}}, axes,
                       out, x, first_row);
  else
    tensor_rows<kRows>(to, frame, ArrayReader<std::uint8_t>{{frame.from[0], frame.from[1]}}, axes,
                       out, x, first_row);
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

/// For frames that are all aligned, or arrays, and at least kMinSharedWidth wide.
template <int kRows, typename Out>
LOCKSTEP_DEVICE void tensor(const TensorParameters& to, const Thread& thread,
                            const SharedAxes<kRows>& axes) {
  const TensorPlace place = tensor_place<kRows>(to, thread);
  if (!place.is_inside) return;
  const TensorFrame& frame = to.frames[thread.block_z];
  const Out out{to, thread.block_z};
  if (frame.access == Access::array)
    tensor_from_array<kRows>(to, frame, axes, out, place.x, place.y);
  else
    tensor_from_memory<kRows, true>(to, frame, axes, out, place.x, place.y);
}

/// For any frames. Slower.
LOCKSTEP_DEVICE void tensor_of_any(const TensorParameters& to, const Thread& thread) {
  const TensorPlace place = tensor_place<1>(to, thread);
  if (!place.is_inside) return;
  const TensorFrame& frame = to.frames[thread.block_z];
  const AnyOutput out{to, thread.block_z};
  const OwnAxes axes{frame};
  if (frame.access == Access::array)
    tensor_from_array<1>(to, frame, axes, out, place.x, place.y);
  else
    tensor_from_memory<1, false>(to, frame, axes, out, place.x, place.y);
}

}  // namespace lockstep::kernels
