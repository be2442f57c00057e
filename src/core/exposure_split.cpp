// SPDX-License-Identifier: MIT
#include "core/exposure_split.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace lockstep {
namespace {

// The next multiple of the mains is taken when it would serve for this much more light than it needs.
constexpr double kMultipleHysteresis = 1.1;
// Gain is rounded up and exposure made shorter where that comes nearer by more than this.
constexpr double kWorthwhile = 0.002;
// What doubles lose, in steps.
constexpr double kSlack = 1e-6;

// The range's next value below or above.
double down(const SettingRange& range, double value) {
  value = std::clamp(value, range.min, range.max);
  if (range.step <= 0) return value;
  return range.min + std::floor((value - range.min) / range.step + kSlack) * range.step;
}

double up(const SettingRange& range, double value) {
  const double below = down(range, value);
  if (range.step <= 0 || below >= value - kSlack * range.step) return below;
  return nearest(range, below + range.step);
}

// The least gain that still reaches full scale.
double least(const std::optional<SettingRange>& range, double present) {
  return range ? up(*range, 1) : present;
}

// How many half periods to expose for, of the `wanted` (a fraction) that all of the light at the least gain would be.
// 0: the exposure is shorter than one.
double multiple_of_mains(double wanted, double present, const ExposureLimits& limits) {
  const double longest = std::min(limits.max_exposure, limits.exposure->max);
  const double most = std::floor(longest / limits.half_period + kSlack);
  const double best = std::min(std::floor(wanted + kSlack), most);
  const double kept = std::round(present / limits.half_period);
  const double off = std::abs(present - kept * limits.half_period);
  const bool is_multiple = kept >= 1 && kept <= most && off <= limits.exposure->step / 2 + 1;
  if (is_multiple && kept < best && wanted < (kept + 1) * kMultipleHysteresis) return kept;
  return best;
}

struct Exposure {
  double value = 0;
  bool free = false;  // Whether it may be changed to make up for gain.
};

Exposure first_exposure(double wanted, const ExposureLimits& limits, double present) {
  if (!limits.exposure) return {present, false};
  const SettingRange& range = *limits.exposure;
  if (limits.half_period > 0) {
    const double multiple = multiple_of_mains(wanted / limits.half_period, present, limits);
    const double exposure = nearest(range, multiple * limits.half_period);
    if (multiple > 0)
      return {exposure > limits.max_exposure ? down(range, exposure) : exposure, false};
  }
  return {down(range, std::min(wanted, limits.max_exposure)), true};
}

double whole(const SettingRange& range, double ns) {
  return range.step > 0 ? ns : std::clamp(std::round(ns), range.min, range.max);
}

}  // namespace

ExposureSplit split_exposure(double total, const ExposureLimits& limits,
                             const ExposureSplit& present) {
  const double least_analogue = least(limits.analogue_gain, present.analogue_gain);
  const double least_digital = least(limits.digital_gain, present.digital_gain);
  const Exposure exposure =
      first_exposure(total / (least_analogue * least_digital), limits, present.exposure);
  const double most_gain = std::max(limits.max_gain, least_analogue * least_digital);
  const double gain = std::min(total / exposure.value, most_gain);

  const auto with_analogue = [&](double analogue) {
    ExposureSplit split{exposure.value, analogue, present.digital_gain};
    if (limits.digital_gain) {
      const SettingRange& range = *limits.digital_gain;
      const double wanted = std::max(gain / analogue, least_digital);
      split.digital_gain = nearest(range, wanted);
      if (split.digital_gain * analogue > most_gain * (1 + kSlack))
        split.digital_gain = down(range, most_gain / analogue);
    }
    if (exposure.free) {
      const SettingRange& range = *limits.exposure;
      const double rest = total / (split.analogue_gain * split.digital_gain);
      split.exposure = nearest(range, std::min(rest, limits.max_exposure));
      if (split.exposure > limits.max_exposure) split.exposure = down(range, limits.max_exposure);
    }
    if (limits.exposure) split.exposure = whole(*limits.exposure, split.exposure);
    return split;
  };
  const auto error = [&](const ExposureSplit& split) {
    return std::abs(std::log(total / split.total()));
  };

  if (!limits.analogue_gain) return with_analogue(present.analogue_gain);
  const double wanted = gain / least_digital;
  const ExposureSplit below = with_analogue(down(*limits.analogue_gain, wanted));
  const ExposureSplit above = with_analogue(up(*limits.analogue_gain, wanted));
  const bool too_much = above.analogue_gain * above.digital_gain > most_gain * (1 + kSlack);
  return !too_much && error(above) + kWorthwhile < error(below) ? above : below;
}

}  // namespace lockstep
