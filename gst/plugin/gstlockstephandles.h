// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>
#include <gst/video/video.h>

#include <memory>
#include <optional>
#include <utility>

namespace lockstep {

/// Lets go of what a handle below owns.
struct Release {
  void operator()(GstBuffer* buffer) const { gst_buffer_unref(buffer); }
  void operator()(GstCaps* caps) const { gst_caps_unref(caps); }
  void operator()(GstStructure* structure) const { gst_structure_free(structure); }
  void operator()(GstBufferPool* pool) const { gst_object_unref(pool); }
  void operator()(gchar* text) const { g_free(text); }
};

using BufferPtr = std::unique_ptr<GstBuffer, Release>;
using CapsPtr = std::unique_ptr<GstCaps, Release>;
using StructurePtr = std::unique_ptr<GstStructure, Release>;
using PoolPtr = std::unique_ptr<GstBufferPool, Release>;
using CharsPtr = std::unique_ptr<gchar, Release>;

/// A video buffer mapped for as long as this object lives.
class MappedFrame {
 public:
  /// Nothing if `buffer` cannot be mapped as `info` says.
  static std::optional<MappedFrame> map(const GstVideoInfo& info, GstBuffer* buffer,
                                        GstMapFlags flags) {
    MappedFrame mapped;
    // The caller keeps the buffer alive; a reference of ours would make it read-only.
    const auto no_ref = static_cast<GstMapFlags>(int{flags} | int{GST_VIDEO_FRAME_MAP_FLAG_NO_REF});
    if (!gst_video_frame_map(&mapped.frame_, const_cast<GstVideoInfo*>(&info), buffer, no_ref))
      return std::nullopt;
    mapped.mapped_ = true;
    return mapped;
  }
  ~MappedFrame() {
    if (mapped_) gst_video_frame_unmap(&frame_);
  }
  MappedFrame(MappedFrame&& other) noexcept
      : frame_(other.frame_), mapped_(std::exchange(other.mapped_, false)) {}
  MappedFrame& operator=(MappedFrame&&) = delete;

  const GstVideoFrame& frame() const { return frame_; }

 private:
  MappedFrame() = default;
  GstVideoFrame frame_{};
  bool mapped_ = false;
};

}  // namespace lockstep
