// SPDX-License-Identifier: MIT
#pragma once

#include <gst/video/video.h>

#include <array>
#include <optional>
#include <string>

#include "gstlockstephandles.h"
#include "gstlocksteppicture.h"
#include "lockstep/colour.h"

namespace lockstep {

/// As GStreamer has it.
GstVideoColorimetry video_colorimetry(const Colorimetry& colorimetry, PixelFormat format);

/// "bt709" or "1:4:7:1", as the field `colorimetry` of caps has it.
std::string to_string(const GstVideoColorimetry& colorimetry);

/// Fixed caps of video, which `info` was read from, with the fields that GStreamer takes for granted where they are left
/// out, `colorimetry` by the height at that: who changes the size then changes nothing else.
CapsPtr explicit_caps(const GstCaps* caps, const GstVideoInfo& info);

/// Makes samples of one matrix and range into those of another: what videoconvert does by default. Flat areas come out as
/// from there within rounding; at edges of colours luma is converted by the chroma of its pair of pixels.
///
/// \thread  any.
class Recolouring {
 public:
  /// Nothing where the samples mean the same, as far as matrix and range go. Both are of the same format.
  static std::optional<Recolouring> between(const GstVideoInfo& from, const GstVideoInfo& to);

  /// Converts all of a picture of that format where it is.
  void apply(const PictureView& picture) const;

 private:
  using Row = std::array<double, 3>;

  Recolouring() = default;
  template <typename Sample, int kShift>
  void apply_as(const PictureView& picture) const;

  std::array<Row, 3> matrix_{};  // What each component takes of each.
  Row constant_{};               // \units code values, as matrix_ makes them.
  int most_ = 255;               // The highest code value.
};

/// What differs and is not converted: "primaries", "transfer", "transfer and primaries", or nothing.
std::string beyond_recolouring(const GstVideoColorimetry& from, const GstVideoColorimetry& to);

}  // namespace lockstep
