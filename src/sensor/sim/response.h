// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>

#include "lockstep/colour.h"
#include "lockstep/format.h"

namespace lockstep {

/// How a simulated sensor's linear signal becomes code values: clipped, quantised, and bent as video
/// wants it.
///
/// A signal is a whole number, 0 for no light and kSimFullScale where the pixel is full. What noise
/// and gain make of it may lie beyond both ends, as far as the tables reach.
/// \source  ITU-R BT.709, opto-electronic transfer and quantisation.
inline constexpr int kSimFullScale = 4095;
inline constexpr int kSimLeastSignal = -4096;
inline constexpr int kSimMostSignal = 12287;

/// The share of the code range, 0..1, that a share of full scale is given.
double sim_response(double signal);
/// The other way round.
double sim_signal(double response);

/// What the code values mean: the usual for the format, but that grey is drawn in video range, as luma is.
Colorimetry sim_colorimetry(const Format& format);

/// Code values by signal: table.at(signal) for any from kSimLeastSignal to kSimMostSignal.
template <typename T>
class SimCodes {
 public:
  SimCodes(T black, T white);
  /// Points at signal 0.
  const T* zero() const { return &codes_[-kSimLeastSignal]; }

 private:
  std::array<T, kSimMostSignal - kSimLeastSignal + 1> codes_;
};

/// Video range, full range, and video range in 10 bits: 16..235, 0..255, 64..940.
const SimCodes<std::uint8_t>& sim_video_codes();
const SimCodes<std::uint8_t>& sim_full_codes();
const SimCodes<std::uint16_t>& sim_ten_bit_codes();

}  // namespace lockstep
