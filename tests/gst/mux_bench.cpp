// SPDX-License-Identifier: MIT
#include "mux_bench.h"

#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <array>
#include <utility>

#include "lockstep/format.h"

namespace lockstep {
namespace {

constexpr GstClockTime kPatience = 20 * GST_SECOND;
// Running time of a live bench at its beginning: frames may be of before.
constexpr GstClockTime kLiveSince = 4 * GST_SECOND;

GstVideoInfo info_of(const std::string& caps) {
  GstVideoInfo info;
  CapsPtr parsed(gst_caps_from_string(caps.c_str()));
  EXPECT_TRUE(gst_video_info_from_caps(&info, parsed.get())) << caps;
  return info;
}

// What of a picture's planes is seen.
Layout visible(GstVideoFormat format, guint width, guint height) {
  return *default_layout(*pixel_format_from(gst_video_format_to_string(format)), width, height);
}

guint8 byte_of(Mark mark, std::size_t plane, std::size_t row, std::size_t x) {
  if (plane == 0 && row == 0 && x == 0) return static_cast<guint8>(mark.pad);
  if (plane == 0 && row == 0 && x == 1) return static_cast<guint8>(mark.number);
  return static_cast<guint8>(mark.pad * 37 + mark.number * 11 + plane * 101 + row * 5 + x * 3);
}

// Where the planes of a picture are.
struct Picture {
  Layout layout;
  std::array<guint8*, kMaxPlanes> data{};
  std::array<std::size_t, kMaxPlanes> strides{};
};

void paint(const Picture& picture, Mark mark) {
  for (std::size_t p = 0; p < picture.layout.num_planes; ++p)
    for (std::size_t row = 0; row < picture.layout.planes[p].rows; ++row)
      for (std::size_t x = 0; x < picture.layout.planes[p].row_bytes; ++x)
        picture.data[p][row * picture.strides[p] + x] = byte_of(mark, p, row, x);
}

std::string read(const Picture& picture) {
  const Mark mark{picture.data[0][0], picture.data[0][1]};
  for (std::size_t p = 0; p < picture.layout.num_planes; ++p)
    for (std::size_t row = 0; row < picture.layout.planes[p].rows; ++row)
      for (std::size_t x = 0; x < picture.layout.planes[p].row_bytes; ++x)
        if (picture.data[p][row * picture.strides[p] + x] != byte_of(mark, p, row, x))
          return "damaged";
  return std::to_string(mark.pad) + ":" + std::to_string(mark.number);
}

Picture picture_of(const GstVideoFrame& frame) {
  Picture picture;
  picture.layout =
      visible(GST_VIDEO_FRAME_FORMAT(&frame), static_cast<guint>(GST_VIDEO_FRAME_WIDTH(&frame)),
              static_cast<guint>(GST_VIDEO_FRAME_HEIGHT(&frame)));
  for (guint p = 0; p < GST_VIDEO_FRAME_N_PLANES(&frame); ++p) {
    picture.data[p] = static_cast<guint8*>(GST_VIDEO_FRAME_PLANE_DATA(&frame, p));
    picture.strides[p] = static_cast<std::size_t>(GST_VIDEO_FRAME_PLANE_STRIDE(&frame, p));
  }
  return picture;
}

}  // namespace

std::string small_caps(const std::string& rate, const std::string& format, int width, int height) {
  return "video/x-raw, format=" + format + ", width=" + std::to_string(width) +
         ", height=" + std::to_string(height) + ", framerate=" + rate;
}

void paint(GstBuffer* frame, const std::string& caps, Mark mark) {
  MappedFrame mapped(info_of(caps), frame, GST_MAP_WRITE);
  ASSERT_TRUE(mapped);
  paint(picture_of(*mapped), mark);
}

BufferPtr painted_frame(const std::string& caps, Mark mark, gsize padding) {
  GstVideoInfo info = info_of(caps);
  if (padding > 0) {
    gsize size = 0;
    for (guint p = 0; p < GST_VIDEO_INFO_N_PLANES(&info); ++p) {
      info.stride[p] += static_cast<gint>(padding);
      info.offset[p] = size;
      size += static_cast<gsize>(info.stride[p]) *
              static_cast<gsize>(GST_VIDEO_INFO_COMP_HEIGHT(&info, p));
    }
    info.size = size;
  }
  BufferPtr frame(gst_buffer_new_allocate(nullptr, info.size, nullptr));
  gst_buffer_memset(frame.get(), 0, 0xee, info.size);
  if (padding > 0)
    gst_buffer_add_video_meta_full(frame.get(), GST_VIDEO_FRAME_FLAG_NONE,
                                   GST_VIDEO_INFO_FORMAT(&info),
                                   static_cast<guint>(GST_VIDEO_INFO_WIDTH(&info)),
                                   static_cast<guint>(GST_VIDEO_INFO_HEIGHT(&info)),
                                   GST_VIDEO_INFO_N_PLANES(&info), info.offset, info.stride);
  paint(frame.get(), caps, mark);
  return frame;
}

std::string text_of_frame(GstBuffer* frame) {
  const GstVideoMeta* meta = gst_buffer_get_video_meta(frame);
  if (!meta) return "no video meta";
  GstVideoInfo info;
  gst_video_info_set_format(&info, meta->format, meta->width, meta->height);
  const MappedFrame mapped(info, frame, GST_MAP_READ);
  return mapped ? read(picture_of(*mapped)) : "unmappable";
}

std::string text_of(GstBuffer* batch) {
  const GstLockstepBatchMeta* meta = gst_buffer_get_lockstep_batch_meta(batch);
  if (!meta) return "no batch";
  std::string text;
  for (guint s = 0; s < meta->n_frames; ++s) {
    const GstLockstepFrame& frame = meta->frames[s];
    const bool missing = frame.state == GST_LOCKSTEP_FRAME_MISSING;
    if (missing != (frame.buffer == nullptr)) return "state belies the buffer";
    text += (s == 0 ? "" : " ") + (missing ? "-" : text_of_frame(frame.buffer));
    if (frame.state == GST_LOCKSTEP_FRAME_REPEATED) text += "r";
  }
  return text;
}

std::string text_of_all(guint num_pads, guint number) {
  std::string text;
  for (guint pad = 0; pad < num_pads; ++pad)
    text += (pad == 0 ? "" : " ") + std::to_string(pad) + ":" + std::to_string(number);
  return text;
}

std::string text_of_block(GstBuffer* batch) {
  const GstLockstepBatchMeta* meta = gst_buffer_get_lockstep_batch_meta(batch);
  GstMapInfo map;
  if (!meta->contiguous || !gst_buffer_map(batch, &map, GST_MAP_READ)) return "none";
  std::string text;
  for (guint s = 0; s < meta->n_frames; ++s) {
    const GstVideoMeta* at = gst_buffer_get_video_meta_id(batch, static_cast<gint>(s));
    Picture picture;
    picture.layout = visible(at->format, at->width, at->height);
    for (guint p = 0; p < at->n_planes; ++p) {
      picture.data[p] = map.data + at->offset[p];
      picture.strides[p] = static_cast<std::size_t>(at->stride[p]);
    }
    const bool missing = meta->frames[s].state == GST_LOCKSTEP_FRAME_MISSING;
    text += (s == 0 ? "" : " ") + (missing ? "-" : read(picture));
  }
  gst_buffer_unmap(batch, &map);
  return text;
}

GstLockstepBatchMeta* meta_of(const BufferPtr& batch) {
  return gst_buffer_get_lockstep_batch_meta(batch.get());
}

Stats::Stats(GstElement* element) {
  GstStructure* structure = nullptr;
  g_object_get(element, "stats", &structure, nullptr);
  stats_.reset(structure);
}

guint64 Stats::of(const char* field) const {
  guint64 count = ~guint64{0};
  gst_structure_get_uint64(stats_.get(), field, &count);
  return count;
}

const GstStructure* Stats::sensor(guint place) const {
  return gst_value_get_structure(
      gst_value_array_get_value(gst_structure_get_value(stats_.get(), "sensors"), place));
}

guint64 Stats::of(guint place, const char* field) const {
  guint64 count = ~guint64{0};
  gst_structure_get_uint64(sensor(place), field, &count);
  return count;
}

guint64 Stats::drops(guint place, const char* reason) const {
  guint64 count = ~guint64{0};
  gst_structure_get_uint64(
      gst_value_get_structure(gst_structure_get_value(sensor(place), "drops-by-reason")), reason,
      &count);
  return count;
}

std::string Stats::text(guint place, const char* field) const {
  const gchar* text = gst_structure_get_string(sensor(place), field);
  return text ? text : "";
}

guint Stats::num_pads() const {
  return gst_value_array_get_size(gst_structure_get_value(stats_.get(), "sensors"));
}

MuxBench::MuxBench(const std::vector<guint>& pads, const std::string& properties, Live live)
    : live_(live == Live::yes), bus_(gst_bus_new()) {
  GError* failed = nullptr;
  element_.reset(gst_parse_launch(("lockstepmux " + properties).c_str(), &failed));
  EXPECT_EQ(failed, nullptr) << failed->message;
  gst_object_ref_sink(element_.get());
  gst_element_set_bus(element_.get(), bus_);
  GstClock* clock = gst_system_clock_obtain();
  gst_element_set_clock(element_.get(), clock);
  gst_element_set_base_time(element_.get(), gst_clock_get_time(clock) - kLiveSince);
  gst_object_unref(clock);
  out_.reset(gst_harness_new_with_element(element_.get(), nullptr, "src"));
  gst_element_set_state(element_.get(), GST_STATE_PLAYING);
  for (guint index : pads) add(index);
}

MuxBench::~MuxBench() {
  for (auto& [index, pool] : pools_)
    if (pool) gst_buffer_pool_set_active(pool.get(), FALSE);
  pads_.clear();
  out_.reset();
  gst_element_set_state(element_.get(), GST_STATE_NULL);
  gst_element_set_bus(element_.get(), nullptr);
  gst_object_unref(bus_);
}

void MuxBench::add(guint index, const std::string& caps, GstClockTime latency) {
  const std::string name = "sink_" + std::to_string(index);
  HarnessPtr& harness = pads_[index];
  harness.reset(gst_harness_new_with_element(element_.get(), name.c_str(), nullptr));
  gst_harness_set_live(harness.get(), live_);
  gst_harness_set_upstream_latency(harness.get(), latency);
  if (!caps.empty()) set_caps(index, caps);
}

void MuxBench::set_caps(guint index, const std::string& caps) {
  caps_[index] = caps;
  gst_harness_set_src_caps_str(pad(index), caps.c_str());
}

void MuxBench::set_segment(guint index, const GstSegment& segment) {
  EXPECT_TRUE(send(index, gst_event_new_segment(&segment)));
}

void MuxBench::set(const std::string& property, const std::string& value) {
  gst_util_set_object_arg(G_OBJECT(element_.get()), property.c_str(), value.c_str());
}

BufferPtr MuxBench::frame(guint index, guint number, GstClockTime pts) const {
  BufferPtr buffer = painted_frame(caps_.at(index), {index, number});
  GST_BUFFER_PTS(buffer.get()) = pts;
  return buffer;
}

// The pool that the element offers to the pad, ready to give buffers; null where it offers none.
PoolPtr MuxBench::offered_pool(guint index) const {
  const CapsPtr caps(gst_caps_from_string(caps_.at(index).c_str()));
  const QueryPtr query(gst_query_new_allocation(caps.get(), TRUE));
  if (!gst_pad_peer_query(pad(index)->srcpad, query.get()) ||
      gst_query_get_n_allocation_pools(query.get()) == 0)
    return nullptr;
  GstBufferPool* pool = nullptr;
  guint size = 0;
  gst_query_parse_nth_allocation_pool(query.get(), 0, &pool, &size, nullptr, nullptr);
  GstStructure* config = gst_buffer_pool_get_config(pool);
  gst_buffer_pool_config_set_params(config, caps.get(), size, 0, 0);
  gst_buffer_pool_config_add_option(config, GST_BUFFER_POOL_OPTION_VIDEO_META);
  EXPECT_TRUE(gst_buffer_pool_set_config(pool, config));
  EXPECT_TRUE(gst_buffer_pool_set_active(pool, TRUE));
  return PoolPtr(pool);
}

BufferPtr MuxBench::offered_frame(guint index, guint number, GstClockTime pts) {
  PoolPtr& pool = pools_[index];
  if (!pool) pool = offered_pool(index);
  if (!pool) return nullptr;
  GstBuffer* raw = nullptr;
  EXPECT_EQ(gst_buffer_pool_acquire_buffer(pool.get(), &raw, nullptr), GST_FLOW_OK);
  BufferPtr buffer(raw);
  paint(raw, caps_.at(index), {index, number});
  GST_BUFFER_PTS(raw) = pts;
  return buffer;
}

GstFlowReturn MuxBench::push(guint index, guint number, GstClockTime pts) {
  return push(index, frame(index, number, pts));
}

GstFlowReturn MuxBench::push(guint index, BufferPtr buffer) {
  return gst_harness_push(pad(index), buffer.release());
}

void MuxBench::push_all(const std::vector<guint>& indices, guint number) {
  for (guint index : indices) EXPECT_EQ(push(index, number, at(number)), GST_FLOW_OK) << index;
}

std::future<GstFlowReturn> MuxBench::push_later(guint index, guint number, GstClockTime pts) {
  return std::async(std::launch::async,
                    [this, index, number, pts] { return push(index, number, pts); });
}

bool MuxBench::send(guint index, GstEvent* event) {
  return gst_harness_push_event(pad(index), event);
}

void MuxBench::end(const std::vector<guint>& indices) {
  for (guint index : indices) EXPECT_TRUE(send(index, gst_event_new_eos())) << index;
}

BufferPtr MuxBench::pull_batch() {
  GstBuffer* batch = nullptr;
  EXPECT_TRUE(gst_harness_pull_until_eos(out_.get(), &batch)) << "nothing came";
  return BufferPtr(batch);
}

std::string MuxBench::pull() {
  const BufferPtr batch = pull_batch();
  return batch ? text_of(batch.get()) : "EOS";
}

std::vector<std::string> MuxBench::pull_rest() {
  std::vector<std::string> texts;
  for (std::string text = pull(); text != "EOS"; text = pull()) texts.push_back(text);
  return texts;
}

EventPtr MuxBench::event(GstEventType type) {
  while (GstEvent* next = gst_harness_pull_event(out_.get())) {
    EventPtr found(next);
    if (GST_EVENT_TYPE(next) == type) return found;
  }
  return nullptr;
}

std::string MuxBench::caps() const {
  const CapsPtr caps(gst_pad_get_current_caps(out_->sinkpad));
  return caps ? CharsPtr(gst_caps_to_string(caps.get())).get() : "";
}

MessagePtr MuxBench::take(const std::function<bool(GstMessage*)>& is_wanted, GstClockTime wait) {
  for (auto it = messages_.begin(); it != messages_.end(); ++it) {
    if (!is_wanted(it->get())) continue;
    MessagePtr found = std::move(*it);
    messages_.erase(it);
    return found;
  }
  while (GstMessage* next = gst_bus_timed_pop(bus_, wait)) {
    MessagePtr message(next);
    if (is_wanted(next)) return message;
    messages_.push_back(std::move(message));
  }
  return nullptr;
}

std::string MuxBench::text(GstMessageType type) {
  const MessagePtr message =
      take([type](GstMessage* m) { return GST_MESSAGE_TYPE(m) == type; }, kPatience);
  if (!message) return "";
  GError* said = nullptr;
  if (type == GST_MESSAGE_ERROR) {
    gst_message_parse_error(message.get(), &said, nullptr);
  } else {
    gst_message_parse_warning(message.get(), &said, nullptr);
  }
  std::string text = said->message;
  g_error_free(said);
  return text;
}

StructurePtr MuxBench::told(const char* name) {
  const MessagePtr message =
      take([name](GstMessage* m) { return gst_message_has_name(m, name) != FALSE; }, kPatience);
  return StructurePtr(message ? gst_structure_copy(gst_message_get_structure(message.get()))
                              : nullptr);
}

bool MuxBench::has_message(GstMessageType type) {
  return take([type](GstMessage* m) { return GST_MESSAGE_TYPE(m) == type; }, 0) != nullptr;
}

GstClockTime MuxBench::now() const {
  GstClock* clock = gst_element_get_clock(element_.get());
  const GstClockTime time = gst_clock_get_time(clock);
  gst_object_unref(clock);
  return time - gst_element_get_base_time(element_.get());
}

}  // namespace lockstep
