// SPDX-License-Identifier: MIT
#include <array>
#include <string>

#include "lockstep/sensor.h"
#include "sensor/backends.h"

namespace lockstep {

std::span<const SensorBackend* const> sensor_backends() {
  static const std::array backends = {sim_backend(), v4l2_backend()};
  return backends;
}

Result<const SensorBackend*> find_sensor_backend(std::string_view name) {
  std::string names;
  for (const SensorBackend* backend : sensor_backends()) {
    if (backend->name() == name) return backend;
    names += (names.empty() ? "" : ", ") + std::string(backend->name());
  }
  return Error{Errc::not_found, 0,
               "no kind of sensor \"" + std::string(name) + "\"; there is: " + names};
}

}  // namespace lockstep
