// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

#include "cuda/driver.h"
#include "lockstep/cuda.h"
#include "lockstep/frame.h"

namespace lockstep {

/// The pixels of a frame on a GPU, or of the CPU, laid out as default_layout() says. EXPECTs that it works.
inline std::vector<std::byte> download(const Frame& frame, const Format& format) {
  auto layout = default_layout(format.pixel_format, format.width, format.height);
  std::vector<std::byte> bytes(layout ? layout->size_bytes : 0);
  const CudaPixels* cuda = frame.pixels->cuda;
  if (cuda) {
    EXPECT_TRUE(cuda->fence->synchronise());
  }
  for (std::size_t p = 0; layout && p < layout->num_planes; ++p) {
    const Plane& plane = layout->planes[p];
    CUDA_MEMCPY2D copy{};
    if (!cuda) {
      copy.srcMemoryType = CU_MEMORYTYPE_HOST;
      copy.srcHost = frame.pixels->data + frame.layout.planes[p].offset_bytes;
    } else if (cuda->are_arrays) {
      copy.srcMemoryType = CU_MEMORYTYPE_ARRAY;
      copy.srcArray = reinterpret_cast<CUarray>(cuda->planes[p]);
    } else {
      copy.srcMemoryType = CU_MEMORYTYPE_DEVICE;
      copy.srcDevice = !frame.pixels->data ? cuda->planes[p]
                                           : reinterpret_cast<CUdeviceptr>(frame.pixels->data) +
                                                 frame.layout.planes[p].offset_bytes;
    }
    copy.srcPitch = frame.layout.planes[p].stride_bytes;
    copy.dstMemoryType = CU_MEMORYTYPE_HOST;
    copy.dstHost = bytes.data() + plane.offset_bytes;
    copy.dstPitch = plane.stride_bytes;
    copy.WidthInBytes = plane.row_bytes;
    copy.Height = plane.rows;
    const auto device = cuda ? cuda->device : *CudaDevice::open();
    CudaScope scope(device->context());
    EXPECT_EQ(loaded_cuda_driver().cuMemcpy2D(&copy), CUDA_SUCCESS);
  }
  return bytes;
}

}  // namespace lockstep
