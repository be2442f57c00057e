// SPDX-License-Identifier: MIT
// The command line: what may be asked for, and how each option is called. What is done about it is
// in the file of each command.
#include <CLI/CLI.hpp>
#include <functional>

#include "bench.h"
#include "exit_status.h"
#include "lockstep/sensor_spec.h"
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

void add_verify(CLI::App& app, VerifyOptions& options, Chosen& chosen) {
  CLI::App* command = app.add_subcommand(
      "verify",
      "Reads the codes that simulated sensors paint out of a recording and checks it frame by "
      "frame: right sensor in the right place, one instant across tiles, nothing missing");
  command->add_option("FILE", options.file, "The recording: a mosaic or a single stream")
      ->required();
  const CLI::Range side(std::size_t{1}, kMaxSensors);
  auto* rows =
      command->add_option("--rows", options.rows, "Rows of the mosaic (default: found out)")
          ->check(side);
  auto* columns =
      command->add_option("--columns", options.columns, "Columns of the mosaic")->check(side);
  rows->needs(columns);
  columns->needs(rows);
  command
      ->add_option("--sensors", options.sensors,
                   "Sensors in the mosaic (default: up to the last tile that shows one)")
      ->check(side);
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
  VerifyOptions verify;
  std::vector<std::string> bench;
  add_sensors(app, sensors, chosen);
  add_verify(app, verify, chosen);
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
