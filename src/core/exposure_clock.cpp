// SPDX-License-Identifier: MIT
// A Kalman filter of two states. From one exposure to the next the start moves on by the frame duration, stretched by
// the sensor's drift; each capture time that is believed pulls both states towards it. What it does beyond the textbook:
// it learns how noisy capture times are and in which way, it does not believe what lies far off, and it notices where what it believes
// has ceased to hold.
#include "core/exposure_clock.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/nanoseconds.h"

namespace lockstep {
namespace {

// What is thought of the drift beforehand. 100 ppm are usual, 10 000 are twice this: it costs nothing to allow for them,
// as ten frames tell more.
constexpr double kDriftDeviation = 0.005;
// Whatever times come in, the sensor's clock goes on.
constexpr double kMostDrift = 0.5;
// How the drift walks, per root of a second: 0.02 ppm per frame at 30 a second. A crystal that warms up changes by some
// 1 ppm a minute. Behind such a ramp, with times noisy by 300 us, the filter lags by 5 us; steady it knows the start to
// 9 us, from the last twelve seconds or so. Ten times as much would follow better and know it to 16 us only.
constexpr double kDriftWalk = 0.11e-6;
// What a sensor adds of its own to each frame, as by rounding. \units ns
constexpr double kClockStep = 1;
// Capture times are never thought better than this. \units ns
constexpr double kLeastNoise = 1e3;
// Until so many second differences are known, capture times are thought to be a 16th of a frame off at least: early
// frames that are trusted too much spoil the estimate for long, those that are trusted too little cost nothing.
constexpr int kMeasurementsToTrust = 16;
constexpr double kFirstNoise = 1.0 / 16;
constexpr int kMeasurementsToAverage = 256;
// The shape of the noise is learned while the start is known to a small share of its variance, and used once it is known
// from so many measurements: from 40, one sensor in some thousand was led astray. It is averaged over the second number.
// The determinant of uniform noise is 0.62: less is chance.
constexpr int kMeasurementsToShape = 100;
constexpr int kMeasurementsToShapeBy = 1024;
constexpr double kSmall = 0.1;
constexpr double kLeastDeterminant = 0.5;
// Uniform noise ends at 1.7 standard deviations; beyond this, times count no more.
constexpr double kSharpest = 2;
// More than that many standard deviations are a surprise.
constexpr double kSurprise = 3;
// Beyond so many exposures from the present one, all are thought to be as long as the last that was asked for.
constexpr std::int64_t kFarthest = 4096;
// Times are held within +-36 years, so that sums and differences of a few do not overflow.
constexpr Nanoseconds kLatest{std::int64_t{1} << 60};

double squared(double value) { return value * value; }

}  // namespace

// An exposure, and how far by the sensor's own clock it begins from exposure index_.
struct ExposureClock::Cursor {
  const ExposureClock& clock;
  std::int64_t index = clock.index_;
  Nanoseconds span{0};

