// SPDX-License-Identifier: MIT
#include "cuda/conversion.h"

#include <utility>

namespace lockstep {
namespace {

// The weights of red and blue in luma.
struct Weights {
  double red;
  double blue;
};

Weights weights_of(ColourMatrix matrix) {
  switch (matrix) {
    case ColourMatrix::bt601:
      return {0.299, 0.114};
    case ColourMatrix::bt709:
      break;
    case ColourMatrix::bt2020:
      return {0.2627, 0.0593};
    case ColourMatrix::smpte240m:
      return {0.212, 0.087};
  }
  return {0.2126, 0.0722};
}

// As the samples are stored.
struct Levels {
  double black;
  double luma;  // from black to white
  double zero;  // chroma of greys
  double chroma;
};

Levels levels_of(ColourRange range, bool ten_bits) {
  // Ten bits are stored 64 times as large, and have 1023 for the 255 of 8 bits, but 4 times their other levels.
  const double unit = ten_bits ? 4 * 64 : 1;
  const double full = ten_bits ? 1023 * 64 : 255;
  switch (range) {
    case ColourRange::video:
      return {16 * unit, 219 * unit, 128 * unit, 224 * unit};
    case ColourRange::full:
      break;
  }
  return {0, full, 128 * unit, full};
}

}  // namespace

kernels::Conversion conversion(ColourMatrix matrix, ColourRange range, bool ten_bits,
                               bool blue_first) {
  const auto [red, blue] = weights_of(matrix);
  const double green = 1 - red - blue;
  const Levels levels = levels_of(range, ten_bits);
  double u[3] = {0, -2 * blue * (1 - blue) / green, 2 * (1 - blue)};
  double v[3] = {2 * (1 - red), -2 * red * (1 - red) / green, 0};
  if (blue_first) {
    std::swap(u[0], u[2]);
    std::swap(v[0], v[2]);
  }
  kernels::Conversion by{};
  by.luma = static_cast<float>(1 / levels.luma);
  for (int c = 0; c < 3; ++c) {
    by.u[c] = static_cast<float>(u[c] / levels.chroma);
    by.v[c] = static_cast<float>(v[c] / levels.chroma);
    by.offset[c] = static_cast<float>(-levels.black / levels.luma -
                                      (u[c] + v[c]) * levels.zero / levels.chroma);
  }
  return by;
}

}  // namespace lockstep
