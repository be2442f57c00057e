// SPDX-License-Identifier: MIT
#include "sensor/v4l2/format.h"

namespace lockstep {
namespace {

// The two APIs' fields in one shape.
struct V4l2Colour {
  std::uint32_t height, colorspace, encoding, quantization, transfer;
};

V4l2Colour read_colour(const v4l2_format& format) {
  if (format.type == V4L2_BUF_TYPE_VIDEO_CAPTURE) {
    const v4l2_pix_format& pix = format.fmt.pix;
    return {pix.height, pix.colorspace, pix.ycbcr_enc, pix.quantization, pix.xfer_func};
  }
  const v4l2_pix_format_mplane& pix = format.fmt.pix_mp;
  return {pix.height, pix.colorspace, pix.ycbcr_enc, pix.quantization, pix.xfer_func};
}

// All that a colorspace brings with it; `usual` where the driver reports none.
Colorimetry colorimetry_of_space(std::uint32_t colorspace, const Colorimetry& usual) {
  constexpr auto kVideo = ColourRange::video;
  switch (colorspace) {
    case V4L2_COLORSPACE_SMPTE170M:
      return colorimetry_of(ColourMatrix::bt601, kVideo);
    case V4L2_COLORSPACE_REC709:
      return colorimetry_of(ColourMatrix::bt709, kVideo);
    case V4L2_COLORSPACE_BT2020:
      return colorimetry_of(ColourMatrix::bt2020, kVideo);
    case V4L2_COLORSPACE_SMPTE240M:
      return colorimetry_of(ColourMatrix::smpte240m, kVideo);
    case V4L2_COLORSPACE_SRGB:
      return {kVideo, ColourMatrix::bt601, ColourTransfer::srgb, ColourPrimaries::bt709};
    case V4L2_COLORSPACE_JPEG:
      return {ColourRange::full, ColourMatrix::bt601, ColourTransfer::srgb, ColourPrimaries::bt709};
    case V4L2_COLORSPACE_OPRGB:
      return {kVideo, ColourMatrix::bt601, ColourTransfer::adobe_rgb, ColourPrimaries::adobe_rgb};
    case V4L2_COLORSPACE_DCI_P3:
      return {kVideo, ColourMatrix::bt709, ColourTransfer::bt709, ColourPrimaries::dci_p3};
    case V4L2_COLORSPACE_470_SYSTEM_M:
      return {kVideo, ColourMatrix::bt601, ColourTransfer::bt709, ColourPrimaries::bt470m};
    case V4L2_COLORSPACE_470_SYSTEM_BG:
      return {kVideo, ColourMatrix::bt601, ColourTransfer::bt709, ColourPrimaries::bt470bg};
    default:
      return usual;
  }
}

ColourMatrix matrix_of(std::uint32_t encoding, ColourMatrix otherwise) {
  switch (encoding) {
    case V4L2_YCBCR_ENC_601:
    case V4L2_YCBCR_ENC_XV601:
    case V4L2_YCBCR_ENC_SYCC:
      return ColourMatrix::bt601;
    case V4L2_YCBCR_ENC_709:
    case V4L2_YCBCR_ENC_XV709:
      return ColourMatrix::bt709;
    case V4L2_YCBCR_ENC_BT2020:
    case V4L2_YCBCR_ENC_BT2020_CONST_LUM:
      return ColourMatrix::bt2020;
    case V4L2_YCBCR_ENC_SMPTE240M:
      return ColourMatrix::smpte240m;
    default:
      return otherwise;
  }
}

ColourTransfer transfer_of(std::uint32_t transfer, const Colorimetry& of_space) {
  switch (transfer) {
    case V4L2_XFER_FUNC_709:
      // One curve under three names, of which the colorspace has its own.
      return of_space.transfer == ColourTransfer::bt601 ||
                     of_space.transfer == ColourTransfer::bt2020
                 ? of_space.transfer
                 : ColourTransfer::bt709;
    case V4L2_XFER_FUNC_SRGB:
      return ColourTransfer::srgb;
    case V4L2_XFER_FUNC_OPRGB:
      return ColourTransfer::adobe_rgb;
    case V4L2_XFER_FUNC_SMPTE240M:
      return ColourTransfer::smpte240m;
    case V4L2_XFER_FUNC_NONE:
      return ColourTransfer::linear;
    case V4L2_XFER_FUNC_SMPTE2084:
      return ColourTransfer::smpte2084;
    default:
      return of_space.transfer;
  }
}

}  // namespace

Colorimetry v4l2_colorimetry(const V4l2Fourcc& fourcc, const v4l2_format& taken) {
  const V4l2Colour reported = read_colour(taken);
  const Colorimetry usual = usual_colorimetry(fourcc.pixel_format, reported.height);
  const Colorimetry of_space = colorimetry_of_space(reported.colorspace, usual);
  Colorimetry colorimetry = of_space;
  colorimetry.matrix = matrix_of(reported.encoding, of_space.matrix);
  colorimetry.transfer = transfer_of(reported.transfer, of_space);
  if (is_rgb(fourcc.pixel_format)) colorimetry.range = ColourRange::full;
  if (reported.quantization == V4L2_QUANTIZATION_FULL_RANGE) colorimetry.range = ColourRange::full;
  if (reported.quantization == V4L2_QUANTIZATION_LIM_RANGE) colorimetry.range = ColourRange::video;
  return colorimetry;
}

}  // namespace lockstep
