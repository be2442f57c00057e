// SPDX-License-Identifier: MIT
#pragma once

#include <cudaEGL.h>

#include <optional>
#include <string>

#include "lockstep/colour.h"
#include "lockstep/format.h"

namespace lockstep {

/// What a producer says of its pictures beside their size.
struct EglColour {
  PixelFormat pixel_format = PixelFormat::nv12;
  ColourMatrix matrix = ColourMatrix::bt709;
  ColourRange range = ColourRange::video;

  friend bool operator==(const EglColour&, const EglColour&) = default;
};

/// "NV12 bt709 video", for messages.
std::string to_string(const EglColour& colour);

/// What such pictures mean: of RGB sRGB, of YUV and grey all by the matrix's own standard.
Colorimetry colorimetry_of(const EglColour& colour);

/// How CUDA names such pictures when they are presented; nothing where EGLStreams cannot carry them.
std::optional<CUeglColorFormat> egl_format_of(const EglColour& colour);

/// What a frame that was acquired holds, by the name that CUDA gives it; nothing where it is none that we know. Where the
/// name leaves the matrix open it is BT.601.
///
/// \source  A frame that is presented as YUV420_SEMIPLANAR_709 is acquired as YVU420_SEMIPLANAR_709, and
///          YUV420_SEMIPLANAR_ER as YVU420_SEMIPLANAR_ER, the bytes unchanged: driver 580.159, CUDA 13.0, H100. So either
///          name is taken as U before V, and four channels as what was agreed upon. Grey passes as Y; L and R do not.
std::optional<EglColour> egl_colour_of(CUeglColorFormat format, PixelFormat agreed);

}  // namespace lockstep
