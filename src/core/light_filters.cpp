// SPDX-License-Identifier: MIT
#include "core/light_filters.h"

#include <algorithm>
#include <cmath>

namespace lockstep {
namespace {

double median(double a, double b, double c) {
  return std::max(std::min(a, b), std::min(std::max(a, b), c));
}

void follow(std::optional<double>& value, double reading) {
  if (!std::isfinite(reading)) return;
  value = value ? *value + (reading - *value) / ColourFilter::kFrames : reading;
}

}  // namespace

void BrightnessFilter::add(double reading) {
  const double agreed = median(reading, last_[0], last_[1]);
  last_ = {reading, last_[0]};
  if (unsettled_ > 0) --unsettled_;
  const double off = value_ ? std::abs(reading - *value_) : kFar;
  if (off >= kFar) {
    believe(reading);
  } else if (std::abs(agreed - *value_) > kNear) {
    believe(agreed);
  } else if (off <= kNear) {
    *value_ += (reading - *value_) / kFrames;
  } else if (unsettled_ > 0) {
    value_ = reading;
  }
}

// What is believed at once is not made to last longer by it: what flickers would never settle.
void BrightnessFilter::believe(double reading) {
  if (unsettled_ == 0) unsettled_ = kUnsettled;
  value_ = reading;
}

void ColourFilter::add(double red, double green, double blue) {
  if (!(green > 0)) return;
  if (red > 0) follow(red_, std::log2(green / red));
  if (blue > 0) follow(blue_, std::log2(green / blue));
}

double next_balance(double present, double wanted, const SettingRange& range) {
  const double low = std::max(range.min, std::min(kLeastBalance, range.max));
  const double high = std::min(range.max, std::max(kMostBalance, range.min));
  wanted = std::clamp(wanted, low, high);
  const bool within = present >= low && present <= high;
  if (within && std::abs(wanted / present - 1) < kBalanceDeadBand) return present;
  const double limited = std::clamp(wanted, present / kBalanceStep, present * kBalanceStep);
  double next = nearest(range, limited);
  // Steps may be larger than what a frame may change.
  if (next == nearest(range, present) && nearest(range, wanted) != next)
    next = nearest(range, wanted > next ? next + range.step : next - range.step);
  return next;
}

}  // namespace lockstep
