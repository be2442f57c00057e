// SPDX-License-Identifier: MIT
#pragma once

#include <gst/video/video.h>

#include <array>
#include <cstddef>

#include "lockstep/format.h"
#include "lockstep/mosaic.h"

namespace lockstep {

/// Pixels in memory: a frame, or a rectangle of one. Borrowed: as long as the frame stays mapped.
struct PictureView {
  const GstVideoFormatInfo* format = nullptr;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::array<guint8*, kMaxPlanes> planes{};
  std::array<std::size_t, kMaxPlanes> strides{};  ///< \units bytes from row to row.
};

/// One plane of a picture as interleaved channels.
struct PlaneView {
  /// Samples of one component. \units samples.
  struct Channel {
    std::size_t offset = 0;  ///< Of the first sample within a row.
    std::size_t step = 0;    ///< From one sample to the next.
    std::uint32_t width = 0;

    friend bool operator==(const Channel&, const Channel&) = default;
  };
  guint8* data = nullptr;
  std::size_t stride = 0;  ///< \units bytes from row to row.
  std::uint32_t height = 0;
  std::size_t sample_bytes = 1;
  std::array<Channel, 4> channels{};
  std::size_t num_channels = 0;

  /// \units samples from the start of a row to the end of its last.
  std::size_t row_samples() const;
};

/// A colour to draw in. \units of 255, from black to white.
struct Colour {
  std::array<guint8, 3> rgb;
  guint8 gray;  ///< In pictures without colours.
};

inline constexpr Colour kBlack = {{0, 0, 0}, 0};
inline constexpr Colour kRed = {{255, 0, 0}, 255};
inline constexpr Colour kAmber = {{255, 191, 0}, 191};

/// The samples of a colour in pictures of that format and colorimetry, in the order of its components. \units the upper
/// 8 bits of a sample.
using ColourSamples = std::array<guint8, 3>;
ColourSamples samples_of(const Colour& colour, const GstVideoInfo& info);

/// All of a mapped frame.
PictureView picture_of(const GstVideoFrame& frame);

/// A part of a picture. It begins at an even pixel each way and lies within.
PictureView crop(const PictureView& picture, const Rectangle& part);

/// Plane `index` of a picture.
PlaneView plane_of(const PictureView& picture, std::size_t index);

/// Paints all of a picture; alpha becomes opaque.
void fill(const PictureView& picture, const ColourSamples& samples);

}  // namespace lockstep
