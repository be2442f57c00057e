// SPDX-License-Identifier: MIT
#include "sensor/sim/options.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace lockstep {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr double kMostMilliseconds = 86'400'000;  // a day

Nanoseconds from_milliseconds(double value) { return Nanoseconds(std::llround(value * 1'000'000)); }

// `NAME-at` and `NAME-for`, in milliseconds; never where NAME-at is not given.
SimOutage read_outage(OptionReader& options, const std::string& name, double least, double usual) {
  const double at = options.number(name + "-at", 0, kMostMilliseconds, -1);
  const double duration = options.number(name + "-for", least, kMostMilliseconds, usual);
  if (at < 0) return {};
  const Nanoseconds begin = from_milliseconds(at);
  return {begin, duration > 0 ? begin + from_milliseconds(duration) : Nanoseconds::max()};
}

SimTiming read_timing(OptionReader& options) {
  SimTiming timing;
  timing.drift_ppm = options.number("drift-ppm", -10'000, 10'000, 0);
  timing.jitter = options.microseconds("jitter-us", {}, seconds(1), {});
  timing.stamp_noise = options.microseconds("stamp-noise-us", {}, seconds(100), {});
  // Not 1: virtual time would run on for ever in search of the next frame.
  timing.drop = options.number("drop", 0, 0.99, 0);
  timing.corrupt = options.number("corrupt", 0, 1, 0);
  timing.duplicate = options.number("duplicate", 0, 1, 0);
  timing.stall = read_outage(options, "stall", 1, 1000);
  timing.unplugged = read_outage(options, "unplug", 0, 1000);
  return timing;
}

// Between the bounds, whatever `value` is: a NaN becomes the lower one.
double bounded(double value, double low, double high) {
  return value >= low ? std::min(value, high) : low;
}

Settings read_settings(OptionReader& options) {
  Settings settings;
  settings.exposure =
      options.microseconds("exposure-us", kSimMinExposure, kSimMaxExposure, milliseconds(10));
  settings.analogue_gain = options.number("analogue-gain", 1, kSimMaxGain, 1);
  settings.digital_gain = options.number("digital-gain", 1, kSimMaxGain, 1);
  settings.red_gain = options.number("red-gain", kSimMinBalance, kSimMaxBalance, 1);
  settings.blue_gain = options.number("blue-gain", kSimMinBalance, kSimMaxBalance, 1);
  return settings;
}

}  // namespace

Result<SimOptions> read_sim_options(const SensorSpec& spec) {
  OptionReader options(spec);
  SimOptions sim;
  sim.seed = static_cast<std::uint64_t>(options.integer("seed", 0, INT64_MAX, 1));
  sim.timing = read_timing(options);
  sim.phase = options.microseconds("phase-us", {}, seconds(1), {});
  sim.settings = read_settings(options);
  sim.readout = options.microseconds("readout-us", {}, seconds(1), milliseconds(5));
  sim.control_delay = static_cast<int>(options.integer("control-delay", 0, 64, 2));
  sim.noise = options.number("noise", 0, 64, 1.5);
  sim.flicker_hz =
      options.choice<double>("flicker-hz", {{"0", 0.0}, {"50", 50.0}, {"60", 60.0}}, 0.0);
  sim.flicker_depth = options.number("flicker-depth", 0, 1, 0.5);
  sim.render = options.choice<SimRender>(
      "render", {{"full", SimRender::full}, {"code", SimRender::code}, {"stamp", SimRender::stamp}},
      SimRender::full);
  sim.delivery = options.choice<Delivery>(
      "delivery", {{"fill", Delivery::fill}, {"lend", Delivery::lend}}, Delivery::fill);
  sim.realtime = options.boolean("realtime", true);
  sim.format = options.choice<std::optional<PixelFormat>>("format",
                                                          {{"NV12", PixelFormat::nv12},
                                                           {"I420", PixelFormat::i420},
                                                           {"YUY2", PixelFormat::yuy2},
                                                           {"UYVY", PixelFormat::uyvy},
                                                           {"RGB", PixelFormat::rgb},
                                                           {"BGRx", PixelFormat::bgrx},
                                                           {"GRAY8", PixelFormat::gray8},
                                                           {"P010_10LE", PixelFormat::p010_10le}},
                                                          std::nullopt);
  sim.size = options.size("size");
  if (auto read = options.finish(); !read) return std::move(read).error();
  return sim;
}

Settings within_sim_limits(Settings wanted, Nanoseconds frame_period) {
  if (wanted.frame_duration <= Nanoseconds(0)) wanted.frame_duration = frame_period;
  wanted.frame_duration =
      std::clamp(wanted.frame_duration, kSimMinFrameDuration, kSimMaxFrameDuration);
  wanted.exposure = std::clamp(wanted.exposure, kSimMinExposure, wanted.frame_duration);
  wanted.analogue_gain = bounded(wanted.analogue_gain, 1.0, kSimMaxGain);
  wanted.digital_gain = bounded(wanted.digital_gain, 1.0, kSimMaxGain);
  wanted.red_gain = bounded(wanted.red_gain, kSimMinBalance, kSimMaxBalance);
  wanted.blue_gain = bounded(wanted.blue_gain, kSimMinBalance, kSimMaxBalance);
  return wanted;
}

}  // namespace lockstep
