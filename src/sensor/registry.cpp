// SPDX-License-Identifier: MIT
#include <string>
#include <vector>

#include "core/printable.h"
#include "lockstep/sensor.h"
#include "sensor/backends.h"

namespace lockstep {

Error no_eglstreams() {
  return Error{
      Errc::not_supported, 0,
      "this build has no EGLStreams; build with the headers of CUDA (cudaEGL.h) and EGL at hand"};
}

std::span<const SensorBackend* const> sensor_backends() {
  static const std::vector<const SensorBackend*> backends = [] {
    std::vector<const SensorBackend*> there = {sim_backend(), v4l2_backend()};
    if (const SensorBackend* eglstream = eglstream_backend()) there.push_back(eglstream);
    return there;
  }();
  return backends;
}

Result<const SensorBackend*> find_sensor_backend(std::string_view name) {
  std::string names;
  for (const SensorBackend* backend : sensor_backends()) {
    if (backend->name() == name) return backend;
    names += (names.empty() ? "" : ", ") + std::string(backend->name());
  }
  if (name == "eglstream") return no_eglstreams();
  return Error{Errc::not_found, 0,
               "no kind of sensor \"" + quotable(name) + "\"; there is: " + names};
}

}  // namespace lockstep
