// SPDX-License-Identifier: MIT
#include "gstlocksteppicture.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace lockstep {
namespace {

std::size_t sample_bytes_of(const GstVideoFormatInfo* format) {
  return GST_VIDEO_FORMAT_INFO_DEPTH(format, 0) > 8 ? 2 : 1;
}

void fill_row(guint8* row, const PlaneView::Channel& channel, std::size_t sample_bytes,
              guint8 sample) {
  if (sample_bytes == 1 && channel.step == 1) {
    std::memset(row + channel.offset, sample, channel.width);
    return;
  }
  for (std::uint32_t x = 0; x < channel.width; x++) {
    guint8* at = row + (channel.offset + x * channel.step) * sample_bytes;
    at[sample_bytes - 1] = sample;  // Little-endian: the high byte is last.
    if (sample_bytes == 2) at[0] = 0;
  }
}

}  // namespace

std::size_t PlaneView::row_samples() const {
  std::size_t samples = 0;
  for (std::size_t i = 0; i < num_channels; i++) {
    const Channel& channel = channels[i];
    samples = std::max(samples, channel.offset + (channel.width - 1) * channel.step + 1);
  }
  return samples;
}

PictureView picture_of(const GstVideoFrame& frame) {
  PictureView picture;
  // The fourth byte of BGRx is nobody's, but it must not stay as it was in memory.
  picture.format = GST_VIDEO_FRAME_FORMAT(&frame) == GST_VIDEO_FORMAT_BGRx
                       ? gst_video_format_get_info(GST_VIDEO_FORMAT_BGRA)
                       : frame.info.finfo;
  picture.width = static_cast<std::uint32_t>(GST_VIDEO_FRAME_WIDTH(&frame));
  picture.height = static_cast<std::uint32_t>(GST_VIDEO_FRAME_HEIGHT(&frame));
  for (guint i = 0; i < GST_VIDEO_FRAME_N_PLANES(&frame); i++) {
    picture.planes[i] = static_cast<guint8*>(GST_VIDEO_FRAME_PLANE_DATA(&frame, i));
    picture.strides[i] = static_cast<std::size_t>(GST_VIDEO_FRAME_PLANE_STRIDE(&frame, i));
  }
  return picture;
}

PictureView crop(const PictureView& picture, const Rectangle& part) {
  PictureView cropped = picture;
  cropped.width = part.width;
  cropped.height = part.height;
  const GstVideoFormatInfo* format = picture.format;
  for (guint c = 0; c < GST_VIDEO_FORMAT_INFO_N_COMPONENTS(format); c++) {
    const auto plane = static_cast<std::size_t>(GST_VIDEO_FORMAT_INFO_PLANE(format, c));
    const auto x = static_cast<std::size_t>(GST_VIDEO_FORMAT_INFO_SCALE_WIDTH(format, c, part.x));
    const auto y = static_cast<std::size_t>(GST_VIDEO_FORMAT_INFO_SCALE_HEIGHT(format, c, part.y));
    const auto step = static_cast<std::size_t>(GST_VIDEO_FORMAT_INFO_PSTRIDE(format, c));
    cropped.planes[plane] = picture.planes[plane] + y * picture.strides[plane] + x * step;
  }
  return cropped;
}

PlaneView plane_of(const PictureView& picture, std::size_t index) {
  const GstVideoFormatInfo* format = picture.format;
  PlaneView plane;
  plane.data = picture.planes[index];
  plane.stride = picture.strides[index];
  plane.sample_bytes = sample_bytes_of(format);
  for (guint c = 0; c < GST_VIDEO_FORMAT_INFO_N_COMPONENTS(format); c++) {
    if (static_cast<std::size_t>(GST_VIDEO_FORMAT_INFO_PLANE(format, c)) != index) continue;
    PlaneView::Channel& channel = plane.channels[plane.num_channels++];
    // In bytes; but of P010's V GStreamer says 1, where it means one sample (video-format.c, 1.22 and 1.26).
    const auto offset = static_cast<std::size_t>(GST_VIDEO_FORMAT_INFO_POFFSET(format, c));
    channel.offset = offset % plane.sample_bytes == 0 ? offset / plane.sample_bytes : offset;
    channel.step =
        static_cast<std::size_t>(GST_VIDEO_FORMAT_INFO_PSTRIDE(format, c)) / plane.sample_bytes;
    channel.width =
        static_cast<std::uint32_t>(GST_VIDEO_FORMAT_INFO_SCALE_WIDTH(format, c, picture.width));
    plane.height =
        static_cast<std::uint32_t>(GST_VIDEO_FORMAT_INFO_SCALE_HEIGHT(format, c, picture.height));
  }
  return plane;
}

ColourSamples samples_of(const Colour& colour, const GstVideoInfo& info) {
  std::array<double, 3> values{};
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = colour.rgb[i] / 255.0;
  double red = 0;
  double blue = 0;
  if (GST_VIDEO_INFO_IS_GRAY(&info)) {
    values.fill(colour.gray / 255.0);
  } else if (GST_VIDEO_INFO_IS_YUV(&info) &&
             gst_video_color_matrix_get_Kr_Kb(info.colorimetry.matrix, &red, &blue)) {
    const auto [r, g, b] = values;
    const double luma = red * r + (1 - red - blue) * g + blue * b;
    values = {luma, (b - luma) / (2 - 2 * blue), (r - luma) / (2 - 2 * red)};
  }
  std::array<gint, GST_VIDEO_MAX_COMPONENTS> offset{};
  std::array<gint, GST_VIDEO_MAX_COMPONENTS> scale{};
  gst_video_color_range_offsets(info.colorimetry.range, info.finfo, offset.data(), scale.data());
  const double unit = 1 << (GST_VIDEO_INFO_COMP_DEPTH(&info, 0) - 8);
  ColourSamples samples{};
  for (std::size_t i = 0; i < samples.size(); ++i)
    samples[i] = static_cast<guint8>(
        std::clamp(std::lround((offset[i] + values[i] * scale[i]) / unit), 0L, 255L));
  return samples;
}

void fill(const PictureView& picture, const ColourSamples& samples) {
  const GstVideoFormatInfo* format = picture.format;
  for (guint index = 0; index < GST_VIDEO_FORMAT_INFO_N_PLANES(format); index++) {
    const PlaneView plane = plane_of(picture, index);
    std::size_t next_channel = 0;
    for (guint c = 0; c < GST_VIDEO_FORMAT_INFO_N_COMPONENTS(format); c++) {
      if (GST_VIDEO_FORMAT_INFO_PLANE(format, c) != index) continue;
      const PlaneView::Channel& channel = plane.channels[next_channel++];
      for (std::uint32_t y = 0; y < plane.height; y++)
        fill_row(plane.data + y * plane.stride, channel, plane.sample_bytes,
                 c == 3 ? guint8{255} : samples[c]);
    }
  }
}

}  // namespace lockstep
