// SPDX-License-Identifier: MIT
// What may be asked for, and how each option is called. The only source that includes CLI11, which takes its time to
// compile. What is done about a command is in the file of that command.
#include "command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "bench.h"
#include "camera.h"
#include "capture_options.h"
#include "encoder.h"
#include "exit_status.h"
#include "light.h"
#include "lockstep/memory.h"
#include "lockstep/sensor_spec.h"
#include "output.h"
#include "record.h"
#include "sensors.h"
#include "verify.h"

namespace lockstep::tools {
namespace {

constexpr const char* kFooter =
    "Exit status: 0 done; 1 it did not work, or a recording's content is wrong; 2 wrong usage, or "
    "a "
    "file that cannot be read; 130 interrupted twice.";

// The command that was chosen; run once the whole line is read.
using Chosen = std::function<int()>;

// Bounds against slips of the keyboard; each sensor has narrower ones.
constexpr double kShortestExposureMs = 0.001;
constexpr double kLongestExposureMs = 60'000;
constexpr double kLeastGain = 0.01;
constexpr double kMostGain = 1024;
constexpr double kShortestDurationS = 0.001;
constexpr double kLongestDurationS = 1e9;
constexpr std::int64_t kMostToleranceUs = 10'000'000;
constexpr std::int64_t kMostPictures = 1'000'000'000'000;

// Refuses what is not a number within the bounds, NaN too, which lies on neither side of them.
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

// Refuses what is not a whole number within the bounds. CLI::Range reads the text as the type of its bounds, and what lies
// below the least int64_t comes out of that as a small unsigned number.
CLI::Validator whole(std::int64_t low, std::int64_t high) {
  const std::string range = fmt::format("[{} - {}]", low, high);
  return CLI::Validator(
      [low, high, range](std::string& text) {
        std::int64_t value = 0;
        const bool read = CLI::detail::lexical_cast(text, value);
        return read && value >= low && value <= high ? std::string()
                                                     : text + " not in range " + range;
      },
      range);
}

// Of any memory that can be had by name: the GPUs' have one each, cuda:1 and so on.
CLI::Validator memory_name() {
  std::string names;
  for (const MemoryBackend* backend : memory_backends())
    names += (names.empty() ? "" : ",") + std::string(backend->name());
  return CLI::Validator(
      [](std::string& name) {
        const auto found = find_memory_backend(name);
        return found ? std::string() : found.error().what;
      },
      "{" + names + "}");
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

void add_capture_options(CLI::App& command, CaptureOptions& options) {
  std::vector<std::string> formats;
  for (const PixelFormat format : kPixelFormats) formats.push_back(to_string(format));
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
      ->check(whole(1, kMaxSensors))
      ->group(group);
  command.add_option("--format", options.pixel_format, "Their pixel format")
      ->check(CLI::IsMember(formats))
      ->group(group);
  const CLI::Validator side = whole(1, kMaxSide);
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
            options.framerate = rate_from(text);
            if (!options.framerate)
              throw CLI::ValidationError("--framerate", text + ", wanted as in 30 or 30000/1001");
          },
          "Their frames per second, as in 30 or 30000/1001")
      ->group(group);
  command.add_option("--memory", options.memory, "Memory of the batches")
      ->check(memory_name())
      ->group(group);
  command.add_option("--layout", options.layout, "Whether each batch is one block of memory")
      ->check(CLI::IsMember({"auto", "contiguous", "reference"}))
      ->group(group);
}

// Where nothing but light is meant, --mode and --target do for --light-mode and --light-target.
void add_light_options(CLI::App& command, LightOptions& options, bool light_only) {
  const std::string group = "Light";
  const auto name = [light_only](const std::string& of_light) {
    return (light_only ? "--" + of_light + "," : "") + "--light-" + of_light;
  };
  command.add_option(name("mode"), options.mode, "Who decides on exposure, gain and white balance")
      ->check(CLI::IsMember({"manual", "shared", "follow", "independent"}))
      ->group(group);
  command
      .add_option(name("target"), options.target,
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
                  "The sensor that all follow in mode follow (default: 0)")
      ->check(whole(0, kMaxSensors - 1))
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

// When to end: after so many batches, or so much capture time, but not both.
void add_end_options(CLI::App& command, std::optional<std::uint64_t>& batches,
                     std::optional<double>& duration_s) {
  auto* count =
      command.add_option("--batches", batches, "End after so many batches (default: until Ctrl-C)")
          ->check(whole(1, std::numeric_limits<int>::max()));
  command
      .add_option("--duration", duration_s,
                  "End after so many seconds of capture time (default: until Ctrl-C)")
      ->check(within(kShortestDurationS, kLongestDurationS))
      ->excludes(count);
}

void add_sensors(CLI::App& app, SensorsOptions& options, Chosen& chosen) {
  CLI::App* command = app.add_subcommand(
      "sensors",
      "Lists cameras: formats, sizes, rates, controls, which I/O works; and kinds of memory");
  command->add_option("SENSOR", options.names,
                      "Sensors to ask, as in \"v4l2:/dev/video0\" (default: all that are found)");
  command->add_flag("--json", options.json, "Print JSON");
  command->footer(
      "Examples:\n"
      "  lockstep sensors\n"
      "  lockstep sensors v4l2:/dev/video0 \"sim?drift-ppm=20\" --json");
  command->callback([&] { chosen = [&] { return run_sensors(options); }; });
}

void add_grouping_options(CLI::App& command, RecordOptions& options) {
  const std::string group = "Grouping";
  const CLI::Validator milliseconds = within(0, 10'000);
  command
      .add_option("--tolerance", options.tolerance_ms,
                  "Most that capture times within a batch may differ, in ms (default: half a frame "
                  "period)")
      ->check(milliseconds)
      ->group(group);
  command
      .add_option("--max-wait", options.max_wait_ms,
                  "How long the first frame of a batch waits for the last, in ms (default: a frame "
                  "period)")
      ->check(milliseconds)
      ->group(group);
  command
      .add_option("--on-missing", options.on_missing, "What becomes of a batch that lacks a frame")
      ->check(CLI::IsMember({"partial", "repeat", "drop"}))
      ->group(group);
  command
      .add_option("--max-batches", options.max_batches,
                  "Batches under way at once; while all are, frames are dropped and counted")
      ->check(whole(1, 64))
      ->group(group);
}

void add_picture_options(CLI::App& command, RecordOptions& options) {
  const std::string group = "Picture";
  const CLI::Validator side = whole(0, kMaxSide);
  const CLI::Validator tiles = whole(0, kMaxSensors);
  const char* size =
      " of the recording, in pixels (default: the frames side by side, shrunk to fit "
      "1920x1080)";
  command.add_option("--width", options.width, std::string("Width") + size)
      ->check(side)
      ->group(group);
  command.add_option("--height", options.height, std::string("Height") + size)
      ->check(side)
      ->group(group);
  command.add_option("--rows", options.rows, "Rows of tiles (default: as square as possible)")
      ->check(tiles)
      ->group(group);
  command
      .add_option("--columns", options.columns, "Columns of tiles (default: as square as possible)")
      ->check(tiles)
      ->group(group);
  std::vector<std::string> names{"auto"};
  for (const Encoder& encoder : encoders()) names.emplace_back(encoder.element);
  command
      .add_option("--encoder", options.encoder,
                  "GStreamer's encoder; auto: the first of these that is installed")
      ->check(CLI::IsMember(names))
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--bitrate", options.bitrate_kbit,
                  "In kbit/s (default: 2048, and 128 for each tile where there are more than 16)")
      ->check(whole(1, 1'000'000))
      ->group(group);
  command
      .add_option("--preset", options.preset,
                  "How much the encoder tries, by its own names (default: little, so that it keeps "
                  "up with cameras)")
      ->group(group);
}

void add_record(CLI::App& app, RecordOptions& options, Chosen& chosen) {
  CLI::App* command = app.add_subcommand(
      "record", "Records several sensors into one file, as a mosaic. Ctrl-C finishes the file");
  command->add_option("-o,--output", options.file, "The file, Matroska: a name that ends in .mkv")
      ->required();
  command->add_flag("--overwrite", options.overwrite,
                    "Replace the file, and the light log, if they are there already");
  add_end_options(*command, options.batches, options.duration_s);
  add_capture_options(*command, options.capture);
  add_grouping_options(*command, options);
  add_picture_options(*command, options);
  add_light_options(*command, options.light, false);
  command->footer(
      "Examples:\n"
      "  lockstep record -o mosaic.mkv --duration 10\n"
      "  lockstep record -o street.mkv --sensors \"v4l2:/dev/video0;v4l2:/dev/video1\" "
      "--framerate 30\n"
      "  lockstep record -o test.mkv -n 9 --sensors \"sim?realtime=false\" --batches 300\n"
      "  lockstep record -o lit.mkv --light-mode shared --light-log lit.csv --duration 10");
  command->callback([&] { chosen = [&] { return run_record(options); }; });
}

void add_light(CLI::App& app, LightCommand& options, Chosen& chosen) {
  CLI::App* command = app.add_subcommand(
      "light",
      "Runs several sensors and shows their light live: exposure, gains, histogram, skew. The mode "
      "is shared if none is given, and manual if settings are given");
  add_end_options(*command, options.batches, options.duration_s);
  command->add_flag("--overwrite", options.overwrite, "Replace the log if it is there already");
  add_capture_options(*command, options.capture);
  add_light_options(*command, options.light, true);
  command->footer(
      "Examples:\n"
      "  lockstep light\n"
      "  lockstep light --sensors \"v4l2:/dev/video0;v4l2:/dev/video1\" --mode follow --leader 1\n"
      "  lockstep light --exposure 10 --analogue-gain 2 --batches 300\n"
      "  lockstep light --mode shared --antiflicker 50 --light-log light.csv --duration 10");
  command->callback([&] { chosen = [&] { return run_light(options); }; });
}

void add_verify(CLI::App& app, VerifyOptions& options, Chosen& chosen) {
  CLI::App* command = app.add_subcommand(
      "verify",
      "Reads the codes that simulated sensors paint out of a recording and checks it frame by "
      "frame: right sensor in the right place, one instant across tiles, nothing missing");
  command->add_option("FILE", options.file, "The recording: a mosaic or a single stream")
      ->required();
  const CLI::Validator tiles = whole(1, kMaxSensors);
  auto* rows =
      command->add_option("--rows", options.rows, "Rows of the mosaic (default: found out)")
          ->check(tiles);
  auto* columns =
      command->add_option("--columns", options.columns, "Columns of the mosaic")->check(tiles);
  rows->needs(columns);
  columns->needs(rows);
  command
      ->add_option("--sensors", options.sensors,
                   "Sensors in the mosaic (default: up to the last tile that shows one)")
      ->check(tiles);
  command
      ->add_flag("--stream", options.stream,
                 "The pictures of one sensor, whichever (default: found out)")
      ->excludes(rows)
      ->excludes(columns);
  command
      ->add_option("--tolerance-us", options.tolerance_us,
                   "Most that capture times within a picture may differ, in microseconds (default: "
                   "half a frame period)")
      ->check(whole(0, kMostToleranceUs));
  command->add_option("--expect-batches", options.batches, "Pictures that there must be")
      ->check(whole(0, kMostPictures));
  command->add_flag("--allow-missing", options.allow_missing,
                    "Missing, repeated and unreadable frames are counted, but are no fault");
  command->add_flag("--json", options.json, "Print JSON");
  auto* png = command->add_option("--picture", options.png, "Write one picture to this PNG file");
  command
      ->add_option("--picture-number", options.png_number,
                   "Which picture, counted from 0 (default: the last)")
      ->check(whole(0, kMostPictures))
      ->needs(png);
  command->footer(
      "Examples:\n"
      "  lockstep verify mosaic.mkv\n"
      "  lockstep verify mosaic.mkv --rows 2 --columns 2 --sensors 4 --expect-batches 300\n"
      "  lockstep verify mosaic.mkv --picture mosaic.png");
  command->callback([&] { chosen = [&] { return run_verify(options); }; });
}

void add_camera(CLI::App& app, CameraOptions& options, Chosen& chosen) {
  CLI::App* command = app.add_subcommand("camera",
                                         "Is a camera in a process of its own: delivers a sensor's "
                                         "frames on an NVIDIA GPU to the sensor "
                                         "eglstream:SOCKET of another process, until interrupted");
  command
      ->add_option("--eglstream", options.socket,
                   "Path of the socket that its consumer connects to")
      ->required();
  command->add_option("--sensor", options.sensor, "The sensor, on the real clock")
      ->capture_default_str();
  command->add_option("--format", options.pixel_format, "NV12, P010_10LE, GRAY8, BGRx or RGBA")
      ->capture_default_str();
  const CLI::Validator side = whole(1, kMaxSide);
  command->add_option("--width", options.format.width, "In pixels")
      ->check(side)
      ->capture_default_str();
  command->add_option("--height", options.format.height, "In pixels")
      ->check(side)
      ->capture_default_str();
  command->add_option("--framerate", options.format.framerate.numerator, "Frames per second")
      ->check(whole(1, 1000))
      ->capture_default_str();
  command
      ->add_option("--index", options.index,
                   "Which sensor of its rig it is: simulated ones paint it into their frames")
      ->check(whole(0, 63));
  command->add_flag("--arrays", options.arrays, "Deliver CUDA arrays, not pitch-linear memory");
  command->add_option("--gpu", options.gpu, "Number of the GPU, as CUDA counts them")
      ->check(whole(0, 63));
  command->footer(
      "Example, a rig of two:\n"
      "  lockstep camera --eglstream /tmp/0.sock --index 0 &\n"
      "  lockstep camera --eglstream /tmp/1.sock --index 1 &\n"
      "  lockstep light --sensors \"eglstream:/tmp/0.sock;eglstream:/tmp/1.sock\"");
  command->callback([&] { chosen = [&] { return run_camera(options); }; });
}

void add_bench(CLI::App& app, std::vector<std::string>& arguments, Chosen& chosen) {
  CLI::App* command = app.add_subcommand("bench", "Runs the benchmarks");
  command->prefix_command();
  command->footer(
      "Arguments go to the benchmark program, as in:\n"
      "  lockstep bench --benchmark_filter=NoCopy");
  command->callback([&, command] {
    arguments = command->remaining();
    chosen = [&] { return run_bench(arguments); };
  });
}

}  // namespace

int run_command_line(int argc, char** argv) {
  CLI::App app("Captures several cameras in lockstep into one file, and checks what was recorded.",
               "lockstep");
  app.set_version_flag("--version", "lockstep " LOCKSTEP_VERSION);
  app.require_subcommand(1);
  app.footer(kFooter);
  Chosen chosen;
  SensorsOptions sensors;
  RecordOptions record;
  LightCommand light;
  VerifyOptions verify;
  CameraOptions camera;
  std::vector<std::string> bench;
  add_sensors(app, sensors, chosen);
  add_record(app, record, chosen);
  add_light(app, light, chosen);
  add_verify(app, verify, chosen);
  add_camera(app, camera, chosen);
  add_bench(app, bench, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return end_output(app.exit(error));  // Help, or the version.
    report("", std::string(error.what()) + "; --help says what there is");
    return kCannot;
  }
  return end_output(chosen());
}

}  // namespace lockstep::tools
