// SPDX-License-Identifier: MIT
#include "light_meta.h"

#include <algorithm>
#include <optional>

namespace lockstep::tools {
namespace {

FrameState state_of(GstLockstepFrameState state) {
  switch (state) {
    case GST_LOCKSTEP_FRAME_MISSING:
      return FrameState::missing;
    case GST_LOCKSTEP_FRAME_FRESH:
      return FrameState::fresh;
    case GST_LOCKSTEP_FRAME_REPEATED:
      return FrameState::repeated;
  }
  return FrameState::missing;
}

SettingsState state_of(GstLockstepSettingsState state) {
  switch (state) {
    case GST_LOCKSTEP_SETTINGS_UNKNOWN:
      return SettingsState::unknown;
    case GST_LOCKSTEP_SETTINGS_SETTLED:
      return SettingsState::settled;
    case GST_LOCKSTEP_SETTINGS_CHANGING:
      return SettingsState::changing;
    case GST_LOCKSTEP_SETTINGS_REFUSED:
      return SettingsState::refused;
  }
  return SettingsState::unknown;
}

Nanoseconds time_of(GstClockTime time) {
  return Nanoseconds(GST_CLOCK_TIME_IS_VALID(time) ? static_cast<Nanoseconds::rep>(time) : 0);
}

// Of the anchor: the earliest fresh frame.
Nanoseconds captured(const GstLockstepBatchMeta& meta) {
  std::optional<Nanoseconds> earliest;
  for (guint slot = 0; slot < meta.n_frames; ++slot) {
    const GstLockstepFrame& frame = meta.frames[slot];
    if (frame.state != GST_LOCKSTEP_FRAME_FRESH) continue;
    const Nanoseconds time = time_of(frame.capture_time);
    earliest = std::min(earliest.value_or(time), time);
  }
  return earliest.value_or(Nanoseconds(0));
}

LightSample sample_of(const GstLockstepFrame& frame, Nanoseconds batch_captured) {
  LightSample sample;
  sample.state = state_of(frame.state);
  if (sample.state == FrameState::missing) return sample;
  sample.revision = frame.settings_revision;
  sample.settings_state = state_of(frame.settings_state);
  sample.settings = {.exposure = time_of(frame.exposure),
                     .analogue_gain = frame.analogue_gain,
                     .digital_gain = frame.digital_gain,
                     .red_gain = frame.red_gain,
                     .blue_gain = frame.blue_gain,
                     .frame_duration = time_of(frame.frame_duration)};
  if (frame.metered)
    sample.reading = LightReading{.luma = frame.luma,
                                  .clipped_dark = frame.clipped_dark,
                                  .clipped_bright = frame.clipped_bright,
                                  .red = frame.red,
                                  .green = frame.green,
                                  .blue = frame.blue};
  sample.offset = time_of(frame.capture_time) - batch_captured;
  return sample;
}

}  // namespace

LightRow light_row(const GstLockstepBatchMeta& meta) {
  LightRow row{.batch = meta.batch_number,
               .captured = captured(meta),
               .uniform = meta.uniform != FALSE,
               .skew = time_of(meta.skew),
               .sensors = {}};
  row.sensors.reserve(meta.n_frames);
  for (guint slot = 0; slot < meta.n_frames; ++slot)
    row.sensors.push_back(sample_of(meta.frames[slot], row.captured));
  return row;
}

}  // namespace lockstep::tools
