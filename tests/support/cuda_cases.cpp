// SPDX-License-Identifier: MIT
#include "cuda_cases.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>

#include "cuda_reference.h"
#include "lockstep/format.h"
#include "result_testing.h"

namespace lockstep {
namespace {

constexpr std::align_val_t kAlignment{256};
constexpr std::size_t kGap = 64;  // between pictures, and around all

std::size_t round_up(std::size_t value, std::size_t to) { return (value + to - 1) / to * to; }

AlignedBytes complement(const AlignedBytes& bytes) {
  AlignedBytes other(bytes);
  std::transform(bytes.data(), bytes.data() + bytes.size(), other.data(),
                 [](std::byte byte) { return ~byte; });
  return other;
}

// What the twin makes of memory, and which bytes it writes: those that do not depend on what was there.
struct Expected {
  AlignedBytes bytes{0};
  std::vector<bool> is_written;
};

template <typename Work>
Expected expect(const Pictures& target, const Work& work) {
  Pictures one = {AlignedBytes(target.memory), target.pictures, {}};
  Pictures other = {complement(target.memory), target.pictures, {}};
  work(one);
  work(other);
  Expected expected;
  expected.is_written.resize(target.memory.size());
  for (std::size_t i = 0; i < target.memory.size(); ++i)
    expected.is_written[i] = one.memory.data()[i] == other.memory.data()[i];
  expected.bytes = std::move(one.memory);
  return expected;
}

// Whether bytes are the same, but for `tolerance` in what is written. With `bytes_of_ten` those are pairs that hold 10 bits
// at the top, and differ by as much of these.
void expect_same(const AlignedBytes& made, const Expected& expected, int tolerance = 0,
                 const Pictures* ten_bits = nullptr) {
  ASSERT_EQ(made.size(), expected.bytes.size());
  std::size_t num_wrong = 0;
  for (std::size_t i = 0; i < made.size(); ++i) {
    const int is = std::to_integer<int>(made.data()[i]);
    const int wanted = std::to_integer<int>(expected.bytes.data()[i]);
    if (is == wanted) continue;
    if (expected.is_written[i] && (ten_bits || std::abs(is - wanted) <= tolerance)) continue;
    if (++num_wrong <= 5)
      ADD_FAILURE() << "byte " << i << (expected.is_written[i] ? "" : ", which is outside")
                    << " is " << is << ", wanted " << wanted;
  }
  EXPECT_EQ(num_wrong, 0u) << "bytes are wrong";
  if (!ten_bits) return;
  const CudaPicture& picture = ten_bits->pictures[0];
  const Layout shape = *default_layout(picture.pixel_format, picture.width, picture.height);
  for (std::size_t p = 0; p < shape.num_planes; ++p) {
    for (std::size_t y = 0; y < shape.planes[p].rows; ++y) {
      for (std::size_t x = 0; x < shape.planes[p].row_bytes; x += 2) {
        const std::size_t at = picture.planes[p] + y * picture.strides[p] + x;
        if (!expected.is_written[at + 1]) continue;
        const auto value = [&](const AlignedBytes& bytes) {
          return std::to_integer<int>(bytes.data()[at + 1]) * 256 +
                 std::to_integer<int>(bytes.data()[at]);
        };
        if (std::abs(value(made) - value(expected.bytes)) <= tolerance * 64 &&
            value(made) % 64 == 0)
          continue;
        if (++num_wrong <= 5)
          ADD_FAILURE() << "plane " << p << " at " << x / 2 << "," << y << " is " << value(made)
                        << ", wanted " << value(expected.bytes);
      }
    }
  }
  EXPECT_EQ(num_wrong, 0u) << "samples are wrong";
}

std::array<ArrayShape, kMaxPlanes> usual_arrays(const CudaPicture& picture) {
  const Layout shape = *default_layout(picture.pixel_format, picture.width, picture.height);
  std::array<ArrayShape, kMaxPlanes> arrays{};
  for (std::size_t p = 0; p < shape.num_planes; ++p) {
    ArrayShape& array = arrays[p];
    switch (picture.pixel_format) {
      case PixelFormat::nv12:
      case PixelFormat::p010_10le:
        array.channels = p == 0 ? 1 : 2;
        array.sample_bytes = picture.pixel_format == PixelFormat::nv12 ? 1 : 2;
        break;
      case PixelFormat::yuy2:
      case PixelFormat::uyvy:
      case PixelFormat::bgrx:
      case PixelFormat::rgba:
        array.channels = 4;
        break;
      case PixelFormat::i420:
      case PixelFormat::rgb:
      case PixelFormat::gray8:
        break;
    }
    array.width = shape.planes[p].row_bytes / (array.channels * array.sample_bytes);
    array.height = shape.planes[p].rows;
  }
  return arrays;
}

std::string text_of(const char* what, PixelFormat format, std::size_t count, Size size) {
  return std::string(what) + " " + std::to_string(count) + " " + to_string(format) + " " +
         std::to_string(size.width) + "x" + std::to_string(size.height);
}

}  // namespace

AlignedBytes::AlignedBytes(std::size_t size)
    : data_(static_cast<std::byte*>(::operator new(std::max<std::size_t>(size, 1), kAlignment))),
      size_(size) {}

AlignedBytes::AlignedBytes(const AlignedBytes& other) : AlignedBytes(other.size_) {
  std::memcpy(data(), other.data(), size_);
}

void AlignedBytes::Free::operator()(std::byte* data) const { ::operator delete(data, kAlignment); }

std::vector<CudaPicture> Pictures::at(std::uintptr_t begin) const {
  std::vector<CudaPicture> moved = pictures;
  for (CudaPicture& picture : moved)
    for (std::uintptr_t& plane : picture.planes) plane += begin;
  return moved;
}

std::vector<CudaPicture> Pictures::here() const {
  std::vector<CudaPicture> moved = at(reinterpret_cast<std::uintptr_t>(memory.data()));
  for (CudaPicture& picture : moved) picture.are_arrays = false;
  return moved;
}

std::uint32_t CaseMaker::up_to(std::uint32_t most) {
  return std::uniform_int_distribution<std::uint32_t>(0, most)(random_);
}

void CaseMaker::fill_random(AlignedBytes& bytes) {
  std::size_t i = 0;
  for (; i + 4 <= bytes.size(); i += 4) {
    const auto four = static_cast<std::uint32_t>(random_());
    std::memcpy(bytes.data() + i, &four, sizeof four);
  }
  for (; i < bytes.size(); ++i) bytes.data()[i] = static_cast<std::byte>(random_());
}

CudaPicture CaseMaker::place(PixelFormat format, std::uint32_t width, std::uint32_t height, Lie lie,
                             std::size_t& end) {
  if (lie == Lie::any) lie = static_cast<Lie>(up_to(3));
  CudaPicture picture{.pixel_format = format, .width = width, .height = height};
  const Layout shape = *default_layout(format, width, height);
  for (std::size_t p = 0; p < shape.num_planes; ++p) {
    const Plane& plane = shape.planes[p];
    std::size_t begin = end + kGap;
    switch (lie) {
      case Lie::tight:
        begin = round_up(begin, 16);
        picture.strides[p] = plane.row_bytes;
        break;
      case Lie::pitched:
        begin = round_up(begin, 256);
        picture.strides[p] = round_up(plane.row_bytes, 256);
        break;
      case Lie::words:
        begin = round_up(begin, 16) + 4 * (1 + up_to(2));
        picture.strides[p] = round_up(plane.row_bytes, 4) + 4 * up_to(9);
        break;
      case Lie::odd:
      case Lie::any:
        begin = round_up(begin, 16) + 1 + up_to(14);
        picture.strides[p] = plane.row_bytes + up_to(40);
        break;
    }
    picture.planes[p] = begin;
    end = begin + picture.strides[p] * (plane.rows - 1) + plane.row_bytes;
  }
  return picture;
}

Pictures CaseMaker::make(PixelFormat format, std::span<const Size> sizes, Lie lie,
                         unsigned arrays_of_100) {
  Pictures made;
  std::size_t end = 0;
  for (const auto& [width, height] : sizes) {
    made.pictures.push_back(place(format, width, height, lie, end));
    made.pictures.back().are_arrays = up_to(99) < arrays_of_100;
    made.arrays.push_back(usual_arrays(made.pictures.back()));
  }
  // Where nothing comes behind, a sanitizer sees what reaches beyond; else the guard does.
  made.memory = AlignedBytes(end + (up_to(1) == 0 ? 0 : kGap));
  fill_random(made.memory);
  return made;
}

Pictures CaseMaker::make(PixelFormat format, std::size_t count, Size size, Lie lie,
                         unsigned arrays_of_100) {
  return make(format, std::vector<Size>(count, size), lie, arrays_of_100);
}

void CaseMaker::make_arrays_strange(Pictures& pictures) {
  constexpr std::array<std::array<std::uint8_t, 2>, 6> kElements = {
      {{1, 1}, {2, 1}, {4, 1}, {1, 2}, {2, 2}, {4, 2}}};
  for (auto& planes : pictures.arrays) {
    for (ArrayShape& array : planes) {
      const std::size_t row_bytes = array.width * array.channels * array.sample_bytes;
      const auto& [channels, sample_bytes] = kElements[up_to(5)];
      if (row_bytes % (channels * sample_bytes) != 0) continue;
      array.width = row_bytes / (channels * sample_bytes);
      array.channels = channels;
      array.sample_bytes = sample_bytes;
    }
  }
}

Rectangle CaseMaker::part_of(Size size) {
  Rectangle part;
  part.x = up_to(size.width - 1) & ~1u;
  part.y = up_to(size.height - 1) & ~1u;
  part.width = up_to(size.width - part.x);
  part.height = up_to(size.height - part.y);
  return part;
}

std::uint32_t fresh_seed() {
  const char* given = std::getenv("LOCKSTEP_SEED");
  return given ? static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10))
               : std::random_device{}();
}

