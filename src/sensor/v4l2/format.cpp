// SPDX-License-Identifier: MIT
#include "sensor/v4l2/format.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace lockstep {
namespace {

constexpr std::array kFourccs = {
    V4l2Fourcc{V4L2_PIX_FMT_NV12, PixelFormat::nv12, false},
    V4l2Fourcc{V4L2_PIX_FMT_NV12M, PixelFormat::nv12, true},
    V4l2Fourcc{V4L2_PIX_FMT_YUV420, PixelFormat::i420, false},
    V4l2Fourcc{V4L2_PIX_FMT_YUV420M, PixelFormat::i420, true},
    V4l2Fourcc{V4L2_PIX_FMT_YUYV, PixelFormat::yuy2, false},
    V4l2Fourcc{V4L2_PIX_FMT_UYVY, PixelFormat::uyvy, false},
    V4l2Fourcc{V4L2_PIX_FMT_RGB24, PixelFormat::rgb, false},
    V4l2Fourcc{V4L2_PIX_FMT_XBGR32, PixelFormat::bgrx, false},
    V4l2Fourcc{V4L2_PIX_FMT_BGR32, PixelFormat::bgrx, false},
    V4l2Fourcc{V4L2_PIX_FMT_RGBA32, PixelFormat::rgba, false},
    V4l2Fourcc{V4L2_PIX_FMT_GREY, PixelFormat::gray8, false},
    V4l2Fourcc{V4L2_PIX_FMT_P010, PixelFormat::p010_10le, false},
};

std::size_t whole_pages(std::size_t bytes) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}

// The two APIs' answers in one shape.
struct Taken {
  std::uint32_t width, height, fourcc, field;
  std::size_t num_parts;
  std::array<std::size_t, VIDEO_MAX_PLANES> stride_bytes{};
  std::array<std::size_t, VIDEO_MAX_PLANES> size_bytes{};
};

Taken read(const v4l2_format& format) {
  if (format.type == V4L2_BUF_TYPE_VIDEO_CAPTURE) {
    const v4l2_pix_format& pix = format.fmt.pix;
    return {pix.width, pix.height,         pix.pixelformat, pix.field,
            1,         {pix.bytesperline}, {pix.sizeimage}};
  }
  const v4l2_pix_format_mplane& pix = format.fmt.pix_mp;
  Taken taken{pix.width, pix.height, pix.pixelformat, pix.field, pix.num_planes, {}, {}};
  for (std::size_t p = 0; p < VIDEO_MAX_PLANES; ++p) {
    taken.stride_bytes[p] = pix.plane_fmt[p].bytesperline;
    taken.size_bytes[p] = pix.plane_fmt[p].sizeimage;
  }
  return taken;
}

v4l2_format request(const V4l2Device& device, const V4l2Fourcc& fourcc, const Format& format,
                    const Layout& wanted) {
  v4l2_format asked{};
  asked.type = device.buffer_type();
  if (!device.multiplanar()) {
    v4l2_pix_format& pix = asked.fmt.pix;
    pix.width = format.width;
    pix.height = format.height;
    pix.pixelformat = fourcc.fourcc;
    pix.field = V4L2_FIELD_NONE;
    // Always said: some drivers keep the stride of the format before where it is 0.
    pix.bytesperline = static_cast<__u32>(wanted.planes[0].stride_bytes);
    return asked;
  }
  v4l2_pix_format_mplane& pix = asked.fmt.pix_mp;
  pix.width = format.width;
  pix.height = format.height;
  pix.pixelformat = fourcc.fourcc;
  pix.field = V4L2_FIELD_NONE;
  pix.num_planes = static_cast<__u8>(fourcc.split ? wanted.num_planes : 1);
  for (std::size_t p = 0; p < pix.num_planes; ++p)
    pix.plane_fmt[p].bytesperline = static_cast<__u32>(wanted.planes[p].stride_bytes);
  return asked;
}

// Both fields of a frame in one picture, or no fields at all.
bool whole_frames(std::uint32_t field) {
  return field == V4L2_FIELD_ANY || field == V4L2_FIELD_NONE || field == V4L2_FIELD_INTERLACED ||
         field == V4L2_FIELD_INTERLACED_TB || field == V4L2_FIELD_INTERLACED_BT;
}

// Drivers count in units of their own: 30/1 may come back as 10000000/333333.
bool same_rate(const Fraction& a, const Fraction& b) {
  const double x = static_cast<double>(a.numerator) / a.denominator;
  const double y = static_cast<double>(b.numerator) / b.denominator;
  return x - y < x / 2000 && y - x < x / 2000;  // 30 and 30000/1001 are further apart than that
}

