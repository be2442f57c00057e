// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/colour.h"
#include "lockstep/format.h"
#include "lockstep/result.h"
#include "sensor/v4l2/device.h"

namespace lockstep {

/// One of V4L2's formats that lies in memory as one of ours does.
///
/// \source  kernel "Image Formats"; byte orders checked on vivid's colour bars in tests/vm.
struct V4l2Fourcc {
  std::uint32_t fourcc = 0;
  PixelFormat pixel_format = PixelFormat::nv12;
  bool split = false;  ///< Each plane is in a buffer of its own (only on multi-planar devices).
};

/// All of them; of two that lie alike the better one comes first.
std::span<const V4l2Fourcc> v4l2_fourccs();

/// The one whose four characters are `text`.
std::optional<V4l2Fourcc> v4l2_fourcc_from(std::string_view text);

/// Its four characters, as in "NV12".
std::string fourcc_text(std::uint32_t fourcc);

/// How a driver lays out one frame in a slot.
struct V4l2Picture {
  /// One of the driver's buffers. \units bytes; offset from the start of the slot.
  struct Part {
    std::size_t offset_bytes = 0;
    std::size_t size_bytes = 0;    ///< What the driver wants to have.
    std::size_t filled_bytes = 0;  ///< What it fills, at least, with a whole frame.
  };
  Layout layout;
  std::vector<Part> parts;  ///< One, or one for each plane of a split format, at whole pages.
  std::size_t slot_bytes = 0;
  Colorimetry colorimetry;
};

/// What the samples of such a picture mean, by the driver's colorspace, encoding, quantisation and transfer function. What
/// the driver leaves open is the colorspace's own, where that is open too the usual for the format.
/// \source  kernel "Colorspaces" and the V4L2_MAP_..._DEFAULT macros of videodev2.h; GStreamer's v4l2src maps them alike.
Colorimetry v4l2_colorimetry(const V4l2Fourcc& fourcc, const v4l2_format& taken);

/// What the driver's answer to VIDIOC_S_FMT means for a slot.
///
/// \errors  not_supported  strides or sizes that cannot hold such a picture.
Result<V4l2Picture> v4l2_picture(const V4l2Fourcc& fourcc, const v4l2_format& taken);

/// Sets format and rate, with the strides of `wanted` where the driver allows.
///
/// \errors  not_supported  the driver took something else; the text says what was asked and what it
///                         gave.
///          busy           someone streams from it.
Result<V4l2Picture> set_v4l2_format(const V4l2Device& device, const V4l2Fourcc& fourcc,
                                    const Format& format, const Layout& wanted);

}  // namespace lockstep
