// SPDX-License-Identifier: MIT
#include "lockstep/metering.h"

#include <cmath>
#include <string>

namespace lockstep {

WeightMap average_metering() { return {}; }

WeightMap centre_metering() {
  // What lies in the middle third counts four times as much as the rim.
  return {5, 5, {1, 1, 1, 1, 1,  //
                 1, 2, 3, 2, 1,  //
                 1, 3, 4, 3, 1,  //
                 1, 2, 3, 2, 1,  //
                 1, 1, 1, 1, 1}};
}

WeightMap spot_metering() {
  return {5, 5, {0, 0, 0, 0, 0,  //
                 0, 0, 0, 0, 0,  //
                 0, 0, 1, 0, 0,  //
                 0, 0, 0, 0, 0,  //
                 0, 0, 0, 0, 0}};
}

Result<void> check(const WeightMap& map) {
  const std::size_t wanted = map.columns * map.rows;
  if (map.columns > kMaxWeights || map.rows > kMaxWeights || wanted == 0 || wanted > kMaxWeights ||
      map.weights.size() != wanted)
    return Error{Errc::invalid_argument, 0,
                 std::to_string(map.weights.size()) + " metering weights for " +
                     std::to_string(map.columns) + " x " + std::to_string(map.rows) +
                     ", wanted as many as that, 1 to " + std::to_string(kMaxWeights)};
  float sum = 0;
  for (const float weight : map.weights) {
    if (!(weight >= 0 && std::isfinite(weight)))
      return Error{Errc::invalid_argument, 0,
                   "metering weight of " + std::to_string(weight) + ", wanted 0 or more"};
    sum += weight;
  }
  if (sum > 0) return {};
  return Error{Errc::invalid_argument, 0, "metering weights that are all 0, wanted one above"};
}

}  // namespace lockstep
