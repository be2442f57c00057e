// SPDX-License-Identifier: MIT
#include "capture_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "lockstep/metering.h"

namespace lockstep::tools {
namespace {

constexpr std::uint32_t kDefaultNumSensors = 4;
constexpr std::uint32_t kMostOfFraction = 0x7fffffff;  // What caps can hold.
constexpr Format kPreferred{PixelFormat::nv12, 1280, 720, {30, 1}};

std::uint32_t nearest_side(const SizeRange& range, std::uint32_t wanted) {
  const std::uint32_t side = std::clamp(wanted, range.min, range.max);
  const std::uint32_t step = std::max(range.step, 1u);
  return range.min + (side - range.min) / step * step;
}

double per_second(const Fraction& rate) {
  return static_cast<double>(rate.numerator) / rate.denominator;
}

Fraction nearest_rate(const std::vector<RateRange>& ranges, const Fraction& wanted) {
  const auto within = [&wanted](const RateRange& range) {
    return wanted < range.min ? range.min : range.max < wanted ? range.max : wanted;
  };
  Fraction nearest = ranges.empty() ? wanted : within(ranges.front());
  for (const RateRange& range : ranges) {
    const Fraction rate = within(range);
    if (std::abs(per_second(rate) - per_second(wanted)) <
        std::abs(per_second(nearest) - per_second(wanted)))
      nearest = rate;
  }
  return nearest;
}

// All of the text as one part of a fraction.
std::optional<std::uint32_t> part_from(std::string_view text) {
  std::uint32_t part = 0;
  const char* end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, part);
  if (failure != std::errc() || stop != end || part < 1 || part > kMostOfFraction)
    return std::nullopt;
  return part;
}

}  // namespace

std::optional<Fraction> rate_from(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto numerator = part_from(text.substr(0, slash));
  const auto denominator =
      slash == text.npos ? std::optional<std::uint32_t>(1) : part_from(text.substr(slash + 1));
  if (!numerator || !denominator) return std::nullopt;
  return Fraction{*numerator, *denominator};
}

Result<std::vector<SensorSpec>> wanted_sensors(const CaptureOptions& options) {
  auto specs = parse_sensor_list(options.sensors.empty() ? "sim" : options.sensors);
  if (!specs) return specs.error();
  const bool many = specs->size() == 1 && specs->front().device.empty();
  const std::size_t wanted = options.num_sensors.value_or(
      options.sensors.empty() ? kDefaultNumSensors : static_cast<std::uint32_t>(specs->size()));
  if (many) specs->resize(wanted, specs->front());
  if (specs->size() == wanted) return specs;
  return Error{Errc::invalid_argument, 0,
               fmt::format("{} sensors are wanted, but {} are named; leave the number out or name "
                           "as many",
                           wanted, specs->size())};
}

Result<Format> wanted_format(const CaptureOptions& options,
                             const std::vector<FormatOffer>& offers) {
  const auto pixel_format = pixel_format_from(options.pixel_format);
  const auto fitting = [&](const FormatOffer& offer) {
    return Format{
        .pixel_format = pixel_format.value_or(offer.pixel_format),
        .width = options.sensor_width.value_or(nearest_side(offer.width, kPreferred.width)),
        .height = options.sensor_height.value_or(nearest_side(offer.height, kPreferred.height)),
        .framerate = options.framerate.value_or(nearest_rate(offer.rates, kPreferred.framerate))};
  };
  std::optional<Format> found;
  std::string listed;
  for (const FormatOffer& offer : offers) {
    listed += (listed.empty() ? "" : "; ") + to_string(offer);
    const Format format = fitting(offer);
    if (!allows(offer, format)) continue;
    if (!found || (found->pixel_format != kPreferred.pixel_format &&
                   format.pixel_format == kPreferred.pixel_format))
      found = format;
  }
  if (found) return *found;
  return Error{Errc::no_common_format, 0, "set the sensors as asked for; they all offer " + listed};
}

std::uint32_t default_bitrate_kbit(std::size_t num_tiles) {
  constexpr std::size_t kLeast = 2048;
  constexpr std::size_t kPerTile = 128;
  return static_cast<std::uint32_t>(std::max(kLeast, kPerTile * num_tiles));
}

LightConfig light_config(const LightOptions& options) {
  LightConfig config;
  for (const LightMode mode :
       {LightMode::manual, LightMode::shared, LightMode::follow, LightMode::independent})
    if (options.mode == to_string(mode)) config.mode = mode;
  if (options.target) config.target = *options.target;
  if (options.max_exposure_ms)
    config.max_exposure = Nanoseconds(std::llround(*options.max_exposure_ms * 1e6));
  if (options.max_gain) config.max_gain = *options.max_gain;
  if (options.antiflicker == "50") config.antiflicker = Antiflicker::mains_50_hz;
  if (options.antiflicker == "60") config.antiflicker = Antiflicker::mains_60_hz;
  config.white_balance = !options.no_white_balance;
  if (options.leader) config.leader = *options.leader;
  if (options.metering == "centre") config.metering = centre_metering();
  if (options.metering == "spot") config.metering = spot_metering();
  config.align_exposures = options.align;
  return config;
}

SettingsChange wanted_settings(const LightOptions& options) {
  SettingsChange change;
  if (options.exposure_ms)
    change.set(Setting::exposure, Nanoseconds(std::llround(*options.exposure_ms * 1e6)));
  change[Setting::analogue_gain] = options.analogue_gain;
  change[Setting::digital_gain] = options.digital_gain;
  change[Setting::red_gain] = options.red_gain;
  change[Setting::blue_gain] = options.blue_gain;
  return change;
}

}  // namespace lockstep::tools
