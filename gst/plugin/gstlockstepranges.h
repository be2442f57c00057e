// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "lockstep/cuda.h"
#include "lockstep/format.h"
#include "lockstep/frame.h"
#include "lockstep/memory.h"
#include "lockstep/result.h"

namespace lockstep {

/// Adds to an ALLOCATION query that frames on a GPU are read by their planes, wherever each lies. Only elements of this
/// plugin can: for all others a frame is one range of memory.
void offer_planes(GstQuery* query);
/// Whether the answer to an ALLOCATION query says so.
bool takes_planes(GstQuery* query);

/// Copies frames on a GPU whose planes lie apart into ranges of memory, which a GstCudaMemory is. EGLStreams lend such frames,
/// and CUDA arrays are some too.
///
/// \thread  one caller at a time.
class RangeCopies {
 public:
  using Find = std::function<Result<const MemoryBackend*>(const CudaPixels& frame)>;

  /// `find` finds the memory of the GPU that a frame is on.
  explicit RangeCopies(Find find = memory_beside) : find_(std::move(find)) {}

  /// Replaces each such frame of a batch by its copy, all on one GPU by one launch, and adds 1 to its FrameInfo::copies. The
  /// others stay as they are. The host does not wait: fences order who reads the copies. A copy keeps the frame that it is of.
  ///
  /// \shape   the copies: default_layout() of `format`.
  /// \returns the slots of those that were copied.
  /// \errors  as MemoryBackend::allocate() and FrameCopier::copy().
  Result<std::vector<std::size_t>> gather(Batch& batch, const Format& format);

 private:
  // What is there for one GPU.
  struct Place {
    const MemoryBackend* memory = nullptr;
    std::unique_ptr<FrameCopier> copier;
    std::vector<std::shared_ptr<Arena>> arenas;
  };

  static Result<const MemoryBackend*> memory_beside(const CudaPixels& frame);
  Result<Place*> place_beside(const CudaPixels& frame);
  static Result<std::shared_ptr<Arena>> idle_arena(Place& place, std::size_t num_slots,
                                                   std::size_t slot_bytes);
  static Result<void> copy(Place& place, Batch& batch, const std::vector<std::size_t>& slots,
                           const Format& format, const Layout& layout);

  Find find_;
  std::map<const CudaDevice*, Place> places_;
};

}  // namespace lockstep
