// SPDX-License-Identifier: MIT
#include "sensor/sim/scene.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "sensor/sim/response.h"

namespace lockstep {
namespace {

using namespace sim_chart;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kMidGrey = kWedge.first + 5;
constexpr double kMidGreyLight = 0.2;  // 1.6 halved six half stops down

SimOptions quiet() {
  SimOptions options;
  options.noise = 0;
  return options;
}

SimShot shot_of(Nanoseconds exposure, std::uint64_t sequence = 0) {
  SimShot shot;
  shot.info.sequence = sequence;
  shot.settings.exposure = exposure;
  return shot;
}

// One frame, and what its pixels show.
struct Frame {
  Frame(const SimOptions& options, const SimShot& shot, Format format, std::uint32_t sensor = 0)
      : format_(format),
        layout(*default_layout(format.pixel_format, format.width, format.height)),
        scene(options, sensor, format, layout),
        bytes(layout.size_bytes) {
    scene.draw(shot, bytes);
  }

  // The first plane's bytes `offset` from the start of each pixel that shows `number`, in rows
  // first..last.
  std::vector<double> codes(std::size_t number, std::size_t offset = 0, std::size_t first = 0,
                            std::size_t last = 1u << 20) const {
    const std::size_t pixel_bytes = layout.planes[0].row_bytes / format_.width;
    std::vector<double> found;
    for (std::size_t y = first; y < std::min<std::size_t>(last, format_.height); ++y) {
      const auto numbers = scene.numbers(y);
      for (std::size_t x = 0; x < numbers.size(); ++x)
        if (numbers[x] == number)
          found.push_back(std::to_integer<int>(
              bytes[layout.planes[0].offset_bytes + y * layout.planes[0].stride_bytes +
                    x * pixel_bytes + offset]));
    }
    return found;
  }

