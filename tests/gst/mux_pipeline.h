// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>
#include <gst/lockstep/gstlockstepbatchmeta.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "gstlockstephandles.h"
#include "harness.h"
#include "mux_bench.h"

namespace lockstep {

/// What a batch of a pipeline was like, kept when the batch itself is gone.
struct MuxedBatch {
  struct Slot {
    GstLockstepFrameState state = GST_LOCKSTEP_FRAME_MISSING;
    GstClockTime pts = GST_CLOCK_TIME_NONE;
    guint64 sequence = 0;
    GstClockTime capture_time = GST_CLOCK_TIME_NONE;
    guint copies = 0;
    std::uint64_t hash = 0;        ///< Of its visible pixels.
    std::uint64_t block_hash = 0;  ///< The same, read from the one block of a contiguous batch.
  };
  GstClockTime pts = GST_CLOCK_TIME_NONE;
  bool contiguous = false;
  std::vector<Slot> slots;
};

/// Looks at a batch; a slot's hash is 0 where it is missing.
MuxedBatch look_at(GstBuffer* batch);

/// A hash of a frame's visible pixels, row by row, wherever its planes lie. \thread any.
std::uint64_t hash_of(GstBuffer* frame, const GstVideoInfo& info);
/// The layout that the frame's GstVideoMeta tells; that of `caps` where it has none.
GstVideoInfo info_of(GstBuffer* frame, GstCaps* caps);

/// A pipeline that is looked at while it runs. By convention its muxer is named `mux`.
class MuxPipeline {
 public:
  using Look = std::function<GstPadProbeReturn(GstPad*, GstBuffer*)>;

  explicit MuxPipeline(const std::string& line);
  ~MuxPipeline();
  MuxPipeline(const MuxPipeline&) = delete;
  MuxPipeline& operator=(const MuxPipeline&) = delete;

  /// The pad, such as "mux.sink_0"; null with a failure where there is none.
  GstPad* pad(const std::string& name);
  ElementPtr element(const std::string& name) const;
  /// Calls `look` with each buffer at that pad, in its streaming thread.
  void watch(const std::string& pad, Look look);
  /// Runs until it ends, two minutes at most: "EOS", else what went wrong.
  std::string run();
  GstElement* get() const { return pipeline_.get(); }

  /// Counters of `mux`.
  Stats stats() const { return Stats(element("mux").get()); }

 private:
  ElementPtr pipeline_;
  std::vector<GstPad*> pads_;
};

}  // namespace lockstep
