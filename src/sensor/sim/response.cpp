// SPDX-License-Identifier: MIT
#include "sensor/sim/response.h"

#include <algorithm>
#include <cmath>

namespace lockstep {

double sim_response(double signal) {
  signal = std::clamp(signal, 0.0, 1.0);
  return signal < 0.018 ? 4.5 * signal : 1.099 * std::pow(signal, 0.45) - 0.099;
}

double sim_signal(double response) {
  response = std::clamp(response, 0.0, 1.0);
  return response < 0.081 ? response / 4.5 : std::pow((response + 0.099) / 1.099, 1 / 0.45);
}

Colorimetry sim_colorimetry(const Format& format) {
  Colorimetry colorimetry = usual_colorimetry(format.pixel_format, format.height);
  colorimetry.range = is_rgb(format.pixel_format) ? ColourRange::full : ColourRange::video;
  return colorimetry;
}

template <typename T>
SimCodes<T>::SimCodes(T black, T white) {
  for (int signal = kSimLeastSignal; signal <= kSimMostSignal; ++signal) {
    const double response = sim_response(static_cast<double>(signal) / kSimFullScale);
    codes_[static_cast<std::size_t>(signal - kSimLeastSignal)] =
        static_cast<T>(std::lround(black + response * (white - black)));
  }
}

const SimCodes<std::uint8_t>& sim_video_codes() {
  static const SimCodes<std::uint8_t> codes(16, 235);
  return codes;
}

const SimCodes<std::uint8_t>& sim_full_codes() {
  static const SimCodes<std::uint8_t> codes(0, 255);
  return codes;
}

const SimCodes<std::uint16_t>& sim_ten_bit_codes() {
  static const SimCodes<std::uint16_t> codes(64, 940);
  return codes;
}

}  // namespace lockstep
