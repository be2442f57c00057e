// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "cuda/driver.h"
#include "lockstep/cuda.h"

namespace lockstep::bench {

/// Memory of a GPU.
class Buffer {
 public:
  Buffer() = default;
  ~Buffer() {
    if (!device_) return;
    CudaScope scope(device_->context());
    loaded_cuda_driver().cuMemFree(address_);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  CUresult allocate(std::shared_ptr<CudaDevice> device, std::size_t size) {
    const CUresult result = loaded_cuda_driver().cuMemAlloc(&address_, size);
    if (result == CUDA_SUCCESS) device_ = std::move(device);
    size_ = size;
    return result;
  }
  CUdeviceptr at(std::size_t offset = 0) const { return address_ + offset; }
  std::size_t size() const { return size_; }

 private:
  std::shared_ptr<CudaDevice> device_;
  CUdeviceptr address_ = 0;
  std::size_t size_ = 0;
};

}  // namespace lockstep::bench