  Nanoseconds start() const { return clock.at(span); }
  void forth() { span += clock.length(index++); }
  void back() { span -= clock.length(--index); }
  // Where all exposures are of one length, over as many as fit between here and `time`, less one.
  void leap(Nanoseconds time) {
    const Nanoseconds length = clock.length(index);
    const double distance = as_double(time - start()) / (1 + clock.drift_) / as_double(length);
    if (std::abs(distance) < 2) return;
    const auto num = static_cast<std::int64_t>(distance) - (distance > 0 ? 1 : -1);
    index += num;
    span += num * length;
  }
};

ExposureClock::ExposureClock(DurationOf duration) : duration_(std::move(duration)) {}

Nanoseconds ExposureClock::length(std::int64_t index) const {
  return std::max(duration_(std::clamp(index, index_ - kFarthest, index_ + kFarthest)),
                  Nanoseconds(1));
}

// When something begins that by the sensor's clock is `span` after exposure index_.
Nanoseconds ExposureClock::at(Nanoseconds span) const {
  return base_ + span + rounded(offset_ns_ + as_double(span) * drift_);
}

Nanoseconds ExposureClock::start_of(std::int64_t index) const {
  Cursor cursor{*this};
  const std::int64_t near = std::clamp(index, index_ - kFarthest, index_ + kFarthest);
  while (cursor.index < near) cursor.forth();
  while (cursor.index > near) cursor.back();
  if (index == near) return cursor.start();
  const Nanoseconds last = length(index);
  const std::int64_t most = kLatest / last;
  return at(cursor.span + last * std::clamp(index - near, -most, most));
}

std::int64_t ExposureClock::next_after(Nanoseconds time) const {
  time = std::clamp(time, -kLatest, kLatest);
  Cursor cursor{*this};
  while (cursor.index < index_ + kFarthest && cursor.start() <= time) cursor.forth();
  while (cursor.index > index_ - kFarthest && cursor.start() > time) cursor.back();
  if (cursor.index <= index_ - kFarthest || cursor.index >= index_ + kFarthest) cursor.leap(time);
  while (cursor.start() > time) cursor.back();
  while (cursor.start() <= time) cursor.forth();
  return cursor.index;
}

Nanoseconds ExposureClock::uncertainty() const { return rounded(std::sqrt(start_variance_)); }

Nanoseconds ExposureClock::noise() const { return rounded(std::sqrt(noise_variance())); }

void ExposureClock::disturb(Nanoseconds off) { start_variance_ += squared(as_double(off)); }

void ExposureClock::restart() {
  const std::int64_t index = index_;
  *this = ExposureClock(std::move(duration_));
  index_ = index;
}

std::int64_t ExposureClock::observe(Nanoseconds captured) {
  captured = std::clamp(captured, -kLatest, kLatest);
  if (!started_) {
    begin(index_ + 1, captured);
    return index_;
  }
  const std::int64_t after = next_after(captured);
  const Nanoseconds before = captured - start_of(after - 1);
  const Nanoseconds until = start_of(after) - captured;
  const std::int64_t nearest = before < until ? after - 1 : after;
  if (nearest > index_ && std::min(before, until) <= length(nearest - 1) / 4)
    believe(nearest, captured);
  else
    doubt(after - 1, captured);
  return index_;
}

void ExposureClock::begin(std::int64_t index, Nanoseconds captured) {
  index_ = index;
  base_ = captured;
  offset_ns_ = 0;
  started_ = true;
  start_variance_ = noise_variance();
  covariance_ = 0;
  drift_variance_ = squared(kDriftDeviation);
  believed_ = captured;
  has_believed_ = true;
}

// Foretells the state at `index`, which by the sensor's clock begins `span` later.
void ExposureClock::go_to(std::int64_t index, Nanoseconds span) {
  const double span_ns = as_double(span);
  base_ += span;
  offset_ns_ += span_ns * drift_;
  const Nanoseconds whole = rounded(offset_ns_);
  base_ += whole;
  offset_ns_ -= as_double(whole);

  const double walk = squared(kDriftWalk) * span_ns * 1e-9;
  start_variance_ += 2 * span_ns * covariance_ + squared(span_ns) * (drift_variance_ + walk / 3) +
                     static_cast<double>(index - index_) * squared(kClockStep);
  covariance_ += span_ns * (drift_variance_ + walk / 2);
  drift_variance_ += walk;
  since_surprised_ns_ += span_ns;
  index_ = index;
}

void ExposureClock::believe(std::int64_t index, Nanoseconds captured) {
  num_doubted_ = 0;
  Cursor cursor{*this};
  while (cursor.index < std::min(index, index_ + kFarthest)) cursor.forth();
  const Nanoseconds span = cursor.span + (index - cursor.index) * length(index);
  go_to(index, span);
  learn_noise(captured, span);

  const Evidence evidence = sharpen(weigh(as_double(captured - base_) - offset_ns_));
  const double variance = start_variance_ + evidence.variance;
  const double start_gain = start_variance_ / variance;
  const double drift_gain = covariance_ / variance;
  offset_ns_ += start_gain * evidence.surprise;
  drift_ = std::clamp(drift_ + drift_gain * evidence.surprise, -kMostDrift, kMostDrift);
  drift_variance_ -= drift_gain * covariance_;
  covariance_ -= start_gain * covariance_;
  start_variance_ -= start_gain * start_variance_;
}

// Where noise has sharp ends, as the uniform one of a clock that ticks coarsely, times near the ends tell more than
// those in the middle. Of all functions a z + b z^3 of the surprise z (relative to the noise) this takes the one that
// tells the state best, by the noise's moments 1, m4 and m6: (a, b) solves {{1, m4}, {m4, m6}} (a, b) = (1, 3), and the
// variance becomes less by a + 3 b. That is 1 for normal noise, 3.3 for uniform noise.
ExposureClock::Evidence ExposureClock::sharpen(double surprise) {
  const double variance = noise_variance();
  if (num_measured_ < kMeasurementsToTrust || measured_variance_ < squared(kLeastNoise) ||
      start_variance_ > kSmall * variance)
    return {surprise, variance};
  const double square = squared(surprise) / variance;
  num_shaped_ = std::min(num_shaped_ + 1, kMeasurementsToShapeBy);
  second_ += (square - second_) / num_shaped_;
  fourth_ += (square * square - fourth_) / num_shaped_;
  sixth_ += (square * square * square - sixth_) / num_shaped_;

  const double m4 = fourth_ / squared(second_);
  const double m6 = sixth_ / (squared(second_) * second_);
  const double determinant = m6 - m4 * m4;
  const double linear = (m6 - 3 * m4) / determinant;
  const double cubic = (3 - m4) / determinant;
  const double gain = linear + 3 * cubic;
  // Noise with long tails is cut off already, and a few values by chance alike are no shape.
  if (num_shaped_ < kMeasurementsToShape || determinant < kLeastDeterminant || cubic <= 0 ||
      gain <= 1)
    return {surprise, variance};
  const double noise = std::sqrt(second_ * variance);
  const double z = std::clamp(surprise / noise, -kSharpest, kSharpest);
  return {noise * (linear * z + cubic * z * z * z) / gain, variance / gain};
}

// One time that is far off, even though near enough to be believed, is not followed all the way. Some in a row on one
// side mean that the state itself is off: then it is made less certain, by what it is off and by the drift that would
// have added up to that since it last was.
double ExposureClock::weigh(double surprise) {
  const double most = kSurprise * std::sqrt(start_variance_ + noise_variance());
  if (std::abs(surprise) <= most) {
    num_surprises_ = 0;
    return surprise;
  }
  if (surprise > 0)
    num_surprises_ = std::max(num_surprises_, 0) + 1;
  else
    num_surprises_ = std::min(num_surprises_, 0) - 1;
  if (std::abs(num_surprises_) < kBelieveAfter) return std::clamp(surprise, -most, most);
  start_variance_ += squared(surprise);
  drift_variance_ += squared(surprise / since_surprised_ns_);
  num_surprises_ = 0;
  since_surprised_ns_ = 0;
  return surprise;
}

// Second differences of capture times hold the noise alone, six times its variance; surprises would hold the filter's
// own errors too, and take a step for noise.
void ExposureClock::learn_noise(Nanoseconds captured, Nanoseconds span) {
  if (has_believed_) {
    const double difference = as_double(captured - believed_ - span) - as_double(span) * drift_;
    if (last_difference_) {
      double variance = squared(difference - *last_difference_) / 6;
      if (num_measured_ >= kMeasurementsToTrust)
        variance = std::min(variance, squared(4) * noise_variance());
      num_measured_ = std::min(num_measured_ + 1, kMeasurementsToAverage);
      measured_variance_ += (variance - measured_variance_) / num_measured_;
    }
    last_difference_ = difference;
  }
  believed_ = captured;
  has_believed_ = true;
}

// Few measurements may be small by chance: they are taken for larger.
double ExposureClock::noise_variance() const {
  const double least = squared(kLeastNoise);
  if (num_measured_ < kMeasurementsToTrust)
    return std::max({least, measured_variance_, squared(kFirstNoise * as_double(length(index_)))});
  return std::max(least, measured_variance_ * (1 + double{kMeasurementsToTrust} / num_measured_));
}

// Counted as the next exposure, whatever its time: too low a count is put right by the next frame that is believed, too
// high a one never. Where the new times come to be believed, the exposures that passed meanwhile are counted: `floor` is
// the last that by the old ones would have begun.
void ExposureClock::doubt(std::int64_t floor, Nanoseconds captured) {
  has_believed_ = false;
  last_difference_.reset();
  const Nanoseconds duration = length(index_);
  const Nanoseconds interval = captured - last_doubted_;
  const double num = std::max(1.0, std::round(as_double(interval) / as_double(duration)));
  const double span = num * as_double(duration);
  const bool agrees =
      num_doubted_ > 0 && std::abs(as_double(interval) - span) <= as_double(duration) / 4;
  if (agrees) {
    ++num_doubted_;
    doubted_span_ns_ += span;
  } else {
    num_doubted_ = 1;
    first_doubted_ = captured;
    doubted_span_ns_ = 0;
  }
  last_doubted_ = captured;
  if (num_doubted_ < kBelieveAfter)
    go_to(index_ + 1, duration);
  else
    relock(std::max(index_ + 1, floor), captured);
}

// The same sensor, so its drift holds, unless the new times speak clearly against it.
void ExposureClock::relock(std::int64_t index, Nanoseconds captured) {
  const double elapsed = as_double(captured - first_doubted_);
  const double off = elapsed / doubted_span_ns_ - 1 - drift_;
  const double drift_variance = drift_variance_;
  const double expected = 2 * noise_variance() / squared(doubted_span_ns_) + drift_variance;
  begin(index, captured);
  if (squared(off) > squared(kSurprise) * expected)
    drift_variance_ += squared(off);
  else
    drift_variance_ = drift_variance;
  num_doubted_ = 0;
  num_surprises_ = 0;
  since_surprised_ns_ = 0;
}

}  // namespace lockstep
