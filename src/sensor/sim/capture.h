// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>

#include "lockstep/format.h"
#include "lockstep/frame.h"
#include "sensor/sim/controls.h"
#include "sensor/sim/options.h"
#include "sensor/sim/timing.h"

namespace lockstep {

/// One exposure of a simulated sensor, whether or not a frame comes of it.
struct SimShot {
  FrameInfo info;          ///< As the sensor tells it.
  Nanoseconds exposed{0};  ///< When the exposure of the first row really begins.
  Nanoseconds readout{0};  ///< How much later that of the last row does.
  Nanoseconds ready{0};    ///< When the last row has been read out.
  bool lost = false;       ///< No frame comes of it.
  bool corrupt = false;
};

/// The exposures of a simulated sensor: its triggers, each with the settings in force. Pure.
class SimCapture {
 public:
  SimCapture(const SimOptions& options, std::uint32_t index, const Fraction& framerate);

  /// Begins a stream whose first trigger is at `origin`; settings asked for before hold at once.
  void begin(Nanoseconds origin);
  /// Goes on after the device was away, with the first trigger at `time` or later.
  void resume(Nanoseconds time);

  /// The exposure to come, as things stand.
  SimShot next() const;
  /// Goes on to the one after it.
  void advance();

  /// Asks for settings; they hold some exposures from the next one on.
  void apply(const Settings& wanted, std::uint32_t revision);

  /// When the device is unplugged; the maximum if it is not, or was already.
  Nanoseconds unplugged_at() const;
  /// When it can be had again; the maximum if never.
  Nanoseconds plugged_at() const { return timeline_->plugged_at(); }

 private:
  double period_ns() const;

  SimOptions options_;
  std::uint32_t index_;
  double nominal_period_ns_;
  SimControls controls_;
  std::optional<SimTimeline> timeline_;  // From begin() on.
  bool was_unplugged_ = false;
};

}  // namespace lockstep
