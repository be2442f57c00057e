// SPDX-License-Identifier: MIT
#include "gstlockstepsrccaps.h"

#include <cstdlib>

#include <string>
#include <utility>
#include <vector>

#include "gstlockstepcolour.h"
#include "gstlockstepgpu.h"
#include "gstlockstephandles.h"

namespace lockstep {

FrameMemory frame_memory(const Rig& rig) {
  if (rig.frame_space() == MemorySpace::cuda) return FrameMemory::cuda;
  return rig.uses_dmabufs() ? FrameMemory::dmabuf : FrameMemory::system;
}

std::optional<int> gpu_of(const SrcSettings& settings, const Rig* rig) {
  if (auto named = gpu_named(settings.memory)) return named;
  if (rig && rig->frame_space() == MemorySpace::cuda) return 0;
  return std::nullopt;
}

Result<void> check_memory(const SrcSettings& settings, const Rig* rig) {
  if (kHasGpuMemory || !gpu_of(settings, rig)) return {};
  const std::string what =
      rig ? "pass on the sensors' frames in GPU memory" : "memory=" + settings.memory;
  return Error{Errc::not_supported, 0,
               what +
                   ": this plugin was built without GPU memory, for want of CUDA's headers or of "
                   "gstreamer-cuda-1.0 >= 1.24"};
}

std::optional<Error> caps_mismatch(GstPad* pad, const Rig& rig) {
  const CapsPtr wanted(gst_pad_peer_query_caps(pad, nullptr));
  const CapsPtr offered(gst_pad_query_caps(pad, nullptr));
  const auto offers = rig.formats();
  if (!wanted || !offers || gst_caps_can_intersect(wanted.get(), offered.get()))
    return std::nullopt;
  std::string text = "set the sensors as downstream wants them (";
  if (gst_caps_is_empty(wanted.get())) {
    text += "nothing that it could take";
  } else {
    text += CharsPtr(gst_structure_to_string(gst_caps_get_structure(wanted.get(), 0))).get();
    text.pop_back();  // The semicolon.
  }
  text += "); they all offer";
  for (const FormatOffer& offer : *offers)
    text += (&offer == &offers->front() ? " " : "; ") + to_string(offer);
  return Error{Errc::no_common_format, 0, std::move(text)};
}

GstCaps* nearest_to_usual(GstCaps* caps) {
  constexpr int kWidth = 1920;
  constexpr int kHeight = 1080;
  gint64 least = G_MAXINT64;
  GstCaps* best = nullptr;
  for (guint i = 0; i < gst_caps_get_size(caps); ++i) {
    GstCaps* candidate = gst_caps_copy_nth(caps, i);
    GstStructure* structure = gst_caps_get_structure(candidate, 0);
    gst_structure_fixate_field_nearest_int(structure, "width", kWidth);
    gst_structure_fixate_field_nearest_int(structure, "height", kHeight);
    gst_structure_fixate_field_nearest_fraction(structure, "framerate", 30, 1);
    int width = 0;
    int height = 0;
    gst_structure_get_int(structure, "width", &width);
    gst_structure_get_int(structure, "height", &height);
    const gint64 distance = std::abs(gint64{width} * height - gint64{kWidth} * kHeight);
    if (distance < least) {
      least = distance;
      gst_clear_caps(&best);
      best = gst_caps_ref(candidate);
    }
    gst_caps_unref(candidate);
  }
  if (!best) return caps;
  gst_caps_unref(caps);
  return best;
}

Result<CapsPtr> caps_of_sensors(const Rig& rig, const GstCaps* fixed, const GstCaps* allowed) {
  const CapsPtr allowed_frames = frame_caps_of(allowed);
  const PixelFormat format = rig.format().pixel_format;
  std::vector<CapsPtr> frames;
  std::vector<const GstCaps*> of_slots;
  for (const Colorimetry& colorimetry : rig.colorimetry()) {
    const std::string text = to_string(video_colorimetry(colorimetry, format));
    CapsPtr& frame = frames.emplace_back(frame_caps_of(fixed));
    gst_caps_set_simple(frame.get(), "colorimetry", G_TYPE_STRING, text.c_str(), nullptr);
    of_slots.push_back(frame.get());
    if (gst_caps_can_intersect(frame.get(), allowed_frames.get())) continue;
    const CharsPtr wanted(gst_caps_to_string(allowed));
    return Error{Errc::no_common_format, 0,
                 "deliver frames of colorimetry " + text + ", as sensor " +
                     std::to_string(frames.size() - 1) + " does, where downstream takes " +
                     wanted.get() + "; convert them behind locksteptiler or lockstepdemux"};
  }
  CapsPtr caps(gst_caps_copy(fixed));
  describe_slots(caps.get(), of_slots);
  return caps;
}

}  // namespace lockstep
