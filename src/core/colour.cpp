// SPDX-License-Identifier: MIT
#include "lockstep/colour.h"

namespace lockstep {
namespace {

const char* name_of(ColourMatrix matrix) {
  switch (matrix) {
    case ColourMatrix::bt601:
      return "bt601";
    case ColourMatrix::bt709:
      return "bt709";
    case ColourMatrix::bt2020:
      return "bt2020";
    case ColourMatrix::smpte240m:
      return "smpte240m";
  }
  return "unknown";
}

const char* name_of(ColourTransfer transfer) {
  switch (transfer) {
    case ColourTransfer::bt601:
      return "bt601";
    case ColourTransfer::bt709:
      return "bt709";
    case ColourTransfer::bt2020:
      return "bt2020";
    case ColourTransfer::srgb:
      return "srgb";
    case ColourTransfer::adobe_rgb:
      return "adobe-rgb";
    case ColourTransfer::smpte240m:
      return "smpte240m";
    case ColourTransfer::smpte2084:
      return "smpte2084";
    case ColourTransfer::linear:
      return "linear";
  }
  return "unknown";
}

const char* name_of(ColourPrimaries primaries) {
  switch (primaries) {
    case ColourPrimaries::bt709:
      return "bt709";
    case ColourPrimaries::smpte170m:
      return "smpte170m";
    case ColourPrimaries::smpte240m:
      return "smpte240m";
    case ColourPrimaries::bt470m:
      return "bt470m";
    case ColourPrimaries::bt470bg:
      return "bt470bg";
    case ColourPrimaries::bt2020:
      return "bt2020";
    case ColourPrimaries::adobe_rgb:
      return "adobe-rgb";
    case ColourPrimaries::dci_p3:
      return "dci-p3";
  }
  return "unknown";
}

}  // namespace

Colorimetry colorimetry_of(ColourMatrix matrix, ColourRange range) {
  switch (matrix) {
    case ColourMatrix::bt601:
      return {range, matrix, ColourTransfer::bt601, ColourPrimaries::smpte170m};
    case ColourMatrix::bt709:
      return {range, matrix, ColourTransfer::bt709, ColourPrimaries::bt709};
    case ColourMatrix::bt2020:
      return {range, matrix, ColourTransfer::bt2020, ColourPrimaries::bt2020};
    case ColourMatrix::smpte240m:
      return {range, matrix, ColourTransfer::smpte240m, ColourPrimaries::smpte240m};
  }
  return {};
}

Colorimetry usual_colorimetry(PixelFormat format, std::uint32_t height) {
  if (is_rgb(format))
    return {ColourRange::full, ColourMatrix::bt709, ColourTransfer::srgb, ColourPrimaries::bt709};
  if (format == PixelFormat::gray8) return colorimetry_of(ColourMatrix::bt601, ColourRange::full);
  return colorimetry_of(height > 576 ? ColourMatrix::bt709 : ColourMatrix::bt601,
                        ColourRange::video);
}

std::string to_string(const Colorimetry& colorimetry) {
  const Colorimetry standard = colorimetry_of(colorimetry.matrix, colorimetry.range);
  std::string text = name_of(colorimetry.matrix);
  text += colorimetry.range == ColourRange::video ? " video" : " full";
  if (colorimetry.transfer != standard.transfer)
    text += std::string(", ") + name_of(colorimetry.transfer);
  if (colorimetry.primaries != standard.primaries)
    text += std::string(", ") + name_of(colorimetry.primaries) + " primaries";
  return text;
}

}  // namespace lockstep
