// SPDX-License-Identifier: MIT
#include "gstlocksteplayout.h"

#include <gst/video/gstvideometa.h>

#include <memory>
#include <utility>

namespace lockstep {

bool has_default_layout(GstBuffer* frame, const GstVideoInfo& info) {
  if (gst_buffer_get_size(frame) != GST_VIDEO_INFO_SIZE(&info)) return false;
  const GstVideoMeta* meta = gst_buffer_get_video_meta(frame);
  if (!meta) return true;
  for (guint p = 0; p < meta->n_planes; ++p)
    if (meta->offset[p] != GST_VIDEO_INFO_PLANE_OFFSET(&info, p) ||
        meta->stride[p] != GST_VIDEO_INFO_PLANE_STRIDE(&info, p))
      return false;
  return true;
}

Result<BufferPtr> copy_to_default_layout(GstBuffer* frame, const GstVideoInfo& info) {
  BufferPtr copy(gst_buffer_new_allocate(nullptr, GST_VIDEO_INFO_SIZE(&info), nullptr));
  {
    const MappedFrame from(info, frame, GST_MAP_READ);
    MappedFrame to(info, copy.get(), GST_MAP_WRITE);
    if (!from || !to || !gst_video_frame_copy(to.frame(), &*from))
      return Error{Errc::io, 0, "map a frame to copy it into GStreamer's default layout"};
  }
  // Metas that speak of the memory, such as GstVideoMeta, stay behind.
  gst_buffer_copy_into(copy.get(), frame,
                       static_cast<GstBufferCopyFlags>(int{GST_BUFFER_COPY_METADATA}), 0,
                       static_cast<gsize>(-1));
  return copy;
}

bool peer_takes_any_layout(GstPad* pad, GstCaps* caps) {
  GstQuery* query = gst_query_new_allocation(caps, FALSE);
  const bool takes = gst_pad_peer_query(pad, query) &&
                     gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, nullptr);
  gst_query_unref(query);
  return takes;
}

}  // namespace lockstep
