// SPDX-License-Identifier: MIT
#include "sensor/sim/options.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr double kMostMilliseconds = 86'400'000;  // a day
constexpr double kSimMostStops = 20;

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

double in_ns(Nanoseconds time) { return static_cast<double>(time.count()); }

// A step, and with it the least value that is a multiple of it.
void read_time_step(OptionReader& options, const std::string& name, SettingRange& range) {
  range.step = in_ns(options.microseconds(name, {}, seconds(1), {}));
  if (range.step > 0) range.min = std::ceil(range.min / range.step) * range.step;
}

void read_ranges(OptionReader& options, SettingsCaps& caps) {
  SettingRange& exposure = *caps[Setting::exposure];
  read_time_step(options, "exposure-step-us", exposure);
  const auto least = Nanoseconds(std::llround(exposure.min));
  const Nanoseconds min =
      options.microseconds("exposure-min-us", kSimMinExposure, kSimMaxExposure, least);
  exposure.min = in_ns(min);
  exposure.max =
      in_ns(options.microseconds("exposure-max-us", min, kSimMaxExposure, kSimMaxExposure));
  for (const Setting gain : {Setting::analogue_gain, Setting::digital_gain}) {
    const std::string name = to_string(gain);
    caps[gain]->step = options.number(name + "-step", 0, kSimMaxGain - 1, 0);
    caps[gain]->max = options.number(name + "-max", 1, kSimMaxGain, kSimMaxGain);
  }
  const double step = options.number("balance-step", 0, kSimMaxBalance - kSimMinBalance, 0);
  const double most = options.number("balance-max", 1, kSimMaxBalance, kSimMaxBalance);
  for (const Setting gain : {Setting::red_gain, Setting::blue_gain}) {
    caps[gain]->step = step;
    caps[gain]->max = most;
  }
  read_time_step(options, "frame-duration-step-us", *caps[Setting::frame_duration]);
}

// Leaves out what `controls` does not name.
void read_controls(OptionReader& options, SettingsCaps& caps) {
  std::vector<std::string_view> names;
  for (const Setting setting : kSettings) names.emplace_back(to_string(setting));
  const std::vector<bool> has = options.some_of("controls", names);
  std::string missing;
  for (const Setting setting : kSettings) {
    const auto i = static_cast<std::size_t>(setting);
    if (has[i]) continue;
    caps[setting].reset();
    missing += (missing.empty() ? "" : ", ") + std::string(names[i]);
  }
  if (!missing.empty()) caps.missing = missing + ": left out by the option controls";
}

SettingsCaps read_caps(OptionReader& options) {
  const auto usual = options.integer("control-delay", 0, kMaxControlDelay, 2);
  SettingsCaps caps = sim_caps(static_cast<int>(usual));
  for (const Setting setting : kSettings)
    caps[setting]->delay = static_cast<int>(
        options.integer(std::string(to_string(setting)) + "-delay", 0, kMaxControlDelay, usual));
  read_ranges(options, caps);
  read_controls(options, caps);
  caps.reports = options.boolean("report", true);
  return caps;
}

// What it begins with; where it can be set, a value that it has.
Settings read_settings(OptionReader& options, const SettingsCaps& caps) {
  Settings settings;
  settings.exposure =
      options.microseconds("exposure-us", kSimMinExposure, kSimMaxExposure, milliseconds(10));
  settings.analogue_gain = options.number("analogue-gain", 1, kSimMaxGain, 1);
  settings.digital_gain = options.number("digital-gain", 1, kSimMaxGain, 1);
  settings.red_gain = options.number("red-gain", kSimMinBalance, kSimMaxBalance, 1);
  settings.blue_gain = options.number("blue-gain", kSimMinBalance, kSimMaxBalance, 1);
  for (const Setting setting : kSettings) {
    if (setting == Setting::frame_duration || !caps[setting]) continue;  // As the frame rate says.
    const double value = nearest(*caps[setting], value_of(settings, setting));
    apply_to(settings, SettingsChange().set(setting, value));
  }
  return settings;
}

SimLighting read_lighting(OptionReader& options) {
  SimLighting lighting;
  lighting.flicker_hz =
      options.choice<double>("flicker-hz", {{"0", 0.0}, {"50", 50.0}, {"60", 60.0}}, 0.0);
  lighting.flicker_depth = options.number("flicker-depth", 0, 1, 0.5);
  lighting.stops = options.number("light", -kSimMostStops, kSimMostStops, 0);
  lighting.change_stops = options.number("light-stops", -kSimMostStops, kSimMostStops, 0);
  const double at = options.number("light-at", 0, kMostMilliseconds, -1);
  if (at >= 0) lighting.change_at = from_milliseconds(at);
  lighting.change_over = from_milliseconds(options.number("light-over", 0, kMostMilliseconds, 0));
  lighting.lamp = options.number("lamp", 0, 64, 0);
  lighting.response = options.number("response", 0.1, 10, 1);
  lighting.red_response = options.number("red-response", 0.25, 4, 1);
  lighting.blue_response = options.number("blue-response", 0.25, 4, 1);
  return lighting;
}

}  // namespace

Result<SimOptions> read_sim_options(const SensorSpec& spec) {
  OptionReader options(spec);
  SimOptions sim;
  sim.seed = static_cast<std::uint64_t>(options.integer("seed", 0, INT64_MAX, 1));
  sim.timing = read_timing(options);
  sim.phase = options.microseconds("phase-us", {}, seconds(1), {});
  sim.caps = read_caps(options);
  sim.settings = read_settings(options, sim.caps);
  sim.refusal = read_outage(options, "refuse", 1, 1000);
  sim.readout = options.microseconds("readout-us", {}, seconds(1), milliseconds(5));
  sim.noise = options.number("noise", 0, 64, 1.5);
  sim.lighting = read_lighting(options);
  sim.render = options.choice<SimRender>("render",
                                         {{"full", SimRender::full},
                                          {"scene", SimRender::scene},
                                          {"code", SimRender::code},
                                          {"stamp", SimRender::stamp}},
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
                                                           {"RGBA", PixelFormat::rgba},
                                                           {"GRAY8", PixelFormat::gray8},
                                                           {"P010_10LE", PixelFormat::p010_10le}},
                                                          std::nullopt);
  sim.size = options.size("size");
  if (auto read = options.finish(); !read) return std::move(read).error();
  return sim;
}

SettingsCaps sim_caps(int delay) {
  const auto range = [delay](double min, double max) { return SettingRange{min, max, 0, delay}; };
  SettingsCaps caps;
  caps[Setting::exposure] = range(in_ns(kSimMinExposure), in_ns(kSimMaxExposure));
  caps[Setting::analogue_gain] = range(1, kSimMaxGain);
  caps[Setting::digital_gain] = range(1, kSimMaxGain);
  caps[Setting::red_gain] = range(kSimMinBalance, kSimMaxBalance);
  caps[Setting::blue_gain] = range(kSimMinBalance, kSimMaxBalance);
  caps[Setting::frame_duration] = range(in_ns(kSimMinFrameDuration), in_ns(kSimMaxFrameDuration));
  caps.reports = true;
  return caps;
}

}  // namespace lockstep