void expect_gathers(KernelRunner& runner, const Pictures& from, const Pictures& to) {
  auto made = runner.gather(from, to);
  ASSERT_TRUE(succeeds(made));
  expect_same(*made, expect(to, [&](const Pictures& target) {
    const auto sources = from.here();
    const auto targets = target.here();
    for (std::size_t i = 0; i < sources.size(); ++i) reference::gather(sources[i], targets[i]);
  }));
}

void expect_tiles(KernelRunner& runner, const Pictures& from, std::span<const Rectangle> places,
                  const Pictures& mosaic, ColourMatrix matrix, ColourRange range) {
  auto made = runner.tile(from, places, mosaic, matrix, range);
  ASSERT_TRUE(succeeds(made));
  // Single precision may fall on the other side of a half than double does: one more or less, never two.
  constexpr int kTolerance = 1;
  const bool ten_bits = mosaic.pictures[0].pixel_format == PixelFormat::p010_10le;
  expect_same(*made,
              expect(mosaic,
                     [&](const Pictures& target) {
                       const auto sources = from.here();
                       for (std::size_t i = 0; i < sources.size(); ++i)
                         reference::tile(sources[i], places[i], target.here()[0], matrix, range);
                     }),
              kTolerance, ten_bits ? &mosaic : nullptr);
}

