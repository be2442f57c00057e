// SPDX-License-Identifier: MIT
// The command line: what may be asked for, and how each option is called. What is done about it is
// in the file of each command.
#include <CLI/CLI.hpp>
#include <functional>

#include "add_options.h"
#include "bench.h"
#include "camera.h"
#include "encoder.h"
#include "exit_status.h"
#include "light.h"
#include "lockstep/sensor_spec.h"
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
  const CLI::Range milliseconds(0.0, 10'000.0);
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
      ->check(CLI::Range(1, 64))
      ->group(group);
}

void add_picture_options(CLI::App& command, RecordOptions& options) {
  const std::string group = "Picture";
  const CLI::Range side(std::uint32_t{0}, kMaxSide);
  const CLI::Range tiles(std::size_t{0}, kMaxSensors);
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
  command.add_option("--bitrate", options.bitrate_kbit, "In kbit/s (default: the encoder's)")
      ->check(CLI::Range(1, 1'000'000))
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
  const CLI::Range tiles(std::size_t{1}, kMaxSensors);
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
      ->check(CLI::NonNegativeNumber);
  command->add_option("--expect-batches", options.batches, "Pictures that there must be");
  command->add_flag("--allow-missing", options.allow_missing,
                    "Missing, repeated and unreadable frames are counted, but are no fault");
  command->add_flag("--json", options.json, "Print JSON");
  auto* png = command->add_option("--picture", options.png, "Write one picture to this PNG file");
  command
      ->add_option("--picture-number", options.png_number,
                   "Which picture, counted from 0 (default: the last)")
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
  const CLI::Range side(std::uint32_t{1}, kMaxSide);
  command->add_option("--width", options.format.width, "In pixels")
      ->check(side)
      ->capture_default_str();
  command->add_option("--height", options.format.height, "In pixels")
      ->check(side)
      ->capture_default_str();
  command->add_option("--framerate", options.format.framerate.numerator, "Frames per second")
      ->check(CLI::Range(1u, 1000u))
      ->capture_default_str();
  command
      ->add_option("--index", options.index,
                   "Which sensor of its rig it is: simulated ones paint it into their frames")
      ->check(CLI::Range(0u, 63u));
  command->add_flag("--arrays", options.arrays, "Deliver CUDA arrays, not pitch-linear memory");
  command->add_option("--gpu", options.gpu, "Number of the GPU, as CUDA counts them")
      ->check(CLI::Range(0, 63));
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

int run(int argc, char** argv) {
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
    return app.exit(error) == 0 ? kDone : kCannot;
  }
  return chosen();
}

}  // namespace
}  // namespace lockstep::tools

int main(int argc, char** argv) { return lockstep::tools::run(argc, argv); }
