// SPDX-License-Identifier: MIT
#include "cuda_reference.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "lockstep/format.h"

namespace lockstep::reference {
namespace {

std::byte* row_of(const CudaPicture& picture, std::size_t p, std::size_t y) {
  return reinterpret_cast<std::byte*>(picture.planes[p]) + y * picture.strides[p];
}

Layout shape_of(const CudaPicture& picture) {
  return *default_layout(picture.pixel_format, picture.width, picture.height);
}

bool has_chroma(PixelFormat format) {
  return format == PixelFormat::nv12 || format == PixelFormat::p010_10le;
}

// One component of a plane: samples of one or two bytes that lie so many apart.
struct Samples {
  const CudaPicture* picture;
  std::size_t plane = 0;
  std::size_t first_byte = 0;  // of a row
  std::size_t step = 1;        // bytes from one sample to the next
  bool ten_bits = false;       // at the top of 16; else 8
  long width = 0;
  long height = 0;

  std::byte* at(long x, long y) const {
    return row_of(*picture, plane, static_cast<std::size_t>(y)) + first_byte +
           static_cast<std::size_t>(x) * step;
  }
  double get(long x, long y) const {
    const std::byte* sample = at(std::clamp(x, 0L, width - 1), std::clamp(y, 0L, height - 1));
    if (!ten_bits) return std::to_integer<int>(*sample);
    const int low = std::to_integer<int>(sample[0]);
    const int high = std::to_integer<int>(sample[1]);
    return (high * 256 + low) / 64;
  }
  void set(long x, long y, double value) const {
    const auto rounded = static_cast<unsigned>(std::lround(value));
    std::byte* sample = at(x, y);
    if (!ten_bits) {
      sample[0] = static_cast<std::byte>(rounded);
      return;
    }
    sample[0] = static_cast<std::byte>(rounded * 64 % 256);
    sample[1] = static_cast<std::byte>(rounded * 64 / 256);
  }