void expect_fills(KernelRunner& runner, const Pictures& picture, const Rectangle& place,
                  std::array<std::uint8_t, 3> colour) {
  auto made = runner.fill(picture, place, colour);
  ASSERT_TRUE(succeeds(made));
  expect_same(*made, expect(picture, [&](const Pictures& target) {
    reference::fill(target.here()[0], place, colour);
  }));
}

void expect_tensor(KernelRunner& runner, const Pictures& frames, const TensorSpec& spec,
                   std::uint32_t seed) {
  constexpr std::size_t kGuard = 256;
  const std::size_t size = tensor_bytes(spec, frames.pictures.size());
  AlignedBytes memory(kGuard + size + kGuard);
  CaseMaker(seed).fill_random(memory);
  const auto made = runner.to_tensor(frames, spec, memory, kGuard);
  ASSERT_TRUE(succeeds(made));
  EXPECT_EQ(std::memcmp(made->data(), memory.data(), kGuard), 0) << "before the tensor";
  EXPECT_EQ(std::memcmp(made->data() + kGuard + size, memory.data() + kGuard + size, kGuard), 0)
      << "behind the tensor";
  const auto sources = frames.here();
  const std::vector<double> values = reference::tensor_values(sources, spec);
  std::size_t num_wrong = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t channel =
        spec.order == TensorOrder::nhwc ? i % 3 : i / (std::size_t{spec.width} * spec.height) % 3;
    // Kernels reckon in single precision: some ten roundings of numbers of about 1 (255 here), of the mean, and of the
    // result. What remains to be allowed is the type's own rounding: half a step.
    const double single =
        1e-3 * std::fabs(spec.scale[channel]) +
        1e-6 * (std::fabs(values[i]) + std::fabs(double{spec.mean[channel]} * spec.scale[channel]));
    const double is = reference::element_of(made->data() + kGuard, spec.type, i);
    double wanted = values[i];
    double tolerance = single;
    if (spec.type == TensorType::uint8) {
      wanted = std::clamp(wanted, 0.0, 255.0);
      tolerance += 0.5;
    } else if (spec.type == TensorType::float16) {
      tolerance += std::max(std::fabs(wanted) / 2048, std::ldexp(1, -25));
    }
    if (std::fabs(is - wanted) <= tolerance) continue;
    if (++num_wrong <= 5) ADD_FAILURE() << "element " << i << " is " << is << ", wanted " << wanted;
  }
  EXPECT_EQ(num_wrong, 0u) << "elements are wrong";
}

