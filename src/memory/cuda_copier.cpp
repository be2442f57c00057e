// SPDX-License-Identifier: MIT
// One stream, in which all copies of a batch stand one behind the other: frames of the CPU are uploaded, those that lie on
// the GPU are gathered by one kernel. Fences have the stream wait for whoever wrote the frames and whoever still reads the
// slots, and have others wait for the stream; the host waits for nobody.
#include "memory/cuda_copier.h"

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "cuda/driver.h"
#include "cuda/event.h"
#include "lockstep/cuda_kernels.h"
#include "lockstep/sensor_spec.h"

namespace lockstep {
namespace {

static_assert(CudaKernels::kMaxPictures >= kMaxSensors, "one launch must do for a batch");

CudaPicture source_of(const FrameCopier::Job& job) {
  return cuda_picture(*job.from, job.from_layout, job.format.pixel_format, job.format.width,
                      job.format.height);
}

CudaPicture target_of(const FrameCopier::Job& job) {
  Pixels slot;
  slot.data = job.to.data;
  slot.cuda = job.to.cuda;
  return cuda_picture(slot, job.to_layout, job.format.pixel_format, job.format.width,
                      job.format.height);
}

class CudaCopier final : public FrameCopier {
 public:
  CudaCopier(CudaStream stream, std::shared_ptr<CudaKernels> kernels)
      : stream_(std::move(stream)), kernels_(std::move(kernels)) {}
  ~CudaCopier() override { finish(); }

  Result<void> copy(std::span<const Job> jobs) override {
    CudaScope scope(stream_.device()->context());
    forget_done();
    if (jobs.empty()) return {};
    for (const Job& job : jobs)
      if (auto can = check(job); !can) return can;
    auto given = give_to_stream(jobs);
    // Some of it may be under way.
    if (!given) finish();
    return given;
  }

 private:
  // Frames in the CPU's memory that the GPU may still read.
  struct Reading {
    std::shared_ptr<CudaEvent> done;
    std::vector<std::shared_ptr<const Pixels>> pixels;
  };

  Result<void> check(const Job& job) const;
  Result<void> give_to_stream(std::span<const Job> jobs);
  Result<void> upload(const Job& job);
  Result<void> gather(const std::vector<const Job*>& jobs);
  Result<void> copy_planes(const Job& job);
  Result<void> copy_plane(CUDA_MEMCPY2D& copy, const Job& job, std::size_t plane);
  void forget_done();
  void finish();

