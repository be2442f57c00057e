// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "lockstep/export.h"

namespace lockstep {

/// Why a frame did not become part of a batch.
enum class DropReason : std::uint8_t {
  sensor,           ///< The sensor lost it: a gap in its sequence, see Delivered::skipped.
  corrupt,          ///< The driver marked it as damaged (V4L2_BUF_FLAG_ERROR).
  duplicate,        ///< Same capture time as the sensor's frame before.
  backward,         ///< Captured before the sensor's frame before.
  absurd,           ///< Capture time far from the present, or contradicted by later frames.
  late,             ///< Its batch had left already.
  start_up,         ///< Captured before every sensor had started.
  unmatched,        ///< No full set, with on-missing=drop.
  overflow,         ///< Too many frames waited for partners.
  downstream_full,  ///< Downstream held every batch, or was slower than the batches came.
  flushed,          ///< Thrown away by a flush or stop.
  surplus,          ///< Batches go at the rate of another sensor, and this one had more.
  untimed,          ///< Carries no time of the kind that frames are grouped by.
  clipped,          ///< Lies outside the part of its stream that is to be shown.
};

inline constexpr std::size_t kNumDropReasons = 14;

/// Kebab-case name of the reason, as in "downstream-full".
LOCKSTEP_API const char* to_string(DropReason reason);

}  // namespace lockstep
