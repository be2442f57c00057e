// SPDX-License-Identifier: MIT
// The twins of the GPU's kernels against what was reckoned by hand.
#include "cuda_reference.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace lockstep {
namespace {

using Bytes = std::vector<std::uint8_t>;

CudaPicture picture_in(Bytes& bytes, PixelFormat format, std::uint32_t width,
                       std::uint32_t height) {
  CudaPicture picture{.pixel_format = format, .width = width, .height = height};
  const Layout layout = *default_layout(format, width, height);
  bytes.resize(std::max(bytes.size(), layout.size_bytes));
  for (std::size_t p = 0; p < layout.num_planes; ++p) {
    picture.planes[p] =
        reinterpret_cast<std::uintptr_t>(bytes.data()) + layout.planes[p].offset_bytes;
    picture.strides[p] = layout.planes[p].stride_bytes;
  }
  return picture;
}

void expect_near(std::array<double, 3> is, std::array<double, 3> wanted, double tolerance) {
  for (std::size_t c = 0; c < 3; ++c) EXPECT_NEAR(is[c], wanted[c], tolerance) << "component " << c;
}

constexpr auto kVideo = ColourRange::video;
constexpr auto kFull = ColourRange::full;

TEST(RgbOfYuv, IsBlackGreyAndWhiteWithoutChroma) {
  for (const ColourMatrix matrix : {ColourMatrix::bt601, ColourMatrix::bt709}) {
    expect_near(reference::rgb_of({16, 128, 128}, matrix, kVideo, 8), {0, 0, 0}, 1e-9);
    expect_near(reference::rgb_of({235, 128, 128}, matrix, kVideo, 8), {255, 255, 255}, 1e-9);
    expect_near(reference::rgb_of({125.5, 128, 128}, matrix, kVideo, 8), {127.5, 127.5, 127.5},
                1e-9);
    expect_near(reference::rgb_of({0, 128, 128}, matrix, kFull, 8), {0, 0, 0}, 1e-9);
    expect_near(reference::rgb_of({77, 128, 128}, matrix, kFull, 8), {77, 77, 77}, 1e-9);
    expect_near(reference::rgb_of({255, 128, 128}, matrix, kFull, 8), {255, 255, 255}, 1e-9);
  }
}

// What colour bars hold, in whole numbers: each is off by half a step at most, and so is what is made of it.
TEST(RgbOfYuv, IsEachPrimaryOfBt601) {
  expect_near(reference::rgb_of({81, 90, 240}, ColourMatrix::bt601, kVideo, 8), {255, 0, 0}, 1.7);
  expect_near(reference::rgb_of({145, 54, 34}, ColourMatrix::bt601, kVideo, 8), {0, 255, 0}, 1.7);
  expect_near(reference::rgb_of({41, 240, 110}, ColourMatrix::bt601, kVideo, 8), {0, 0, 255}, 1.7);
  // JPEG's own.
  expect_near(reference::rgb_of({76, 85, 255}, ColourMatrix::bt601, kFull, 8), {254, 0, 0}, 1.7);
}

TEST(RgbOfYuv, IsEachPrimaryOfBt709) {
  expect_near(reference::rgb_of({63, 102, 240}, ColourMatrix::bt709, kVideo, 8), {255, 0, 0}, 1.7);
  expect_near(reference::rgb_of({173, 42, 26}, ColourMatrix::bt709, kVideo, 8), {0, 255, 0}, 1.7);
  expect_near(reference::rgb_of({32, 240, 118}, ColourMatrix::bt709, kVideo, 8), {0, 0, 255}, 1.7);
}

TEST(RgbOfYuv, IsExactBetweenWholeNumbers) {
  // Red: luma 0.2126, Pb -0.2126 / 1.8556, Pr one half.
  expect_near(reference::rgb_of({16 + 219 * 0.2126, 128 - 224 * 0.2126 / 1.8556, 240},
                                ColourMatrix::bt709, kVideo, 8),
              {255, 0, 0}, 1e-9);
  // Blue of BT.601: luma 0.114, Pb one half, Pr -0.114 / 1.402.
  expect_near(reference::rgb_of({255 * 0.114, 128 + 127.5, 128 - 255 * 0.114 / 1.402},
                                ColourMatrix::bt601, kFull, 8),
              {0, 0, 255}, 1e-9);
}

TEST(RgbOfYuv, OfTenBitsIsTheSame) {
  expect_near(reference::rgb_of({64, 512, 512}, ColourMatrix::bt709, kVideo, 10), {0, 0, 0}, 1e-9);
  expect_near(reference::rgb_of({940, 512, 512}, ColourMatrix::bt709, kVideo, 10), {255, 255, 255},
              1e-9);
  expect_near(reference::rgb_of({1023, 512, 512}, ColourMatrix::bt709, kFull, 10), {255, 255, 255},
              1e-9);
  expect_near(reference::rgb_of({64 + 876 * 0.2126, 512 - 896 * 0.2126 / 1.8556, 960},
                                ColourMatrix::bt709, kVideo, 10),
              {255, 0, 0}, 1e-9);
}

TEST(RgbOfYuv, IsClamped) {
  EXPECT_EQ(reference::rgb_of({255, 128, 128}, ColourMatrix::bt709, kVideo, 8)[0], 255);
  EXPECT_EQ(reference::rgb_of({0, 128, 128}, ColourMatrix::bt709, kVideo, 8)[0], 0);
}

TEST(TensorContent, KeepsTheShapeInTheMiddle) {
  const TensorSpec spec{.width = 640, .height = 640};
  EXPECT_EQ(tensor_content(spec, 1920, 1080), (Rectangle{0, 140, 640, 360}));
  EXPECT_EQ(tensor_content(spec, 1080, 1920), (Rectangle{140, 0, 360, 640}));
  EXPECT_EQ(tensor_content(spec, 640, 640), (Rectangle{0, 0, 640, 640}));
  EXPECT_EQ(tensor_content(spec, 320, 160), (Rectangle{0, 160, 640, 320}));
  // 13 x 64 / 17 is 48.94; the odd row is below.
  EXPECT_EQ(tensor_content({.width = 64, .height = 64}, 17, 13), (Rectangle{0, 7, 64, 49}));
  // 17 x 21 / 29 is 12.31, of 33.
  EXPECT_EQ(tensor_content({.width = 33, .height = 21}, 17, 29), (Rectangle{10, 0, 12, 21}));
}

TEST(TensorContent, HasAPixelAtLeast) {
  EXPECT_EQ(tensor_content({.width = 64, .height = 64}, 3, 1000), (Rectangle{31, 0, 1, 64}));
  EXPECT_EQ(tensor_content({.width = 64, .height = 64}, 16384, 1), (Rectangle{0, 31, 64, 1}));
}

TEST(TensorContent, IsAllOfItWhereItIsStretched) {
  EXPECT_EQ(tensor_content({.width = 33, .height = 21, .letterbox = false}, 1920, 1080),
            (Rectangle{0, 0, 33, 21}));
}

TEST(TensorBytes, CountThreeChannels) {
  EXPECT_EQ(tensor_bytes({.width = 5, .height = 7, .type = TensorType::uint8}, 2), 210u);
  EXPECT_EQ(tensor_bytes({.width = 640, .height = 640}, 16), 39'321'600u);
  EXPECT_EQ(tensor_bytes({.width = 5, .height = 7, .type = TensorType::float32}, 1), 420u);
}

// A tile of a grey picture.
Bytes scaled(Bytes from, std::uint32_t width, std::uint32_t height, std::uint32_t to_width,
             std::uint32_t to_height) {
  // Rows of grey pictures are padded to 4 bytes: laid out tight here.
  CudaPicture source = picture_in(from, PixelFormat::gray8, width, height);
  source.strides[0] = width;
  Bytes to(std::size_t{to_width} * to_height);
  Bytes room;
  CudaPicture target = picture_in(room, PixelFormat::gray8, to_width, to_height);
  target.planes[0] = reinterpret_cast<std::uintptr_t>(to.data());
  target.strides[0] = to_width;
  reference::tile(source, {0, 0, to_width, to_height}, target);
  return to;
}

TEST(TileTwin, CopiesWhereNothingIsScaled) {
  EXPECT_EQ(scaled({1, 2, 3, 4, 5, 6}, 3, 2, 3, 2), (Bytes{1, 2, 3, 4, 5, 6}));
}

TEST(TileTwin, ScalesUpBetweenCentres) {
  // The centres of four lie at -1/4, 1/4, 3/4 and 5/4 of the two.
  EXPECT_EQ(scaled({0, 100}, 2, 1, 4, 1), (Bytes{0, 25, 75, 100}));
  EXPECT_EQ(scaled({0, 100}, 1, 2, 1, 4), (Bytes{0, 25, 75, 100}));
  EXPECT_EQ(scaled({7}, 1, 1, 3, 2), (Bytes{7, 7, 7, 7, 7, 7}));
}

TEST(TileTwin, ScalesDownBetweenCentres) {
  EXPECT_EQ(scaled({0, 100, 200, 40}, 4, 1, 2, 1), (Bytes{50, 120}));
  // By three: the middle one of each three.
  EXPECT_EQ(scaled({9, 10, 9, 9, 20, 9}, 6, 1, 2, 1), (Bytes{10, 20}));
  EXPECT_EQ(scaled({10, 20, 30, 40}, 2, 2, 1, 1), (Bytes{25}));
}

TEST(TileTwin, ScalesChromaAsItScalesLuma) {
  Bytes from = {10, 20, 30, 40, 50, 60, 70, 80, /* u, v */ 100, 200, 120, 240};
  const CudaPicture source = picture_in(from, PixelFormat::nv12, 4, 2);
  Bytes to(64, 7);
  const CudaPicture mosaic = picture_in(to, PixelFormat::nv12, 4, 4);
  reference::tile(source, {2, 2, 2, 2}, mosaic);
  EXPECT_EQ(Bytes(to.begin(), to.begin() + 24),
            (Bytes{7, 7, 7, 7, 7, 7, 7,   7,  7, 7, 15, 35, 7, 7, 55, 75,  // luma
                   7, 7, 7, 7, 7, 7, 110, 220}));
}

TEST(TileTwin, KeepsTenBitsAtTheTop) {
  std::vector<std::uint16_t> from = {0x0040, 0x0080, 0, 0, 0xffc0, 0x8000};
  Bytes bytes(12);
  std::memcpy(bytes.data(), from.data(), 12);
  CudaPicture source = picture_in(bytes, PixelFormat::p010_10le, 2, 1);
  source.planes[1] = source.planes[0] + 8;
  Bytes to(64);
  const CudaPicture mosaic = picture_in(to, PixelFormat::p010_10le, 4, 1);
  reference::tile(source, {0, 0, 4, 1}, mosaic);
  std::array<std::uint16_t, 4> luma{};
  std::memcpy(luma.data(), to.data(), 8);
  // 1, 1.25, 1.75 and 2 of 1023.
  EXPECT_EQ(luma, (std::array<std::uint16_t, 4>{0x40, 0x40, 0x80, 0x80}));
  std::array<std::uint16_t, 4> chroma{};
  std::memcpy(chroma.data(), reinterpret_cast<const void*>(mosaic.planes[1]), 8);
  EXPECT_EQ(chroma, (std::array<std::uint16_t, 4>{0xffc0, 0x8000, 0xffc0, 0x8000}));
}

TEST(TileTwin, ConvertsIntoRgba) {
  Bytes from = {81, 81, 81, 81, 90, 240};
  CudaPicture source = picture_in(from, PixelFormat::nv12, 2, 2);
  source.strides = {2, 2, 0};
  source.planes[1] = source.planes[0] + 4;
  Bytes to(16, 7);
  const CudaPicture mosaic = picture_in(to, PixelFormat::rgba, 2, 2);
  reference::tile(source, {0, 0, 1, 2}, mosaic, ColourMatrix::bt601, ColourRange::video);
  EXPECT_EQ(to, (Bytes{254, 0, 0, 255, 7, 7, 7, 7, 254, 0, 0, 255, 7, 7, 7, 7}));
}

TEST(GatherTwin, CopiesRowsAndNothingBesideThem) {
  Bytes from = {1, 2, 3, 0, 4, 5, 6, 0};
  const CudaPicture source = picture_in(from, PixelFormat::gray8, 3, 2);
  Bytes to(12, 9);
  CudaPicture target = source;
  target.planes[0] = reinterpret_cast<std::uintptr_t>(to.data()) + 1;
  target.strides[0] = 5;
  reference::gather(source, target);
  EXPECT_EQ(to, (Bytes{9, 1, 2, 3, 9, 9, 4, 5, 6, 9, 9, 9}));
}

TEST(FillTwin, FillsPlanesInTheOrderOfTheFormat) {
  const auto filled = [](PixelFormat format, std::uint32_t width, std::uint32_t height,
                         const Rectangle& place) {
    Bytes bytes;
    const CudaPicture picture = picture_in(bytes, format, width, height);
    std::fill(bytes.begin(), bytes.end(), std::uint8_t{9});
    reference::fill(picture, place, {1, 2, 3});
    return bytes;
  };
  EXPECT_EQ(filled(PixelFormat::rgba, 2, 1, {0, 0, 1, 1}), (Bytes{1, 2, 3, 255, 9, 9, 9, 9}));
  EXPECT_EQ(filled(PixelFormat::bgrx, 2, 1, {1, 0, 1, 1}), (Bytes{9, 9, 9, 9, 3, 2, 1, 255}));
  EXPECT_EQ(filled(PixelFormat::rgb, 1, 1, {0, 0, 1, 1}), (Bytes{1, 2, 3, 9}));
  EXPECT_EQ(filled(PixelFormat::yuy2, 4, 1, {2, 0, 2, 1}), (Bytes{9, 9, 9, 9, 1, 2, 1, 3}));
  EXPECT_EQ(filled(PixelFormat::uyvy, 2, 1, {0, 0, 1, 1}), (Bytes{2, 1, 3, 1}));
  EXPECT_EQ(filled(PixelFormat::nv12, 4, 2, {2, 0, 2, 2}),
            (Bytes{9, 9, 1, 1, 9, 9, 1, 1, 9, 9, 2, 3}));
  EXPECT_EQ(filled(PixelFormat::i420, 2, 2, {0, 0, 2, 2}),
            (Bytes{1, 1, 9, 9, 1, 1, 9, 9, 2, 9, 9, 9, 3, 9, 9, 9}));
  EXPECT_EQ(filled(PixelFormat::p010_10le, 2, 2, {0, 0, 2, 1}),
            (Bytes{0, 1, 0, 1, 9, 9, 9, 9, 0, 2, 0, 3}));
}

// Two pixels of white beside two of black, in full range.
struct HalfWhite {
  Bytes bytes = {255, 255, 0, 0, 255, 255, 0, 0, 128, 128, 128, 128};
  CudaPicture picture = picture_in(bytes, PixelFormat::nv12, 4, 2);
};

TEST(TensorTwin, ScalesNormalisesAndFillsBars) {
  HalfWhite frame;
  TensorSpec spec{.width = 4, .height = 4, .type = TensorType::float32, .range = ColourRange::full};
  spec.bar = {10, 20, 30};
  spec.mean = {5, 0, 0};
  spec.scale = {1, 2, 0.5};
  const auto values = reference::tensor_values(std::span(&frame.picture, 1), spec);
  ASSERT_EQ(values.size(), 48u);
  // Rows 0 and 3 are bars.
  const std::vector<double> wanted = {5,     5,     5, 5, 250,   250,   -5, -5, 250, 250, -5, -5,
                                      5,     5,     5, 5, 40,    40,    40, 40, 510, 510, 0,  0,
                                      510,   510,   0, 0, 40,    40,    40, 40, 15,  15,  15, 15,
                                      127.5, 127.5, 0, 0, 127.5, 127.5, 0,  0,  15,  15,  15, 15};
  for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(values[i], wanted[i], 1e-9) << i;
}

TEST(TensorTwin, PacksChannelsAndPutsBlueFirst) {
  Bytes bytes = {81, 81, 81, 81, 90, 240};
  CudaPicture frame = picture_in(bytes, PixelFormat::nv12, 2, 2);
  frame.strides = {2, 2, 0};
  frame.planes[1] = frame.planes[0] + 4;
  TensorSpec spec{
      .width = 2, .height = 1, .order = TensorOrder::nhwc, .bgr = true, .letterbox = false};
  spec.matrix = ColourMatrix::bt601;
  const auto values = reference::tensor_values(std::span(&frame, 1), spec);
  ASSERT_EQ(values.size(), 6u);
  for (const std::size_t i : {0, 1, 3, 4}) EXPECT_NEAR(values[i], 0, 1.7);
  for (const std::size_t i : {2, 5}) EXPECT_NEAR(values[i], 255, 1.7);
}

TEST(TensorTwin, TakesChromaFromTheMiddleOfItsPixels) {
  // Chroma goes from 100 to 140 over four pixels: those lie at -1/4, 1/4, 3/4 and 5/4 of the two samples.
  Bytes bytes = {128, 128, 128, 128, 128, 128, 128, 128, 128, 100, 128, 140};
  const CudaPicture frame = picture_in(bytes, PixelFormat::nv12, 4, 2);
  TensorSpec spec{.width = 4, .height = 2, .type = TensorType::float32, .range = ColourRange::full};
  const auto values = reference::tensor_values(std::span(&frame, 1), spec);
  const double red_of_v = 2 * (1 - 0.2126);
  EXPECT_NEAR(values[0], 128 - 28 * red_of_v, 1e-9);
  EXPECT_NEAR(values[1], 128 - 18 * red_of_v, 1e-9);
  EXPECT_NEAR(values[2], 128 + 2 * red_of_v, 1e-9);
  EXPECT_NEAR(values[3], 128 + 12 * red_of_v, 1e-9);
}

TEST(TensorTwin, TakesTenBitsFromTheTop) {
  // White of video range, with what does not count below.
  Bytes bytes = {0x3f, 0xeb, 0x3f, 0xeb, 0x00, 0x80, 0x00, 0x80};
  CudaPicture frame = picture_in(bytes, PixelFormat::p010_10le, 2, 1);
  frame.planes[1] = frame.planes[0] + 4;
  const TensorSpec spec{.width = 2, .height = 1, .type = TensorType::float32};
  for (const double value : reference::tensor_values(std::span(&frame, 1), spec))
    EXPECT_NEAR(value, 255, 1e-9);
}

TEST(RoundedTo, BytesIsTheNearestAndClamped) {
  EXPECT_EQ(reference::rounded_to(TensorType::uint8, 1.4), 1);
  EXPECT_EQ(reference::rounded_to(TensorType::uint8, 1.6), 2);
  EXPECT_EQ(reference::rounded_to(TensorType::uint8, 2.5), 2);
  EXPECT_EQ(reference::rounded_to(TensorType::uint8, -3), 0);
  EXPECT_EQ(reference::rounded_to(TensorType::uint8, 300), 255);
}

TEST(RoundedTo, HalvesKeepsElevenBits) {
  const auto half = [](double value) { return reference::rounded_to(TensorType::float16, value); };
  EXPECT_EQ(half(2049), 2048);
  EXPECT_EQ(half(2051), 2052);
  EXPECT_EQ(half(-0.1), -0.0999755859375);
  EXPECT_EQ(half(std::ldexp(1.4, -24)), std::ldexp(1, -24));
  EXPECT_EQ(half(65519), 65504);
  EXPECT_EQ(half(65520), std::numeric_limits<double>::infinity());
}

TEST(ElementOf, ReadsEachType) {
  const std::array<std::uint16_t, 4> halves = {0x3c00, 0xc000, 0x0001, 0x7bff};
  const auto* bytes = reinterpret_cast<const std::byte*>(halves.data());
  EXPECT_EQ(reference::element_of(bytes, TensorType::float16, 0), 1);
  EXPECT_EQ(reference::element_of(bytes, TensorType::float16, 1), -2);
  EXPECT_EQ(reference::element_of(bytes, TensorType::float16, 2), std::ldexp(1, -24));
  EXPECT_EQ(reference::element_of(bytes, TensorType::float16, 3), 65504);
  EXPECT_EQ(reference::element_of(bytes, TensorType::uint8, 1), 0x3c);
  const std::array<float, 2> singles = {0.5f, -3.25f};
  EXPECT_EQ(reference::element_of(reinterpret_cast<const std::byte*>(singles.data()),
                                  TensorType::float32, 1),
            -3.25);
}

}  // namespace
}  // namespace lockstep
