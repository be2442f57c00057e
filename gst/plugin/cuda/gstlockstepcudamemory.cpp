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
// - A memory is one range. A frame whose planes lie apart is read by cuda_pixels_of() only: nobody gets an address, on
//   which gst_memory_make_mapped() maps a copy. For the CPU we copy it ourselves, plane by plane, to where its layout says.
// - Reading does not show. Who reads in a stream of its own gives the memory back when its work is in that stream, not when
//   it is done; cudaconvert for one. Streams of GStreamer's are such as the legacy default stream waits for, each and all:
//   an event in that one comes after everything that GStreamer's elements were given to do in the context so far.
#include "gstlockstepcudamemory.h"

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "gstlockstepgpuhandles.h"

namespace lockstep {
namespace {

// A frame whose planes lie apart, as the CPU has it.
struct HostCopy {
  explicit HostCopy(const Layout& of) : layout(of) {}

  const Layout layout;
  std::mutex mutex;
  std::vector<std::byte> bytes;  // under the mutex; empty until somebody maps it
};

// What a memory keeps; its user data.
struct CudaLease {
  std::shared_ptr<CudaDevice> device;
  std::vector<std::shared_ptr<const Pixels>> pixels;
  std::shared_ptr<Arena> arena;
  std::unique_ptr<HostCopy> apart;  // null where it is one range
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
const CudaLease* cuda_lease_of(GstMemory* memory);
gpointer map_apart(GstMemory* memory, const CudaLease& lease);

GstMemoryMapFunction map_range = nullptr;
GstMemoryCopyFunction copy_part = nullptr;

gpointer map_memory(GstMemory* memory, gsize size, GstMapFlags flags) {
  const CudaLease* lease = cuda_lease_of(memory);
  if (!lease || !lease->apart) return map_range(memory, size, flags);
  return (flags & GST_MAP_CUDA) ? nullptr : map_apart(memory, *lease);
}

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
  lockstep::map_range = GST_ALLOCATOR_CAST(self)->mem_map;
  GST_ALLOCATOR_CAST(self)->mem_map = lockstep::map_memory;
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

// Copies what is there, one part after the other. \shape parts: where from, and to which offset of the target.
CUresult copy_parts(std::vector<CUDA_MEMCPY2D>& parts, GstCudaStream* stream) {
  for (CUDA_MEMCPY2D& part : parts)
    if (const CUresult failed = CuMemcpy2DAsync(&part, gst_cuda_stream_get_handle(stream)))
      return failed;
  return CUDA_SUCCESS;
}

// All of a memory that is one range.
std::vector<CUDA_MEMCPY2D> whole_of(CUdeviceptr address, const GstVideoInfo& mapping) {
  CUDA_MEMCPY2D copy{};
  copy.srcMemoryType = CU_MEMORYTYPE_DEVICE;
  copy.srcDevice = address;
  copy.srcPitch = copy.dstPitch = copy.WidthInBytes = static_cast<std::size_t>(mapping.width);
  copy.Height = static_cast<std::size_t>(mapping.height);
  return {copy};
}

// The planes of a frame, each from where it lies to where `layout` has it.
std::vector<CUDA_MEMCPY2D> planes_of(const CudaPixels& pixels, const Layout& layout) {
  std::vector<CUDA_MEMCPY2D> copies;
  for (std::size_t p = 0; p < layout.num_planes; ++p) {
    const Plane& plane = layout.planes[p];
    CUDA_MEMCPY2D& copy = copies.emplace_back();
    if (pixels.are_arrays) {
      copy.srcMemoryType = CU_MEMORYTYPE_ARRAY;
      copy.srcArray = reinterpret_cast<CUarray>(pixels.planes[p]);
    } else {
      copy.srcMemoryType = CU_MEMORYTYPE_DEVICE;
      copy.srcDevice = static_cast<CUdeviceptr>(pixels.planes[p]);
      copy.srcPitch = plane.stride_bytes;
    }
    copy.dstPitch = plane.stride_bytes;
    copy.WidthInBytes = plane.row_bytes;
    copy.Height = plane.rows;
  }
  return copies;
}

gpointer map_apart(GstMemory* memory, const CudaLease& lease) {
  auto* from = GST_CUDA_MEMORY_CAST(memory);
  HostCopy& host = *lease.apart;
  std::lock_guard lock(host.mutex);
  if (!host.bytes.empty()) return host.bytes.data();
  std::vector<std::byte> bytes(host.layout.size_bytes);
  std::vector<CUDA_MEMCPY2D> copies = planes_of(*lease.pixels.front()->cuda, host.layout);
  for (std::size_t p = 0; p < copies.size(); ++p) {
    copies[p].dstMemoryType = CU_MEMORYTYPE_HOST;
    copies[p].dstHost = bytes.data() + host.layout.planes[p].offset_bytes;
  }
  if (!gst_cuda_context_push(from->context)) return nullptr;
  GstCudaStream* stream = gst_cuda_memory_get_stream(from);
  const CUresult failed = copy_parts(copies, stream);
  const CUresult unfinished = CuStreamSynchronize(gst_cuda_stream_get_handle(stream));
  gst_cuda_context_pop(nullptr);
  if (failed || unfinished) return nullptr;
  host.bytes = std::move(bytes);
  return host.bytes.data();
}

// Memory of its own that holds the same bytes, as one range; its free is GStreamer's. Null where there is none left.
GstMemory* new_copy(GstCudaMemory* from, std::vector<CUDA_MEMCPY2D> copies,
                    const std::vector<std::size_t>& offsets) {
  GstCudaStream* stream = gst_cuda_memory_get_stream(from);
  const GstVideoInfo mapping = mapping_info(from->info);
  CUdeviceptr address = 0;
  std::size_t pitch = 0;
  // In one row, whose pitch is then no matter.
  if (CuMemAllocPitch(&address, &pitch, mapping.size, 1, 16) != CUDA_SUCCESS) return nullptr;
  for (std::size_t i = 0; i < copies.size(); ++i) {
    copies[i].dstMemoryType = CU_MEMORYTYPE_DEVICE;
    copies[i].dstDevice = address + offsets[i];
  }
  if (copy_parts(copies, stream) != CUDA_SUCCESS) {
    CuMemFree(address);
    return nullptr;
  }
  GstMemory* memory = gst_cuda_allocator_alloc_wrapped(allocator(), from->context, stream, &mapping,
                                                       address, nullptr, nullptr);
  GST_CUDA_MEMORY_CAST(memory)->info = from->info;
  need_sync(memory);
  return memory;
}

GstMemory* copy_apart(GstCudaMemory* from, const CudaLease& lease) {
  const Layout& layout = lease.apart->layout;
  std::vector<std::size_t> offsets;
  for (std::size_t p = 0; p < layout.num_planes; ++p)
    offsets.push_back(layout.planes[p].offset_bytes);
  return new_copy(from, planes_of(*lease.pixels.front()->cuda, layout), offsets);
}

GstMemory* copy_range(GstCudaMemory* from) {
  GstMemory* memory = GST_MEMORY_CAST(from);
  GstMapInfo map;
  if (!gst_memory_map(memory, &map,
                      static_cast<GstMapFlags>(int{GST_MAP_READ} | int{GST_MAP_CUDA})))
    return nullptr;
  const CUdeviceptr address = address_of(reinterpret_cast<const std::byte*>(map.data));
  GstMemory* copy = new_copy(from, whole_of(address, mapping_info(from->info)), {0});
  gst_memory_unmap(memory, &map);
  return copy;
}

GstMemory* copy_whole(GstMemory* memory) {
  auto* from = GST_CUDA_MEMORY_CAST(memory);
  const CudaLease* lease = cuda_lease_of(memory);
  if (!gst_cuda_context_push(from->context)) return nullptr;
  GstMemory* copy = lease && lease->apart ? copy_apart(from, *lease) : copy_range(from);
  gst_cuda_context_pop(nullptr);
  return copy;
}

const CudaLease* cuda_lease_of(GstMemory* memory) {
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
  auto gpu = gpu_of(cuda.device);
  if (!gpu) return std::move(gpu).error();
  if (cuda.fence) {
    if (auto waits = cuda.fence->before_reading((*gpu)->stream_handle()); !waits)
      return std::move(waits).error();
  }
  const bool is_range = pixels->data != nullptr;
  // Nobody gets the address of planes that lie apart.
  const auto address =
      is_range ? address_of(pixels->data) : static_cast<CUdeviceptr>(cuda.planes[0]);
  CudaLease lease{
      cuda.device, {}, nullptr, is_range ? nullptr : std::make_unique<HostCopy>(layout)};
  lease.pixels.push_back(std::move(pixels));
  GstMemory* memory = wrap(**gpu, with_layout(info, layout), address, std::move(lease));
  // It is not ours to write to, and what the CPU has of it is a copy.
  if (!is_range) GST_MINI_OBJECT_FLAG_SET(memory, GST_MEMORY_FLAG_READONLY);
  return memory;
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
  GstMemory* memory = wrap(**gpu, info, address, {slot->device, std::move(frames), arena, nullptr});
  // The frames' own memories are the same bytes; only through them may anybody write.
  GST_MINI_OBJECT_FLAG_SET(memory, GST_MEMORY_FLAG_READONLY);
  return memory;
}

std::shared_ptr<const Pixels> cuda_pixels_of(GstBuffer* buffer) {
  if (gst_buffer_n_memory(buffer) != 1) return nullptr;
  GstMemory* memory = gst_buffer_peek_memory(buffer, 0);
  const CudaLease* lease = cuda_lease_of(memory);
  if (!lease || lease->arena || lease->pixels.size() != 1 || memory->offset != 0) return nullptr;
  return lease->pixels.front();
}

}  // namespace lockstep
