// SPDX-License-Identifier: MIT
#include "gstlockstepsrccaps.h"

#include <cstdlib>

namespace lockstep {

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

}  // namespace lockstep
