// SPDX-License-Identifier: MIT
// In place of the GPU part where there is no gstreamer-cuda-1.0 to build it with, or no CUDA.
#include "gstlockstepcudamemory.h"
#include "gstlockstepcudamosaic.h"
#include "gstlockstepgpu.h"

namespace lockstep {
namespace {

Error missing() {
  return {Errc::not_supported, 0,
          "this plugin was built without GPU memory: it takes CUDA's headers and "
          "gstreamer-cuda-1.0 >= 1.24"};
}

}  // namespace

struct CudaMosaicPainter::State {};

bool answer_cuda_query(GstElement*, GstQuery*, int) { return false; }
void announce_cuda_context(GstElement*, int) {}
Result<GstMemory*> cuda_memory_of(std::shared_ptr<const Pixels>, const GstVideoInfo&,
                                  const Layout&) {
  return missing();
}
Result<GstMemory*> cuda_memory_of(const std::shared_ptr<Arena>&,
                                  std::vector<std::shared_ptr<const Pixels>>) {
  return missing();
}
std::shared_ptr<const Pixels> cuda_pixels_of(GstBuffer*) { return nullptr; }

CudaMosaicPainter::CudaMosaicPainter() = default;
CudaMosaicPainter::~CudaMosaicPainter() = default;
PoolPtr CudaMosaicPainter::choose_pool(GstBufferPool* offered) { return PoolPtr(offered); }
void CudaMosaicPainter::configure_pool(GstStructure*) {}
Result<void> CudaMosaicPainter::configure(GstPad*, const BatchInfo&, const GstVideoInfo&,
                                          MosaicPlan) {
  return missing();
}
Result<void> CudaMosaicPainter::paint(const GstLockstepBatchMeta&, GstBuffer*) { return missing(); }
void CudaMosaicPainter::forget() {}

}  // namespace lockstep
