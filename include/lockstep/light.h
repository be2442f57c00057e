// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lockstep/export.h"
#include "lockstep/frame.h"
#include "lockstep/metering.h"
#include "lockstep/result.h"
#include "lockstep/settings.h"

namespace lockstep {

/// Who decides on the settings.
enum class LightMode : std::uint8_t {
  manual,       ///< Nobody but Rig::apply().
  shared,       ///< One exposure, gain and white balance for all sensors, from the metering of all.
  follow,       ///< One sensor's metering decides, all follow.
  independent,  ///< Each sensor by its own metering, as cameras do by themselves.
  application,  ///< An algorithm of the user's own.
};

LOCKSTEP_API const char* to_string(LightMode mode);

/// The mains that lamps hang on, which flicker at twice its frequency.
enum class Antiflicker : std::uint8_t {
  off,
  mains_50_hz,  ///< Exposures are multiples of 10 ms where they are no shorter.
  mains_60_hz,  ///< Exposures are multiples of 8.333 ms where they are no shorter.
};

LOCKSTEP_API const char* to_string(Antiflicker antiflicker);

/// How light is set. All of it may change while running.
struct LightConfig {
  LightMode mode = LightMode::manual;
  /// What the trimmed mean of linear luma is to be. \units share of full scale, 0.01..0.9.
  double target = 0.16;
  /// Longest exposure that an algorithm uses before it uses gain; 0: as long as the frame duration allows. \units ns
  Nanoseconds max_exposure{0};
  double max_gain =
      16;  ///< Most of analogue times digital gain that an algorithm uses. \units factor, 1 or more.
  Antiflicker antiflicker = Antiflicker::off;
  bool white_balance = true;  ///< Whether an algorithm sets red and blue gain; if not they stay.
  std::size_t leader = 0;     ///< The sensor that the others follow, with LightMode::follow.
  /// How much each sensor counts, with LightMode::shared; 0 or more. Empty: all alike. One for each sensor otherwise.
  std::vector<double> weights{};
  WeightMap metering = WeightMap{};  ///< How much each part of a picture counts.
  /// Whether frames are metered though no algorithm needs it (manual). Those that a sensor lends in the memory of a GPU
  /// never are: the CPU cannot look at them.
  bool always_meter = false;
  /// Whether free-running sensors are held together: a servo changes their frame durations by a little, so that their
  /// exposures start together. For sensors without a common trigger only.
  bool align_exposures = false;
  /// Per sensor: values that hold whatever else is asked of it. Empty, or one for each sensor.
  std::vector<SettingsChange> overrides{};

  friend bool operator==(const LightConfig&, const LightConfig&) = default;
};

/// \errors  invalid_argument  a value out of range, or `leader` or `weights` that do not fit the number of sensors.
LOCKSTEP_API Result<void> check(const LightConfig& config, std::size_t num_sensors);

/// What an algorithm is told of one batch.
struct LightReport {
  struct PerSensor {
    const SettingsCaps* caps = nullptr;  ///< What it can be set to.
    FrameState state = FrameState::missing;
    FrameInfo info;  ///< Of the frame; what it was exposed with is in `info.settings`.
    const Metering* metering = nullptr;  ///< Null where the frame is not fresh, or not metered.
    Settings wanted;  ///< What was last asked of it, whether or not that holds already.
  };
  std::uint64_t batch = 0;      ///< Batch::number.
  Nanoseconds captured{0};      ///< Capture time of the batch, on the rig's clock.
  Nanoseconds frame_period{0};  ///< As the frame rate says.
  bool uniform = false;         ///< Batch::uniform.
  std::uint32_t latest_revision =
      0;  ///< The last that was asked for, whether or not it holds already.
  std::span<const PerSensor> sensors;  ///< In slot order.
};

/// Decides, batch by batch, on the settings to come. The interface for algorithms of one's own.
///
/// \thread  called from within Rig::next_batch(), one call at a time: what it takes delays the batch.
class LOCKSTEP_API LightAlgorithm {
 public:
  virtual ~LightAlgorithm() = default;

  /// What to change. Nothing: empty. One entry: for every sensor that can. One entry per sensor: to each its own.
  ///
  /// The answer becomes one revision, which takes effect in all sensors on the same trigger. One that a sensor cannot do
  /// is refused as a whole and told as RigEvent::settings_refused; so is what is thrown. The last settings stay.
  virtual std::vector<SettingsChange> decide(const LightReport& report) = 0;
};

/// The algorithm of a mode: exposure and gain to the target, grey-world white balance. Null for manual and application.
///
/// Each frame tells what it was exposed with, so that each is a measurement of the scene by itself, whatever settings are
/// under way: the loop has no delay in it and cannot oscillate. docs/design/light.md draws it.
LOCKSTEP_API std::unique_ptr<LightAlgorithm> make_light_algorithm(const LightConfig& config);

}  // namespace lockstep