  CudaStream stream_;
  std::shared_ptr<CudaKernels> kernels_;  // null in a build without
  std::deque<Reading> reading_;           // oldest first
};

Result<void> CudaCopier::check(const Job& job) const {
  const CudaDevice& device = *stream_.device();
  if (!job.to.cuda)
    return Error{Errc::not_supported, 0,
                 "copy a frame by " + device.name() + " into the memory of the CPU"};
  const CudaPixels* from = job.from->cuda;
  if (!from || from->device == stream_.device()) return {};
  return Error{Errc::not_supported, 0,
               "copy a frame from GPU " + std::to_string(from->device->ordinal()) + " to GPU " +
                   std::to_string(device.ordinal()) +
                   "; use memory of the GPU that the frames are on (memory=cuda:" +
                   std::to_string(from->device->ordinal()) + ")"};
}

Result<void> CudaCopier::give_to_stream(std::span<const Job> jobs) {
  for (const Job& job : jobs) {
    if (auto waits = job.to.cuda->fence->before_writing(stream_.get()); !waits) return waits;
    if (!job.from->cuda || !job.from->cuda->fence) continue;
    if (auto waits = job.from->cuda->fence->before_reading(stream_.get()); !waits) return waits;
  }
  std::vector<const Job*> on_gpu;
  Reading reading;
  for (const Job& job : jobs) {
    if (job.from->cuda) {
      on_gpu.push_back(&job);
      continue;
    }
    if (auto uploaded = upload(job); !uploaded) return uploaded;
    reading.pixels.push_back(job.from);
  }
  if (auto gathered = gather(on_gpu); !gathered) return gathered;

  auto done = CudaFence::record(stream_.device(), stream_.get());
  if (!done) return std::move(done).error();
  for (const Job& job : jobs) {
    job.to.cuda->fence->was_written(*done);
    if (job.from->cuda && job.from->cuda->fence) job.from->cuda->fence->was_read(*done);
  }
  reading.done = *std::move(done);
  if (!reading.pixels.empty()) reading_.push_back(std::move(reading));
  return {};
}

Result<void> CudaCopier::upload(const Job& job) {
  if (!(job.from_layout == job.to_layout)) return copy_planes(job);
  const auto slot = static_cast<CUdeviceptr>(reinterpret_cast<std::uintptr_t>(job.to.data));
  if (const CUresult failed = loaded_cuda_driver().cuMemcpyHtoDAsync(
          slot, job.from->data, job.to_layout.size_bytes, stream_.get()))
    return cuda_error(failed, "upload a frame to " + stream_.device()->name());
  return {};
}

Result<void> CudaCopier::gather(const std::vector<const Job*>& jobs) {
  if (jobs.empty()) return {};
  if (!kernels_) {
    for (const Job* job : jobs)
      if (auto copied = copy_planes(*job); !copied) return copied;
    return {};
  }
  std::vector<CudaPicture> from;
  std::vector<CudaPicture> to;
  for (const Job* job : jobs) {
    from.push_back(source_of(*job));
    to.push_back(target_of(*job));
  }
  return kernels_->gather(from, to, stream_.get());
}

Result<void> CudaCopier::copy_planes(const Job& job) {
  for (std::size_t p = 0; p < job.to_layout.num_planes; ++p) {
    const Plane& source = job.from_layout.planes[p];
    CUDA_MEMCPY2D copy{};
    const CudaPixels* pixels = job.from->cuda;
    if (!pixels) {
      copy.srcMemoryType = CU_MEMORYTYPE_HOST;
      copy.srcHost = job.from->data + source.offset_bytes;
      copy.srcPitch = source.stride_bytes;
    } else {
      const std::uintptr_t plane = source_of(job).planes[p];
      copy.srcMemoryType = pixels->are_arrays ? CU_MEMORYTYPE_ARRAY : CU_MEMORYTYPE_DEVICE;
      if (pixels->are_arrays) {
        copy.srcArray = reinterpret_cast<CUarray>(plane);
      } else {
        copy.srcDevice = static_cast<CUdeviceptr>(plane);
        copy.srcPitch = source.stride_bytes;
      }
    }
    if (auto copied = copy_plane(copy, job, p); !copied) return copied;
  }
  return {};
}

// `copy` knows where from.
Result<void> CudaCopier::copy_plane(CUDA_MEMCPY2D& copy, const Job& job, std::size_t plane) {
  const Plane& target = job.to_layout.planes[plane];
  copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
  copy.dstDevice = static_cast<CUdeviceptr>(target_of(job).planes[plane]);
  copy.dstPitch = target.stride_bytes;
  copy.WidthInBytes = target.row_bytes;
  copy.Height = target.rows;
  if (const CUresult failed = loaded_cuda_driver().cuMemcpy2DAsync(&copy, stream_.get()))
    return cuda_error(failed, "copy a frame on " + stream_.device()->name());
  return {};
}

void CudaCopier::forget_done() {
  while (!reading_.empty() && reading_.front().done->is_done()) reading_.pop_front();
}

void CudaCopier::finish() {
  (void)stream_.synchronise();  // where it fails nothing runs any more
  reading_.clear();
}

}  // namespace

Result<std::unique_ptr<FrameCopier>> make_cuda_copier(std::shared_ptr<CudaDevice> device) {
  std::shared_ptr<CudaKernels> kernels;
  if (auto loaded = CudaKernels::load(device)) {
    kernels = *std::move(loaded);
  } else if (loaded.error().code != Errc::not_supported) {
    return std::move(loaded).error();
  }
  auto stream = CudaStream::make(std::move(device));
  if (!stream) return std::move(stream).error();
  return std::unique_ptr<FrameCopier>(
      std::make_unique<CudaCopier>(*std::move(stream), std::move(kernels)));
}

}  // namespace lockstep
