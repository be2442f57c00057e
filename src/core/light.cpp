// SPDX-License-Identifier: MIT
#include "lockstep/light.h"

#include <cmath>
#include <string>

namespace lockstep {
namespace {

Error out_of_range(const char* name, double value, const char* wanted) {
  return Error{Errc::invalid_argument, 0,
               std::string(name) + " of " + std::to_string(value) + ", wanted " + wanted};
}

Error undefined(const char* name, unsigned value) {
  return Error{
      Errc::invalid_argument, 0,
      std::string(name) + " number " + std::to_string(value) + ", wanted one that is defined"};
}

}  // namespace

Result<void> check(const LightConfig& config, std::size_t num_sensors) {
  if (config.mode > LightMode::application)
    return undefined("light-mode", static_cast<unsigned>(config.mode));
  if (config.antiflicker > Antiflicker::mains_60_hz)
    return undefined("antiflicker", static_cast<unsigned>(config.antiflicker));
  if (!(config.target >= 0.01 && config.target <= 0.9))
    return out_of_range("light-target", config.target, "0.01 to 0.9");
  if (config.max_exposure < Nanoseconds(0))
    return out_of_range("max-exposure", static_cast<double>(config.max_exposure.count()),
                        "0 or more ns");
  if (!(config.max_gain >= 1 && std::isfinite(config.max_gain)))
    return out_of_range("max-gain", config.max_gain, "1 or more");
  if (config.leader >= num_sensors)
    return Error{Errc::invalid_argument, 0,
                 "light-leader " + std::to_string(config.leader) + ", there are " +
                     std::to_string(num_sensors) + " sensors, counted from 0"};
  if (!config.weights.empty() && config.weights.size() != num_sensors)
    return Error{Errc::invalid_argument, 0,
                 std::to_string(config.weights.size()) + " light weights for " +
                     std::to_string(num_sensors) + " sensors"};
  if (!config.overrides.empty() && config.overrides.size() != num_sensors)
    return Error{Errc::invalid_argument, 0,
                 "overrides of settings for " + std::to_string(config.overrides.size()) +
                     " sensors, there are " + std::to_string(num_sensors)};
  double sum = config.weights.empty() ? 1 : 0;
  for (const double weight : config.weights) {
    if (!(weight >= 0 && std::isfinite(weight)))
      return out_of_range("light weight", weight, "0 or more");
    sum += weight;
  }
  if (sum <= 0) return out_of_range("sum of the light weights", sum, "more than 0");
  return check(config.metering);
}

}  // namespace lockstep
