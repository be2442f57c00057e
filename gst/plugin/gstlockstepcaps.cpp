// SPDX-License-Identifier: MIT
#include "gstlockstepcaps.h"

#include <gst/allocators/gstdmabuf.h>

#include <algorithm>
#include <climits>

namespace lockstep {
namespace {

// Values from min to max as a field of a structure, a single one as itself.
void set_range(GstStructure* structure, const char* field, const SizeRange& range) {
  const int min = static_cast<int>(range.min);
  const int max = static_cast<int>(range.max);
  const int step = static_cast<int>(std::max(range.step, 1u));
  if (min == max) {
    gst_structure_set(structure, field, G_TYPE_INT, min, nullptr);
    return;
  }
  GValue value = G_VALUE_INIT;
  g_value_init(&value, GST_TYPE_INT_RANGE);
  // GStreamer counts steps from 0; where ours do not start there the sensor has the last word.
  const bool steps_from_zero = min % step == 0 && min / step < max / step;
  if (steps_from_zero) {
    gst_value_set_int_range_step(&value, min, max - max % step, step);
  } else {
    gst_value_set_int_range(&value, min, max);
  }
  gst_structure_take_value(structure, field, &value);
}

int clamp_int(std::uint32_t value) {
  return static_cast<int>(std::min<std::uint32_t>(value, INT_MAX));
}

// Initialises `value` to one rate or a range of them.
void init_rate(GValue* value, const RateRange& rate) {
  if (rate.min == rate.max) {
    g_value_init(value, GST_TYPE_FRACTION);
    gst_value_set_fraction(value, clamp_int(rate.min.numerator), clamp_int(rate.min.denominator));
  } else {
    g_value_init(value, GST_TYPE_FRACTION_RANGE);
    gst_value_set_fraction_range_full(
        value, clamp_int(rate.min.numerator), clamp_int(rate.min.denominator),
        clamp_int(rate.max.numerator), clamp_int(rate.max.denominator));
  }
}

void set_rates(GstStructure* structure, std::span<const RateRange> rates) {
  GValue rate = G_VALUE_INIT;
  if (rates.empty()) {
    gst_structure_set(structure, "framerate", GST_TYPE_FRACTION_RANGE, 0, 1, INT_MAX, 1, nullptr);
    return;
  }
  if (rates.size() == 1) {
    // Not as a list of one: gst_structure_fixate_field_nearest_fraction() finds no range in a list.
    init_rate(&rate, rates.front());
    gst_structure_take_value(structure, "framerate", &rate);
    return;
  }
  GValue list = G_VALUE_INIT;
  g_value_init(&list, GST_TYPE_LIST);
  for (const RateRange& range : rates) {
    init_rate(&rate, range);
    gst_value_list_append_and_take_value(&list, &rate);
    rate = G_VALUE_INIT;
  }
  gst_structure_take_value(structure, "framerate", &list);
}

GstCapsFeatures* batch_features(FrameMemory memory) {
  GstCapsFeatures* features =
      gst_caps_features_new(GST_CAPS_FEATURE_META_GST_LOCKSTEP_BATCH_META, nullptr);
  add_memory_feature(features, memory);
  return features;
}

bool is_same_picture(const GstVideoInfo& a, const GstVideoInfo& b) {
  return GST_VIDEO_INFO_FORMAT(&a) == GST_VIDEO_INFO_FORMAT(&b) &&
         GST_VIDEO_INFO_WIDTH(&a) == GST_VIDEO_INFO_WIDTH(&b) &&
         GST_VIDEO_INFO_HEIGHT(&a) == GST_VIDEO_INFO_HEIGHT(&b);
}

// What each slot holds; of those that nothing is known of yet the same as the first that something is known of. Empty where
// they are of several formats or sizes.
std::vector<GstVideoInfo> read_slots(const GstCaps* batch_caps, const GstVideoInfo& frame,
                                     guint batch_size) {
  std::vector<GstVideoInfo> slots(batch_size, frame);
  if (!gst_structure_has_field(gst_caps_get_structure(batch_caps, 0), "streams")) return slots;
  std::optional<GstVideoInfo> first;
  std::vector<guint> unknown;
  for (guint slot = 0; slot < batch_size; ++slot) {
    const CapsPtr caps = frame_caps_of_slot(batch_caps, slot);
    if (gst_caps_is_empty(caps.get())) {
      unknown.push_back(slot);
      continue;
    }
    if (!gst_video_info_from_caps(&slots[slot], caps.get()) || !is_same_picture(slots[slot], frame))
      return {};
    if (!first) first = slots[slot];
  }
  for (guint slot : unknown)
    if (first) slots[slot] = *first;
  return slots;
}

// What frames of one format and size may differ in.
constexpr const char* kFieldsOfSlots[] = {"colorimetry", "chroma-site", "pixel-aspect-ratio"};

bool have_same(const GstCaps* a, const GstCaps* b, const char* field) {
  const GValue* one = gst_structure_get_value(gst_caps_get_structure(a, 0), field);
  const GValue* other = gst_structure_get_value(gst_caps_get_structure(b, 0), field);
  if (!one || !other) return one == other;
  return gst_value_compare(one, other) == GST_VALUE_EQUAL;
}

void append(GstCaps* caps, const FormatOffer& offer, guint batch_size, FrameMemory memory) {
  GstStructure* structure =
      gst_structure_new("video/x-raw", "format", G_TYPE_STRING, to_string(offer.pixel_format),
                        "batch-size", G_TYPE_INT, static_cast<gint>(batch_size), nullptr);
  set_range(structure, "width", offer.width);
  set_range(structure, "height", offer.height);
  set_rates(structure, offer.rates);
  gst_caps_append_structure_full(caps, structure, batch_features(memory));
}

}  // namespace

FrameMemory frame_memory(const GstCapsFeatures* features) {
  if (gst_caps_features_contains(features, LOCKSTEP_CAPS_FEATURE_CUDA)) return FrameMemory::cuda;
  if (gst_caps_features_contains(features, GST_CAPS_FEATURE_MEMORY_DMABUF))
    return FrameMemory::dmabuf;
  return FrameMemory::system;
}

void add_memory_feature(GstCapsFeatures* features, FrameMemory memory) {
  switch (memory) {
    case FrameMemory::system:
      return;
    case FrameMemory::dmabuf:
      gst_caps_features_add(features, GST_CAPS_FEATURE_MEMORY_DMABUF);
      return;
    case FrameMemory::cuda:
      gst_caps_features_add(features, LOCKSTEP_CAPS_FEATURE_CUDA);
      return;
  }
}

Format BatchInfo::format() const {
  return {pixel_format,
          static_cast<std::uint32_t>(GST_VIDEO_INFO_WIDTH(&frame)),
          static_cast<std::uint32_t>(GST_VIDEO_INFO_HEIGHT(&frame)),
          {static_cast<std::uint32_t>(GST_VIDEO_INFO_FPS_N(&frame)),
           static_cast<std::uint32_t>(GST_VIDEO_INFO_FPS_D(&frame))}};
}

std::optional<BatchInfo> parse_batch_caps(const GstCaps* caps) {
  BatchInfo info;
  gint batch_size = 0;
  const GstCapsFeatures* features = gst_caps_get_features(caps, 0);
  if (!gst_caps_features_contains(features, GST_CAPS_FEATURE_META_GST_LOCKSTEP_BATCH_META))
    return std::nullopt;
  if (!gst_structure_get_int(gst_caps_get_structure(caps, 0), "batch-size", &batch_size) ||
      batch_size < 1 || !gst_video_info_from_caps(&info.frame, caps))
    return std::nullopt;
  auto format = pixel_format_from(gst_video_format_to_string(GST_VIDEO_INFO_FORMAT(&info.frame)));
  if (!format) return std::nullopt;
  info.pixel_format = *format;
  info.batch_size = static_cast<guint>(batch_size);
  info.slots = read_slots(caps, info.frame, info.batch_size);
  if (info.slots.empty()) return std::nullopt;
  info.memory = frame_memory(features);
  return info;
}

guint batch_size_of(const GstCaps* caps) {
  gint batch_size = 0;
  if (!gst_caps_features_contains(gst_caps_get_features(caps, 0),
                                  GST_CAPS_FEATURE_META_GST_LOCKSTEP_BATCH_META) ||
      !gst_structure_get_int(gst_caps_get_structure(caps, 0), "batch-size", &batch_size))
    return 0;
  return static_cast<guint>(std::max(batch_size, 0));
}

CapsPtr frame_caps_of_slot(const GstCaps* batch_caps, guint slot) {
  const GValue* streams = gst_structure_get_value(gst_caps_get_structure(batch_caps, 0), "streams");
  if (!streams) return frame_caps_of(batch_caps);
  if (!GST_VALUE_HOLDS_ARRAY(streams) || slot >= gst_value_array_get_size(streams))
    return CapsPtr(gst_caps_new_empty());
  const GValue* stream = gst_value_array_get_value(streams, slot);
  if (!GST_VALUE_HOLDS_CAPS(stream)) return CapsPtr(gst_caps_new_empty());
  const GstCaps* caps = gst_value_get_caps(stream);
  // Without a field nothing is known yet; see set_streams().
  if (!gst_caps_is_fixed(caps) || gst_structure_n_fields(gst_caps_get_structure(caps, 0)) == 0)
    return CapsPtr(gst_caps_new_empty());
  return CapsPtr(gst_caps_ref(const_cast<GstCaps*>(caps)));
}

void describe_slots(GstCaps* batch_caps, std::span<const GstCaps* const> frames) {
  const auto first =
      std::find_if(frames.begin(), frames.end(), [](const auto* caps) { return caps != nullptr; });
  if (first == frames.end()) return;
  GstStructure* structure = gst_caps_get_structure(batch_caps, 0);
  bool all_alike = true;
  for (const char* field : kFieldsOfSlots) {
    const bool alike = std::all_of(first, frames.end(), [&](const GstCaps* caps) {
      return !caps || have_same(caps, *first, field);
    });
    const GValue* value = gst_structure_get_value(gst_caps_get_structure(*first, 0), field);
    if (!alike || !value) {
      gst_structure_remove_field(structure, field);
    } else {
      gst_structure_set_value(structure, field, value);
    }
    all_alike = all_alike && alike;
  }
  if (!all_alike) set_streams(structure, frames);
}

void set_streams(GstStructure* structure, std::span<const GstCaps* const> frames) {
  GValue streams = G_VALUE_INIT;
  g_value_init(&streams, GST_TYPE_ARRAY);
  for (const GstCaps* frame : frames) {
    GValue stream = G_VALUE_INIT;
    g_value_init(&stream, GST_TYPE_CAPS);
    const CapsPtr caps(frame ? gst_caps_copy(frame) : gst_caps_new_empty_simple("video/x-raw"));
    gst_value_set_caps(&stream, caps.get());
    gst_value_array_append_and_take_value(&streams, &stream);
  }
  gst_structure_take_value(structure, "streams", &streams);
}

CapsPtr batch_caps_of(std::span<const FormatOffer> offers, guint batch_size, FrameMemory memory) {
  CapsPtr caps(gst_caps_new_empty());
  for (const FormatOffer& offer : offers) append(caps.get(), offer, batch_size, memory);
  if (memory != FrameMemory::dmabuf) return caps;
  for (const FormatOffer& offer : offers)
    append(caps.get(), offer, batch_size, FrameMemory::system);
  return caps;
}

CapsPtr frame_caps_of(const GstCaps* batch_caps) {
  CapsPtr caps(gst_caps_copy(batch_caps));
  for (guint i = 0; i < gst_caps_get_size(caps.get()); i++) {
    gst_structure_remove_fields(gst_caps_get_structure(caps.get(), i), "batch-size", "streams",
                                nullptr);
    gst_caps_features_remove(gst_caps_get_features(caps.get(), i),
                             GST_CAPS_FEATURE_META_GST_LOCKSTEP_BATCH_META);
  }
  return caps;
}

CapsPtr batch_caps_for_frames(const GstCaps* frame_caps) {
  CapsPtr caps(gst_caps_new_empty());
  if (gst_caps_is_any(frame_caps)) return CapsPtr(gst_caps_new_any());
  for (guint i = 0; i < gst_caps_get_size(frame_caps); i++) {
    const GstCapsFeatures* features = gst_caps_get_features(frame_caps, i);
    const bool system_memory =
        gst_caps_features_is_equal(features, GST_CAPS_FEATURES_MEMORY_SYSTEM_MEMORY);
    const FrameMemory memory = frame_memory(features);
    const GstStructure* structure = gst_caps_get_structure(frame_caps, i);
    if (system_memory)
      gst_caps_append_structure_full(caps.get(), gst_structure_copy(structure),
                                     batch_features(FrameMemory::system));
    if (system_memory || memory == FrameMemory::dmabuf)
      gst_caps_append_structure_full(caps.get(), gst_structure_copy(structure),
                                     batch_features(FrameMemory::dmabuf));
    if (memory == FrameMemory::cuda)
      gst_caps_append_structure_full(caps.get(), gst_structure_copy(structure),
                                     batch_features(FrameMemory::cuda));
  }
  return caps;
}

GstVideoFormat video_format_of(PixelFormat format) {
  return gst_video_format_from_string(to_string(format));
}

}  // namespace lockstep
