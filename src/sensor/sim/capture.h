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
  FrameInfo info;     ///< As the sensor tells it.
  Settings settings;  ///< What it is really made with, whether or not the sensor tells.
  std::uint32_t settings_revision = 0;
  /// When the stream began, `phase` not counted: the same for all sensors of a rig.
  Nanoseconds stream_begin{0};
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

  /// Begins a stream whose first trigger is at `origin`; what was written before holds at once.
  void begin(Nanoseconds origin);
  /// Goes on after the device was away, with the first trigger at `time` or later; what was written
  /// before holds at once.
  void resume(Nanoseconds time);
  /// Ends the stream: what is written until the next holds from its first exposure on.
  void end() { timeline_.reset(); }

  /// The exposure to come, as things stand.
  SimShot next() const;
  /// Goes on to the one after it.
  void advance();

  /// Writes settings as SimControls::write(), counted from the first exposure to come that begins
  /// after `now`: next() may have begun by then, though it is yet to be taken.
  void write(const SettingsChange& taken, std::optional<std::uint32_t> completes, Nanoseconds now);
  /// Whether the driver refuses writes at that time.
  bool refuses_writes(Nanoseconds now) const;

  /// When the device is unplugged; the maximum if it is not, or was already, or nothing streams.
  Nanoseconds unplugged_at() const;
  /// When it can be had again; the maximum if never.
  Nanoseconds plugged_at() const { return timeline_->plugged_at(); }

 private:
  double period_ns(std::uint64_t sequence) const;
  std::uint64_t first_after(Nanoseconds now) const;

  SimOptions options_;
  std::uint32_t index_;
  double nominal_period_ns_;
  SimControls controls_;
  std::optional<SimTimeline> timeline_;  // From begin() to end().
  bool was_unplugged_ = false;
};

}  // namespace lockstep
