// SPDX-License-Identifier: MIT
#pragma once

#include <gst/lockstep/gstlockstepbatchmeta.h>
#include <gst/video/video.h>

#include <memory>

#include "gstlockstepcaps.h"
#include "gstlockstephandles.h"
#include "gstlockstepmosaic.h"
#include "lockstep/result.h"

namespace lockstep {

/// What is drawn on a GPU: the formats that kernels and GStreamer's pools of GPU memory both know.
#define LOCKSTEP_CUDA_MOSAIC_FIELDS                           \
  "format = (string) { NV12, BGRx, RGBA, P010_10LE }"         \
  ", width = (int) [ 1, 16384 ], height = (int) [ 1, 16384 ]" \
  ", framerate = (fraction) [ 0/1, max ]"

/// Draws batches in GPU memory as mosaics in GPU memory, as MosaicPainter does on the CPU: all tiles by one launch. The
/// host waits for nothing, unless frames are another element's: those it gives back only when they have been read.
///
/// \thread  one caller at a time.
class CudaMosaicPainter {
 public:
  CudaMosaicPainter();
  ~CudaMosaicPainter();
  CudaMosaicPainter(const CudaMosaicPainter&) = delete;
  CudaMosaicPainter& operator=(const CudaMosaicPainter&) = delete;

  /// Takes up a new layout, on the GPU that upstream of `sink` has its frames on. The last mosaic stays of use if it is of
  /// the same pixel format and colorimetry.
  /// \errors  not_supported  frames that differ in matrix or range from the mosaic, which kernels do not convert.
  ///          not_supported, out_of_memory, io  as CudaDevice::open() and CudaKernels::load().
  Result<void> configure(GstPad* sink, const BatchInfo& batch, const GstVideoInfo& mosaic,
                         MosaicPlan plan);

  /// The pool to take mosaics from, once configured: `offered`, if that gives memory of the same GPU and context, or a new
  /// one. Takes `offered` over, which may be null.
  PoolPtr choose_pool(GstBufferPool* offered);
  /// Sets in the pool's configuration what stream mosaics are drawn in, where nothing is set.
  void configure_pool(GstStructure* config);

  /// As MosaicPainter::paint(); when it returns the GPU may still be at it, in the stream of the mosaic's memory.
  /// \errors  not_supported    a frame or the mosaic is no GstCudaMemory of this GPU's primary context.
  ///          io, device_lost  one cannot be mapped, or the GPU failed.
  Result<void> paint(const GstLockstepBatchMeta& batch, GstBuffer* mosaic);

  /// Forgets the last mosaic.
  void forget();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lockstep
