// SPDX-License-Identifier: MIT
#include "mux_pipeline.h"

#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>

#include "lockstep/format.h"

namespace lockstep {
namespace {

constexpr GstClockTime kPipelinePatience = 120 * GST_SECOND;

class Hash {
 public:
  void add(const guint8* bytes, std::size_t size) {
    for (; size >= sizeof(std::uint64_t); size -= sizeof(std::uint64_t)) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes, sizeof(word));
      add(word);
      bytes += sizeof(word);
    }
    for (; size > 0; --size) add(std::uint64_t{*bytes++});
  }
  std::uint64_t value() const { return value_; }

 private:
  void add(std::uint64_t word) {
    value_ = (value_ ^ word) * 0x9e3779b97f4a7c15;
    value_ ^= value_ >> 29;
  }
  std::uint64_t value_ = 1;
};

Layout visible(const GstVideoInfo& info) {
  const auto format = pixel_format_from(gst_video_format_to_string(GST_VIDEO_INFO_FORMAT(&info)));
  return *default_layout(*format, static_cast<std::uint32_t>(GST_VIDEO_INFO_WIDTH(&info)),
                         static_cast<std::uint32_t>(GST_VIDEO_INFO_HEIGHT(&info)));
}

std::uint64_t hash_in_block(const guint8* block, const GstVideoMeta& meta) {
  GstVideoInfo info;
  gst_video_info_set_format(&info, meta.format, meta.width, meta.height);
  const Layout layout = visible(info);
  Hash hash;
  for (std::size_t p = 0; p < layout.num_planes; ++p)
    for (std::size_t row = 0; row < layout.planes[p].rows; ++row)
      hash.add(block + meta.offset[p] + row * static_cast<std::size_t>(meta.stride[p]),
               layout.planes[p].row_bytes);
  return hash.value();
}

GstPadProbeReturn call(GstPad* pad, GstPadProbeInfo* info, gpointer look) {
  return (*static_cast<MuxPipeline::Look*>(look))(pad, GST_PAD_PROBE_INFO_BUFFER(info));
}

void forget(gpointer look) { delete static_cast<MuxPipeline::Look*>(look); }

}  // namespace

std::uint64_t hash_of(GstBuffer* frame, const GstVideoInfo& info) {
  const MappedFrame mapped(info, frame, GST_MAP_READ);
  EXPECT_TRUE(mapped);
  if (!mapped) return 0;
  const Layout layout = visible(info);
  Hash hash;
  for (std::size_t p = 0; p < layout.num_planes; ++p) {
    const auto* row = static_cast<const guint8*>(GST_VIDEO_FRAME_PLANE_DATA(&*mapped, p));
    for (std::size_t y = 0; y < layout.planes[p].rows; ++y) {
      hash.add(row, layout.planes[p].row_bytes);
      row += GST_VIDEO_FRAME_PLANE_STRIDE(&*mapped, p);
    }
  }
  return hash.value();
}

GstVideoInfo info_of(GstBuffer* frame, GstCaps* caps) {
  GstVideoInfo info;
  if (const GstVideoMeta* meta = gst_buffer_get_video_meta(frame)) {
    gst_video_info_set_format(&info, meta->format, meta->width, meta->height);
  } else {
    EXPECT_TRUE(gst_video_info_from_caps(&info, caps));
  }
  return info;
}

MuxedBatch look_at(GstBuffer* batch) {
  MuxedBatch seen;
  const GstLockstepBatchMeta* meta = gst_buffer_get_lockstep_batch_meta(batch);
  EXPECT_NE(meta, nullptr);
  if (!meta) return seen;
  seen.pts = GST_BUFFER_PTS(batch);
  seen.contiguous = meta->contiguous;
  GstMapInfo map{};
  if (seen.contiguous && !gst_buffer_map(batch, &map, GST_MAP_READ))
    ADD_FAILURE() << "cannot map the block";
  for (guint s = 0; s < meta->n_frames; ++s) {
    const GstLockstepFrame& frame = meta->frames[s];
    MuxedBatch::Slot slot{.state = frame.state,
                          .sequence = frame.sequence,
                          .capture_time = frame.capture_time,
                          .copies = frame.copies};
    EXPECT_EQ(frame.buffer == nullptr, frame.state == GST_LOCKSTEP_FRAME_MISSING);
    if (frame.buffer) {
      slot.pts = GST_BUFFER_PTS(frame.buffer);
      slot.hash = hash_of(frame.buffer, info_of(frame.buffer, nullptr));
      const GstVideoMeta* place = gst_buffer_get_video_meta_id(batch, static_cast<gint>(s));
      if (map.data && place) slot.block_hash = hash_in_block(map.data, *place);
    }
    seen.slots.push_back(slot);
  }
  if (map.data) gst_buffer_unmap(batch, &map);
  return seen;
}

MuxPipeline::MuxPipeline(const std::string& line) {
  GError* error = nullptr;
  pipeline_.reset(gst_parse_launch(line.c_str(), &error));
  EXPECT_EQ(error, nullptr) << error->message << ": " << line;
}

MuxPipeline::~MuxPipeline() {
  gst_element_set_state(get(), GST_STATE_NULL);
  for (GstPad* pad : pads_) gst_object_unref(pad);
}

ElementPtr MuxPipeline::element(const std::string& name) const {
  ElementPtr element(gst_bin_get_by_name(GST_BIN(get()), name.c_str()));
  EXPECT_NE(element, nullptr) << name;
  return element;
}

GstPad* MuxPipeline::pad(const std::string& name) {
  const std::size_t dot = name.find('.');
  GstPad* pad =
      gst_element_get_static_pad(element(name.substr(0, dot)).get(), name.c_str() + dot + 1);
  EXPECT_NE(pad, nullptr) << name;
  if (pad) pads_.push_back(pad);
  return pad;
}

void MuxPipeline::watch(const std::string& name, Look look) {
  gst_pad_add_probe(pad(name), GST_PAD_PROBE_TYPE_BUFFER, call, new Look(std::move(look)), forget);
}

std::string MuxPipeline::run() {
  gst_element_set_state(get(), GST_STATE_PLAYING);
  GstBus* bus = gst_element_get_bus(get());
  GstMessage* message = gst_bus_timed_pop_filtered(
      bus, kPipelinePatience, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
  gst_object_unref(bus);
  std::string end = message ? "EOS" : "nothing within two minutes";
  if (message && GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
    GError* error = nullptr;
    gchar* details = nullptr;
    gst_message_parse_error(message, &error, &details);
    end = std::string(error->message) + " (" + CharsPtr(details).get() + ")";
    g_error_free(error);
  }
  if (message) gst_message_unref(message);
  return end;
}

}  // namespace lockstep
