// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "lockstep/export.h"
#include "lockstep/format.h"

namespace lockstep {

/// How luma and the two colour differences of YUV stand to red, green and blue.
enum class ColourMatrix : std::uint8_t { bt601, bt709, bt2020, smpte240m };

enum class ColourRange : std::uint8_t {
  video,  ///< 16..235 and 16..240, of 8 bits.
  full,
};

/// How code values stand to light.
enum class ColourTransfer : std::uint8_t {
  bt601,  ///< The same curve as BT.709's.
  bt709,
  bt2020,
  srgb,
  adobe_rgb,
  smpte240m,
  smpte2084,
  linear,
};

/// What red, green, blue and white are.
enum class ColourPrimaries : std::uint8_t {
  bt709,
  smpte170m,
  smpte240m,
  bt470m,
  bt470bg,
  bt2020,
  adobe_rgb,
  dci_p3,
};

/// What the samples of a picture mean. Of RGB the matrix means nothing, of grey neither that nor the primaries.
struct Colorimetry {
  ColourRange range = ColourRange::video;
  ColourMatrix matrix = ColourMatrix::bt709;
  ColourTransfer transfer = ColourTransfer::bt709;
  ColourPrimaries primaries = ColourPrimaries::bt709;

  friend bool operator==(const Colorimetry&, const Colorimetry&) = default;
};

/// The colorimetry with that matrix and range whose transfer and primaries are of the matrix's own standard.
LOCKSTEP_API Colorimetry colorimetry_of(ColourMatrix matrix, ColourRange range);

/// What is to be taken of pictures whose source does not say: BT.601 up to 576 rows and BT.709 above, in video range; of
/// RGB sRGB and of grey the full range.
/// \source  set_default_colorimetry() in GStreamer's video-info.c, 1.22.
LOCKSTEP_API Colorimetry usual_colorimetry(PixelFormat format, std::uint32_t height);

/// "bt601 video", and what of it is not of the matrix's own standard: "bt601 full, srgb, bt709 primaries"; for messages.
LOCKSTEP_API std::string to_string(const Colorimetry& colorimetry);

}  // namespace lockstep
