// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "lockstep/sensor.h"
#include "sensor/sequence_gaps.h"
#include "sensor/sim/capture.h"
#include "sensor/sim/options.h"
#include "sensor/sim/picture.h"
#include "sensor/sim/targets.h"

namespace lockstep {

/// What simulated sensors on the real and on the virtual clock have in common: everything but time.
class SimSensor : public Sensor {
 public:
  SimSensor(std::string name, const SimOptions& options);

  SensorInfo describe() override;
  Clock clock() const override;
  void set_index(std::uint32_t index) override { index_ = index; }
  Result<SensorStream> configure(const Format& format, const Layout& wanted,
                                 FdKind slot_kind) override;
  Result<void> attach(std::span<const SlotView> slots) override;
  SettingsCaps settings_caps() const override;

 protected:
  /// \errors  invalid_argument  it is not configured and attached, or streams already.
  Result<void> check_ready_to_start(bool streaming) const;
  /// \errors  invalid_argument  a lending sensor takes no slots, or as SimTargets::queue().
  Result<void> queue_target(std::size_t arena_index);
  /// As Sensor::write(), by a device that is there.
  Result<SettingsChange> write_settings(const SettingsChange& change,
                                        std::optional<std::uint32_t> completes, Nanoseconds now);
  /// The frame that `shot` makes of `target`, the next that is delivered.
  Delivered develop(const SimShot& shot, SimTarget target, Nanoseconds ready_at);
  /// The error for a sensor that is not there, after `act`.
  Error gone(Errc code, const std::string& act) const;
  /// The error of a restart() that nobody needs.
  Error not_lost() const;

  const SimOptions options_;
  const std::string name_;
  Format format_;
  std::optional<SimCapture> capture_;  // From configure() on.
  std::optional<SimPicture> picture_;  // From configure() on.
  SimTargets targets_;
  SequenceGaps gaps_;  // Begun by start(), then of whoever develops.

 private:
  std::vector<FormatOffer> offers() const;

  std::uint32_t index_ = 0;
  SettingsChange written_;  // All that was, and the last revision.
  std::optional<std::uint32_t> completed_;
  Layout layout_;
  Delivery delivery_ = Delivery::fill;  // As configure() settled on.
  bool attached_ = false;
};

/// On CLOCK_MONOTONIC, with a thread of its own. In realtime.cpp.
std::unique_ptr<Sensor> make_realtime_sim(std::string name, const SimOptions& options);
/// On a clock that goes as fast as frames are taken. In virtual.cpp.
std::unique_ptr<Sensor> make_virtual_sim(std::string name, const SimOptions& options);

}  // namespace lockstep