  // Between the centres of samples; outside of those at the edges, what these are.
  double between(double x, double y) const {
    const double left = std::floor(x);
    const double top = std::floor(y);
    const auto column = static_cast<long>(left);
    const auto row = static_cast<long>(top);
    const double right_share = x - left;
    const double bottom_share = y - top;
    return (1 - bottom_share) *
               ((1 - right_share) * get(column, row) + right_share * get(column + 1, row)) +
           bottom_share *
               ((1 - right_share) * get(column, row + 1) + right_share * get(column + 1, row + 1));
  }
};

// Component 0 is luma, or the first of each pixel.
Samples samples_of(const CudaPicture& picture, std::size_t component) {
  Samples samples{.picture = &picture,
                  .width = static_cast<long>(picture.width),
                  .height = static_cast<long>(picture.height)};
  switch (picture.pixel_format) {
    case PixelFormat::nv12:
    case PixelFormat::p010_10le: {
      const std::size_t bytes = picture.pixel_format == PixelFormat::nv12 ? 1 : 2;
      samples.ten_bits = bytes == 2;
      samples.step = bytes;
      if (component == 0) break;
      samples.plane = 1;
      samples.step = 2 * bytes;
      samples.first_byte = (component - 1) * bytes;
      samples.width = (samples.width + 1) / 2;
      samples.height = (samples.height + 1) / 2;
      break;
    }
    case PixelFormat::bgrx:
    case PixelFormat::rgba:
      samples.step = 4;
      samples.first_byte = component;
      break;
    default:
      break;
  }
  return samples;
}

// Where the pixel `position` of `to` lies among those of `from`, as a number of the first.
double place_in(std::uint32_t position, std::uint32_t from, std::uint32_t to) {
  return (position + 0.5) * from / to - 0.5;
}

// The same among samples that are each in the middle of two pixels.
double place_in_halves(std::uint32_t position, std::uint32_t from, std::uint32_t to) {
  return (position + 0.5) * from / to / 2 - 0.5;
}

std::array<double, 3> rgb_between(const CudaPicture& picture, std::uint32_t x, std::uint32_t y,
                                  std::uint32_t width, std::uint32_t height, ColourMatrix matrix,
                                  ColourRange range) {
  const double luma_x = place_in(x, picture.width, width);
  const double luma_y = place_in(y, picture.height, height);
  const double chroma_x = place_in_halves(x, picture.width, width);
  const double chroma_y = place_in_halves(y, picture.height, height);
  return rgb_of({samples_of(picture, 0).between(luma_x, luma_y),
                 samples_of(picture, 1).between(chroma_x, chroma_y),
                 samples_of(picture, 2).between(chroma_x, chroma_y)},
                matrix, range, picture.pixel_format == PixelFormat::nv12 ? 8 : 10);
}

// `shift` is 1 for the samples of chroma.
void scale_component(const CudaPicture& from, const Rectangle& place, const CudaPicture& mosaic,
                     std::size_t component, unsigned shift) {
  const Samples source = samples_of(from, component);
  const Samples target = samples_of(mosaic, component);
  const std::uint32_t width = (place.width + shift) >> shift;
  const std::uint32_t height = (place.height + shift) >> shift;
  for (std::uint32_t y = 0; y < height; ++y)
    for (std::uint32_t x = 0; x < width; ++x)
      target.set((place.x >> shift) + x, (place.y >> shift) + y,
                 source.between(place_in(x, from.width, place.width),
                                place_in(y, from.height, place.height)));
}

std::size_t bytes_of(TensorType type) {
  return tensor_bytes({.width = 1, .height = 1, .type = type}, 1) / 3;
}

double rounded_to_half(double value) {
  if (value == 0 || !std::isfinite(value)) return value;
  int exponent = 0;
  std::frexp(value, &exponent);
  // Halves have 11 significant bits, of which none is less than 2^-24.
  const double step = std::ldexp(1, std::max(exponent - 11, -24));
  const double rounded = std::nearbyint(value / step) * step;
  if (std::fabs(rounded) < 65536) return rounded;
  return std::copysign(std::numeric_limits<double>::infinity(), value);
}

double half_of(std::uint16_t bits) {
  const double sign = bits & 0x8000 ? -1 : 1;
  const int exponent = bits >> 10 & 0x1f;
  const int fraction = bits & 0x3ff;
  if (exponent == 31)
    return fraction == 0 ? sign * std::numeric_limits<double>::infinity()
                         : std::numeric_limits<double>::quiet_NaN();
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

}  // namespace

void gather(const CudaPicture& from, const CudaPicture& to) {
  const Layout shape = shape_of(from);
  for (std::size_t p = 0; p < shape.num_planes; ++p)
    for (std::size_t y = 0; y < shape.planes[p].rows; ++y)
      std::memcpy(row_of(to, p, y), row_of(from, p, y), shape.planes[p].row_bytes);
}

void tile(const CudaPicture& from, const Rectangle& place, const CudaPicture& mosaic,
          ColourMatrix matrix, ColourRange range) {
  if (from.pixel_format == mosaic.pixel_format) {
    const bool chroma = has_chroma(from.pixel_format);
    const std::size_t num_components =
        from.pixel_format == PixelFormat::gray8 ? 1 : (chroma ? 3 : 4);
    for (std::size_t c = 0; c < num_components; ++c)
      scale_component(from, place, mosaic, c, chroma && c > 0 ? 1 : 0);
    return;
  }
  for (std::uint32_t y = 0; y < place.height; ++y) {
    for (std::uint32_t x = 0; x < place.width; ++x) {
      const auto rgb = rgb_between(from, x, y, place.width, place.height, matrix, range);
      for (std::size_t c = 0; c < 4; ++c)
        samples_of(mosaic, c).set(place.x + x, place.y + y, c < 3 ? rgb[c] : 255);
    }
  }
}

void fill(const CudaPicture& picture, const Rectangle& place, std::array<std::uint8_t, 3> colour) {
  // Byte by byte: which component of which pixel each is.
  const auto set = [&](std::size_t p, std::size_t x, std::size_t y, std::uint8_t value) {
    row_of(picture, p, y)[x] = static_cast<std::byte>(value);
  };
  for (std::size_t y = place.y; y < place.y + place.height; ++y) {
    for (std::size_t x = place.x; x < place.x + place.width; ++x) {
      switch (picture.pixel_format) {
        case PixelFormat::nv12:
          set(0, x, y, colour[0]);
          set(1, x / 2 * 2, y / 2, colour[1]);
          set(1, x / 2 * 2 + 1, y / 2, colour[2]);
          break;
        case PixelFormat::i420:
          set(0, x, y, colour[0]);
          set(1, x / 2, y / 2, colour[1]);
          set(2, x / 2, y / 2, colour[2]);
          break;
        case PixelFormat::p010_10le:
          set(0, x * 2, y, 0);
          set(0, x * 2 + 1, y, colour[0]);
          for (std::size_t c = 0; c < 2; ++c) {
            set(1, x / 2 * 4 + c * 2, y / 2, 0);
            set(1, x / 2 * 4 + c * 2 + 1, y / 2, colour[c + 1]);
          }
          break;
        case PixelFormat::yuy2:
        case PixelFormat::uyvy: {
          // A pair of pixels is filled whole.
          const std::size_t luma = picture.pixel_format == PixelFormat::yuy2 ? 0 : 1;
          const std::size_t pair = x / 2 * 4;
          set(0, pair + luma, y, colour[0]);
          set(0, pair + luma + 2, y, colour[0]);
          set(0, pair + 1 - luma, y, colour[1]);
          set(0, pair + 3 - luma, y, colour[2]);
          break;
        }
        case PixelFormat::rgb:
          for (std::size_t c = 0; c < 3; ++c) set(0, x * 3 + c, y, colour[c]);
          break;
        case PixelFormat::rgba:
          for (std::size_t c = 0; c < 3; ++c) set(0, x * 4 + c, y, colour[c]);
          set(0, x * 4 + 3, y, 255);
          break;
        case PixelFormat::bgrx:
          for (std::size_t c = 0; c < 3; ++c) set(0, x * 4 + 2 - c, y, colour[c]);
          set(0, x * 4 + 3, y, 255);
          break;
        case PixelFormat::gray8:
          set(0, x, y, colour[0]);
          break;
      }
    }
  }
}

std::array<double, 3> rgb_of(std::array<double, 3> yuv, ColourMatrix matrix, ColourRange range,
                             unsigned bits) {
  const double kr = matrix == ColourMatrix::bt601 ? 0.299 : 0.2126;
  const double kb = matrix == ColourMatrix::bt601 ? 0.114 : 0.0722;
  const double unit = bits == 8 ? 1 : 4;
  const double top = bits == 8 ? 255 : 1023;
  const bool full = range == ColourRange::full;
  const double y = full ? yuv[0] / top : (yuv[0] - 16 * unit) / (219 * unit);
  const double pb = (yuv[1] - 128 * unit) / (full ? top : 224 * unit);
  const double pr = (yuv[2] - 128 * unit) / (full ? top : 224 * unit);
  // Luma is kr x red + kg x green + kb x blue, and pb and pr are the differences to it, scaled to halves.
  const double red = y + 2 * (1 - kr) * pr;
  const double blue = y + 2 * (1 - kb) * pb;
  const double green = (y - kr * red - kb * blue) / (1 - kr - kb);
  return {std::clamp(red, 0.0, 1.0) * 255, std::clamp(green, 0.0, 1.0) * 255,
          std::clamp(blue, 0.0, 1.0) * 255};
}

std::vector<double> tensor_values(std::span<const CudaPicture> frames, const TensorSpec& spec) {
  std::vector<double> values(frames.size() * 3 * spec.width * spec.height);
  for (std::size_t n = 0; n < frames.size(); ++n) {
    const Rectangle content = tensor_content(spec, frames[n].width, frames[n].height);
    for (std::uint32_t y = 0; y < spec.height; ++y) {
      for (std::uint32_t x = 0; x < spec.width; ++x) {
        std::array<double, 3> pixel = {spec.bar[0], spec.bar[1], spec.bar[2]};
        if (x >= content.x && x < content.x + content.width && y >= content.y &&
            y < content.y + content.height) {
          pixel = rgb_between(frames[n], x - content.x, y - content.y, content.width,
                              content.height, spec.matrix, spec.range);
          if (spec.bgr) std::swap(pixel[0], pixel[2]);
        }
        for (std::size_t c = 0; c < 3; ++c) {
          const std::size_t index = spec.order == TensorOrder::nchw
                                        ? ((n * 3 + c) * spec.height + y) * spec.width + x
                                        : ((n * spec.height + y) * spec.width + x) * 3 + c;
          values[index] = (pixel[c] - spec.mean[c]) * spec.scale[c];
        }
      }
    }
  }
  return values;
}

double rounded_to(TensorType type, double value) {
  switch (type) {
    case TensorType::uint8:
      return std::nearbyint(std::clamp(value, 0.0, 255.0));
    case TensorType::float16:
      return rounded_to_half(value);
    case TensorType::float32:
      break;
  }
  return static_cast<float>(value);
}

double element_of(const std::byte* tensor, TensorType type, std::size_t index) {
  const std::byte* element = tensor + index * bytes_of(type);
  switch (type) {
    case TensorType::uint8:
      return std::to_integer<int>(*element);
    case TensorType::float16: {
      std::uint16_t bits;
      std::memcpy(&bits, element, sizeof bits);
      return half_of(bits);
    }
    case TensorType::float32:
      break;
  }
  float value;
  std::memcpy(&value, element, sizeof value);
  return value;
}

}  // namespace lockstep::reference
