// SPDX-License-Identifier: MIT
// What the GPU's kernels should do, done plainly on the CPU and in double precision: what they are compared with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lockstep/cuda_kernels.h"

/// Pictures here are CudaPictures whose planes are addresses of the CPU; none are arrays.
namespace lockstep::reference {

/// As CudaKernels::gather(), of one picture.
void gather(const CudaPicture& from, const CudaPicture& to);

/// As CudaKernels::tile(), of one tile.
void tile(const CudaPicture& from, const Rectangle& place, const CudaPicture& mosaic,
          ColourMatrix matrix = ColourMatrix::bt709, ColourRange range = ColourRange::video);

/// As CudaKernels::fill().
void fill(const CudaPicture& picture, const Rectangle& place, std::array<std::uint8_t, 3> colour);

/// Red, green and blue of a colour. \units  0 to 255, not rounded; samples as `bits` (8 or 10) have them.
std::array<double, 3> rgb_of(std::array<double, 3> yuv, ColourMatrix matrix, ColourRange range,
                             unsigned bits);

/// The values that CudaKernels::to_tensor() makes, in the tensor's order, before its type rounds them.
std::vector<double> tensor_values(std::span<const CudaPicture> frames, const TensorSpec& spec);

/// A value as elements of that type hold it. Of halves and floats that are too large: infinity.
double rounded_to(TensorType type, double value);

/// What element `index` of a tensor holds.
double element_of(const std::byte* tensor, TensorType type, std::size_t index);

}  // namespace lockstep::reference