void expect_gathers_all(KernelRunner& runner, std::uint32_t seed, std::span<const Size> sizes,
                        std::span<const std::size_t> counts) {
  CaseMaker maker(seed);
  for (const PixelFormat format : kPixelFormats) {
    for (const Size size : sizes) {
      for (const std::size_t count : counts) {
        SCOPED_TRACE(text_of("gather", format, count, size));
        const auto lie = [&] { return static_cast<Lie>(maker.up_to(4)); };
        // All in memory, all arrays, and some of each.
        Pictures from = maker.make(format, count, size, lie(), maker.up_to(2) * 50);
        if (maker.up_to(1) == 1) maker.make_arrays_strange(from);
        expect_gathers(runner, from, maker.make(format, count, size, lie()));
        if (testing::Test::HasFailure()) return;
      }
    }
  }
}

void expect_tiles_all(KernelRunner& runner, std::uint32_t seed, std::span<const Size> sizes,
                      std::span<const Size> mosaics, std::span<const std::size_t> counts) {
  using enum PixelFormat;
  constexpr std::array<std::array<PixelFormat, 2>, 7> kFormats = {{{nv12, nv12},
                                                                   {p010_10le, p010_10le},
                                                                   {bgrx, bgrx},
                                                                   {rgba, rgba},
                                                                   {gray8, gray8},
                                                                   {nv12, rgba},
                                                                   {p010_10le, rgba}}};
  CaseMaker maker(seed);
  for (const auto& [from_format, to_format] : kFormats) {
    for (const Size size : sizes) {
      for (const Size mosaic_size : mosaics) {
        const std::size_t count =
            counts[maker.up_to(static_cast<std::uint32_t>(counts.size() - 1))];
        SCOPED_TRACE(text_of("tile", from_format, count, size));
        SCOPED_TRACE(text_of("into", to_format, 1, mosaic_size));
        const Pictures from = maker.make(from_format, count, size, Lie::any, maker.up_to(2) * 50);
        const Pictures mosaic = maker.make(to_format, 1, mosaic_size, Lie::any);
        std::vector<Rectangle> places;
        const Grid grid = *grid_for(count);
        for (std::size_t i = 0; i < count; ++i)
          places.push_back(count > 1 || maker.up_to(1) == 0
                               ? tile_of(i, grid, mosaic_size.width, mosaic_size.height)
                               : maker.part_of(mosaic_size));
        expect_tiles(runner, from, places, mosaic, static_cast<ColourMatrix>(maker.up_to(1)),
                     static_cast<ColourRange>(maker.up_to(1)));
        if (testing::Test::HasFailure()) return;
      }
    }
  }
}

