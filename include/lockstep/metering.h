// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "lockstep/export.h"
#include "lockstep/format.h"
#include "lockstep/result.h"

namespace lockstep {

/// How much each part of a picture counts when it is metered.
///
/// \shape   rows x columns weights, row by row from the upper left; stretched over the picture whatever its size.
struct WeightMap {
  std::size_t columns = 1;
  std::size_t rows = 1;
  std::vector<float> weights{1};  ///< 0 or more, finite; at least one above 0.

  friend bool operator==(const WeightMap&, const WeightMap&) = default;
};

/// The whole picture alike; its middle more than its rim; nothing but its middle.
LOCKSTEP_API WeightMap average_metering();
LOCKSTEP_API WeightMap centre_metering();
LOCKSTEP_API WeightMap spot_metering();

/// \errors  invalid_argument  not rows x columns weights, none above 0, or one that is below 0 or not finite; more than
///          kMaxWeights.
LOCKSTEP_API Result<void> check(const WeightMap& map);
inline constexpr std::size_t kMaxWeights = 4096;

/// What light a picture shows, read on a sparse grid of its pixels.
///
/// \units   shares 0..1 of full scale or of all samples. "Linear" is proportional to light: code values through the
///          inverse of the transfer function of ITU-R BT.709.
struct Metering {
  static constexpr std::size_t kNumBins = 256;

  /// Weighted samples by luma, as code values of 8 bits in full range (video range is stretched to it); sums up to 1.
  std::array<float, kNumBins> histogram{};
  double mean = 0;  ///< Of linear luma, weighted.
  /// The same without the darkest and the brightest twentieth of the samples: what is small and far from the rest, a
  /// reflection or a label, does not count.
  double trimmed_mean = 0;
  double clipped_dark = 0;    ///< Share of samples at the lower end of the code range.
  double clipped_bright = 0;  ///< Share of samples at the upper end of the code range.
  /// Linear means of the colours, of those samples that are neither clipped nor too dark to tell; all 0 where there are
  /// none, and equal where the format has no colour.
  double red = 0;
  double green = 0;
  double blue = 0;
  double colour_share = 0;  ///< Of the samples that red, green and blue are of.
};

struct MeterTables;  // What code values mean.

/// Meters pictures of one format and layout, straight from where they lie. Makes tables when it is made, none later.
///
/// \thread  one caller at a time.
class LOCKSTEP_API Meter {
 public:
  /// Columns and rows of the grid. A sample is a few neighbouring pixels of one row; the grid has fewer columns and rows
  /// where the picture is too small for so many.
  static constexpr std::size_t kGridColumns = 48;
  static constexpr std::size_t kGridRows = 27;
  static constexpr std::size_t kSamplePixels = 4;

  /// YUV and grey are read as video range (16..235), by BT.601 up to 576 rows and BT.709 above, as GStreamer takes for
  /// granted; RGB as full range.
  ///
  /// \errors  invalid_argument  as check(map), or as default_layout(), or a layout that is not of this format and size.
  static Result<Meter> make(const Format& format, const Layout& layout, const WeightMap& map);

  /// \shape   `pixels` begin at the slot's first byte, planes as the layout says.
  Metering measure(const std::byte* pixels) const;

 private:
  Meter() = default;

  /// Where the samples of a row or of a column of the grid begin: in luma (or whatever the first plane holds), U and V.
  struct Offset {
    std::size_t luma = 0;
    std::size_t u = 0;
    std::size_t v = 0;
  };

  static Offset row_offset(PixelFormat format, const Layout& layout, std::size_t y);
  template <PixelFormat kFormat>
  Metering measure_as(const std::byte* pixels) const;

  PixelFormat format_ = PixelFormat::nv12;
  std::size_t sample_pixels_ = 0;
  std::vector<Offset> rows_;
  std::vector<Offset> columns_;
  std::vector<float>
      weights_;  // Of each pixel of a sample, row by row; all samples together are 1.
  std::shared_ptr<const MeterTables> tables_;
};

}  // namespace lockstep
