// SPDX-License-Identifier: MIT
#include "lockstep/metering.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "result_testing.h"
#include "sensor/sim/response.h"
#include "sensor/sim/scene.h"

namespace lockstep {
namespace {

using ::testing::HasSubstr;

struct Colour {
  double red = 0;
  double green = 0;
  double blue = 0;
};

struct Rows {
  std::size_t first = 0;
  std::size_t last = kMaxSide;
};

// A picture in memory of just its size, so that a sanitizer tells of a step beyond.
struct Picture {
  explicit Picture(Format wanted, std::size_t more_stride = 0) : format(wanted) {
    const auto usual = default_layout(format.pixel_format, format.width, format.height);
    layout = *layout_with_stride(format.pixel_format, format.width, format.height,
                                 usual->planes[0].stride_bytes + more_stride);
    bytes.assign(layout.size_bytes, std::byte{0x5a});
  }

  // One pixel, in responses of 0..1; its neighbours share the colour.
  void set(std::size_t x, std::size_t y, const Colour& colour) {
    const double red_weight = format.height > 576 ? 0.2126 : 0.299;
    const double blue_weight = format.height > 576 ? 0.0722 : 0.114;
    const double luma = red_weight * colour.red + blue_weight * colour.blue +
                        (1 - red_weight - blue_weight) * colour.green;
    const double u = (colour.blue - luma) / (2 * (1 - blue_weight));
    const double v = (colour.red - luma) / (2 * (1 - red_weight));
    const auto video = [](double response) { return 16 + 219 * response; };
    const auto chroma = [](double share) { return 128 + 224 * share; };
    const auto at = [&](std::size_t plane, std::size_t row, std::size_t offset) {
      return layout.planes[plane].offset_bytes + row * layout.planes[plane].stride_bytes + offset;
    };
    switch (format.pixel_format) {
      case PixelFormat::nv12:
        put(at(0, y, x), video(luma));
        put(at(1, y / 2, x / 2 * 2), chroma(u));
        put(at(1, y / 2, x / 2 * 2 + 1), chroma(v));
        break;
      case PixelFormat::i420:
        put(at(0, y, x), video(luma));
        put(at(1, y / 2, x / 2), chroma(u));
        put(at(2, y / 2, x / 2), chroma(v));
        break;
      case PixelFormat::yuy2:
        put(at(0, y, x * 2), video(luma));
        put(at(0, y, x / 2 * 4 + 1), chroma(u));
        put(at(0, y, x / 2 * 4 + 3), chroma(v));
        break;
      case PixelFormat::uyvy:
        put(at(0, y, x * 2 + 1), video(luma));
        put(at(0, y, x / 2 * 4), chroma(u));
        put(at(0, y, x / 2 * 4 + 2), chroma(v));
        break;
      case PixelFormat::rgb:
      case PixelFormat::bgrx:
      case PixelFormat::rgba: {
        const bool red_first = format.pixel_format != PixelFormat::bgrx;
        const std::size_t pixel = at(0, y, x * (format.pixel_format == PixelFormat::rgb ? 3 : 4));
        put(pixel + (red_first ? 0 : 2), 255 * colour.red);
        put(pixel + 1, 255 * colour.green);
        put(pixel + (red_first ? 2 : 0), 255 * colour.blue);
        break;
      }
      case PixelFormat::gray8:
        put(at(0, y, x), video(luma));
        break;
      case PixelFormat::p010_10le:
        put_ten_bits(at(0, y, x * 2), 4 * video(luma));
        put_ten_bits(at(1, y / 2, x / 2 * 4), 4 * chroma(u));
        put_ten_bits(at(1, y / 2, x / 2 * 4 + 2), 4 * chroma(v));
        break;
    }
  }

  void fill(const Colour& colour, Rows rows = {}) {
    for (std::size_t y = rows.first; y < std::min<std::size_t>(rows.last, format.height); ++y)
      for (std::size_t x = 0; x < format.width; ++x) set(x, y, colour);
  }

  Metering metering(const WeightMap& map = {}) const {
    const auto meter = Meter::make(format, layout, map);
    EXPECT_TRUE(meter) << (meter ? "" : meter.error().what);
    return meter ? meter->measure(bytes.data()) : Metering{};
  }

  Format format;
  Layout layout;
  std::vector<std::byte> bytes;

