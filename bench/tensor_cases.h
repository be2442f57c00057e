// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "lockstep/cuda_kernels.h"

namespace lockstep::bench {

/// A tensor that is made of frames.
struct TensorCase {
  const char* name;
  std::uint32_t width;
  std::uint32_t height;
  std::uint32_t side;

  TensorSpec spec() const { return {.width = side, .height = side}; }
};
inline constexpr TensorCase kTensorCases[] = {{"1080p-to-640", 1920, 1080, 640},
                                              {"720p-to-640", 1280, 720, 640},
                                              {"1080p-to-1280", 1920, 1080, 1280}};

/// How many of `from` rows are read to make `to` of them; of chroma with `halving` 2, `from` being luma's.
inline std::size_t rows_read(std::uint32_t from, std::uint32_t to, std::uint32_t halving) {
  std::vector<bool> read(from / halving);
  for (std::int64_t y = 0; y < to; ++y) {
    const std::int64_t numerator = (2 * y + 1) * from - std::int64_t{halving} * to;
    const std::int64_t denominator = std::int64_t{2} * halving * to;
    const std::int64_t row = std::max<std::int64_t>(numerator, 0) / denominator;
    read[static_cast<std::size_t>(row)] = true;
    const bool is_between = numerator > 0 && numerator % denominator != 0;
    if (is_between && static_cast<std::size_t>(row) + 1 < read.size())
      read[static_cast<std::size_t>(row) + 1] = true;
  }
  return static_cast<std::size_t>(std::count(read.begin(), read.end(), true));
}

/// Bytes of frames that are read, and of the tensor that is written.
inline std::size_t bytes_needed(const TensorCase& tensor, std::size_t frames) {
  const Rectangle content = tensor_content(tensor.spec(), tensor.width, tensor.height);
  const std::size_t rows =
      rows_read(tensor.height, content.height, 1) + rows_read(tensor.height, content.height, 2);
  return frames * rows * tensor.width + tensor_bytes(tensor.spec(), frames);
}

}  // namespace lockstep::bench
