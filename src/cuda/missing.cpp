// SPDX-License-Identifier: MIT
// The CUDA part of a build without CUDA's headers: nothing of it can be had, and it says so.
#include "lockstep/cuda.h"

namespace lockstep {

class CudaEvent {};
struct CudaFence::State {};

namespace {

Error no_cuda() {
  return Error{Errc::not_supported, 0,
               "this build has no CUDA part; build with CUDA's headers (cuda.h) at hand"};
}

}  // namespace

Result<std::shared_ptr<CudaDevice>> CudaDevice::open(int) { return no_cuda(); }
CudaDevice::~CudaDevice() = default;
std::size_t CudaDevice::free_bytes() const { return 0; }

Result<CudaStream> CudaStream::make(std::shared_ptr<CudaDevice>) { return no_cuda(); }
CudaStream::~CudaStream() = default;
CudaStream::CudaStream(CudaStream&&) noexcept = default;
Result<void> CudaStream::synchronise() const { return no_cuda(); }

CudaFence::CudaFence(std::shared_ptr<CudaDevice>) {}
CudaFence::~CudaFence() = default;
Result<std::shared_ptr<CudaEvent>> CudaFence::record(std::shared_ptr<CudaDevice>, CUstream) {
  return no_cuda();
}
Result<void> CudaFence::before_reading(CUstream) const { return no_cuda(); }
Result<void> CudaFence::after_reading(CUstream) const { return no_cuda(); }
Result<void> CudaFence::before_writing(CUstream) const { return no_cuda(); }
void CudaFence::was_written(std::shared_ptr<CudaEvent>) {}
void CudaFence::was_written_by(CUstream, std::shared_ptr<const void>) {}
void CudaFence::was_read(std::shared_ptr<CudaEvent>) {}
Result<void> CudaFence::synchronise() const { return no_cuda(); }

}  // namespace lockstep
