// SPDX-License-Identifier: MIT
// From pictures to the parameters of kernels: all that can be wrong or reckoned before the GPU is asked. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "cuda/kernels/parameters.h"
#include "lockstep/cuda_kernels.h"

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
  std::array<unsigned, 3> grid{};
  Parameters parameters{};
};

/// How gather is tuned.
struct GatherTuning {
  unsigned words_per_thread = 4;
  unsigned max_blocks = 0;  ///< Of a launch, about; 0: as many as there is work for.
};

/// As CudaKernels::gather(). One launch for pictures that lie in memory in up to kernels::kMaxGatherKinds ways.
Result<std::vector<Launch<kernels::GatherParameters>>> plan_gather(
    std::span<const KernelSource> from, std::span<const CudaPicture> to, GatherTuning tuning);

/// How many planes pictures of that format have.
std::size_t num_planes_of(PixelFormat format);

}  // namespace lockstep
