// SPDX-License-Identifier: MIT
// Reading pictures between their pixels: bilinear, with the centres of pixels at halves, edges held.
#pragma once

#include "device.h"
#include "parameters.h"

namespace lockstep::kernels {

/// Two neighbours along an axis, and how much of the second there is. Where there is nothing of it, it is the first.
struct Between {
  int first;
  int second;
  float weight;
};

/// Where the sample `position` of the target lies among `limit` samples of the source. With `halving` 2 the source has half
/// as many samples as its scale says, each in the middle of two: the chroma of a pixel of the target.
///
/// The place is (position + 1/2) * from / to / halving - 1/2, reckoned in whole numbers up to the weight: a float alone
/// would be off by a thousandth of a pixel at the far end of a wide picture.
LOCKSTEP_DEVICE Between between(int position, Scale scale, int limit, int halving) {
  const int numerator = (2 * position + 1) * scale.from - halving * scale.to;
  const int denominator = 2 * halving * scale.to;
  const float inverse = halving == 2 ? scale.inverse * 0.5f : scale.inverse;
  int whole = floor_of(static_cast<float>(numerator) * inverse);
  int rest = numerator - whole * denominator;
  if (rest < 0) {
    --whole;
    rest += denominator;
  } else if (rest >= denominator) {
    ++whole;
    rest -= denominator;
  }
  const int last = limit - 1;
  Between at;
  at.weight = static_cast<float>(rest) * inverse;
  at.first = whole < 0 ? 0 : (whole > last ? last : whole);
  at.second = rest == 0 || whole + 1 > last ? at.first : whole + 1;
  return at;
}

LOCKSTEP_DEVICE float blend(float a, float b, float weight) {
  return multiply_add(weight, b - a, a);
}

/// A whole number below 2^23 as a float: cheaper than a conversion, which GPUs do at a quarter of the rate.
LOCKSTEP_DEVICE float float_of(std::uint32_t value) {
  return float_of_bits(0x4b000000u | value) - 8388608.0f;
}

/// Byte `index` of a word as a float.
LOCKSTEP_DEVICE float float_of_byte(std::uint32_t word, unsigned index) {
  return float_of_bits(byte_below(word, index, 0x4b000000u)) - 8388608.0f;
}

// What counts of a sample. Those of 16 bits hold 10, at the top.
template <typename Sample>
LOCKSTEP_DEVICE float sample_of(std::uint32_t raw) {
  return float_of(sizeof(Sample) == 2 ? raw & 0xffc0u : raw);
}

/// As many bytes, one by one.
template <typename Word>
LOCKSTEP_DEVICE std::uint32_t load_bytes(Address address) {
  std::uint32_t word = 0;
  LOCKSTEP_UNROLL
  for (unsigned i = 0; i < sizeof(Word); ++i)
    word |= static_cast<std::uint32_t>(load<std::uint8_t>(address + i)) << i * 8;
  return word;
}

template <typename Word, bool kAligned>
LOCKSTEP_DEVICE std::uint32_t load_word(Address address) {
  if constexpr (kAligned)
    return load<Word>(address);
  else
    return load_bytes<Word>(address);
}

struct Chroma {
  float u;
  float v;
};

/// Reads a picture of two planes, luma and pairs of chroma, in memory.
template <typename SampleType, bool kAligned>
struct MemoryReader {
  using Sample = SampleType;
  using Row = Address;
  static constexpr bool kTenBits = sizeof(Sample) == 2;

  Address planes[2];
  std::uint32_t strides[2];

  LOCKSTEP_DEVICE Row row(int plane, int y) const {
    return planes[plane] + static_cast<std::uint64_t>(y) * strides[plane];
  }
  /// The row that begins at that byte of the plane.
  LOCKSTEP_DEVICE Row row_at(int plane, std::uint32_t offset) const {
    return planes[plane] + offset;
  }
  LOCKSTEP_DEVICE float luma(Row row, int x) const {
    return sample_of<Sample>(
        load_word<Sample, kAligned>(row + static_cast<unsigned>(x) * sizeof(Sample)));
  }
  LOCKSTEP_DEVICE Chroma chroma(Row row, int x) const {
    const Address at = row + static_cast<unsigned>(x) * (2 * sizeof(Sample));
    if constexpr (kTenBits) {
      const std::uint32_t both = load_word<std::uint32_t, kAligned>(at);
      return {sample_of<Sample>(both), sample_of<Sample>(both >> 16)};
    } else {
      const std::uint32_t both = load_word<std::uint16_t, kAligned>(at);
      return {float_of_byte(both, 0), float_of_byte(both, 1)};
    }
  }
  /// A pixel of 4 bytes, where there is one plane of such.
  LOCKSTEP_DEVICE std::uint32_t pixel(Row row, int x) const {
    return load_word<std::uint32_t, kAligned>(row + static_cast<unsigned>(x) * 4u);
  }
};

/// The same by textures.
template <typename SampleType>
struct ArrayReader {
  using Sample = SampleType;
  struct Row {
    Address texture;
    unsigned y;
  };
  static constexpr bool kTenBits = sizeof(Sample) == 2;

