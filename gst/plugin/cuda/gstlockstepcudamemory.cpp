// SPDX-License-Identifier: MIT
// What GstCudaMemory does and what we make of it (gstcudamemory.cpp and sys/nvcodec of GStreamer 1.24 to 1.26):
//
// - A memory names a stream, in which its last writer works. With GST_CUDA_MEMORY_TRANSFER_NEED_SYNC set that work may not be
//   done: who reads in another stream calls gst_cuda_memory_sync() first, on which the host waits for the stream and the
//   flag is gone; who reads in the same one need not. A map with GST_MAP_CUDA orders and waits for nothing, it answers the
//   address; but the host waits when a memory is freed that was mapped and has the flag still. So ours name one stream for each GPU, which is told to wait for what writes the frame before the memory is
//   handed out: the host never waits here.
// - A map for the CPU copies all of the memory to pinned memory in that stream and waits, the first time; what it gives is
//   laid out as on the GPU. It copies rows of info's width in steps of stride[0], which would leave out the end of rows of
//   planes whose stride is another. So for that purpose ours are one row of all bytes (an arena: a row for each slot), and
//   only then told their real info, which textures and copies between devices are made by.
// - For the same reason GStreamer's own copies would be laid out otherwise than the buffer's GstVideoMeta says; ours are not.
// - Reading does not show. Who reads in a stream of its own gives the memory back when its work is in that stream, not when
//   it is done; cudaconvert for one. Streams of GStreamer's are such as the legacy default stream waits for, each and all:
//   an event in that one comes after everything that GStreamer's elements were given to do in the context so far.
#include "gstlockstepcudamemory.h"

#include <string>
#include <utility>

#include "gstlockstepgpuhandles.h"

namespace lockstep {
namespace {

// What a memory keeps; its user data.
struct CudaLease {
  std::shared_ptr<CudaDevice> device;
  std::vector<std::shared_ptr<const Pixels>> pixels;
  std::shared_ptr<Arena> arena;
};

constexpr CUstream kLegacyDefaultStream = nullptr;

// Where this fails the GPU does, which its next user is told.
void end_lease(gpointer data) {
  const std::unique_ptr<CudaLease> lease(static_cast<CudaLease*>(data));
  auto event = CudaFence::record(lease->device, kLegacyDefaultStream);
  if (!event) return;
  for (const auto& pixels : lease->pixels)
    if (pixels->cuda->fence) pixels->cuda->fence->was_read(*event);
}

GstVideoInfo bytes_info(std::size_t row_bytes, std::size_t num_rows) {
  GstVideoInfo info;
  gst_video_info_init(&info);
  info.finfo = gst_video_format_get_info(GST_VIDEO_FORMAT_GRAY8);
  info.width = static_cast<gint>(row_bytes);
  info.height = static_cast<gint>(num_rows);
  info.stride[0] = info.width;
  info.size = row_bytes * num_rows;
  return info;
}

GstVideoInfo with_layout(GstVideoInfo info, const Layout& layout) {
  for (std::size_t p = 0; p < layout.num_planes; ++p) {
    info.offset[p] = layout.planes[p].offset_bytes;
    info.stride[p] = static_cast<gint>(layout.planes[p].stride_bytes);
  }
  info.size = layout.size_bytes;
  return info;
}

// As GStreamer is to take it for maps of the CPU: in one row, but for arenas, which are rows and may be beyond what one
// can hold.
GstVideoInfo mapping_info(const GstVideoInfo& info) {
  return info.size <= G_MAXINT ? bytes_info(info.size, 1)
                               : bytes_info(static_cast<std::size_t>(info.stride[0]),
                                            static_cast<std::size_t>(info.height));
}

GstMemory* copy_whole(GstMemory* memory);

GstMemoryCopyFunction copy_part = nullptr;

GstMemory* copy_memory(GstMemory* memory, gssize offset, gssize size) {
  const bool whole = offset == 0 && (size == -1 || static_cast<gsize>(size) == memory->size);
  return whole ? copy_whole(memory) : copy_part(memory, offset, size);
}

}  // namespace
}  // namespace lockstep

