// SPDX-License-Identifier: MIT
#include "lockstep/painted_code.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace lockstep {
namespace {

constexpr PaintedCode kCode{37, 0xabcdef, 0x123456789a, 0x5a5};

// A picture of brightness alone.
struct LumaPicture {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::vector<double> luma;

  double at(std::uint32_t x, std::uint32_t y) const {
    return luma[std::size_t{std::min(y, height - 1)} * width + std::min(x, width - 1)];
  }
};

std::vector<std::byte> painted(const Format& format, const PaintedCode& code) {
  const auto layout = default_layout(format.pixel_format, format.width, format.height);
  std::vector<std::byte> frame(layout->size_bytes, std::byte{77});
  paint_code(code, format, *layout, frame);
  return frame;
}

LumaPicture picture_of(std::uint32_t width, std::uint32_t height, const PaintedCode& code = kCode) {
  const Format format{PixelFormat::gray8, width, height, {}};
  const auto frame = painted(format, code);
  const auto layout = default_layout(format.pixel_format, width, height);
  LumaPicture picture{width, height, {}};
  for (std::uint32_t y = 0; y < height; ++y)
    for (std::uint32_t x = 0; x < width; ++x)
      picture.luma.push_back(std::to_integer<int>(frame[y * layout->planes[0].stride_bytes + x]));
  return picture;
}

std::optional<PaintedCode> read(const LumaPicture& picture) {
  std::vector<std::byte> bytes;
  for (double value : picture.luma)
    bytes.push_back(std::byte(std::lround(std::clamp(value, 0.0, 255.0))));
  return read_code({bytes, picture.width, picture.height, picture.width, 1});
}

// Every new pixel is the mean of the old ones under it.
LumaPicture box_scaled(const LumaPicture& from, std::uint32_t factor) {
  LumaPicture to{from.width / factor, from.height / factor, {}};
  for (std::uint32_t y = 0; y < to.height; ++y) {
    for (std::uint32_t x = 0; x < to.width; ++x) {
      double sum = 0;
      for (std::uint32_t i = 0; i < factor * factor; ++i)
        sum += from.at(x * factor + i % factor, y * factor + i / factor);
      to.luma.push_back(sum / (factor * factor));
    }
  }
  return to;
}

// Every new pixel is blended from the four old ones around its centre, as cheap scalers do.
LumaPicture bilinear_scaled(const LumaPicture& from, std::uint32_t width, std::uint32_t height) {
  LumaPicture to{width, height, {}};
  const auto place = [](std::uint32_t i, std::uint32_t new_side, std::uint32_t old_side) {
    return std::max(0.0, (i + 0.5) * old_side / new_side - 0.5);
  };
  for (std::uint32_t row = 0; row < height; ++row) {
    for (std::uint32_t column = 0; column < width; ++column) {
      const double u = place(column, width, from.width);
      const double v = place(row, height, from.height);
      const auto x = static_cast<std::uint32_t>(u);
      const auto y = static_cast<std::uint32_t>(v);
      const double a = std::lerp(from.at(x, y), from.at(x + 1, y), u - x);
      const double b = std::lerp(from.at(x, y + 1), from.at(x + 1, y + 1), u - x);
      to.luma.push_back(std::lerp(a, b, v - y));
    }
  }
  return to;
}

class PaintedCodeFormat : public testing::TestWithParam<PixelFormat> {};

TEST_P(PaintedCodeFormat, ReadsBackAtEvenAndOddSizes) {
  for (auto [width, height] : {std::pair{1920u, 1080u}, {637u, 359u}, {121u, 69u}, {120u, 68u}}) {
    const Format format{GetParam(), width, height, {}};
    const auto layout = default_layout(format.pixel_format, width, height);
    const auto frame = painted(format, kCode);
    EXPECT_EQ(read_code(luma_of(format, *layout, frame)), kCode) << to_string(format);
  }
}

TEST_P(PaintedCodeFormat, LeavesTheRestOfThePictureAlone) {
  const Format format{GetParam(), 637, 359, {}};
  const auto layout = default_layout(format.pixel_format, 637, 359);
  const auto frame = painted(format, kCode);
  const auto pixel = layout->planes[0].row_bytes / 637;
  for (std::size_t y = 0; y < 359; ++y) {
    const auto* row = &frame[y * layout->planes[0].stride_bytes];
    const std::size_t first = y < 86 ? 172 * pixel : 0;  // 16/60 and 8/34 of the sides, made even
    EXPECT_TRUE(std::all_of(row + first, row + layout->planes[0].row_bytes, [](std::byte b) {
      return b == std::byte{77};
    })) << y;
  }
}

TEST_P(PaintedCodeFormat, PaintsNothingWithoutRoom) {
  for (auto [width, height] : {std::pair{119u, 68u}, {120u, 67u}, {16u, 16u}, {1u, 1u}}) {
    const Format format{GetParam(), width, height, {}};
    const auto frame = painted(format, kCode);
    EXPECT_TRUE(
        std::all_of(frame.begin(), frame.end(), [](std::byte b) { return b == std::byte{77}; }));
    const auto layout = default_layout(format.pixel_format, width, height);
    EXPECT_FALSE(read_code(luma_of(format, *layout, frame)));
  }
}

INSTANTIATE_TEST_SUITE_P(PaintedCode, PaintedCodeFormat, testing::ValuesIn(kPixelFormats),
                         [](const auto& tested) { return std::string(to_string(tested.param)); });

TEST(PaintedCode, ChromaUnderItIsNeutral) {
  const Format format{PixelFormat::nv12, 640, 360, {}};
  const auto layout = default_layout(format.pixel_format, 640, 360);
  const auto frame = painted(format, kCode);
  const auto* chroma = &frame[layout->planes[1].offset_bytes];
  EXPECT_EQ(chroma[0], std::byte{128});
  EXPECT_EQ(chroma[41 * 640 + 169], std::byte{128});
  EXPECT_EQ(chroma[172], std::byte{77});
}

TEST(PaintedCode, KeepsTheLowBitsOfLargeNumbers) {
  const PaintedCode large{0xff, 0xffffffff, ~std::uint64_t{0}, 0xffff};
  EXPECT_EQ(read(picture_of(640, 360, large)), (PaintedCode{0x3f, 0xffffff, 0xffffffffff, 0xfff}));
}

TEST(PaintedCode, ReadsBackWhenAllBitsAreZero) {
  EXPECT_EQ(read(picture_of(640, 360, PaintedCode{})), PaintedCode{});
}

TEST(PaintedCode, SurvivesBoxScaling) {
  for (std::uint32_t factor : {2u, 3u, 4u, 8u, 16u})
    EXPECT_EQ(read(box_scaled(picture_of(1920, 1088), factor)), kCode) << factor;
}

TEST(PaintedCode, SurvivesBilinearScaling) {
  const LumaPicture picture = picture_of(1920, 1080);
  for (auto [width, height] : {std::pair{960u, 540u},
                               {640u, 360u},
                               {480u, 270u},
                               {637u, 359u},
                               {241u, 137u},
                               {240u, 135u},
                               {2563u, 1441u}})
    EXPECT_EQ(read(bilinear_scaled(picture, width, height)), kCode) << width << "x" << height;
}

TEST(PaintedCode, SurvivesScalingOutOfProportion) {
  EXPECT_EQ(read(bilinear_scaled(picture_of(640, 480), 960, 540)), kCode);
  EXPECT_EQ(read(bilinear_scaled(picture_of(1920, 1080), 301, 480)), kCode);
}

TEST(PaintedCode, SurvivesNoiseAndALossOfContrast) {
  std::mt19937 random(1);
  std::normal_distribution<double> noise(0, 12);
  LumaPicture picture = box_scaled(picture_of(1920, 1080), 8);
  for (double& value : picture.luma) value = 60 + value * 0.4 + noise(random);
  EXPECT_EQ(read(picture), kCode);
}

TEST(PaintedCode, SurvivesRangeConversionWithClipping) {
  LumaPicture picture = picture_of(640, 360);
  for (double& value : picture.luma) value = (value - 16) * 255 / 219 * 1.2;
  EXPECT_EQ(read(picture), kCode);
}

// A picture of 480 x 272 in which that cell's brightness has gone from black or white to the other
// by a share of the way.
LumaPicture damaged(LumaPicture picture, std::uint32_t cell, double share) {
  for (std::uint32_t y = 0; y < 8; ++y) {
    for (std::uint32_t x = 0; x < 8; ++x) {
      double& value = picture.luma[(cell / 16 * 8 + y) * 480 + cell % 16 * 8 + x];
      value += share * (251 - 2 * value);
    }
  }
  return picture;
}

TEST(PaintedCode, OneCellOfTheOtherColourIsRejected) {
  const LumaPicture whole = picture_of(480, 272);
  for (std::uint32_t cell = 0; cell < kCodeColumns * kCodeRows; ++cell)
    EXPECT_FALSE(read(damaged(whole, cell, 1))) << cell;
}

TEST(PaintedCode, UpToThreeDoubtfulCellsAreMended) {
  LumaPicture picture = picture_of(480, 272);
  for (std::uint32_t cell : {17u, 60u, 127u}) {
    picture = damaged(std::move(picture), cell, 0.7);
    EXPECT_EQ(read(picture), kCode) << cell;
  }
  EXPECT_FALSE(read(damaged(std::move(picture), 80, 0.7)));
}

TEST(PaintedCode, PicturesWithoutOneAreRejected) {
  std::mt19937 random(2);
  std::uniform_int_distribution<int> any(0, 255);
  LumaPicture noise{480, 270, {}};
  for (int i = 0; i < 480 * 270; ++i) noise.luma.push_back(any(random));
  EXPECT_FALSE(read(noise));
  EXPECT_FALSE(read(LumaPicture{480, 270, std::vector<double>(480 * 270, 128)}));
}

TEST(PaintedCode, AViewBeyondItsBytesIsRejected) {
  const Format format{PixelFormat::gray8, 640, 360, {}};
  const auto frame = painted(format, kCode);
  EXPECT_TRUE(read_code({frame, 640, 360, 640, 1}));
  EXPECT_FALSE(read_code({std::span(frame).first(frame.size() - 1), 640, 360, 640, 1}));
}

}  // namespace
}  // namespace lockstep
