// SPDX-License-Identifier: MIT
#include "gstlockstepmuxframe.h"

#include <cstddef>

#include "gstlockstepcolour.h"

namespace lockstep {
namespace {

const char* feature_text(FrameMemory memory) {
  switch (memory) {
    case FrameMemory::system:
      return "";
    case FrameMemory::dmabuf:
      return " (memory:DMABuf)";
    case FrameMemory::cuda:
      return " (" LOCKSTEP_CAPS_FEATURE_CUDA ")";
  }
  return "";
}

Error unlike(const GstCaps* caps, const std::string& why) {
  CharsPtr text(gst_caps_to_string(caps));
  return {Errc::not_supported, 0, std::string(text.get()) + " is " + why};
}

// Takes over where the planes lie; what a row holds follows from the kind.
Result<Layout> layout_from(const GstVideoMeta& meta, const FrameKind& kind) {
  if (meta.format != GST_VIDEO_INFO_FORMAT(&kind.info) || meta.n_planes != kind.layout.num_planes ||
      meta.width != static_cast<guint>(GST_VIDEO_INFO_WIDTH(&kind.info)) ||
      meta.height != static_cast<guint>(GST_VIDEO_INFO_HEIGHT(&kind.info)))
    return Error{Errc::io, 0,
                 "the caps say " + kind.text() + ", the buffer's GstVideoMeta says " +
                     std::to_string(meta.width) + "x" + std::to_string(meta.height) + " " +
                     gst_video_format_to_string(meta.format)};
  Layout layout = kind.layout;
  layout.size_bytes = 0;
  for (std::size_t p = 0; p < layout.num_planes; ++p) {
    Plane& plane = layout.planes[p];
    if (meta.stride[p] < 0 || static_cast<std::size_t>(meta.stride[p]) < plane.row_bytes)
      return Error{Errc::io, 0,
                   "a row of plane " + std::to_string(p) + " takes " +
                       std::to_string(plane.row_bytes) + " bytes, the buffer's GstVideoMeta says " +
                       std::to_string(meta.stride[p])};
    plane.offset_bytes = meta.offset[p];
    plane.stride_bytes = static_cast<std::size_t>(meta.stride[p]);
  }
  return layout;
}

// From the start to the end of what the last row of any plane holds; nothing where that is absurd.
bool measure(Layout& layout, std::size_t available) {
  for (std::size_t p = 0; p < layout.num_planes; ++p) {
    const Plane& plane = layout.planes[p];
    if (plane.offset_bytes > available) return false;
    const std::size_t left = available - plane.offset_bytes;
    if (plane.rows == 0 || plane.row_bytes > left) return false;
    if (plane.rows > 1 && plane.stride_bytes > (left - plane.row_bytes) / (plane.rows - 1))
      return false;
    const std::size_t end =
        plane.offset_bytes + plane.stride_bytes * (plane.rows - 1) + plane.row_bytes;
    layout.size_bytes = std::max(layout.size_bytes, end);
  }
  return true;
}

}  // namespace

std::string FrameKind::text() const {
  return std::to_string(GST_VIDEO_INFO_WIDTH(&info)) + "x" +
         std::to_string(GST_VIDEO_INFO_HEIGHT(&info)) + " " + to_string(pixel_format) +
         feature_text(memory);
}

Result<std::shared_ptr<const FrameKind>> read_kind(GstCaps* caps) {
  auto kind = std::make_shared<FrameKind>();
  kind->caps.reset(gst_caps_copy(caps));
  if (!gst_structure_has_field(gst_caps_get_structure(caps, 0), "framerate"))
    gst_caps_set_simple(kind->caps.get(), "framerate", GST_TYPE_FRACTION, 0, 1, nullptr);
  GstVideoInfo& info = kind->info;
  if (!gst_video_info_from_caps(&info, caps))
    return unlike(caps, "no raw video; put a decoder and videoconvert before it");
  const auto format = pixel_format_from(gst_video_format_to_string(GST_VIDEO_INFO_FORMAT(&info)));
  if (!format) return unlike(caps, "no format of batches; put videoconvert before it");
  if (GST_VIDEO_INFO_IS_INTERLACED(&info))
    return unlike(caps, "interlaced; put deinterlace before it");
  if (GST_VIDEO_INFO_VIEWS(&info) > 1)
    return unlike(caps, "several views in one frame; put glviewconvert before it");
  auto layout = default_layout(*format, static_cast<std::uint32_t>(GST_VIDEO_INFO_WIDTH(&info)),
                               static_cast<std::uint32_t>(GST_VIDEO_INFO_HEIGHT(&info)));
  if (!layout) return unlike(caps, layout.error().what + "; put videoscale before it");
  kind->caps = explicit_caps(kind->caps.get(), info);
  kind->pixel_format = *format;
  kind->layout = *layout;
  kind->memory = frame_memory(gst_caps_get_features(caps, 0));
  return std::shared_ptr<const FrameKind>(std::move(kind));
}

bool is_same_shape(const FrameKind& a, const FrameKind& b) {
  return a.pixel_format == b.pixel_format && a.memory == b.memory &&
         GST_VIDEO_INFO_WIDTH(&a.info) == GST_VIDEO_INFO_WIDTH(&b.info) &&
         GST_VIDEO_INFO_HEIGHT(&a.info) == GST_VIDEO_INFO_HEIGHT(&b.info);
}

Result<Layout> layout_in(GstBuffer* buffer, const FrameKind& kind) {
  const std::size_t size = gst_buffer_get_size(buffer);
  const GstVideoMeta* meta = gst_buffer_get_video_meta(buffer);
  auto layout = meta ? layout_from(*meta, kind) : Result<Layout>(kind.layout);
  if (!layout) return layout;
  if (!measure(*layout, size))
    return Error{
        Errc::io, 0,
        "a frame of " + kind.text() + " in a buffer of " + std::to_string(size) + " bytes"};
  return layout;
}

MuxFrame MuxFrame::again() const {
  MuxFrame frame;
  frame.buffer.reset(gst_buffer_ref(buffer.get()));
  frame.kind = kind;
  frame.layout = layout;
  frame.info = info;
  frame.running_time = running_time;
  frame.came_at = came_at;
  return frame;
}

}  // namespace lockstep
