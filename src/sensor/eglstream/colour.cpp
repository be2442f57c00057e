// SPDX-License-Identifier: MIT
#include "sensor/eglstream/colour.h"

namespace lockstep {
namespace {

struct Name {
  CUeglColorFormat format;
  EglColour colour;
};

constexpr auto k601 = ColourMatrix::bt601;
constexpr auto k709 = ColourMatrix::bt709;
constexpr auto kVideoRange = ColourRange::video;
constexpr auto kFullRange = ColourRange::full;

// The first of those that fit is the one to present under.
constexpr Name kNames[] = {
    {CU_EGL_COLOR_FORMAT_YUV420_SEMIPLANAR, {PixelFormat::nv12, k601, kVideoRange}},
    {CU_EGL_COLOR_FORMAT_YVU420_SEMIPLANAR, {PixelFormat::nv12, k601, kVideoRange}},
    {CU_EGL_COLOR_FORMAT_YUV420_SEMIPLANAR_ER, {PixelFormat::nv12, k601, kFullRange}},
    {CU_EGL_COLOR_FORMAT_YVU420_SEMIPLANAR_ER, {PixelFormat::nv12, k601, kFullRange}},
    {CU_EGL_COLOR_FORMAT_YUV420_SEMIPLANAR_709, {PixelFormat::nv12, k709, kVideoRange}},
    {CU_EGL_COLOR_FORMAT_YVU420_SEMIPLANAR_709, {PixelFormat::nv12, k709, kVideoRange}},
    {CU_EGL_COLOR_FORMAT_Y10V10U10_420_SEMIPLANAR, {PixelFormat::p010_10le, k601, kVideoRange}},
    {CU_EGL_COLOR_FORMAT_Y10V10U10_420_SEMIPLANAR_ER, {PixelFormat::p010_10le, k601, kFullRange}},
    {CU_EGL_COLOR_FORMAT_Y10V10U10_420_SEMIPLANAR_709, {PixelFormat::p010_10le, k709, kVideoRange}},
    {CU_EGL_COLOR_FORMAT_Y10V10U10_420_SEMIPLANAR_709_ER,
     {PixelFormat::p010_10le, k709, kFullRange}},
    {CU_EGL_COLOR_FORMAT_Y, {PixelFormat::gray8, k709, kVideoRange}},
    {CU_EGL_COLOR_FORMAT_Y_709_ER, {PixelFormat::gray8, k709, kFullRange}},
    {CU_EGL_COLOR_FORMAT_ABGR, {PixelFormat::rgba, k709, kFullRange}},
    {CU_EGL_COLOR_FORMAT_RGBA, {PixelFormat::rgba, k709, kFullRange}},
    {CU_EGL_COLOR_FORMAT_ARGB, {PixelFormat::bgrx, k709, kFullRange}},
    {CU_EGL_COLOR_FORMAT_BGRA, {PixelFormat::bgrx, k709, kFullRange}},
};

bool has_four_channels(PixelFormat format) {
  return format == PixelFormat::rgba || format == PixelFormat::bgrx;
}

}  // namespace

std::string to_string(const EglColour& colour) {
  return std::string(to_string(colour.pixel_format)) +
         (colour.matrix == ColourMatrix::bt601 ? " bt601" : " bt709") +
         (colour.range == ColourRange::video ? " video" : " full");
}

Colorimetry colorimetry_of(const EglColour& colour) {
  if (has_four_channels(colour.pixel_format)) return usual_colorimetry(colour.pixel_format, 0);
  return colorimetry_of(colour.matrix, colour.range);
}

std::optional<CUeglColorFormat> egl_format_of(const EglColour& colour) {
  for (const Name& name : kNames)
    if (name.colour == colour) return name.format;
  return std::nullopt;
}

std::optional<EglColour> egl_colour_of(CUeglColorFormat format, PixelFormat agreed) {
  for (const Name& name : kNames) {
    if (name.format != format) continue;
    EglColour colour = name.colour;
    if (has_four_channels(colour.pixel_format) && has_four_channels(agreed))
      colour.pixel_format = agreed;
    return colour;
  }
  return std::nullopt;
}

}  // namespace lockstep
