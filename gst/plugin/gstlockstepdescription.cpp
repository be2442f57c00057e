// SPDX-License-Identifier: MIT
#include "gstlockstepdescription.h"

#include <algorithm>

namespace lockstep {
namespace {

// The enumerations of the C library are the library's own, value for value.
static_assert(int{GST_LOCKSTEP_FRAME_REPEATED} == static_cast<int>(FrameState::repeated));
static_assert(int{GST_LOCKSTEP_FRAME_FRESH} == static_cast<int>(FrameState::fresh));
static_assert(int{GST_LOCKSTEP_CLOCK_MONOTONIC} == static_cast<int>(Clock::monotonic));
static_assert(int{GST_LOCKSTEP_CLOCK_SIMULATED} == static_cast<int>(Clock::simulated));
static_assert(int{GST_LOCKSTEP_REFERENCE_POINT_START_OF_EXPOSURE} ==
              static_cast<int>(ReferencePoint::start_of_exposure));
static_assert(int{GST_LOCKSTEP_REFERENCE_POINT_ARRIVAL} ==
              static_cast<int>(ReferencePoint::arrival));
static_assert(int{GST_LOCKSTEP_SETTINGS_SETTLED} == static_cast<int>(SettingsState::settled));
static_assert(int{GST_LOCKSTEP_SETTINGS_REFUSED} == static_cast<int>(SettingsState::refused));

Nanoseconds duration_of(GstClockTime time) { return Nanoseconds(static_cast<std::int64_t>(time)); }

GstClockTime clock_time_of(Nanoseconds duration) {
  return static_cast<GstClockTime>(duration.count());
}

}  // namespace

void describe(GstLockstepFrame* slot, const FrameDescription& frame) {
  const FrameInfo& info = frame.info;
  slot->state = static_cast<GstLockstepFrameState>(frame.state);
  slot->sensor = info.sensor;
  if (frame.state == FrameState::missing) return;
  slot->sequence = info.sequence;
  slot->capture_time = clock_time_of(info.captured.since_epoch);
  slot->clock = static_cast<GstLockstepClock>(info.captured.clock);
  slot->reference_point = static_cast<GstLockstepReferencePoint>(info.reference);
  slot->exposure = clock_time_of(info.settings.exposure);
  slot->frame_duration = clock_time_of(info.settings.frame_duration);
  slot->analogue_gain = info.settings.analogue_gain;
  slot->digital_gain = info.settings.digital_gain;
  slot->red_gain = info.settings.red_gain;
  slot->blue_gain = info.settings.blue_gain;
  slot->settings_revision = info.settings_revision;
  slot->settings_state = static_cast<GstLockstepSettingsState>(info.settings_state);
  slot->copies = info.copies;
  slot->metered = frame.metering.has_value();
  if (!frame.metering) return;
  slot->luma = frame.metering->trimmed_mean;
  slot->clipped_dark = frame.metering->clipped_dark;
  slot->clipped_bright = frame.metering->clipped_bright;
  slot->red = frame.metering->red;
  slot->green = frame.metering->green;
  slot->blue = frame.metering->blue;
}

FrameDescription description_of(const GstLockstepFrame& slot) {
  FrameDescription frame;
  FrameInfo& info = frame.info;
  frame.state = static_cast<FrameState>(slot.state);
  info.sensor = slot.sensor;
  info.sequence = slot.sequence;
  info.captured = {duration_of(slot.capture_time), static_cast<Clock>(slot.clock)};
  info.reference = static_cast<ReferencePoint>(slot.reference_point);
  info.settings.exposure = duration_of(slot.exposure);
  info.settings.frame_duration = duration_of(slot.frame_duration);
  info.settings.analogue_gain = slot.analogue_gain;
  info.settings.digital_gain = slot.digital_gain;
  info.settings.red_gain = slot.red_gain;
  info.settings.blue_gain = slot.blue_gain;
  info.settings_revision = slot.settings_revision;
  info.settings_state = static_cast<SettingsState>(slot.settings_state);
  info.copies = slot.copies;
  if (!slot.metered) return frame;
  Metering& metering = frame.metering.emplace();
  metering.trimmed_mean = slot.luma;
  metering.clipped_dark = slot.clipped_dark;
  metering.clipped_bright = slot.clipped_bright;
  metering.red = slot.red;
  metering.green = slot.green;
  metering.blue = slot.blue;
  return frame;
}

GstLockstepBatchMeta* copy_description(const GstLockstepBatchMeta& batch, guint first, guint count,
                                       GstBuffer* buffer) {
  GstLockstepBatchMeta* meta = gst_buffer_add_lockstep_batch_meta(buffer, count);
  meta->batch_number = batch.batch_number;
  meta->skew = batch.skew;
  meta->uniform = batch.uniform;
  std::copy_n(batch.frames + first, count, meta->frames);
  for (guint slot = 0; slot < count; ++slot) meta->frames[slot].buffer = nullptr;
  return meta;
}

}  // namespace lockstep