#define LOCKSTEP_TYPE_CUDA_ALLOCATOR (lockstep_cuda_allocator_get_type())
GType lockstep_cuda_allocator_get_type();
// Declared by hand: G_DECLARE_FINAL_TYPE() wants of the parent what GStreamer does not declare.
struct LockstepCudaAllocator {
  GstCudaAllocator parent;
};
struct LockstepCudaAllocatorClass {
  GstCudaAllocatorClass parent_class;
};
G_DEFINE_TYPE(LockstepCudaAllocator, lockstep_cuda_allocator, GST_TYPE_CUDA_ALLOCATOR)

static void lockstep_cuda_allocator_class_init(LockstepCudaAllocatorClass*) {}

static void lockstep_cuda_allocator_init(LockstepCudaAllocator* self) {
  lockstep::copy_part = GST_ALLOCATOR_CAST(self)->mem_copy;
  GST_ALLOCATOR_CAST(self)->mem_copy = lockstep::copy_memory;
}

namespace lockstep {
namespace {

// One for the life of the process, since memories may outlive any element.
GstCudaAllocator* allocator() {
  static auto* const made = [] {
    auto* one = static_cast<GstAllocator*>(g_object_new(LOCKSTEP_TYPE_CUDA_ALLOCATOR, nullptr));
    gst_object_ref_sink(one);
    GST_OBJECT_FLAG_SET(one, GST_OBJECT_FLAG_MAY_BE_LEAKED);
    return GST_CUDA_ALLOCATOR_CAST(one);
  }();
  return made;
}

// The stream's work on it is not known to be done.
void need_sync(GstMemory* memory) {
  GST_MINI_OBJECT_FLAG_SET(memory, GST_CUDA_MEMORY_TRANSFER_NEED_SYNC);
}

GstMemory* wrap(const Gpu& gpu, const GstVideoInfo& info, CUdeviceptr address, CudaLease lease) {
  const GstVideoInfo mapping = mapping_info(info);
  GstMemory* memory =
      gst_cuda_allocator_alloc_wrapped(allocator(), gpu.context, gpu.stream, &mapping, address,
                                       new CudaLease(std::move(lease)), end_lease);
  GST_CUDA_MEMORY_CAST(memory)->info = info;
  need_sync(memory);
  return memory;
}

CUdeviceptr address_of(const std::byte* data) {
  return static_cast<CUdeviceptr>(reinterpret_cast<std::uintptr_t>(data));
}

// Memory of its own that holds the same bytes; its free is GStreamer's. Null where there is none left.
GstMemory* new_copy(GstCudaMemory* from, CUdeviceptr address) {
  GstCudaStream* stream = gst_cuda_memory_get_stream(from);
  const GstVideoInfo mapping = mapping_info(from->info);
  CUDA_MEMCPY2D copy{};
  copy.srcMemoryType = copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
  copy.srcDevice = address;
  copy.srcPitch = copy.dstPitch = copy.WidthInBytes = static_cast<std::size_t>(mapping.width);
  copy.Height = static_cast<std::size_t>(mapping.height);
  std::size_t pitch = 0;
  // In one row, whose pitch is then no matter.
  if (CuMemAllocPitch(&copy.dstDevice, &pitch, mapping.size, 1, 16) != CUDA_SUCCESS) return nullptr;
  if (CuMemcpy2DAsync(&copy, gst_cuda_stream_get_handle(stream)) != CUDA_SUCCESS) {
    CuMemFree(copy.dstDevice);
    return nullptr;
  }
  GstMemory* memory = gst_cuda_allocator_alloc_wrapped(allocator(), from->context, stream, &mapping,
                                                       copy.dstDevice, nullptr, nullptr);
  GST_CUDA_MEMORY_CAST(memory)->info = from->info;
  need_sync(memory);
  return memory;
}

GstMemory* copy_whole(GstMemory* memory) {
  auto* from = GST_CUDA_MEMORY_CAST(memory);
  GstMapInfo map;
  if (!gst_memory_map(memory, &map,
                      static_cast<GstMapFlags>(int{GST_MAP_READ} | int{GST_MAP_CUDA})))
    return nullptr;
  GstMemory* copy = nullptr;
  if (gst_cuda_context_push(from->context)) {
    copy = new_copy(from, address_of(reinterpret_cast<const std::byte*>(map.data)));
    gst_cuda_context_pop(nullptr);
  }
  gst_memory_unmap(memory, &map);
  return copy;
}

const CudaLease* lease_of(GstMemory* memory) {
  // User data of a memory of another allocator would be somebody else's.
  if (!memory->allocator ||
      !G_TYPE_CHECK_INSTANCE_TYPE(memory->allocator, LOCKSTEP_TYPE_CUDA_ALLOCATOR))
    return nullptr;
  return static_cast<const CudaLease*>(gst_cuda_memory_get_user_data(GST_CUDA_MEMORY_CAST(memory)));
}

}  // namespace

Result<GstMemory*> cuda_memory_of(std::shared_ptr<const Pixels> pixels, const GstVideoInfo& info,
                                  const Layout& layout) {
  const CudaPixels& cuda = *pixels->cuda;
  if (!cuda.is_range || cuda.are_arrays)
    return Error{Errc::not_supported, 0,
                 "pass on a frame that is no one range of GPU memory, as CUDA arrays are not; use "
                 "layout=auto with memory=cuda"};
  auto gpu = gpu_of(cuda.device);
  if (!gpu) return std::move(gpu).error();
  if (cuda.fence) {
    if (auto waits = cuda.fence->before_reading((*gpu)->stream_handle()); !waits)
      return std::move(waits).error();
  }
  const CUdeviceptr address = address_of(pixels->data);
  CudaLease lease{cuda.device, {}, nullptr};
  lease.pixels.push_back(std::move(pixels));
  return wrap(**gpu, with_layout(info, layout), address, std::move(lease));
}

Result<GstMemory*> cuda_memory_of(const std::shared_ptr<Arena>& arena,
                                  std::vector<std::shared_ptr<const Pixels>> frames) {
  const CudaPixels* slot = arena->slot(0).cuda;
  if (!slot) return Error{Errc::not_supported, 0, "pass on a batch that lies on no GPU"};
  auto gpu = gpu_of(slot->device);
  if (!gpu) return std::move(gpu).error();
  for (const auto& frame : frames) {
    if (!frame->cuda || !frame->cuda->fence) continue;
    if (auto waits = frame->cuda->fence->before_reading((*gpu)->stream_handle()); !waits)
      return std::move(waits).error();
  }
  const CUdeviceptr address = address_of(arena->bytes().data());
  const GstVideoInfo info = bytes_info(arena->slot_stride(), arena->num_slots());
  GstMemory* memory = wrap(**gpu, info, address, {slot->device, std::move(frames), arena});
  // The frames' own memories are the same bytes; only through them may anybody write.
  GST_MINI_OBJECT_FLAG_SET(memory, GST_MEMORY_FLAG_READONLY);
  return memory;
}

std::shared_ptr<const Pixels> cuda_pixels_of(GstBuffer* buffer) {
  if (gst_buffer_n_memory(buffer) != 1) return nullptr;
  GstMemory* memory = gst_buffer_peek_memory(buffer, 0);
  const CudaLease* lease = lease_of(memory);
  if (!lease || lease->arena || lease->pixels.size() != 1 || memory->offset != 0) return nullptr;
  return lease->pixels.front();
}

}  // namespace lockstep