void expect_fills_all(KernelRunner& runner, std::uint32_t seed, std::span<const Size> sizes) {
  CaseMaker maker(seed);
  for (const PixelFormat format : kPixelFormats) {
    for (const Size size : sizes) {
      SCOPED_TRACE(text_of("fill", format, 1, size));
      const auto any = [&] { return static_cast<std::uint8_t>(maker.up_to(255)); };
      const Pictures picture = maker.make(format, 1, size, Lie::any);
      expect_fills(runner, picture, maker.part_of(size), {any(), any(), any()});
      expect_fills(runner, picture, {0, 0, size.width, size.height}, {any(), any(), any()});
      if (testing::Test::HasFailure()) return;
    }
  }
}

void expect_tensors_all(KernelRunner& runner, std::uint32_t seed, std::span<const Size> sizes,
                        std::span<const Size> tensors, std::span<const std::size_t> counts) {
  CaseMaker maker(seed);
  for (const TensorType type : {TensorType::uint8, TensorType::float16, TensorType::float32}) {
    for (const TensorOrder order : {TensorOrder::nchw, TensorOrder::nhwc}) {
      for (const Size tensor : tensors) {
        const std::size_t count =
            counts[maker.up_to(static_cast<std::uint32_t>(counts.size() - 1))];
        std::vector<Size> some;
        while (some.size() < count)
          some.push_back(sizes[maker.up_to(static_cast<std::uint32_t>(sizes.size() - 1))]);
        const auto format = maker.up_to(1) == 0 ? PixelFormat::nv12 : PixelFormat::p010_10le;
        TensorSpec spec{
            .width = tensor.width, .height = tensor.height, .type = type, .order = order};
        spec.bgr = maker.up_to(1) == 1;
        spec.letterbox = maker.up_to(3) != 0;
        spec.matrix = static_cast<ColourMatrix>(maker.up_to(1));
        spec.range = static_cast<ColourRange>(maker.up_to(1));
        for (std::size_t c = 0; c < 3; ++c) {
          spec.bar[c] = static_cast<float>(maker.up_to(255));
          if (maker.up_to(1) == 0) continue;
          spec.mean[c] = static_cast<float>(maker.up_to(2550)) / 10;
          spec.scale[c] = static_cast<float>(1 + maker.up_to(3000)) / 1000;
        }
        const auto lie = static_cast<Lie>(maker.up_to(4));
        SCOPED_TRACE(text_of("tensor of", format, count, some[0]));
        SCOPED_TRACE("into " + std::to_string(tensor.width) + "x" + std::to_string(tensor.height) +
                     ", type " + std::to_string(static_cast<int>(type)) + ", order " +
                     std::to_string(static_cast<int>(order)) + ", lie " +
                     std::to_string(static_cast<int>(lie)));
        expect_tensor(runner, maker.make(format, some, lie, maker.up_to(2) * 50), spec, seed);
        if (testing::Test::HasFailure()) return;
      }
    }
  }
}

}  // namespace lockstep
