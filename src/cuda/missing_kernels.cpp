// SPDX-License-Identifier: MIT
// The kernels of a build without nvcc: there are none, and it says so.
#include "lockstep/cuda_kernels.h"

namespace lockstep {

struct CudaKernels::State {};

namespace {

Error no_kernels() {
  return Error{Errc::not_supported, 0, "this build has no GPU kernels; build with nvcc at hand"};
}

}  // namespace

Result<std::shared_ptr<CudaKernels>> CudaKernels::load(std::shared_ptr<CudaDevice>) {
  return no_kernels();
}
CudaKernels::CudaKernels(std::unique_ptr<State> state) : state_(std::move(state)) {}
CudaKernels::~CudaKernels() = default;
void CudaKernels::forget_arrays() {}
Result<void> CudaKernels::gather(std::span<const CudaPicture>, std::span<const CudaPicture>,
                                 CUstream) {
  return no_kernels();
}
Result<void> CudaKernels::tile(std::span<const Tile>, const CudaPicture&, CUstream, ColourMatrix,
                               ColourRange) {
  return no_kernels();
}
Result<void> CudaKernels::fill(const CudaPicture&, const Rectangle&, std::array<std::uint8_t, 3>,
                               CUstream) {
  return no_kernels();
}
Result<void> CudaKernels::to_tensor(std::span<const CudaPicture>, const TensorSpec&, std::uintptr_t,
                                    CUstream) {
  return no_kernels();
}

}  // namespace lockstep
