// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "lockstep/time.h"

namespace lockstep {

/// When the exposures of one sensor begin: follows noisy capture times of a sensor whose frame durations are known but
/// whose clock runs a little fast or slow, and foretells exposures to come. A Kalman filter of two states, the start of
/// the present exposure and the rate of the sensor's clock. Pure; docs/design/light.md tells its figures.
///
/// Exposures are counted from 0 at the first observation, lost ones included: index k + 1 begins one frame duration after
/// index k, whatever the driver's sequence numbers say.
///
/// \units   times in ns on the clock of the observations; durations in ns of the sensor's own clock.
/// \thread  one caller at a time.
class ExposureClock {
 public:
  /// The frame duration that exposure `index` has: what the sensor is, or will have been, set to.
  using DurationOf = std::function<Nanoseconds(std::int64_t index)>;

  explicit ExposureClock(DurationOf duration);

  /// A frame was captured then. Answers its index. Times that lie far off what is expected are counted along and not
  /// believed, until kBelieveAfter of them in a row agree among themselves.
  std::int64_t observe(Nanoseconds captured);
  static constexpr int kBelieveAfter = 3;

  /// Whether anything was observed; nothing below may be asked before.
  bool started() const { return started_; }
  /// The index observed last.
  std::int64_t index() const { return index_; }
  /// Whether what was observed last was not believed: its index may be too low then.
  bool doubts() const { return num_doubted_ > 0; }
  /// When exposure `index` begins or began, as best it is known. Past ones as if the present rate had held.
  Nanoseconds start_of(std::int64_t index) const;
  /// The first exposure that begins after `time`.
  std::int64_t next_after(Nanoseconds time) const;
  /// Standard deviation of start_of(index()).
  Nanoseconds uncertainty() const;
  /// Standard deviation of single capture times about what is foretold: noise of the times, or jitter of the exposures.
  Nanoseconds noise() const;
  /// How much the sensor's clock is slow, as a factor less 1: 100e-6 is 100 ppm slow.
  double drift() const { return drift_; }
  /// A known change of duration took effect at an exposure that is not known for certain: it is `off` by that at most.
  void disturb(Nanoseconds off);
  /// Forgets all, as before the first observation, but goes on counting indexes.
  void restart();

 private:
  struct Cursor;
  // How far off the state is, by one capture time, and the variance of that. \units ns, ns^2
  struct Evidence {
    double surprise = 0;
    double variance = 0;
  };

  Nanoseconds length(std::int64_t index) const;
  Nanoseconds at(Nanoseconds span) const;
  double noise_variance() const;
  void begin(std::int64_t index, Nanoseconds captured);
  void go_to(std::int64_t index, Nanoseconds span);
  void believe(std::int64_t index, Nanoseconds captured);
  void doubt(std::int64_t floor, Nanoseconds captured);
  void relock(std::int64_t index, Nanoseconds captured);
  double weigh(double surprise);
  Evidence sharpen(double surprise);
  void learn_noise(Nanoseconds captured, Nanoseconds span);

  DurationOf duration_;
  bool started_ = false;
  std::int64_t index_ = -1;

  // The state and its covariance, at exposure index_. Its start is base_ + offset_ns_: a double alone would not do for
  // nanoseconds since boot.
  Nanoseconds base_{0};
  double offset_ns_ = 0;
  double drift_ = 0;
  double start_variance_ = 0;  // ns^2
  double covariance_ = 0;      // ns
  double drift_variance_ = 0;

  // Of the noise of capture times.
  double measured_variance_ = 0;  // ns^2, averaged over num_measured_
  int num_measured_ = 0;
  Nanoseconds believed_{0};    // Capture time of the frame before, if that was believed:
  bool has_believed_ = false;  // this says so.
  std::optional<double>
      last_difference_;  // By which it came later after its predecessor than reckoned.

  // Of surprises, relative to the noise: means of even powers. At first as of normal noise.
  double second_ = 1;
  double fourth_ = 3;
  double sixth_ = 15;
  int num_shaped_ = 10;  // Over how many.

  int num_surprises_ = 0;  // In a row and on one side; negative: early.
  double since_surprised_ns_ = 0;

  int num_doubted_ = 0;  // In a row, that agree among themselves.
  Nanoseconds first_doubted_{0};
  Nanoseconds last_doubted_{0};
  double doubted_span_ns_ = 0;  // From the first to the last, by the sensor's clock.
};

}  // namespace lockstep
