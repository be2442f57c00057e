// SPDX-License-Identifier: MIT
#include "sensor/sim/light.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "sensor/sim/response.h"

namespace lockstep {
namespace {

using namespace sim_chart;

constexpr Nanoseconds kSlowRound = std::chrono::seconds(1);
constexpr Nanoseconds kFastRound = std::chrono::milliseconds(50);
constexpr double kWheelTurnsPerSecond = 0.25;
constexpr SimColour kSlowLamp{0.35F, 2.6F, 0.8F};
constexpr SimColour kFastLamp{26, 9, 1.2F};  // Lit a twentieth as long.
constexpr SimColour kTimeLight{0.12F, 0.9F, 0.75F};
constexpr SimColour kSensorLight{1.2F, 0.62F, 0.08F};
constexpr SimColour kLampLight{1.25F, 1.0F, 0.62F};  // warm white

SimColour grey(double value) {
  const auto v = static_cast<float>(value);
  return {v, v, v};
}

SimColour scaled(const SimColour& colour, double factor) {
  const auto f = static_cast<float>(factor);
  return {colour.red * f, colour.green * f, colour.blue * f};
}

SimColour sum(const SimColour& a, const SimColour& b) {
  return {a.red + b.red, a.green + b.green, a.blue + b.blue};
}

// The colour that looks like these code values, 0..255, when white is 255.
SimColour paint(int red, int green, int blue) {
  const auto linear = [](int code) { return static_cast<float>(sim_signal(code / 255.0)); };
  return {linear(red), linear(green), linear(blue)};
}

constexpr std::array<std::array<int, 3>, kPatches.count> kPaints = {{{{122, 78, 62}},
                                                                     {{205, 152, 130}},
                                                                     {{84, 118, 158}},
                                                                     {{86, 108, 62}},
                                                                     {{130, 124, 178}},
                                                                     {{98, 190, 172}},
                                                                     {{222, 122, 42}},
                                                                     {{66, 86, 170}},
                                                                     {{198, 78, 94}},
                                                                     {{86, 54, 104}},
                                                                     {{164, 190, 58}},
                                                                     {{232, 164, 40}},
                                                                     {{38, 56, 146}},
                                                                     {{62, 148, 70}},
                                                                     {{180, 44, 52}},
                                                                     {{240, 204, 32}},
                                                                     {{190, 74, 148}},
                                                                     {{0, 136, 166}}}};

SimColours reflectances() {
  SimColours colours{};
  for (std::size_t i = 0; i < kBackdrop.count; ++i) {
    const double share = static_cast<double>(i) / static_cast<double>(kBackdrop.count - 1);
    const double light = 0.012 + 0.15 * share * share;
    const auto v = static_cast<float>(light);
    colours[kBackdrop.first + i] = {v * 0.86F, v * 1.0F, v * 1.16F};
  }
  for (const Range& ring : {kSlowRing, kFastRing})
    for (std::size_t i = 0; i < ring.count; ++i) colours[ring.first + i] = grey(0.03);
  for (const Range& digits : {kTimeDigits, kSensorDigits})
    for (std::size_t i = 0; i < digits.count; ++i) colours[digits.first + i] = grey(0.009);
  for (std::size_t i = 0; i < kPatches.count; ++i)
    colours[kPatches.first + i] = paint(kPaints[i][0], kPaints[i][1], kPaints[i][2]);
  // Half a stop from step to step; the last is brighter than paper, as a slide before the lamp.
  for (std::size_t i = 0; i < kWedge.count; ++i)
    colours[kWedge.first + i] =
        grey(1.6 * std::pow(0.5, 0.5 * static_cast<double>(kWedge.end() - 1 - kWedge.first - i)));
  colours[kBlack] = grey(0.015);
  colours[kPanel] = grey(0.005);
  colours[kRim] = paint(96, 104, 114);
  colours[kWhite] = grey(0.9);
  colours[kGlass] = colours[kHub] = colours[kPanel];
  colours[kWheelRim] = colours[kRim];
  return colours;
}

// A circle of colours that has turned by `turns`.
SimColour wheel_colour(std::size_t sector, double turns) {
  const double hue = static_cast<double>(sector) / static_cast<double>(kWheel.count) - turns;
  const auto channel = [&](double shift) {
    const double wave = 0.5 + 0.5 * std::cos(kTurn * (hue - shift));
    return static_cast<float>(0.02 + 0.68 * wave * wave);
  };
  return {channel(0), channel(1.0 / 3), channel(2.0 / 3)};
}

// Segments a to g of 0 to 9, a the lowest bit.
constexpr std::array<std::uint8_t, 10> kDigitShapes = {0x3f, 0x06, 0x5b, 0x4f, 0x66,
                                                       0x6d, 0x7d, 0x07, 0x7f, 0x6f};

void light_digits(SimColours& light, Range digits, std::uint64_t number, const SimColour& colour) {
  for (std::size_t first = digits.end(); first > digits.first; number /= 10) {
    first -= kSegments;
    for (std::size_t s = 0; s < kSegments; ++s)
      if ((kDigitShapes[number % 10] >> s) & 1) light[first + s] = colour;
  }
}

// The mean brightness while it goes evenly, in stops, from one to the other.
double mean_brightness(double stops, double stops_then) {
  if (stops == stops_then) return std::exp2(stops);
  return (std::exp2(stops_then) - std::exp2(stops)) / ((stops_then - stops) * std::numbers::ln2);
}

}  // namespace

Nanoseconds time_lit(Nanoseconds begin, Nanoseconds exposure, Nanoseconds round, std::size_t index,
                     std::size_t count) {
  const Nanoseconds turn = round / static_cast<std::int64_t>(count);
  // How long it has been lit from time 0 to `time`.
  const auto lit_until = [&](Nanoseconds time) {
    std::int64_t rounds = time / round;
    if (time % round < Nanoseconds(0)) --rounds;
    const Nanoseconds within = time - rounds * round - static_cast<std::int64_t>(index) * turn;
    return rounds * turn + std::clamp(within, Nanoseconds(0), turn);
  };
  return lit_until(begin + exposure) - lit_until(begin);
}

SimLight::SimLight(const SimLighting& lighting)
    : lighting_(lighting), reflectance_(reflectances()) {}

double SimLight::flicker(Nanoseconds begin, Nanoseconds exposure) const {
  if (lighting_.flicker_hz == 0) return 1;
  // 1 + depth x sin(2 pi 2f t), its mean from begin to end. The phase is taken of the whole turn,
  // since nanoseconds since boot would leave a cosine nothing to work with.
  const double wave = 2 * lighting_.flicker_hz;
  const auto turn = Nanoseconds(1'000'000'000);
  const double from = kTurn * wave * static_cast<double>((begin % turn).count()) * 1e-9;
  const double length = kTurn * wave * static_cast<double>(exposure.count()) * 1e-9;
  return 1 + lighting_.flicker_depth * (std::cos(from) - std::cos(from + length)) / length;
}

double SimLight::lamplight(Nanoseconds begin, Nanoseconds exposure,
                           Nanoseconds stream_begin) const {
  const double first = lighting_.stops;
  if (!lighting_.change_at) return std::exp2(first) * flicker(begin, exposure);
  // The parts before the change, in it and after it, each by its length.
  const double last = first + lighting_.change_stops;
  const Nanoseconds end = begin + exposure;
  const Nanoseconds change = stream_begin + *lighting_.change_at;
  const Nanoseconds change_begin = std::clamp(change, begin, end);
  const Nanoseconds change_end = std::clamp(change + lighting_.change_over, begin, end);
  const auto part = [&](Nanoseconds from, Nanoseconds to, double stops, double stops_then) {
    if (from == to) return 0.0;
    return static_cast<double>((to - from).count()) * flicker(from, to - from) *
           mean_brightness(stops, stops_then);
  };
  const auto stops_at = [&](Nanoseconds time) {
    const auto since = static_cast<double>((time - change).count());
    const double share = since / static_cast<double>(lighting_.change_over.count());
    return first + lighting_.change_stops * share;
  };
  const double sum =
      part(begin, change_begin, first, first) + part(change_end, end, last, last) +
      (change_begin == change_end
           ? 0
           : part(change_begin, change_end, stops_at(change_begin), stops_at(change_end)));
  return sum / static_cast<double>(exposure.count());
}

SimColours SimLight::gather(const SimExposure& exposure) const {
  const Settings& settings = exposure.settings;
  const double shutter = static_cast<double>(settings.exposure.count());
  const double brightness = lamplight(exposure.begin, settings.exposure, exposure.stream_begin);
  const double seconds =
      static_cast<double>((exposure.begin % std::chrono::hours(1)).count()) * 1e-9;

  SimColours emission{};
  for (std::size_t i = 0; i < kSlowRing.count; ++i) {
    const Nanoseconds lit =
        time_lit(exposure.begin, settings.exposure, kSlowRound, i, kSlowRing.count);
    emission[kSlowRing.first + i] = scaled(kSlowLamp, static_cast<double>(lit.count()) / shutter);
  }
  for (std::size_t i = 0; i < kFastRing.count; ++i) {
    const Nanoseconds lit =
        time_lit(exposure.begin, settings.exposure, kFastRound, i, kFastRing.count);
    emission[kFastRing.first + i] = scaled(kFastLamp, static_cast<double>(lit.count()) / shutter);
  }
  const auto milliseconds = static_cast<std::uint64_t>(exposure.frame_begin.count() / 1'000'000);
  light_digits(emission, kTimeDigits, milliseconds, kTimeLight);
  light_digits(emission, kSensorDigits, exposure.sensor, kSensorLight);
  emission[kPoint] = kTimeLight;
  for (std::size_t i = 0; i < kWheel.count; ++i)
    emission[kWheel.first + i] = scaled(kLampLight, lighting_.lamp);
  for (const std::size_t part : {kGlass, kWheelRim, kHub})
    emission[part] = scaled(kLampLight, lighting_.lamp);

  const double gain = lighting_.response * settings.analogue_gain * settings.digital_gain *
                      shutter / static_cast<double>(kSimFullExposure.count());
  const auto red = static_cast<float>(lighting_.red_response * settings.red_gain);
  const auto blue = static_cast<float>(lighting_.blue_response * settings.blue_gain);
  SimColours gathered;
  for (std::size_t tone = 0; tone < gathered.size(); ++tone) {
    const bool turns = tone - kWheel.first < kWheel.count;
    const SimColour reflectance =
        turns ? wheel_colour(tone - kWheel.first, seconds * kWheelTurnsPerSecond)
              : reflectance_[tone];
    const SimColour light = scaled(sum(scaled(reflectance, brightness), emission[tone]), gain);
    gathered[tone] = {light.red * red, light.green, light.blue * blue};
  }
  return gathered;
}

}  // namespace lockstep