  Format format_;
  Layout layout;
  SimScene scene;
  std::vector<std::byte> bytes;
};

constexpr Format kGrey{PixelFormat::gray8, 320, 180, {}};

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double deviation(const std::vector<double>& values) {
  const double middle = mean(values);
  double sum = 0;
  for (double value : values) sum += (value - middle) * (value - middle);
  return std::sqrt(sum / static_cast<double>(values.size()));
}

// The share of full scale behind a code of video range.
double signal_of(double code) { return sim_signal((code - 16) / 219); }

double signal_with(Nanoseconds exposure, double analogue = 1, double digital = 1) {
  SimShot shot = shot_of(exposure);
  shot.settings.analogue_gain = analogue;
  shot.settings.digital_gain = digital;
  return signal_of(mean(Frame(quiet(), shot, kGrey).codes(kMidGrey)));
}

TEST(SimScene, TheSignalIsLightTimesExposureTimesGain) {
  const double once = kMidGreyLight * 5 / 12.5;  // 5 ms of the 12.5 ms that fill a white pixel
  EXPECT_NEAR(signal_with(milliseconds(5)), once, 0.02 * once);
  EXPECT_NEAR(signal_with(milliseconds(10)), 2 * once, 0.02 * once);
  EXPECT_NEAR(signal_with(milliseconds(5), 2), 2 * once, 0.02 * once);
  EXPECT_NEAR(signal_with(milliseconds(5), 1, 2), 2 * once, 0.02 * once);
  EXPECT_NEAR(signal_with(milliseconds(5), 2, 4), 8 * once, 0.08 * once);
}

TEST(SimScene, AFullPixelClips) {
  EXPECT_EQ(signal_with(milliseconds(5), 16), 1);
  EXPECT_EQ(signal_with(seconds(1), 16, 16), 1);
}

TEST(SimScene, WhiteBalanceGainsActOnTheirColourAlone) {
  const Format format{PixelFormat::rgb, 320, 180, {}};
  SimShot shot = shot_of(milliseconds(5));
  const Frame plain(quiet(), shot, format);
  shot.settings.red_gain = 2;
  shot.settings.blue_gain = 0.5;
  const Frame balanced(quiet(), shot, format);
  const auto ratio = [&](std::size_t channel) {
    return sim_signal(mean(balanced.codes(kMidGrey, channel)) / 255) /
           sim_signal(mean(plain.codes(kMidGrey, channel)) / 255);
  };
  EXPECT_NEAR(ratio(0), 2, 0.03);
  EXPECT_EQ(ratio(1), 1);
  EXPECT_NEAR(ratio(2), 0.5, 0.02);
}

TEST(SimScene, NoiseHasTheDeviationAskedForAndGrowsWithGain) {
  const Format large{PixelFormat::gray8, 640, 360, {}};
  for (double gain : {1.0, 2.0}) {
    SimOptions options;
    options.noise = 3;
    SimShot shot = shot_of(Nanoseconds(milliseconds(10)) / static_cast<int>(gain));
    shot.settings.analogue_gain = gain;
    std::vector<double> signals;
    for (double code : Frame(options, shot, large).codes(kMidGrey))
      signals.push_back(255 * signal_of(code));
    EXPECT_NEAR(mean(signals), 255 * kMidGreyLight * 10 / 12.5, 0.5);
    EXPECT_NEAR(deviation(signals), 3 * gain, 0.15 * gain);
  }
}

TEST(SimScene, WithoutNoiseAnEvenPatchIsEven) {
  EXPECT_EQ(deviation(Frame(quiet(), shot_of(milliseconds(10)), kGrey).codes(kMidGrey)), 0);
}

TEST(SimScene, TheStrongestNoiseStaysWithinTheCodes) {
  SimOptions options;
  options.noise = 64;
  SimShot shot = shot_of(milliseconds(10));
  shot.settings.analogue_gain = 16;
  shot.settings.digital_gain = 16;
  const Frame frame(options, shot, kGrey);
  const auto [least, most] = std::minmax_element(frame.bytes.begin(), frame.bytes.end());
  EXPECT_GE(std::to_integer<int>(*least), 16);
  EXPECT_LE(std::to_integer<int>(*most), 235);
}

TEST(SimScene, TheSameShotGivesTheSameBytes) {
  const SimShot shot = shot_of(milliseconds(10), 77);
  for (PixelFormat pixel_format : kPixelFormats) {
    const Format format{pixel_format, 317, 179, {}};
    EXPECT_EQ(Frame(SimOptions(), shot, format).bytes, Frame(SimOptions(), shot, format).bytes);
  }
}

TEST(SimScene, NoiseDiffersFromFrameToFrameAndFromSensorToSensor) {
  SimOptions options;
  options.noise = 5;
  const auto codes = [&](std::uint64_t sequence, std::uint32_t sensor) {
    return Frame(options, shot_of(milliseconds(10), sequence), kGrey, sensor).codes(kMidGrey);
  };
  EXPECT_NE(codes(0, 0), codes(1, 0));
  EXPECT_NE(codes(0, 0), codes(0, 1));
}

TEST(SimScene, SensorsLookFromDifferentSides) {
  const Format format{PixelFormat::gray8, 640, 360, {}};
  const SimShot shot = shot_of(milliseconds(10));
  const Frame one(quiet(), shot, format, 0);
  const Frame other(quiet(), shot, format, 1);
  std::size_t same = 0;
  for (std::size_t x = 0; x < 640; ++x)
    same += one.scene.numbers(180)[x] == other.scene.numbers(180)[x] ? 1 : 0;
  EXPECT_LT(same, 600u);
}

class SimSceneFormat : public testing::TestWithParam<PixelFormat> {};

TEST_P(SimSceneFormat, ShowsTheSameGreys) {
  for (auto [width, height] : {std::pair{320u, 180u}, {319u, 179u}}) {
    const Frame frame(quiet(), shot_of(milliseconds(10)), {GetParam(), width, height, {}});
    for (std::size_t step = 0; step < kWedge.count; ++step) {
      const double light = 1.6 * std::pow(0.5, 0.5 * static_cast<double>(11 - step)) * 10 / 12.5;
      const double response = sim_response(light);
      switch (GetParam()) {
        case PixelFormat::rgb:
        case PixelFormat::bgrx:
        case PixelFormat::rgba:
          EXPECT_NEAR(mean(frame.codes(kWedge.first + step)), 255 * response, 1);
          EXPECT_NEAR(mean(frame.codes(kWedge.first + step, 1)), 255 * response, 1);
          EXPECT_NEAR(mean(frame.codes(kWedge.first + step, 2)), 255 * response, 1);
          break;
        case PixelFormat::p010_10le:
          EXPECT_NEAR(4 * mean(frame.codes(kWedge.first + step, 1)) +
                          mean(frame.codes(kWedge.first + step, 0)) / 64,
                      64 + 876 * response, 2);
          break;
        case PixelFormat::uyvy:
          EXPECT_NEAR(mean(frame.codes(kWedge.first + step, 1)), 16 + 219 * response, 1);
          EXPECT_EQ(mean(frame.codes(kWedge.first + step, 0)), 128);
          break;
        case PixelFormat::yuy2:
        case PixelFormat::nv12:
        case PixelFormat::i420:
        case PixelFormat::gray8:
          EXPECT_NEAR(mean(frame.codes(kWedge.first + step)), 16 + 219 * response, 1);
          break;
      }
    }
  }
}

TEST_P(SimSceneFormat, CanBeOfAnySize) {
  for (auto [width, height] :
       {std::pair{1u, 1u}, {2u, 1u}, {1u, 2u}, {3u, 5u}, {16u, 16u}, {17u, 4096u}, {4096u, 17u}})
    Frame(SimOptions(), shot_of(milliseconds(10)), {GetParam(), width, height, {}});
}

INSTANTIATE_TEST_SUITE_P(SimScene, SimSceneFormat, testing::ValuesIn(kPixelFormats),
                         [](const auto& tested) { return std::string(to_string(tested.param)); });

// The pixel's colour as RGB codes of full range, by BT.709 or BT.601.
std::array<double, 3> rgb_of(double y, double u, double v, bool hd) {
  const double red = hd ? 0.2126 : 0.299;
  const double blue = hd ? 0.0722 : 0.114;
  const double luma = (y - 16) / 219;
  const double r = luma + 2 * (1 - red) * (v - 128) / 224;
  const double b = luma + 2 * (1 - blue) * (u - 128) / 224;
  return {255 * r, 255 * (luma - red * r - blue * b) / (1 - red - blue), 255 * b};
}

TEST(SimScene, ColoursAreTheSameInRgbAndYuv) {
  for (auto [width, height] : {std::pair{640u, 360u}, {1280u, 720u}}) {
    const SimShot shot = shot_of(milliseconds(8));
    const Frame rgb(quiet(), shot, {PixelFormat::rgb, width, height, {}});
    const Frame nv12(quiet(), shot, {PixelFormat::nv12, width, height, {}});
    const Plane& luma = nv12.layout.planes[0];
    const Plane& chroma = nv12.layout.planes[1];
    const auto byte = [](const Frame& frame, std::size_t at) {
      return double(std::to_integer<int>(frame.bytes[at]));
    };
    int compared = 0;
    for (std::size_t y = 0; y < height; y += 10) {
      for (std::size_t x = 0; x < width; x += 10) {
        if (nv12.scene.numbers(y)[x] - kPatches.first >= kPatches.count) continue;
        const auto colour = rgb_of(
            byte(nv12, y * luma.stride_bytes + x),
            byte(nv12, chroma.offset_bytes + y / 2 * chroma.stride_bytes + x),
            byte(nv12, chroma.offset_bytes + y / 2 * chroma.stride_bytes + x + 1), height > 576);
        for (std::size_t c = 0; c < 3; ++c)
          ASSERT_NEAR(byte(rgb, y * rgb.layout.planes[0].stride_bytes + 3 * x + c), colour[c], 3);
        ++compared;
      }
    }
    EXPECT_GT(compared, 50);
  }
}

TEST(SimScene, RgbaIsRgbAndOpaque) {
  const SimShot shot = shot_of(milliseconds(8));
  const Frame rgb(SimOptions(), shot, {PixelFormat::rgb, 317, 179, {}});
  const Frame rgba(SimOptions(), shot, {PixelFormat::rgba, 317, 179, {}});
  for (std::size_t y = 0; y < 179; ++y) {
    const auto* three = &rgb.bytes[y * rgb.layout.planes[0].stride_bytes];
    const auto* four = &rgba.bytes[y * rgba.layout.planes[0].stride_bytes];
    for (std::size_t x = 0; x < 317; ++x) {
      ASSERT_TRUE(std::equal(three + 3 * x, three + 3 * x + 3, four + 4 * x)) << x << "," << y;
      ASSERT_EQ(four[4 * x + 3], std::byte{255}) << x << "," << y;
    }
  }
}

// How far apart the bands of a frame are that are exposed at different times, in codes.
double band_spread(const SimOptions& with, Nanoseconds exposure, Nanoseconds readout) {
  SimShot shot = shot_of(exposure);
  shot.readout = readout;
  const Frame frame(with, shot, {PixelFormat::gray8, 320, 360, {}});
  double least = 255;
  double most = 0;
  for (std::size_t row = 0; row < 360; row += 10) {
    const auto codes = frame.codes(kRim, 0, row, row + 10);
    if (codes.empty()) continue;
    least = std::min(least, mean(codes));
    most = std::max(most, mean(codes));
  }
  return most - least;
}

TEST(SimScene, FlickerMakesBandsWhereRowsAreReadOutOneAfterTheOther) {
  SimOptions options = quiet();
  options.lighting.flicker_hz = 50;
  options.lighting.flicker_depth = 0.5;
  EXPECT_GT(band_spread(options, milliseconds(2), milliseconds(10)), 10);
  EXPECT_EQ(band_spread(options, milliseconds(2), {}), 0);
  EXPECT_EQ(band_spread(quiet(), milliseconds(2), milliseconds(10)), 0);
}

TEST(SimScene, NoBandsAreLeftWhereTheExposureIsAMultipleOfTheFlicker) {
  for (const double mains : {50.0, 60.0}) {
    SimOptions options = quiet();
    options.lighting.flicker_hz = mains;
    options.lighting.flicker_depth = 1;
    for (int multiple = 1; multiple <= 3; ++multiple) {
      const auto flickers = [&](double count) {
        return Nanoseconds(std::llround(count * 1e9 / (2 * mains)));
      };
      EXPECT_LE(band_spread(options, flickers(multiple), milliseconds(12)), 1) << multiple;
      EXPECT_GT(band_spread(options, flickers(multiple + 0.5), milliseconds(12)), 5) << multiple;
    }
  }
}

// The light that a grey of the chart is seen to reflect, 1 for paper under the usual lamplight.
double light_of(const Frame& frame, const Settings& settings, std::size_t number) {
  const double exposure = static_cast<double>(settings.exposure.count());
  return signal_of(mean(frame.codes(number))) * static_cast<double>(kSimFullExposure.count()) /
         exposure;
}

double grey_light(const SimLighting& lighting, Nanoseconds exposed,
                  Nanoseconds exposure = milliseconds(5)) {
  SimOptions options = quiet();
  options.lighting = lighting;
  SimShot shot = shot_of(exposure);
  shot.stream_begin = seconds(5000);
  shot.exposed = shot.stream_begin + exposed;
  return light_of(Frame(options, shot, kGrey), shot.settings, kMidGrey);
}

TEST(SimScene, LightIsBrighterByAFactorOfTwoForEachStop) {
  SimLighting lighting;
  for (const double stops : {-2.0, -1.0, 0.0, 1.0, 1.5}) {
    lighting.stops = stops;
    const double expected = kMidGreyLight * std::exp2(stops);
    EXPECT_NEAR(grey_light(lighting, {}), expected, 0.02 * expected) << stops;
  }
}

TEST(SimScene, LightStepsAtItsTimeOfTheStream) {
  SimLighting lighting;
  lighting.change_at = milliseconds(100);
  lighting.change_stops = -1.5;
  const double after = kMidGreyLight * std::exp2(-1.5);
  EXPECT_NEAR(grey_light(lighting, milliseconds(95)), kMidGreyLight, 0.02 * kMidGreyLight);
  EXPECT_NEAR(grey_light(lighting, milliseconds(100)), after, 0.02 * after);
  // 2 of the 5 ms before the step, 3 after.
  const double across = 0.4 * kMidGreyLight + 0.6 * after;
  EXPECT_NEAR(grey_light(lighting, milliseconds(98)), across, 0.02 * across);
}

TEST(SimScene, LightChangesEvenlyInStopsWhereItTakesItsTime) {
  SimLighting lighting;
  lighting.stops = -2;
  lighting.change_at = milliseconds(100);
  lighting.change_over = milliseconds(1000);
  lighting.change_stops = 4;
  for (auto [at, stops] : {std::pair{0, -2.0}, {350, -1.0}, {600, 0.0}, {850, 1.0}, {1200, 2.0}}) {
    const double expected = kMidGreyLight * std::exp2(stops);
    EXPECT_NEAR(grey_light(lighting, milliseconds(at), milliseconds(1)), expected, 0.03 * expected)
        << at;
  }
}

TEST(SimScene, WithTheLightsOffOnlyWhatShinesByItselfIsSeen) {
  SimOptions options = quiet();
  options.lighting.stops = -20;
  const SimShot shot = shot_of(milliseconds(30));
  const Frame frame(options, shot, kGrey);
  EXPECT_EQ(mean(frame.codes(kWhite)), 16);
  EXPECT_EQ(mean(frame.codes(kWedge.end() - 1)), 16);
  const Frame usual(quiet(), shot, kGrey);
  EXPECT_GT(mean(frame.codes(kPoint)), 100);
  EXPECT_NEAR(mean(frame.codes(kPoint)), mean(usual.codes(kPoint)), 3);
}

TEST(SimScene, ALampInViewCoversAnEighthOfThePictureAndShinesWhateverTheLight) {
  SimOptions options = quiet();
  options.lighting.lamp = 24;
  const auto share_of_lamp = [&](double stops) {
    options.lighting.stops = stops;
    const Frame frame(options, shot_of(milliseconds(1)), {PixelFormat::gray8, 640, 360, {}});
    std::size_t full = 0;
    for (const std::byte code : frame.bytes) full += std::to_integer<int>(code) >= 234 ? 1 : 0;
    return static_cast<double>(full) / (640 * 360);
  };
  EXPECT_NEAR(share_of_lamp(-20), 0.125, 0.01);
  EXPECT_NEAR(share_of_lamp(0), 0.125, 0.01);
  options.lighting.lamp = 0;
  EXPECT_LT(share_of_lamp(0), 0.01);
}

TEST(SimScene, ALampInViewIsAsBrightAsItSaysAndWarm) {
  SimOptions options = quiet();
  options.lighting.lamp = 2;
  options.lighting.stops = -20;
  const Frame frame(options, shot_of(milliseconds(2)), {PixelFormat::rgb, 320, 180, {}});
  const auto light = [&](std::size_t channel) {
    return sim_signal(mean(frame.codes(kWheel.first, channel)) / 255) * 12.5 / 2;
  };
  EXPECT_NEAR(light(1), 2, 0.04);
  EXPECT_GT(light(0), light(1));
  EXPECT_LT(light(2), light(1));
}

TEST(SimScene, SensorsMayDifferInResponseAndColourCast) {
  const Format format{PixelFormat::rgb, 320, 180, {}};
  SimOptions options = quiet();
  options.lighting.response = 0.5;
  options.lighting.red_response = 1.5;
  options.lighting.blue_response = 0.75;
  SimShot shot = shot_of(milliseconds(10));
  const auto signal = [&](std::size_t channel) {
    return sim_signal(mean(Frame(options, shot, format).codes(kMidGrey, channel)) / 255);
  };
  const double green = kMidGreyLight * 0.5 * 10 / 12.5;
  EXPECT_NEAR(signal(0), 1.5 * green, 0.03 * green);
  EXPECT_NEAR(signal(1), green, 0.03 * green);
  EXPECT_NEAR(signal(2), 0.75 * green, 0.03 * green);
  // The gains of white balance undo the cast.
  shot.settings.red_gain = 1 / 1.5;
  shot.settings.blue_gain = 1 / 0.75;
  EXPECT_NEAR(signal(0), green, 0.03 * green);
  EXPECT_NEAR(signal(2), green, 0.03 * green);
}

}  // namespace
}  // namespace lockstep