 private:
  void put(std::size_t at, double code) { bytes[at] = static_cast<std::byte>(std::lround(code)); }
  void put_ten_bits(std::size_t at, double code) {
    const auto word = static_cast<unsigned>(std::lround(code)) << 6;
    bytes[at] = static_cast<std::byte>(word);
    bytes[at + 1] = static_cast<std::byte>(word >> 8);
  }
};

Colour grey_of(double light) {
  const double response = sim_response(light);
  return {response, response, response};
}

double sum(const Metering& metering) {
  return std::accumulate(metering.histogram.begin(), metering.histogram.end(), 0.0);
}

class MeteringTest : public ::testing::TestWithParam<PixelFormat> {
 protected:
  Format format(std::uint32_t width, std::uint32_t height) const {
    return {GetParam(), width, height, {}};
  }
};

TEST_P(MeteringTest, ReadsLightProportionally) {
  for (const double light : {0.02, 0.08, 0.16, 0.5, 0.95}) {
    Picture picture(format(640, 360), 12);
    picture.fill(grey_of(light));
    const Metering metering = picture.metering();
    // Half a code value, at the curve's slope.
    const double rounding = 0.01 * light + 0.0006;
    EXPECT_NEAR(metering.mean, light, rounding);
    EXPECT_NEAR(metering.trimmed_mean, light, rounding);
    EXPECT_NEAR(metering.green, light, rounding);
    EXPECT_NEAR(metering.red, metering.green, 0.02 * light);
    EXPECT_NEAR(metering.blue, metering.green, 0.02 * light);
    EXPECT_NEAR(metering.colour_share, 1, 1e-4);
    EXPECT_EQ(metering.clipped_bright, 0);
    EXPECT_EQ(metering.clipped_dark, 0);
    const auto bin = static_cast<std::size_t>(std::lround(255 * sim_response(light)));
    EXPECT_NEAR(static_cast<double>(metering.histogram[bin] + metering.histogram[bin - 1] +
                                    metering.histogram[bin + 1]),
                1, 1e-4);
  }
}

TEST_P(MeteringTest, TellsColoursApart) {
  if (GetParam() == PixelFormat::gray8) GTEST_SKIP() << "no colour";
  for (const std::uint32_t height : {480U, 720U}) {
    Picture picture(format(640, height));
    picture.fill({sim_response(0.30), sim_response(0.20), sim_response(0.10)});
    const Metering metering = picture.metering();
    EXPECT_NEAR(metering.red, 0.30, 0.01) << height;
    EXPECT_NEAR(metering.green, 0.20, 0.01) << height;
    EXPECT_NEAR(metering.blue, 0.10, 0.01) << height;
  }
}

TEST_P(MeteringTest, CountsWhatIsClipped) {
  Picture picture(format(640, 270));
  picture.fill(grey_of(0.2));
  picture.fill(grey_of(1), {0, 30});     // 3 of 27 rows of the grid
  picture.fill(grey_of(0), {210, 270});  // 6 of them
  const Metering metering = picture.metering();
  EXPECT_NEAR(metering.clipped_bright, 3.0 / 27, 1e-4);
  EXPECT_NEAR(metering.clipped_dark, 6.0 / 27, 1e-4);
  EXPECT_NEAR(metering.colour_share, 18.0 / 27, 1e-4);
  EXPECT_NEAR(metering.red, 0.2, 0.003);
  EXPECT_NEAR(metering.mean, (18 * 0.2 + 3) / 27, 0.003);
  EXPECT_NEAR(static_cast<double>(metering.histogram[0]), 6.0 / 27, 1e-4);
  EXPECT_NEAR(static_cast<double>(metering.histogram[255]), 3.0 / 27, 1e-4);
  EXPECT_NEAR(sum(metering), 1, 1e-5);
}

TEST_P(MeteringTest, LeavesOutOfTheTrimmedMeanWhatIsSmall) {
  Picture picture(format(640, 270));
  picture.fill(grey_of(0.01));
  picture.fill(grey_of(1), {0, 10});
  const Metering metering = picture.metering();
  EXPECT_GT(metering.mean, 0.04);
  EXPECT_NEAR(metering.trimmed_mean, 0.01, 0.0006);
}

TEST_P(MeteringTest, CountsByWeight) {
  Picture picture(format(640, 360));
  picture.fill(grey_of(0.1), {0, 120});
  picture.fill(grey_of(0.4), {120, 360});
  EXPECT_NEAR(picture.metering({1, 3, {1, 0, 0}}).mean, 0.1, 0.01);
  EXPECT_NEAR(picture.metering({1, 3, {0, 5, 0}}).mean, 0.4, 0.01);
  EXPECT_NEAR(picture.metering({1, 3, {4, 1, 1}}).mean, 0.2, 0.01);
  EXPECT_NEAR(picture.metering({1, 3, {4, 1, 1}}).red, 0.2, 0.01);
}

TEST_P(MeteringTest, ReadsPicturesOfAnySizeWithinTheirMemory) {
  for (std::uint32_t width = 1; width <= 9; ++width) {
    for (std::uint32_t height = 1; height <= 5; ++height) {
      for (const std::size_t more_stride : {0, 4, 64}) {
        Picture picture(format(width, height), more_stride);
        picture.fill(grey_of(0.25));
        const Metering metering = picture.metering(spot_metering());
        EXPECT_NEAR(metering.mean, 0.25, 0.003) << width << "x" << height;
        EXPECT_NEAR(metering.green, 0.25, 0.004) << width << "x" << height;
        EXPECT_NEAR(sum(metering), 1, 1e-5) << width << "x" << height;
      }
    }
  }
  for (const auto& [width, height] :
       {std::pair{191U, 25U}, {193U, 27U}, {1919U, 1079U}, {kMaxSide, 2U}, {2U, kMaxSide}}) {
    Picture picture(format(width, height));
    picture.fill(grey_of(0.25));
    EXPECT_NEAR(picture.metering().mean, 0.25, 0.003) << width << "x" << height;
  }
}

TEST_P(MeteringTest, TellsFiniteFiguresOfAnyBytes) {
  Picture picture(format(67, 31));
  unsigned state = 1;
  for (int round = 0; round < 50; ++round) {
    for (std::byte& byte : picture.bytes)
      byte =
          static_cast<std::byte>((state = state * 1664525 + 1013904223) >> (round < 25 ? 24 : 31));
    const Metering metering = picture.metering(centre_metering());
    EXPECT_NEAR(sum(metering), 1, 1e-5);
    for (const double share :
         {metering.mean, metering.trimmed_mean, metering.clipped_bright, metering.clipped_dark,
          metering.red, metering.green, metering.blue, metering.colour_share}) {
      EXPECT_GE(share, 0);
      EXPECT_LE(share, 1);
    }
  }
}

// What the simulator draws, read by every pixel's linear signal rather than by a grid.
TEST_P(MeteringTest, AgreesWithWhatTheSimulatorExposes) {
  SimOptions options;
  const Format wanted = format(320, 180);
  const Layout layout = *default_layout(wanted.pixel_format, wanted.width, wanted.height);
  SimScene scene(options, 0, wanted, layout);
  const auto meter = Meter::make(wanted, layout, {});
  ASSERT_TRUE(meter);
  std::vector<std::byte> bytes(layout.size_bytes);
  const auto mean_at = [&](std::chrono::microseconds exposure) {
    SimShot shot;
    shot.settings.exposure = exposure;
    scene.draw(shot, bytes);
    return meter->measure(bytes.data()).trimmed_mean;
  };
  // Nothing is clipped yet, so that twice the exposure is twice the light.
  const double dark = mean_at(std::chrono::microseconds(2'500));
  const double bright = mean_at(std::chrono::microseconds(5'000));
  EXPECT_GT(dark, 0.005);
  EXPECT_NEAR(bright / dark, 2, 0.06);
}

INSTANTIATE_TEST_SUITE_P(Formats, MeteringTest, ::testing::ValuesIn(kPixelFormats),
                         [](const auto& tested) { return std::string(to_string(tested.param)); });

constexpr Format kSmallPicture{PixelFormat::nv12, 64, 48, {}};

TEST(Metering, AClippedColourDoesNotCountAmongTheColours) {
  Picture picture(kSmallPicture);
  picture.fill({1, 0.2, 0.2});
  const Metering metering = picture.metering();
  EXPECT_EQ(metering.colour_share, 0);
  EXPECT_EQ(metering.red, 0);
  EXPECT_EQ(metering.clipped_bright, 0);
}

TEST(Metering, DarkSamplesTellNoColour) {
  Picture picture(kSmallPicture);
  picture.fill(grey_of(0.005));
  EXPECT_EQ(picture.metering().colour_share, 0);
}

TEST(Metering, NoWeightFallsBetweenTwoSamples) {
  WeightMap map{64, 64, std::vector<float>(64 * 64)};
  Picture picture(kSmallPicture);
  picture.fill(grey_of(0.3));
  for (std::size_t i = 0; i < map.weights.size(); ++i) {
    map.weights[i] = 1;
    ASSERT_NEAR(sum(picture.metering(map)), 1, 1e-5) << i;
    map.weights[i] = 0;
  }
}

TEST(Metering, WeightsMayBeAsLargeOrSmallAsFloatsAre) {
  Picture picture(kSmallPicture);
  picture.fill(grey_of(0.3));
  const float most = std::numeric_limits<float>::max();
  EXPECT_NEAR(picture.metering({2, 1, {most / 4, most / 4}}).mean, 0.3, 0.003);
  EXPECT_NEAR(picture.metering({2, 1, {0, std::numeric_limits<float>::min()}}).mean, 0.3, 0.003);
}

TEST(Metering, RefusesMapsThatAreNoMaps) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Layout layout =
      *default_layout(kSmallPicture.pixel_format, kSmallPicture.width, kSmallPicture.height);
  for (const WeightMap& map : {WeightMap{2, 2, {1}}, WeightMap{0, 0, {}}, WeightMap{1, 1, {0}},
                               WeightMap{1, 1, {-1}}, WeightMap{1, 1, {nan}}}) {
    const auto meter = Meter::make(kSmallPicture, layout, map);
    ASSERT_FALSE(meter);
    EXPECT_EQ(meter.error().code, Errc::invalid_argument);
  }
}

TEST(Metering, RefusesALayoutOfAnotherFormat) {
  const Layout other =
      *default_layout(PixelFormat::gray8, kSmallPicture.width, kSmallPicture.height);
  const auto meter = Meter::make(kSmallPicture, other, {});
  ASSERT_FALSE(meter);
  EXPECT_EQ(meter.error().code, Errc::invalid_argument);
  EXPECT_THAT(meter.error().what, HasSubstr("64x48 NV12"));
}

}  // namespace
}  // namespace lockstep
