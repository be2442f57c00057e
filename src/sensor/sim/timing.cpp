// SPDX-License-Identifier: MIT
#include "sensor/sim/timing.h"

#include <algorithm>
#include <cmath>

namespace lockstep {
namespace {

// The kinds of things that chance decides.
enum Chance : std::uint64_t { kJitter, kStampNoise, kDrop, kCorrupt, kDuplicate };

Nanoseconds scaled(Nanoseconds most, double factor) {
  return Nanoseconds(std::llround(static_cast<double>(most.count()) * factor));
}

}  // namespace

SimTimeline::SimTimeline(const SimTiming& timing, std::uint64_t seed, double period_ns,
                         Nanoseconds origin)
    : timing_(timing), random_(seed), origin_(origin), period_ns_(period_ns), base_(origin) {
  compute_next();
}

void SimTimeline::advance(double period_ns) {
  if (period_ns != period_ns_) {
    base_ = nominal();
    base_sequence_ = next_.sequence;
    period_ns_ = period_ns;
  }
  last_reported_ = next_.reported;
  ++next_.sequence;
  compute_next();
}

void SimTimeline::skip_to(Nanoseconds time, double period_ns) {
  while (next_.exposed < time) advance(period_ns);
}

Nanoseconds SimTimeline::plugged_at() const {
  const Nanoseconds end = timing_.unplugged.end;
  return end == Nanoseconds::max() ? end : origin_ + end;
}

// From the last change of period, not from the last trigger, so that rounding does not add up.
Nanoseconds SimTimeline::nominal() const {
  const double periods = static_cast<double>(next_.sequence - base_sequence_);
  return base_ + Nanoseconds(std::llround(periods * period_ns_ * (1 + timing_.drift_ppm * 1e-6)));
}

void SimTimeline::compute_next() {
  const std::uint64_t k = next_.sequence;
  // Half a period at most: exposures come in their order.
  const Nanoseconds jitter = std::min(timing_.jitter, Nanoseconds(std::llround(period_ns_ / 2)));
  next_.exposed = nominal() + scaled(jitter, random_.uniform(kJitter, k));
  next_.reported =
      next_.exposed + scaled(timing_.stamp_noise, 2 * random_.uniform(kStampNoise, k) - 1);
  if (k > 0 && random_.uniform(kDuplicate, k) < timing_.duplicate) next_.reported = last_reported_;
  next_.lost =
      random_.uniform(kDrop, k) < timing_.drop || timing_.stall.covers(next_.exposed - origin_);
  next_.corrupt = random_.uniform(kCorrupt, k) < timing_.corrupt;
}

double period_of(const Fraction& framerate) {
  return 1e9 * framerate.denominator / framerate.numerator;
}

Nanoseconds first_common_trigger(Nanoseconds now, const Fraction& framerate, Nanoseconds phase) {
  // Long double: nanoseconds since boot times the rate exceed a double's 53 bits.
  const long double period = 1e9L * framerate.denominator / framerate.numerator;
  const long double periods =
      std::floor(static_cast<long double>((now - phase).count()) / period) + 1;
  return phase + Nanoseconds(std::llround(periods * period));
}

}  // namespace lockstep
