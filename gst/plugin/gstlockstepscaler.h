// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

#include "gstlocksteppicture.h"

namespace lockstep {

/// Scales pictures in one pass, any of our formats, any size to any other.
///
/// Shrinking averages exactly the area that a pixel covers, so that nothing aliases and no light
/// is lost; growing interpolates between the two nearest. What one has learnt of a pair of sizes is
/// kept for the next picture.
///
/// \thread  one caller at a time.
class Scaler {
 public:
  /// Fills `to` with all of `from`. Both are of the same format and of at least one pixel.
  void scale(const PictureView& from, const PictureView& to);

  /// Which samples make up each sample of a shorter or longer row, and how much each counts.
  struct Taps {
    std::size_t count = 0;               ///< Samples that make up one.
    std::vector<std::uint32_t> first;    ///< For each: the first of them.
    std::vector<std::uint16_t> weights;  ///< For each: `count` of them, the same sum everywhere.
  };

 private:
  const Taps& taps(std::uint32_t from, std::uint32_t to, std::uint32_t sum);
  template <typename Sample>
  void average(const PlaneView& from, const PlaneView& to);
  bool average_whole_pixels(const PlaneView& from, const PlaneView& to);

  std::map<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>, Taps> taps_;
  std::vector<std::byte> sums_;
};

}  // namespace lockstep
