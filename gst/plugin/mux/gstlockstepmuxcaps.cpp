// SPDX-License-Identifier: MIT
#include "gstlockstepmuxcaps.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "gstlockstepanalytics.h"
#include "gstlockstepcaps.h"
#include "gstlockstepcolour.h"

namespace lockstep {
namespace {

using Slots = std::vector<MuxSet::Slot>;

const FrameKind* first_kind(const Slots& slots) {
  for (const auto& slot : slots)
    if (slot.kind) return slot.kind.get();
  return nullptr;
}

bool all_same_shape(const Slots& slots) {
  const FrameKind* first = first_kind(slots);
  return std::all_of(slots.begin(), slots.end(), [first](const auto& slot) {
    return !slot.kind || is_same_shape(*slot.kind, *first);
  });
}

void add_batch_fields(GstCaps* caps, std::size_t num_slots, Fraction rate) {
  gst_caps_set_simple(caps, "batch-size", G_TYPE_INT, static_cast<int>(num_slots), "framerate",
                      GST_TYPE_FRACTION, static_cast<int>(rate.numerator),
                      static_cast<int>(rate.denominator), nullptr);
}

GstCapsFeatures* features_of(FrameMemory memory) {
  GstCapsFeatures* features =
      gst_caps_features_new(GST_CAPS_FEATURE_META_GST_LOCKSTEP_BATCH_META, nullptr);
  add_memory_feature(features, memory);
  return features;
}

// What all frames have in common; where they differ in their colorimetry, or in their pixels' aspect ratio, a field
// `streams` says for each slot what it has.
CapsPtr uniform_caps(const Slots& slots, Fraction rate) {
  const FrameKind* first = first_kind(slots);
  CapsPtr caps(gst_caps_copy(first->caps.get()));
  GstStructure* structure = gst_caps_get_structure(caps.get(), 0);
  for (const auto& slot : slots) {
    if (!slot.kind) continue;
    const GstStructure* other = gst_caps_get_structure(slot.kind->caps.get(), 0);
    for (int i = gst_structure_n_fields(structure) - 1; i >= 0; --i) {
      const gchar* name = gst_structure_nth_field_name(structure, static_cast<guint>(i));
      const GValue* value = gst_structure_get_value(other, name);
      if (!value ||
          gst_value_compare(value, gst_structure_get_value(structure, name)) != GST_VALUE_EQUAL)
        gst_structure_remove_field(structure, name);
    }
  }
  gst_caps_set_features(caps.get(), 0, features_of(first->memory));
  add_batch_fields(caps.get(), slots.size(), rate);
  describe_slots(caps.get(), caps_of(slots));
  return caps;
}

// Frames of several kinds: a field `streams` says for each slot what it holds.
CapsPtr mixed_caps(const Slots& slots, Fraction rate) {
  CapsPtr caps(gst_caps_new_empty());
  gst_caps_append_structure_full(caps.get(), gst_structure_new_empty("video/x-raw"),
                                 features_of(FrameMemory::system));
  add_batch_fields(caps.get(), slots.size(), rate);
  set_streams(gst_caps_get_structure(caps.get(), 0), caps_of(slots));
  return caps;
}

std::string text_of(const FrameKind& kind, bool in_full) {
  if (!in_full) return kind.text();
  return kind.text() + " of colorimetry " + to_string(kind.info.colorimetry) +
         " and pixel aspect ratio " + std::to_string(GST_VIDEO_INFO_PAR_N(&kind.info)) + "/" +
         std::to_string(GST_VIDEO_INFO_PAR_D(&kind.info));
}

// "sink_0, sink_2 send 640x480 NV12; sink_1 sends 320x240 I420"
std::string who_sends_what(const Slots& slots, bool in_full = false) {
  std::map<std::string, std::vector<std::string>> senders;
  for (const auto& slot : slots)
    if (slot.kind) senders[text_of(*slot.kind, in_full)].push_back(slot.name);
  std::string text;
  for (const auto& [what, names] : senders) {
    if (!text.empty()) text += "; ";
    for (std::size_t i = 0; i < names.size(); ++i) text += (i == 0 ? "" : ", ") + names[i];
    text += (names.size() == 1 ? " sends " : " send ") + what;
  }
  return text;
}

// Which element makes the first odd one like the first pad.
std::string remedy(const Slots& slots) {
  const FrameKind* first = first_kind(slots);
  for (const auto& slot : slots) {
    if (!slot.kind || gst_caps_is_equal(slot.kind->caps.get(), first->caps.get())) continue;
    if (first->memory == FrameMemory::cuda && slot.kind->memory != first->memory)
      return "put cudaupload before " + slot.name;
    if (slot.kind->memory == FrameMemory::cuda && slot.kind->memory != first->memory)
      return "put cudadownload before " + slot.name;
    if (slot.kind->memory != first->memory) return "let all pads send the same kind of memory";
    const bool other_format = slot.kind->pixel_format != first->pixel_format;
    const bool other_size =
        GST_VIDEO_INFO_WIDTH(&slot.kind->info) != GST_VIDEO_INFO_WIDTH(&first->info) ||
        GST_VIDEO_INFO_HEIGHT(&slot.kind->info) != GST_VIDEO_INFO_HEIGHT(&first->info);
    const bool other_colour =
        !gst_video_colorimetry_is_equal(&slot.kind->info.colorimetry, &first->info.colorimetry);
    const bool other_pixels =
        other_size ||
        GST_VIDEO_INFO_PAR_N(&slot.kind->info) * GST_VIDEO_INFO_PAR_D(&first->info) !=
            GST_VIDEO_INFO_PAR_N(&first->info) * GST_VIDEO_INFO_PAR_D(&slot.kind->info);
    if (!other_format && !other_colour && !other_pixels) continue;
    const bool converts = other_format || other_colour;
    const std::string element = converts && other_pixels ? "videoconvert ! videoscale"
                                : converts               ? "videoconvert"
                                                         : "videoscale";
    return "put " + element + " and a capsfilter before " + slot.name;
  }
  return "";
}

bool takes_analytics(const GstCaps* caps) {
  MuxSet set;
  set.slots.resize(1);
  const CapsPtr analytics = AnalyticsBatches::caps_of(set);
  return analytics && gst_caps_is_subset(analytics.get(), caps);
}

}  // namespace

std::vector<const GstCaps*> caps_of(const Slots& slots) {
  std::vector<const GstCaps*> caps;
  for (const auto& slot : slots) caps.push_back(slot.kind ? slot.kind->caps.get() : nullptr);
  return caps;
}

Result<CapsPtr> batch_caps_of(const MuxSet& set, BatchLayout layout, Fraction rate,
                              GstCaps* downstream) {
  if (layout == BatchLayout::contiguous && set.slots.size() > kMaxSensors)
    return Error{Errc::not_supported, 0,
                 "put " + std::to_string(set.slots.size()) +
                     " pads into one block of memory, where " + std::to_string(kMaxSensors) +
                     " have room; use layout=auto"};
  const bool on_gpu = std::any_of(set.slots.begin(), set.slots.end(), [](const auto& slot) {
    return slot.kind && slot.kind->memory == FrameMemory::cuda;
  });
  if (on_gpu && layout == BatchLayout::contiguous)
    return Error{Errc::not_supported, 0,
                 "put frames in GPU memory into one block: lockstepmux passes them on by reference "
                 "only; use layout=auto, or cudadownload before each pad"};
  const bool uniform = all_same_shape(set.slots);
  if (!uniform && layout == BatchLayout::contiguous)
    return Error{Errc::no_common_format, 0,
                 "put frames of several kinds into one block of memory: " +
                     who_sends_what(set.slots) + "; " + remedy(set.slots) + ", or use layout=auto"};
  CapsPtr caps = uniform ? uniform_caps(set.slots, rate) : mixed_caps(set.slots, rate);
  if (gst_caps_is_subset(caps.get(), downstream)) return caps;
  CapsPtr common(gst_caps_intersect_full(downstream, caps.get(), GST_CAPS_INTERSECT_FIRST));
  // Downstream may know better what we leave open, but not what frames differ in.
  const bool differ = gst_structure_has_field(gst_caps_get_structure(caps.get(), 0), "streams");
  if (!differ && gst_caps_is_fixed(common.get())) return common;
  CapsPtr analytics = AnalyticsBatches::caps_of(set);
  if (analytics && gst_caps_is_subset(analytics.get(), downstream)) return analytics;
  if (!uniform)
    return Error{Errc::no_common_format, 0,
                 "pass frames of several kinds to an element that takes only one: " +
                     who_sends_what(set.slots) + "; " + remedy(set.slots)};
  if (differ)
    return Error{Errc::not_supported, 0,
                 "pass frames of several colorimetries or pixel aspect ratios to an element that "
                 "takes only one: " +
                     who_sends_what(set.slots, true) + "; " + remedy(set.slots)};
  CharsPtr wanted(gst_caps_to_string(downstream));
  return Error{Errc::no_common_format, 0,
               "pass on what the pads send: " + who_sends_what(set.slots) +
                   ", where downstream takes " + wanted.get()};
}

bool takes_mixed(const GstCaps* caps) {
  if (takes_analytics(caps)) return true;
  Slots slots(1);
  const CapsPtr mixed = mixed_caps(slots, {0, 1});
  return gst_caps_is_subset(mixed.get(), caps);
}

CapsPtr shape_caps_of(const FrameKind& kind) {
  CapsPtr same(gst_caps_new_simple("video/x-raw", "format", G_TYPE_STRING,
                                   to_string(kind.pixel_format), "width", G_TYPE_INT,
                                   GST_VIDEO_INFO_WIDTH(&kind.info), "height", G_TYPE_INT,
                                   GST_VIDEO_INFO_HEIGHT(&kind.info), nullptr));
  if (kind.memory != FrameMemory::system) {
    GstCapsFeatures* features = gst_caps_features_new_empty();
    add_memory_feature(features, kind.memory);
    gst_caps_set_features_simple(same.get(), features);
  }
  return same;
}

CapsPtr sink_caps_for(GstCaps* downstream, const FrameKind* others, bool must_agree) {
  CapsPtr frames(gst_caps_from_string(LOCKSTEP_FRAME_CAPS));
  // What takes the batches of analytics elements takes frames of any kind.
  if (!gst_caps_is_any(downstream) && !takes_analytics(downstream)) {
    CapsPtr wanted = frame_caps_of(downstream);
    // How many frames a second a batch has is no matter of a single pad.
    for (guint i = 0; i < gst_caps_get_size(wanted.get()); ++i)
      gst_structure_remove_fields(gst_caps_get_structure(wanted.get(), i), "framerate", "streams",
                                  nullptr);
    frames.reset(gst_caps_intersect_full(wanted.get(), frames.get(), GST_CAPS_INTERSECT_FIRST));
  }
  if (!others) return frames;
  const CapsPtr same = shape_caps_of(*others);
  CapsPtr agreed(gst_caps_intersect_full(same.get(), frames.get(), GST_CAPS_INTERSECT_FIRST));
  if (must_agree) return agreed;
  return CapsPtr(gst_caps_merge(agreed.release(), frames.release()));
}

}  // namespace lockstep
