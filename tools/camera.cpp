// SPDX-License-Identifier: MIT
#include "camera.h"

#include <csignal>

#include <fmt/format.h>

#include "exit_status.h"
#include "lockstep/eglstream.h"
#include "lockstep/sensor_spec.h"
#include "output.h"

namespace lockstep::tools {
namespace {

EglCamera* running = nullptr;  // for the signal handler, which ends it

void end(int) { running->interrupt(); }

int fail(const Error& error) {
  report("camera", error.what);
  return error.code == Errc::invalid_argument ? kCannot : kFailed;
}

}  // namespace

int run_camera(CameraOptions options) {
  auto sensor = parse_sensor_spec(options.sensor);
  if (!sensor) return fail(sensor.error());
  const auto pixel_format = pixel_format_from(options.pixel_format);
  if (!pixel_format)
    return fail({Errc::invalid_argument, 0,
                 "no pixel format \"" + options.pixel_format +
                     "\", wanted NV12, P010_10LE, GRAY8, BGRx or RGBA"});
  options.format.pixel_format = *pixel_format;
  EglCamera::Config config{options.socket, *sensor, options.format, options.index, options.arrays,
                           options.gpu,    {}};
  config.on_trouble = [](const Error& error) {
    report("camera", "let a consumer go: " + error.what);
  };
  auto camera = EglCamera::open(config);
  if (!camera) return fail(camera.error());
  running = camera->get();
  std::signal(SIGINT, end);
  std::signal(SIGTERM, end);
  std::signal(SIGPIPE, SIG_IGN);  // Consumers need frames, whoever reads what is printed.
  print_line(
      fmt::format("{} of {} at {}", options.sensor, to_string(options.format), options.socket));
  flush_output();
  const auto ran = (*camera)->run();
  const EglCamera::Stats stats = (*camera)->stats();
  print_line(fmt::format(
      "{} frames captured, {} presented to {} consumers, {} dropped for want of a free buffer",
      stats.captured, stats.presented, stats.consumers, stats.dropped));
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  return ran ? kDone : fail(ran.error());
}

}  // namespace lockstep::tools
