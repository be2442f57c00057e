// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <utility>

#include "cuda/driver.h"
#include "lockstep/cuda.h"

namespace lockstep {

class CudaEvent {
 public:
  CudaEvent(std::shared_ptr<CudaDevice> device, CUevent event)
      : device_(std::move(device)), event_(event) {}
  ~CudaEvent() {
    CudaScope scope(device_->context());
    loaded_cuda_driver().cuEventDestroy(event_);
  }
  CudaEvent(const CudaEvent&) = delete;
  CudaEvent& operator=(const CudaEvent&) = delete;

  CUevent get() const { return event_; }
  /// Whether all that it stands for is done.
  bool is_done() const { return loaded_cuda_driver().cuEventQuery(event_) == CUDA_SUCCESS; }

 private:
  std::shared_ptr<CudaDevice> device_;
  CUevent event_;
};

}  // namespace lockstep
