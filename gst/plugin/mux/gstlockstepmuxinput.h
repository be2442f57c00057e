// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gstlockstepmuxframe.h"
#include "gstlockstepslotpool.h"
#include "lockstep/drop_counter.h"
#include "lockstep/rig.h"

namespace lockstep {

/// One pad of a lockstepmux and what the mux knows of it. All of it under the element's mutex, but
/// that `flow` is written without it while the pad is not the element's yet.
struct MuxInput {
  explicit MuxInput(guint pad_index, std::string pad_name)
      : index(pad_index), name(std::move(pad_name)) {
    drops.reset(1);
    counts.name = name;
    counts.io = "no frame yet";
    gst_segment_init(&segment, GST_FORMAT_UNDEFINED);
  }

  guint index = 0;  ///< Of the pad, as in sink_3.
  std::string name;
  std::size_t sensor = 0;           ///< Its place in the synchroniser: the order of the pads.
  std::optional<std::size_t> slot;  ///< Since the last caps; nothing before.

  std::shared_ptr<const FrameKind> kind;  ///< Null until its first caps.
  GstSegment segment;                     ///< Undefined until there is one.
  guint group = GST_GROUP_ID_INVALID;     ///< Of its stream, as its stream-start says.
  std::shared_ptr<SlotOutlet> outlet;     ///< Of the slots it was offered; null where none were.
  std::atomic<GstFlowReturn> flow{GST_FLOW_FLUSHING};  ///< What the pad answers to buffers.
  bool eos = false;
  bool removed = false;   ///< Its pad was released: nothing of it counts any more.
  bool flushing = false;  ///< Between FLUSH_START and FLUSH_STOP.

  std::deque<std::pair<std::uint64_t, MuxFrame>> waiting;  ///< For partners, by token.
  std::size_t most_queued = 1;                             ///< That may wait.
  std::condition_variable space;                           ///< Fewer wait, or `flow` changed.

  std::optional<MuxFrame> last;  ///< For on-missing=repeat.
  std::uint64_t num_frames = 0;  ///< That came.
  /// Arrival minus capture time, of live pads whose times nothing else moves to our clock.
  std::optional<Nanoseconds> capture_offset;
  bool told_stalled = false;  ///< Users know that it is not waited for.
  std::vector<bool> warned = std::vector<bool>(kNumDropReasons, false);
  RigStats::PerSensor counts;
  DropCounter drops;

  /// Whether no frame of it will be in any set.
  bool is_over() const { return eos && waiting.empty(); }
  bool is_full() const { return waiting.size() >= most_queued; }
  /// Takes a frame that is there out of `waiting`.
  MuxFrame take(std::uint64_t token);
};

using MuxInputPtr = std::shared_ptr<MuxInput>;

}  // namespace lockstep
