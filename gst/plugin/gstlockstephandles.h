// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>
#include <gst/video/video.h>

#include <memory>

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

/// A video buffer mapped for as long as this object lives, if it could be. The buffer must live on.
class MappedFrame {
 public:
  MappedFrame(const GstVideoInfo& info, GstBuffer* buffer, GstMapFlags flags) {
    // A reference of ours would make the buffer read-only.
    const auto no_ref = static_cast<GstMapFlags>(int{flags} | int{GST_VIDEO_FRAME_MAP_FLAG_NO_REF});
    mapped_ = gst_video_frame_map(&frame_, &info, buffer, no_ref);
  }
  ~MappedFrame() {
    if (mapped_) gst_video_frame_unmap(&frame_);
  }
  MappedFrame(const MappedFrame&) = delete;
  MappedFrame& operator=(const MappedFrame&) = delete;

  explicit operator bool() const { return mapped_; }
  const GstVideoFrame& operator*() const { return frame_; }
  /// For functions that write into it.
  GstVideoFrame* frame() { return &frame_; }

 private:
  GstVideoFrame frame_{};
  bool mapped_ = false;
};

}  // namespace lockstep
