// SPDX-License-Identifier: MIT
#include "camera.h"

#include <csignal>

#include <fmt/format.h>

#include "exit_status.h"
#include "lockstep/eglstream.h"
#include "lockstep/sensor_spec.h"

namespace lockstep::tools {
namespace {

EglCamera* running = nullptr;  // for the signal handler, which ends it

void end(int) { running->interrupt(); }

int tell(const Error& error) {
  fmt::print(stderr, "lockstep camera: {}\n", error.what);
  return error.code == Errc::invalid_argument ? kCannot : kFailed;
}

}  // namespace

int run_camera(CameraOptions options) {
  auto sensor = parse_sensor_spec(options.sensor);
  if (!sensor) return tell(sensor.error());
  const auto pixel_format = pixel_format_from(options.pixel_format);
  if (!pixel_format)
    return tell({Errc::invalid_argument, 0,
                 "no pixel format \"" + options.pixel_format +
                     "\", wanted NV12, P010_10LE, GRAY8, BGRx or RGBA"});
  options.format.pixel_format = *pixel_format;
  EglCamera::Config config{options.socket, *sensor, options.format, options.index, options.arrays,
                           options.gpu,    {}};
  config.on_trouble = [](const Error& error) {
    fmt::print(stderr, "lockstep camera: let a consumer go: {}\n", error.what);
  };
  auto camera = EglCamera::open(config);
  if (!camera) return tell(camera.error());
  running = camera->get();
  std::signal(SIGINT, end);
  std::signal(SIGTERM, end);
  fmt::print("{} of {} at {}\n", options.sensor, to_string(options.format), options.socket);
  std::fflush(stdout);
  const auto ran = (*camera)->run();
  const EglCamera::Stats stats = (*camera)->stats();
  fmt::print(
      "{} frames captured, {} presented to {} consumers, {} dropped for want of a free buffer\n",
      stats.captured, stats.presented, stats.consumers, stats.dropped);
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  return ran ? kDone : tell(ran.error());
}

}  // namespace lockstep::tools
