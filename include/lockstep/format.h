// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/export.h"
#include "lockstep/result.h"
#include "lockstep/time.h"

namespace lockstep {

/// How pixels lie in memory. Names as in GStreamer's GstVideoFormat.
enum class PixelFormat : std::uint8_t {
  nv12,       ///< Y plane, then U and V interleaved at half width and half height.
  i420,       ///< Y plane, then U, then V, both at half width and half height.
  yuy2,       ///< One plane, Y0 U Y1 V.
  uyvy,       ///< One plane, U Y0 V Y1.
  rgb,        ///< One plane, 3 bytes a pixel: R G B.
  bgrx,       ///< One plane, 4 bytes a pixel: B G R and one unused.
  rgba,       ///< One plane, 4 bytes a pixel: R G B and alpha, which is 255 in what we draw.
  gray8,      ///< One plane, one byte a pixel.
  p010_10le,  ///< As NV12 with 16-bit little-endian samples, 10 significant bits at the top.
};

inline constexpr std::array kPixelFormats = {
    PixelFormat::nv12, PixelFormat::i420,  PixelFormat::yuy2,
    PixelFormat::uyvy, PixelFormat::rgb,   PixelFormat::bgrx,
    PixelFormat::rgba, PixelFormat::gray8, PixelFormat::p010_10le};

/// GStreamer's name of the format, as in "NV12" or "P010_10LE".
LOCKSTEP_API const char* to_string(PixelFormat format);

/// The format of that GStreamer name (case-sensitive), if it is one of ours.
LOCKSTEP_API std::optional<PixelFormat> pixel_format_from(std::string_view name);

/// Whether a pixel is red, green and blue, and not luma and colour differences, or grey.
LOCKSTEP_API bool is_rgb(PixelFormat format);

/// A rate in frames per second as a fraction. \units numerator / denominator per second.
struct Fraction {
  std::uint32_t numerator = 30;
  std::uint32_t denominator = 1;

  friend bool operator==(const Fraction& a, const Fraction& b) {
    return std::uint64_t{a.numerator} * b.denominator == std::uint64_t{b.numerator} * a.denominator;
  }
  friend bool operator<(const Fraction& a, const Fraction& b) {
    return std::uint64_t{a.numerator} * b.denominator < std::uint64_t{b.numerator} * a.denominator;
  }
};

/// What one sensor is set to: pixels, size and rate. \units width, height in pixels.
struct Format {
  PixelFormat pixel_format = PixelFormat::nv12;
  std::uint32_t width = 1920;
  std::uint32_t height = 1080;
  Fraction framerate;

  friend bool operator==(const Format&, const Format&) = default;
};

/// Largest width and height that we take. \units pixels.
inline constexpr std::uint32_t kMaxSide = 16384;

/// Longest frame period that we take, and with that the lowest rate.
inline constexpr Nanoseconds kMaxFramePeriod = std::chrono::hours(24);

/// Whether a format is one that a sensor could have: a pixel format of ours, sides from 1 to kMaxSide, and a rate whose
/// period is from 1 ns to kMaxFramePeriod. A rate of 0/n, "not known", is one.
///
/// \errors  invalid_argument  the text says what is wrong and what is wanted.
LOCKSTEP_API Result<void> check(const Format& format);

/// Time from frame to frame, rounded down; of a rate that is not known (0/n) one second.
/// \units   ns; at least 1, whatever the rate.
LOCKSTEP_API Nanoseconds frame_period(const Fraction& framerate);

/// "1920x1080 NV12 30/1", for messages.
LOCKSTEP_API std::string to_string(const Format& format);

/// One plane of a frame. \units bytes, but `rows` in rows; offset counts from the start of the
/// slot.
struct Plane {
  std::size_t offset_bytes = 0;
  std::size_t stride_bytes = 0;  ///< From one row to the next.
  std::size_t row_bytes = 0;     ///< Bytes of a row that hold pixels; at most stride_bytes.
  std::size_t rows = 0;

  friend bool operator==(const Plane&, const Plane&) = default;
};

inline constexpr std::size_t kMaxPlanes = 3;

/// Where the planes of a frame lie within its slot.
///
/// \shape  num_planes planes, each rows x stride_bytes; sizes that are odd round the chroma up.
struct Layout {
  std::array<Plane, kMaxPlanes> planes{};
  std::size_t num_planes = 0;
  std::size_t size_bytes = 0;  ///< From the start of the slot to the end of the last plane.

  friend bool operator==(const Layout&, const Layout&) = default;
};

/// The layout that GStreamer gives this format by default (strides rounded up to 4 bytes, planes
/// adjoining), so that even elements that ignore GstVideoMeta read it right.
///
/// \errors  invalid_argument  a size of 0 or beyond kMaxSide, or no pixel format of ours.
/// \source  GStreamer's fill_planes() in video-info.c, 1.22; tests compare with
/// gst_video_info_set_format().
LOCKSTEP_API Result<Layout> default_layout(PixelFormat format, std::uint32_t width,
                                           std::uint32_t height);

/// Longest distance of rows that we take. \units bytes.
inline constexpr std::size_t kMaxStride = std::size_t{1} << 30;

/// The layout of planes that adjoin, the first with stride `stride_bytes`, as V4L2's single-buffer
/// formats have it: chroma strides follow from the first (I420: half, NV12 and P010: the same).
///
/// \errors  invalid_argument  as default_layout(), or a stride too short for a row or beyond kMaxStride.
/// \source  kernel "Planar YUV formats", bytesperline.
LOCKSTEP_API Result<Layout> layout_with_stride(PixelFormat format, std::uint32_t width,
                                               std::uint32_t height, std::size_t stride_bytes);

/// A range of sizes: min, min + step, ... up to max. \units pixels.
struct SizeRange {
  std::uint32_t min = 1;
  std::uint32_t max = kMaxSide;
  std::uint32_t step = 1;

  friend bool operator==(const SizeRange&, const SizeRange&) = default;
};

/// Rates from min to max, both included; a single rate where they are equal.
struct RateRange {
  Fraction min;
  Fraction max;

  friend bool operator==(const RateRange&, const RateRange&) = default;
};

/// One thing that a sensor can be set to: any of these sizes at any of these rates.
struct FormatOffer {
  PixelFormat pixel_format = PixelFormat::nv12;
  SizeRange width;
  SizeRange height;
  std::vector<RateRange> rates;  ///< Empty: the device does not say, any may be asked for.
};

/// "NV12 16..1920x16..1080 1/1..120/1", for messages and listings.
LOCKSTEP_API std::string to_string(const FormatOffer& offer);

/// Whether `format` is within `offer`. A rate of n/0 is in none.
LOCKSTEP_API bool allows(const FormatOffer& offer, const Format& format);

/// What two sensors can both be set to.
LOCKSTEP_API std::vector<FormatOffer> intersect(std::span<const FormatOffer> a,
                                                std::span<const FormatOffer> b);

}  // namespace lockstep
