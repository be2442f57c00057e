// SPDX-License-Identifier: MIT
// From pictures to the parameters of kernels: all that can be wrong or reckoned before the GPU is asked. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "cuda/kernels/parameters.h"
#include "lockstep/cuda_kernels.h"
#include "lockstep/mosaic.h"

namespace lockstep {

/// What a CUDA array is made of.
struct ArrayShape {
  std::size_t width = 0;  ///< In elements.
  std::size_t height = 0;
  std::uint8_t channels = 1;      ///< 1, 2 or 4 ...
  std::uint8_t sample_bytes = 1;  ///< ... of 1 or 2 bytes.
};

/// A picture that a kernel reads; where its planes are arrays, they are texture objects here.
struct KernelSource {
  CudaPicture picture;
  std::array<ArrayShape, kMaxPlanes> arrays{};
};

/// One launch: its grid of blocks of kernels::kThreads, and what the kernel is given.
template <typename Parameters>
struct Launch {
  std::array<unsigned, 3> grid{};  ///< Empty: there is nothing to do.
  Parameters parameters{};
};

/// As CudaKernels::gather(). One launch for pictures that lie in memory in up to kernels::kMaxGatherKinds ways.
Result<std::vector<Launch<kernels::GatherParameters>>> plan_gather(
    std::span<const KernelSource> from, std::span<const CudaPicture> to);

/// A tile whose picture is one that a kernel reads.
struct TileSource {
  KernelSource source;
  Rectangle place;
};

/// As CudaKernels::tile(). The grid is empty where all places are.
Result<Launch<kernels::TileParameters>> plan_tile(std::span<const TileSource> tiles,
                                                  const CudaPicture& mosaic, ColourMatrix matrix,
                                                  ColourRange range);

/// As CudaKernels::fill(). The grid is empty where the place is.
Result<Launch<kernels::FillParameters>> plan_fill(const CudaPicture& picture,
                                                  const Rectangle& place,
                                                  std::array<std::uint8_t, 3> colour);

/// Which kernel makes a tensor.
enum class TensorKernel : std::uint8_t {
  half_planar,  ///< float16, nchw.
  aligned,      ///< Any tensor.
  any,          ///< Of frames whose samples are not aligned.
};

struct TensorLaunch : Launch<kernels::TensorParameters> {
  TensorKernel kernel = TensorKernel::any;
};

/// As CudaKernels::to_tensor().
Result<TensorLaunch> plan_tensor(std::span<const KernelSource> frames, const TensorSpec& spec,
                                 std::uintptr_t tensor);

/// How many planes pictures of that format have.
std::size_t num_planes_of(PixelFormat format);

}  // namespace lockstep
