// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "lockstep/format.h"
#include "sensor/sim/capture.h"
#include "sensor/sim/options.h"
#include "sensor/sim/scene.h"

namespace lockstep {

/// What `render=stamp` writes at the start of a slot: how the frame was really made, whatever the
/// sensor tells of it.
struct SimStamp {
  std::uint32_t sensor = 0;
  std::uint32_t settings_revision = 0;  ///< The last marker that came into force.
  std::uint64_t sequence = 0;
  std::int64_t captured_ns = 0;  ///< The start of exposure, as told.
  std::int64_t exposed_ns = 0;   ///< The start of exposure, as it was.
  std::int64_t exposure_ns = 0;
  std::int64_t frame_duration_ns = 0;
  double analogue_gain = 1;
  double digital_gain = 1;
  double red_gain = 1;
  double blue_gain = 1;
};

/// Turns exposures into pixels, as much as `render` asks for.
class SimPicture {
 public:
  SimPicture(const SimOptions& options, std::uint32_t sensor, const Format& format,
             const Layout& layout);

  /// Writes one frame; `slot` has the layout's size at least.
  void draw(const SimShot& shot, std::span<std::byte> slot);

 private:
  SimRender render_;
  Format format_;
  Layout layout_;
  std::optional<SimScene> scene_;  // If it is drawn.
};

}  // namespace lockstep