  Address planes[2];

  LOCKSTEP_DEVICE Row row(int plane, int y) const {
    return {planes[plane], static_cast<unsigned>(y)};
  }
  /// Rows of an array are counted.
  LOCKSTEP_DEVICE Row row_at(int plane, std::uint32_t offset) const {
    return {planes[plane], offset};
  }
  LOCKSTEP_DEVICE float luma(Row row, int x) const {
    return sample_of<Sample>(fetch(row.texture, static_cast<unsigned>(x), row.y).x);
  }
  LOCKSTEP_DEVICE Chroma chroma(Row row, int x) const {
    const Texel texel = fetch(row.texture, static_cast<unsigned>(x), row.y);
    return {sample_of<Sample>(texel.x), sample_of<Sample>(texel.y)};
  }
  LOCKSTEP_DEVICE std::uint32_t pixel(Row row, int x) const {
    const Texel texel = fetch(row.texture, static_cast<unsigned>(x), row.y);
    return texel.x | texel.y << 8 | texel.z << 16 | texel.w << 24;
  }
};

template <typename Reader>
LOCKSTEP_DEVICE float luma_at(const Reader& reader, const Between& x, const Between& y) {
  const auto first = reader.row(0, y.first);
  const auto second = reader.row(0, y.second);
  return blend(blend(reader.luma(first, x.first), reader.luma(first, x.second), x.weight),
               blend(reader.luma(second, x.first), reader.luma(second, x.second), x.weight),
               y.weight);
}

LOCKSTEP_DEVICE Chroma blend(Chroma a, Chroma b, float weight) {
  return {blend(a.u, b.u, weight), blend(a.v, b.v, weight)};
}

template <typename Reader>
LOCKSTEP_DEVICE Chroma chroma_at(const Reader& reader, const Between& x, const Between& y) {
  const auto first = reader.row(1, y.first);
  const auto second = reader.row(1, y.second);
  return blend(blend(reader.chroma(first, x.first), reader.chroma(first, x.second), x.weight),
               blend(reader.chroma(second, x.first), reader.chroma(second, x.second), x.weight),
               y.weight);
}

/// Between two rows, and of each between sample `x` and the one behind it.
template <typename Reader>
LOCKSTEP_DEVICE float luma_between(const Reader& reader, typename Reader::Row first,
                                   typename Reader::Row second, std::uint32_t x, float across,
                                   float down) {
  const int left = static_cast<int>(x);
  return blend(blend(reader.luma(first, left), reader.luma(first, left + 1), across),
               blend(reader.luma(second, left), reader.luma(second, left + 1), across), down);
}

template <typename Reader>
LOCKSTEP_DEVICE Chroma chroma_between(const Reader& reader, typename Reader::Row first,
                                      typename Reader::Row second, std::uint32_t x, float across,
                                      float down) {
  const int left = static_cast<int>(x);
  return blend(blend(reader.chroma(first, left), reader.chroma(first, left + 1), across),
               blend(reader.chroma(second, left), reader.chroma(second, left + 1), across), down);
}

/// One axis of a pixel of the target that has both luma and chroma.
struct PixelAxis {
  Between luma;
  Between chroma;
};

LOCKSTEP_DEVICE PixelAxis pixel_axis(int position, Scale scale) {
  return {between(position, scale, scale.from, 1),
          between(position, scale, (scale.from + 1) / 2, 2)};
}

struct Rgb {
  float c[3];  ///< Of 0 to 1.
};

LOCKSTEP_DEVICE Rgb rgb_of(float luma, Chroma chroma, const Conversion& by) {
  Rgb rgb;
  LOCKSTEP_UNROLL
  for (int c = 0; c < 3; ++c)
    rgb.c[c] = saturate(
        multiply_add(chroma.v, by.v[c],
                     multiply_add(chroma.u, by.u[c], multiply_add(luma, by.luma, by.offset[c]))));
  return rgb;
}

template <typename Reader>
LOCKSTEP_DEVICE Rgb rgb_at(const Reader& reader, const PixelAxis& x, const PixelAxis& y,
                           const Conversion& by) {
  return rgb_of(luma_at(reader, x.luma, y.luma), chroma_at(reader, x.chroma, y.chroma), by);
}

}  // namespace lockstep::kernels
