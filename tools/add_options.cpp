// SPDX-License-Identifier: MIT
#include "add_options.h"

#include <fmt/format.h>

#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "lockstep/memory.h"

namespace lockstep::tools {
namespace {

// Bounds against slips of the keyboard; each sensor has narrower ones.
constexpr double kShortestExposureMs = 0.001;
constexpr double kLongestExposureMs = 60'000;
constexpr double kLeastGain = 0.01;
constexpr double kMostGain = 1024;
constexpr double kShortestDurationS = 0.001;
constexpr double kLongestDurationS = 1e9;

// "30" or "30000/1001".
bool read_fraction(const std::string& text, std::optional<Fraction>& rate) {
  Fraction read;
  char slash = '/';
  std::istringstream stream(text);
  stream >> read.numerator;
  if (!stream.eof()) stream >> slash >> read.denominator;
  if (stream.fail() || !stream.eof() || slash != '/' || read.numerator == 0 ||
      read.denominator == 0)
    return false;
  rate = read;
  return true;
}

void add_settings_options(CLI::App& command, LightOptions& options) {
  const std::string group = "Light";
  const CLI::Validator gain = within(kLeastGain, kMostGain);
  const char* begin = " to begin with";
  const auto add = [&](const char* name, std::optional<double>& value, const char* what,
                       const CLI::Validator& bounds) {
    command.add_option(name, value, std::string(what) + begin)->check(bounds)->group(group);
  };
  add("--exposure", options.exposure_ms, "Exposure time of all sensors, in ms,",
      within(kShortestExposureMs, kLongestExposureMs));
  add("--analogue-gain", options.analogue_gain, "Analogue gain of all sensors, as a factor,", gain);
  add("--digital-gain", options.digital_gain, "Digital gain of all sensors, as a factor,", gain);
  add("--red-gain", options.red_gain, "Red gain of all sensors, relative to green,", gain);
  add("--blue-gain", options.blue_gain, "Blue gain of all sensors, relative to green,", gain);
}

}  // namespace

CLI::Validator within(double low, double high) {
  const std::string range = fmt::format("[{:g} - {:g}]", low, high);
  return CLI::Validator(
      [low, high, range](std::string& text) {
        double value = 0;
        const bool read = CLI::detail::lexical_cast(text, value);
        return read && value >= low && value <= high ? std::string() : text + ", wanted " + range;
      },
      range);
}

void add_capture_options(CLI::App& command, CaptureOptions& options) {
  std::vector<std::string> formats;
  for (const PixelFormat format : kPixelFormats) formats.push_back(to_string(format));
  std::vector<std::string> memories;
  for (const MemoryBackend* backend : memory_backends()) memories.emplace_back(backend->name());
  const std::string group = "Sensors";
  command
      .add_option(
          "--sensors", options.sensors,
          "The sensors in slot order, separated by ';'; `lockstep sensors` lists what there "
          "is (default: simulated ones)")
      ->group(group);
  command
      .add_option("-n,--num-sensors", options.num_sensors,
                  "How many simulated sensors, if none are named (default: 4)")
      ->check(CLI::Range(std::size_t{1}, kMaxSensors))
      ->group(group);
  command.add_option("--format", options.pixel_format, "Their pixel format")
      ->check(CLI::IsMember(formats))
      ->group(group);
  const CLI::Range side(std::uint32_t{1}, kMaxSide);
  auto* width =
      command.add_option("--sensor-width", options.sensor_width, "Their width, in pixels");
  auto* height =
      command.add_option("--sensor-height", options.sensor_height, "Their height, in pixels");
  width->check(side)->needs(height)->group(group);
  height->check(side)->needs(width)->group(group);
  command
      .add_option_function<std::string>(
          "--framerate",
          [&options](const std::string& text) {
            if (!read_fraction(text, options.framerate))
              throw CLI::ValidationError("--framerate", text + ", wanted as in 30 or 30000/1001");
          },
          "Their frames per second, as in 30 or 30000/1001")
      ->group(group);
  command.add_option("--memory", options.memory, "Memory of the batches")
      ->check(CLI::IsMember(memories))
      ->group(group);
  command.add_option("--layout", options.layout, "Whether each batch is one block of memory")
      ->check(CLI::IsMember({"auto", "contiguous", "reference"}))
      ->group(group);
}

void add_light_options(CLI::App& command, LightOptions& options) {
  const std::string group = "Light";
  command
      .add_option("--mode,--light-mode", options.mode,
                  "Who decides on exposure, gain and white balance")
      ->check(CLI::IsMember({"manual", "shared", "follow", "independent"}))
      ->group(group);
  command
      .add_option("--target,--light-target", options.target,
                  "What the mean of linear luma is to be, as a share of full scale (default: 0.16)")
      ->check(within(0.01, 0.9))
      ->group(group);
  command
      .add_option("--max-exposure", options.max_exposure_ms,
                  "Longest exposure before gain is used, in ms (default: as the frame rate allows)")
      ->check(within(kShortestExposureMs, kLongestExposureMs))
      ->group(group);
  command
      .add_option("--max-gain", options.max_gain,
                  "Most of analogue times digital gain that is used (default: 16)")
      ->check(within(1, kMostGain))
      ->group(group);
  command
      .add_option("--antiflicker", options.antiflicker,
                  "Mains that lamps hang on, in Hz: exposures become multiples of their flicker")
      ->check(CLI::IsMember({"off", "50", "60"}))
      ->group(group);
  command.add_flag("--no-white-balance", options.no_white_balance, "Leave red and blue gain alone")
      ->group(group);
  command
      .add_option("--leader", options.leader,
                  "The sensor that all follow with --mode follow (default: 0)")
      ->check(CLI::Range(std::size_t{0}, kMaxSensors - 1))
      ->group(group);
  command
      .add_option("--metering", options.metering,
                  "Which part of the picture counts (default: average)")
      ->check(CLI::IsMember({"average", "centre", "spot"}))
      ->group(group);
  command
      .add_flag("--align", options.align,
                "Hold the exposures of free-running sensors together, by their frame durations")
      ->group(group);
  add_settings_options(command, options);
  command
      .add_option("--light-log", options.log,
                  "Write the light of each batch to this file, as comma-separated values")
      ->group(group);
}

void add_end_options(CLI::App& command, std::optional<std::uint64_t>& batches,
                     std::optional<double>& duration_s) {
  auto* count =
      command.add_option("--batches", batches, "End after so many batches (default: until Ctrl-C)")
          ->check(CLI::Range(1, std::numeric_limits<int>::max()));
  command
      .add_option("--duration", duration_s,
                  "End after so many seconds of capture time (default: until Ctrl-C)")
      ->check(within(kShortestDurationS, kLongestDurationS))
      ->excludes(count);
}

}  // namespace lockstep::tools
