// SPDX-License-Identifier: MIT
// The names of the enumerations, as users write and read them.
#include "lockstep/drop_reason.h"
#include "lockstep/frame.h"
#include "lockstep/light.h"
#include "lockstep/settings.h"
#include "lockstep/synchroniser.h"
#include "lockstep/time.h"

namespace lockstep {

const char* to_string(Clock clock) {
  switch (clock) {
    case Clock::unknown:
      return "unknown";
    case Clock::monotonic:
      return "monotonic";
    case Clock::boottime:
      return "boottime";
    case Clock::realtime:
      return "realtime";
    case Clock::simulated:
      return "simulated";
  }
  return "unknown";
}

const char* to_string(ReferencePoint reference) {
  switch (reference) {
    case ReferencePoint::unknown:
      return "unknown";
    case ReferencePoint::start_of_exposure:
      return "start-of-exposure";
    case ReferencePoint::end_of_frame:
      return "end-of-frame";
    case ReferencePoint::arrival:
      return "arrival";
  }
  return "unknown";
}

const char* to_string(FrameState state) {
  switch (state) {
    case FrameState::missing:
      return "missing";
    case FrameState::fresh:
      return "fresh";
    case FrameState::repeated:
      return "repeated";
  }
  return "unknown";
}

const char* to_string(FdKind kind) {
  switch (kind) {
    case FdKind::none:
      return "none";
    case FdKind::memfd:
      return "memfd";
    case FdKind::cuda:
      return "cuda";
    case FdKind::dmabuf:
      return "dmabuf";
  }
  return "unknown";
}

const char* to_string(MemorySpace space) {
  switch (space) {
    case MemorySpace::host:
      return "host";
    case MemorySpace::cuda:
      return "cuda";
  }
  return "unknown";
}

const char* to_string(OnMissing policy) {
  switch (policy) {
    case OnMissing::partial:
      return "partial";
    case OnMissing::repeat:
      return "repeat";
    case OnMissing::drop:
      return "drop";
  }
  return "unknown";
}

const char* to_string(DropReason reason) {
  switch (reason) {
    case DropReason::sensor:
      return "sensor";
    case DropReason::corrupt:
      return "corrupt";
    case DropReason::duplicate:
      return "duplicate";
    case DropReason::backward:
      return "backward";
    case DropReason::absurd:
      return "absurd";
    case DropReason::late:
      return "late";
    case DropReason::start_up:
      return "start-up";
    case DropReason::unmatched:
      return "unmatched";
    case DropReason::overflow:
      return "overflow";
    case DropReason::downstream_full:
      return "downstream-full";
    case DropReason::flushed:
      return "flushed";
    case DropReason::surplus:
      return "surplus";
    case DropReason::untimed:
      return "untimed";
    case DropReason::clipped:
      return "clipped";
  }
  return "unknown";
}

const char* to_string(Setting setting) {
  switch (setting) {
    case Setting::exposure:
      return "exposure";
    case Setting::analogue_gain:
      return "analogue-gain";
    case Setting::digital_gain:
      return "digital-gain";
    case Setting::red_gain:
      return "red-gain";
    case Setting::blue_gain:
      return "blue-gain";
    case Setting::frame_duration:
      return "frame-duration";
  }
  return "unknown";
}

const char* to_string(SettingsState state) {
  switch (state) {
    case SettingsState::unknown:
      return "unknown";
    case SettingsState::settled:
      return "settled";
    case SettingsState::changing:
      return "changing";
    case SettingsState::refused:
      return "refused";
  }
  return "unknown";
}

const char* to_string(LightMode mode) {
  switch (mode) {
    case LightMode::manual:
      return "manual";
    case LightMode::shared:
      return "shared";
    case LightMode::follow:
      return "follow";
    case LightMode::independent:
      return "independent";
    case LightMode::application:
      return "application";
  }
  return "unknown";
}

const char* to_string(Antiflicker antiflicker) {
  switch (antiflicker) {
    case Antiflicker::off:
      return "off";
    case Antiflicker::mains_50_hz:
      return "50";
    case Antiflicker::mains_60_hz:
      return "60";
  }
  return "unknown";
}

}  // namespace lockstep
