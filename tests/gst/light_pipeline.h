// SPDX-License-Identifier: MIT
#pragma once

#include <gst/lockstep/gstlockstepbatchmeta.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "pipeline.h"

namespace lockstep {

/// What the simulator exposes with at first, and something else.
inline constexpr GstClockTime kFirst = 10 * GST_MSECOND;
inline constexpr GstClockTime kOther = 4 * GST_MSECOND;

/// A batch as it came out of a source: what its meta says, without the frames' buffers.
struct SeenBatch {
  guint64 number = 0;
  bool uniform = false;
  std::vector<GstLockstepFrame> frames;

  /// Whether all frames were exposed alike.
  bool has_one_light() const {
    for (const GstLockstepFrame& frame : frames)
      if (frame.exposure != frames[0].exposure || frame.analogue_gain != frames[0].analogue_gain)
        return false;
    return true;
  }
};

/// A pipeline that keeps what each batch says of its light.
///
/// On a virtual clock what `after` does to the source after batch n takes effect on the same batch in every run: it is
/// called in the streaming thread, with n from 0.
class LightPipeline {
 public:
  using After = std::function<void(GstElement* source, std::size_t n)>;

  explicit LightPipeline(const std::string& line, After after = {})
      : after_(std::move(after)),
        pipeline(line + kSmall, [this](GstBuffer* buffer) { see(buffer); }) {}
  // The pipeline calls back into this.
  ~LightPipeline() { pipeline.set_state(GST_STATE_NULL); }

  /// Plays to the end; the texts of all warnings, in order.
  std::vector<std::string> play_to_end() {
    pipeline.set_state(GST_STATE_PLAYING);
    std::vector<std::string> warnings;
    while (auto message = pipeline.wait_for(static_cast<GstMessageType>(
               GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_ELEMENT | GST_MESSAGE_WARNING))) {
      if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_EOS) return warnings;
      if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_WARNING)
        warnings.push_back(Pipeline::error_text(message.get()));
      if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_ELEMENT)
        told.push_back(gst_structure_get_name(gst_message_get_structure(message.get())));
      if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_ERROR) {
        ADD_FAILURE() << Pipeline::error_text(message.get());
        return warnings;
      }
    }
    ADD_FAILURE() << "no end came";
    return warnings;
  }
  /// A counter of the property `stats`.
  guint64 count(const char* field) const {
    guint64 value = 0;
    EXPECT_TRUE(gst_structure_get_uint64(pipeline.stats().get(), field, &value)) << field;
    return value;
  }
  /// Index of the first batch whose frames all have that exposure; the number of batches if none has.
  std::size_t first_with_exposure(GstClockTime exposure) const {
    std::size_t n = 0;
    while (n < batches.size() &&
           !(batches[n].has_one_light() && batches[n].frames[0].exposure == exposure))
      ++n;
    return n;
  }
  GstElement* source() const { return pipeline.source(); }

  std::vector<SeenBatch> batches;  ///< Only to be read once the pipeline has ended.
  std::vector<std::string> told;   ///< Names of the element messages that came.

 private:
  void see(GstBuffer* buffer) {
    const auto* meta = gst_buffer_get_lockstep_batch_meta(buffer);
    SeenBatch batch{
        meta->batch_number, meta->uniform != FALSE, {meta->frames, meta->frames + meta->n_frames}};
    for (GstLockstepFrame& frame : batch.frames) frame.buffer = nullptr;
    batches.push_back(std::move(batch));
    if (after_) after_(pipeline.source(), batches.size() - 1);
  }

  After after_;

 public:
  Pipeline pipeline;
};

}  // namespace lockstep
