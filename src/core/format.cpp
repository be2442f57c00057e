// SPDX-License-Identifier: MIT
#include "lockstep/format.h"

#include <algorithm>
#include <numeric>

namespace lockstep {
namespace {

constexpr std::uint32_t kNanosecondsPerSecond = 1'000'000'000;

constexpr std::size_t round_up(std::size_t value, std::size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// How one plane relates to the picture: bytes of a row, and whether it has half the rows.
struct PlaneShape {
  std::size_t row_bytes;
  bool half_height;
};

struct Shape {
  std::array<PlaneShape, kMaxPlanes> planes;
  std::size_t num_planes;
};

Shape shape_of(PixelFormat format, std::size_t width) {
  const std::size_t pairs = (width + 1) / 2;
  switch (format) {
    case PixelFormat::nv12:
      return {{{{width, false}, {pairs * 2, true}}}, 2};
    case PixelFormat::p010_10le:
      return {{{{width * 2, false}, {pairs * 4, true}}}, 2};
    case PixelFormat::i420:
      return {{{{width, false}, {pairs, true}, {pairs, true}}}, 3};
    case PixelFormat::yuy2:
    case PixelFormat::uyvy:
      return {{{{pairs * 4, false}}}, 1};
    case PixelFormat::rgb:
      return {{{{width * 3, false}}}, 1};
    case PixelFormat::bgrx:
    case PixelFormat::rgba:
      return {{{{width * 4, false}}}, 1};
    case PixelFormat::gray8:
      return {{{{width, false}}}, 1};
  }
  return {};
}

Result<void> check_picture(PixelFormat format, std::uint32_t width, std::uint32_t height) {
  if (std::find(kPixelFormats.begin(), kPixelFormats.end(), format) == kPixelFormats.end())
    return Error{Errc::invalid_argument, 0,
                 "pixel format number " + std::to_string(static_cast<unsigned>(format)) +
                     ", wanted one of the " + std::to_string(kPixelFormats.size()) +
                     " that are defined"};
  if (width >= 1 && height >= 1 && width <= kMaxSide && height <= kMaxSide) return {};
  return Error{Errc::invalid_argument, 0,
               "size " + std::to_string(width) + "x" + std::to_string(height) + ", wanted 1x1 to " +
                   std::to_string(kMaxSide) + "x" + std::to_string(kMaxSide)};
}

// Stacks the planes: stride from `stride_of(plane)`, luma rows rounded up to `row_multiple`.
template <typename StrideOf>
Layout stack(const Shape& shape, std::size_t height, bool even_rows, StrideOf stride_of) {
  Layout layout;
  layout.num_planes = shape.num_planes;
  std::size_t offset = 0;
  for (std::size_t p = 0; p < shape.num_planes; ++p) {
    Plane& plane = layout.planes[p];
    plane.offset_bytes = offset;
    plane.row_bytes = shape.planes[p].row_bytes;
    plane.rows = shape.planes[p].half_height ? (height + 1) / 2 : height;
    plane.stride_bytes = stride_of(p);
    const bool padded = even_rows && !shape.planes[p].half_height && shape.num_planes > 1;
    offset += plane.stride_bytes * (padded ? round_up(plane.rows, 2) : plane.rows);
  }
  layout.size_bytes = offset;
  return layout;
}

std::string range_text(const SizeRange& range) {
  if (range.min == range.max) return std::to_string(range.min);
  std::string text = std::to_string(range.min) + ".." + std::to_string(range.max);
  if (range.step > 1) text += "/" + std::to_string(range.step);
  return text;
}

std::string fraction_text(const Fraction& rate) {
  return std::to_string(rate.numerator) + "/" + std::to_string(rate.denominator);
}

bool in_range(const SizeRange& range, std::uint32_t value) {
  return value >= range.min && value <= range.max &&
         (value - range.min) % std::max(range.step, 1u) == 0;
}

// The sizes that two ranges share. Their steps differ rarely; then every value is tried, sizes
// being small.
std::optional<SizeRange> intersect(const SizeRange& a, const SizeRange& b) {
  const std::uint64_t step = std::lcm<std::uint64_t>(std::max(a.step, 1u), std::max(b.step, 1u));
  const std::uint32_t low = std::max(a.min, b.min);
  const std::uint32_t high = std::min({a.max, b.max, kMaxSide});
  for (std::uint64_t first = low; first <= high && first < low + step; ++first) {
    const auto value = static_cast<std::uint32_t>(first);
    if (!in_range(a, value) || !in_range(b, value)) continue;
    const auto steps = (high - value) / step;
    if (steps == 0) return SizeRange{value, value, 1};
    return SizeRange{value, static_cast<std::uint32_t>(value + steps * step),
                     static_cast<std::uint32_t>(step)};
  }
  return std::nullopt;
}

std::vector<RateRange> intersect_rates(const std::vector<RateRange>& a,
                                       const std::vector<RateRange>& b) {
  std::vector<RateRange> both;
  for (const RateRange& x : a) {
    for (const RateRange& y : b) {
      const RateRange shared{std::max(x.min, y.min), std::min(x.max, y.max)};
      if (!(shared.max < shared.min) && std::find(both.begin(), both.end(), shared) == both.end())
        both.push_back(shared);
    }
  }
  return both;
}

}  // namespace

const char* to_string(PixelFormat format) {
  switch (format) {
    case PixelFormat::nv12:
      return "NV12";
    case PixelFormat::i420:
      return "I420";
    case PixelFormat::yuy2:
      return "YUY2";
    case PixelFormat::uyvy:
      return "UYVY";
    case PixelFormat::rgb:
      return "RGB";
    case PixelFormat::bgrx:
      return "BGRx";
    case PixelFormat::rgba:
      return "RGBA";
    case PixelFormat::gray8:
      return "GRAY8";
    case PixelFormat::p010_10le:
      return "P010_10LE";
  }
  return "unknown";
}

std::optional<PixelFormat> pixel_format_from(std::string_view name) {
  for (PixelFormat format : kPixelFormats)
    if (name == to_string(format)) return format;
  return std::nullopt;
}

bool is_rgb(PixelFormat format) {
  return format == PixelFormat::rgb || format == PixelFormat::bgrx || format == PixelFormat::rgba;
}

std::string to_string(const Format& format) {
  return std::to_string(format.width) + "x" + std::to_string(format.height) + " " +
         to_string(format.pixel_format) + " " + fraction_text(format.framerate);
}

std::string to_string(const FormatOffer& offer) {
  std::string text = std::string(to_string(offer.pixel_format)) + " " + range_text(offer.width) +
                     "x" + range_text(offer.height);
  for (const RateRange& rate : offer.rates) {
    text += " " + fraction_text(rate.min);
    if (!(rate.min == rate.max)) text += ".." + fraction_text(rate.max);
  }
  return text;
}

Result<void> check(const Format& format) {
  if (auto valid = check_picture(format.pixel_format, format.width, format.height); !valid)
    return valid;
  const Fraction& rate = format.framerate;
  const bool too_fast = rate.numerator > std::uint64_t{kNanosecondsPerSecond} * rate.denominator;
  if (rate.denominator > 0 && !too_fast && frame_period(rate) <= kMaxFramePeriod) return {};
  return Error{Errc::invalid_argument, 0,
               "rate of " + fraction_text(rate) + " frames a second, wanted " +
                   fraction_text(
                       {1, static_cast<std::uint32_t>(kMaxFramePeriod / std::chrono::seconds(1))}) +
                   " to " + fraction_text({kNanosecondsPerSecond, 1})};
}

Nanoseconds frame_period(const Fraction& framerate) {
  const std::uint64_t rate = std::max(framerate.numerator, 1u);
  // At most 10^9 * 2^32, which an int64 holds.
  const std::uint64_t period = std::uint64_t{kNanosecondsPerSecond} * framerate.denominator / rate;
  return Nanoseconds(std::max<std::uint64_t>(period, 1));
}

Result<Layout> default_layout(PixelFormat format, std::uint32_t width, std::uint32_t height) {
  if (auto valid = check_picture(format, width, height); !valid) return valid.error();
  const Shape shape = shape_of(format, width);
  const std::size_t luma_stride = round_up(shape.planes[0].row_bytes, 4);
  return stack(shape, height, true, [&](std::size_t plane) {
    // GStreamer derives I420's chroma stride from the width rounded up to 2, then to 4.
    return plane == 0 ? luma_stride : round_up(shape.planes[plane].row_bytes, 4);
  });
}

Result<Layout> layout_with_stride(PixelFormat format, std::uint32_t width, std::uint32_t height,
                                  std::size_t stride_bytes) {
  if (auto valid = check_picture(format, width, height); !valid) return valid.error();
  if (stride_bytes > kMaxStride)
    return Error{Errc::invalid_argument, 0,
                 "stride of " + std::to_string(stride_bytes) + " bytes, wanted at most " +
                     std::to_string(kMaxStride)};
  const Shape shape = shape_of(format, width);
  const auto stride_of = [&](std::size_t plane) {
    return plane > 0 && format == PixelFormat::i420 ? stride_bytes / 2 : stride_bytes;
  };
  for (std::size_t p = 0; p < shape.num_planes; ++p) {
    if (stride_of(p) >= shape.planes[p].row_bytes) continue;
    return Error{Errc::invalid_argument, 0,
                 "stride of " + std::to_string(stride_bytes) + " bytes is too short for a row of " +
                     std::to_string(width) + " pixels " + to_string(format)};
  }
  return stack(shape, height, false, stride_of);
}

bool allows(const FormatOffer& offer, const Format& format) {
  if (format.framerate.denominator == 0 || offer.pixel_format != format.pixel_format ||
      !in_range(offer.width, format.width) || !in_range(offer.height, format.height))
    return false;
  return offer.rates.empty() ||
         std::any_of(offer.rates.begin(), offer.rates.end(), [&](const RateRange& rate) {
           return !(format.framerate < rate.min) && !(rate.max < format.framerate);
         });
}

std::vector<FormatOffer> intersect(std::span<const FormatOffer> a, std::span<const FormatOffer> b) {
  std::vector<FormatOffer> both;
  for (const FormatOffer& x : a) {
    for (const FormatOffer& y : b) {
      if (x.pixel_format != y.pixel_format) continue;
      const auto width = intersect(x.width, y.width);
      const auto height = intersect(x.height, y.height);
      if (!width || !height) continue;
      FormatOffer shared{x.pixel_format, *width, *height, {}};
      if (x.rates.empty() || y.rates.empty()) {
        shared.rates = x.rates.empty() ? y.rates : x.rates;
      } else {
        shared.rates = intersect_rates(x.rates, y.rates);
        if (shared.rates.empty()) continue;
      }
      both.push_back(std::move(shared));
    }
  }
  return both;
}

}  // namespace lockstep