Result<void> set_rate(const V4l2Device& device, const Format& format) {
  v4l2_streamparm asked{};
  asked.type = device.buffer_type();
  asked.parm.capture.timeperframe = {format.framerate.denominator, format.framerate.numerator};
  if (int failed = device.call(VIDIOC_S_PARM, &asked)) {
    if (failed == ENOTTY || failed == EINVAL) return {};  // no say in it, and the driver says none
    return device.error(failed, "set " + to_string(format) + " on");
  }
  const v4l2_fract& period = asked.parm.capture.timeperframe;
  const Fraction given{period.denominator, period.numerator};
  if (given.denominator == 0 || given.numerator == 0 || same_rate(format.framerate, given))
    return {};
  return Error{Errc::not_supported, 0,
               "set " + to_string(format) + ", the driver gave a rate of " +
                   std::to_string(given.numerator) + "/" + std::to_string(given.denominator) +
                   " on " + device.path()};
}

// The planes of a split format, one after the other, each at a whole page so that it can be mapped.
Result<V4l2Picture> split_picture(const V4l2Fourcc& fourcc, const Taken& taken) {
  auto layout = default_layout(fourcc.pixel_format, taken.width, taken.height);
  if (!layout) return std::move(layout).error();
  V4l2Picture picture{*layout, {}, 0, {}};
  for (std::size_t p = 0; p < layout->num_planes; ++p) {
    Plane& plane = picture.layout.planes[p];
    plane.offset_bytes = picture.slot_bytes;
    plane.stride_bytes = taken.stride_bytes[p];
    const std::size_t filled = plane.stride_bytes * (plane.rows - 1) + plane.row_bytes;
    if (p >= taken.num_parts || plane.stride_bytes < plane.row_bytes ||
        taken.size_bytes[p] < filled)
      return Error{Errc::not_supported, 0,
                   "the driver's plane " + std::to_string(p) + " of " +
                       std::to_string(taken.size_bytes[p]) + " bytes is too small"};
    picture.parts.push_back({picture.slot_bytes, taken.size_bytes[p], filled});
    picture.layout.size_bytes = plane.offset_bytes + plane.stride_bytes * plane.rows;
    picture.slot_bytes +=
        whole_pages(std::max(taken.size_bytes[p], plane.stride_bytes * plane.rows));
  }
  return picture;
}

}  // namespace

std::span<const V4l2Fourcc> v4l2_fourccs() { return kFourccs; }

std::optional<V4l2Fourcc> v4l2_fourcc_from(std::string_view text) {
  for (const V4l2Fourcc& one : kFourccs)
    if (fourcc_text(one.fourcc) == text) return one;
  return std::nullopt;
}

std::string fourcc_text(std::uint32_t fourcc) {
  std::string text;
  for (int shift = 0; shift < 32; shift += 8) {
    const char letter = static_cast<char>(fourcc >> shift & 0x7f);
    text += letter >= ' ' && letter <= '~' ? letter : '?';
  }
  return text;
}

namespace {

Result<V4l2Picture> whole_picture(const V4l2Fourcc& fourcc, const Taken& taken) {
  if (fourcc.split) return split_picture(fourcc, taken);
  auto layout =
      layout_with_stride(fourcc.pixel_format, taken.width, taken.height, taken.stride_bytes[0]);
  if (!layout) return Error{Errc::not_supported, 0, "the driver gave a " + layout.error().what};
  const Plane& last = layout->planes[layout->num_planes - 1];
  const std::size_t filled =
      last.offset_bytes + last.stride_bytes * (last.rows - 1) + last.row_bytes;
  const std::size_t size = taken.size_bytes[0];
  if (taken.num_parts != 1 || size < filled)
    return Error{Errc::not_supported, 0,
                 "the driver's picture of " + std::to_string(size) + " bytes is too small, " +
                     std::to_string(filled) + " needed"};
  return V4l2Picture{*layout, {{0, size, filled}}, std::max(size, layout->size_bytes), {}};
}

}  // namespace

Result<V4l2Picture> v4l2_picture(const V4l2Fourcc& fourcc, const v4l2_format& answer) {
  auto picture = whole_picture(fourcc, read(answer));
  if (picture) picture->colorimetry = v4l2_colorimetry(fourcc, answer);
  return picture;
}

Result<V4l2Picture> set_v4l2_format(const V4l2Device& device, const V4l2Fourcc& fourcc,
                                    const Format& format, const Layout& wanted) {
  const std::string act = "set " + to_string(format);
  v4l2_format answer = request(device, fourcc, format, wanted);
  if (int failed = device.call(VIDIOC_S_FMT, &answer)) return device.error(failed, act + " on");

  const Taken taken = read(answer);
  if (taken.width != format.width || taken.height != format.height ||
      taken.fourcc != fourcc.fourcc || !whole_frames(taken.field))
    return Error{Errc::not_supported, 0,
                 act + " (" + fourcc_text(fourcc.fourcc) + "), the driver gave " +
                     std::to_string(taken.width) + "x" + std::to_string(taken.height) + " " +
                     fourcc_text(taken.fourcc) +
                     (whole_frames(taken.field) ? "" : " in single fields") + " on " +
                     device.path()};
  if (auto rate = set_rate(device, format); !rate) return std::move(rate).error();

  auto picture = v4l2_picture(fourcc, answer);
  if (!picture)
    return Error{Errc::not_supported, 0,
                 act + ", " + picture.error().what + " on " + device.path()};
  return picture;
}

}  // namespace lockstep
