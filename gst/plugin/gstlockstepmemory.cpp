// SPDX-License-Identifier: MIT
// GStreamer knows fd memories and dma-bufs by their allocator. Ours derive from GStreamer's two and differ in mapping
// only: the arena is mapped for good, so a map answers its address and no page is mapped per frame. The lease that
// keeps the slot is data on the memory itself, not on the buffer: memories outlive buffers, by gst_buffer_copy() for
// one, and a slot must not be written to while anybody reads it.
#include "gstlockstepmemory.h"

#include <gst/allocators/gstdmabuf.h>
#include <gst/allocators/gstfdmemory.h>
#include <linux/dma-buf.h>
#include <sys/ioctl.h>
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

#include <cerrno>
#include <utility>

namespace {

// What a memory keeps, and where its bytes are.
struct Lease {
  std::byte* data = nullptr;
  std::vector<std::shared_ptr<const lockstep::Pixels>> pixels;
  std::shared_ptr<lockstep::Arena> arena;
  bool written_upstream = false;  // See slot_memory_of().
};

GQuark lease_quark() {
  static const GQuark quark = g_quark_from_static_string("lockstep-lease");
  return quark;
}

// A memory is freed after everybody has unmapped it: by GStreamer's count of references, in which the thread sanitizer
// cannot see that order.
#ifdef __SANITIZE_THREAD__
void note_use(const Lease* lease) { __tsan_release(const_cast<Lease*>(lease)); }
void note_end(Lease* lease) { __tsan_acquire(lease); }
#else
void note_use(const Lease*) {}
void note_end(Lease*) {}
#endif

void free_lease(gpointer data) {
  auto* lease = static_cast<Lease*>(data);
  note_end(lease);
  delete lease;
}

GstMemory* top_of(GstMemory* memory) { return memory->parent ? memory->parent : memory; }

const Lease* lease_of(GstMemory* memory) {
  return static_cast<const Lease*>(
      gst_mini_object_get_qdata(GST_MINI_OBJECT_CAST(top_of(memory)), lease_quark()));
}

gpointer lockstep_memory_map(GstMemory* memory, GstMapInfo*, gsize) {
  const Lease* lease = lease_of(memory);
  return lease ? lease->data : nullptr;
}

void lockstep_memory_unmap(GstMemory* memory, GstMapInfo*) {
  if (const Lease* lease = lease_of(memory)) note_use(lease);
}

GstMemoryCopyFunction copy_for_real = nullptr;

// A slot that is still mapped for writing when it is copied is one that its writer has filled and keeps to read from, as
// decoders keep references: the copy is the slot once more, for reading only. Any other copy is one.
GstMemory* lockstep_memory_copy(GstMemory* memory, gssize offset, gssize size) {
  const Lease* lease = lease_of(memory);
  const bool being_written =
      (g_atomic_int_get(&GST_MINI_OBJECT_CAST(memory)->lockstate) & int{GST_LOCK_FLAG_WRITE}) != 0;
  const bool whole =
      !memory->parent && offset == 0 && (size == -1 || static_cast<gsize>(size) == memory->size);
  if (!lease || !lease->written_upstream || !being_written || !whole)
    return copy_for_real(memory, offset, size);
  GstMemory* again = lockstep::memory_of(lease->pixels.front(), memory->size);
  GST_MINI_OBJECT_FLAG_SET(again, GST_MEMORY_FLAG_READONLY);
  return again;
}

void install_copy(GstAllocator* allocator) {
  copy_for_real = allocator->mem_copy;
  allocator->mem_copy = lockstep_memory_copy;
}

// Tells the dma-buf's exporter that the CPU begins or ends to touch it; where caches are coherent this does nothing.
void sync_dmabuf(GstMemory* memory, const GstMapInfo* map, guint64 when) {
  dma_buf_sync sync{};
  sync.flags = when;
  if (map->flags & GST_MAP_READ) sync.flags |= DMA_BUF_SYNC_READ;
  if (map->flags & GST_MAP_WRITE) sync.flags |= DMA_BUF_SYNC_WRITE;
  const int fd = gst_fd_memory_get_fd(top_of(memory));
  while (ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync) < 0 && (errno == EINTR || errno == EAGAIN)) {
  }
}

gpointer lockstep_dmabuf_map(GstMemory* memory, GstMapInfo* map, gsize size) {
  sync_dmabuf(memory, map, DMA_BUF_SYNC_START);
  return lockstep_memory_map(memory, map, size);
}

void lockstep_dmabuf_unmap(GstMemory* memory, GstMapInfo* map) {
  sync_dmabuf(memory, map, DMA_BUF_SYNC_END);
  lockstep_memory_unmap(memory, map);
}

}  // namespace

#define LOCKSTEP_TYPE_FD_ALLOCATOR (lockstep_fd_allocator_get_type())
G_DECLARE_FINAL_TYPE(LockstepFdAllocator, lockstep_fd_allocator, LOCKSTEP, FD_ALLOCATOR,
                     GstFdAllocator)
struct _LockstepFdAllocator {
  GstFdAllocator parent;
};
G_DEFINE_TYPE(LockstepFdAllocator, lockstep_fd_allocator, GST_TYPE_FD_ALLOCATOR)

static void lockstep_fd_allocator_class_init(LockstepFdAllocatorClass*) {}

static void lockstep_fd_allocator_init(LockstepFdAllocator* self) {
  GST_ALLOCATOR_CAST(self)->mem_map_full = lockstep_memory_map;
  GST_ALLOCATOR_CAST(self)->mem_unmap_full = lockstep_memory_unmap;
  install_copy(GST_ALLOCATOR_CAST(self));
}

#define LOCKSTEP_TYPE_DMABUF_ALLOCATOR (lockstep_dmabuf_allocator_get_type())
G_DECLARE_FINAL_TYPE(LockstepDmabufAllocator, lockstep_dmabuf_allocator, LOCKSTEP, DMABUF_ALLOCATOR,
                     GstDmaBufAllocator)
struct _LockstepDmabufAllocator {
  GstDmaBufAllocator parent;
};
G_DEFINE_TYPE(LockstepDmabufAllocator, lockstep_dmabuf_allocator, GST_TYPE_DMABUF_ALLOCATOR)

static void lockstep_dmabuf_allocator_class_init(LockstepDmabufAllocatorClass*) {}

static void lockstep_dmabuf_allocator_init(LockstepDmabufAllocator* self) {
  GST_ALLOCATOR_CAST(self)->mem_map_full = lockstep_dmabuf_map;
  GST_ALLOCATOR_CAST(self)->mem_unmap_full = lockstep_dmabuf_unmap;
  install_copy(GST_ALLOCATOR_CAST(self));
}

namespace lockstep {
namespace {

GstAllocator* new_allocator(GType type) {
  auto* allocator = static_cast<GstAllocator*>(g_object_new(type, nullptr));
  gst_object_ref_sink(allocator);
  GST_OBJECT_FLAG_SET(allocator, GST_OBJECT_FLAG_MAY_BE_LEAKED);
  return allocator;
}

// One of each for the life of the process, since memories may outlive any element.
GstAllocator* allocator_of(FdKind kind) {
  static GstAllocator* const memfd = new_allocator(LOCKSTEP_TYPE_FD_ALLOCATOR);
  static GstAllocator* const dmabuf = new_allocator(LOCKSTEP_TYPE_DMABUF_ALLOCATOR);
  return kind == FdKind::dmabuf ? dmabuf : memfd;
}

GstMemory* new_memory(int fd, FdKind kind, gsize size_bytes, Lease lease) {
  std::byte* data = lease.data;
  auto* kept = new Lease(std::move(lease));
  if (kind == FdKind::none)
    return gst_memory_new_wrapped(GST_MEMORY_FLAG_READONLY, data, size_bytes, 0, size_bytes, kept,
                                  free_lease);
  GstMemory* memory =
      gst_fd_allocator_alloc(allocator_of(kind), fd, size_bytes, GST_FD_MEMORY_FLAG_DONT_CLOSE);
  gst_mini_object_set_qdata(GST_MINI_OBJECT_CAST(memory), lease_quark(), kept, free_lease);
  return memory;
}

GstMemory* memory_of(std::shared_ptr<const Pixels> pixels, gsize size_bytes,
                     bool written_upstream) {
  const int fd = pixels->fd;
  const FdKind kind = pixels->fd_kind;
  Lease lease;
  lease.data = pixels->data;
  lease.pixels.push_back(std::move(pixels));
  lease.written_upstream = written_upstream;
  return new_memory(fd, kind, size_bytes, std::move(lease));
}

}  // namespace

GstMemory* memory_of(std::shared_ptr<const Pixels> pixels, gsize size_bytes) {
  return memory_of(std::move(pixels), size_bytes, false);
}

GstMemory* slot_memory_of(std::shared_ptr<const Pixels> pixels, gsize size_bytes) {
  return memory_of(std::move(pixels), size_bytes, true);
}

std::shared_ptr<const Pixels> pixels_of(GstBuffer* buffer) {
  if (gst_buffer_n_memory(buffer) != 1) return nullptr;
  GstMemory* memory = gst_buffer_peek_memory(buffer, 0);
  // Data of that name on a memory of another allocator would be somebody else's.
  if (!LOCKSTEP_IS_FD_ALLOCATOR(memory->allocator) &&
      !LOCKSTEP_IS_DMABUF_ALLOCATOR(memory->allocator))
    return nullptr;
  const Lease* lease = lease_of(memory);
  if (!lease || lease->arena || lease->pixels.size() != 1 || memory->offset != 0) return nullptr;
  return lease->pixels.front();
}

GstMemory* memory_of(const std::shared_ptr<Arena>& arena,
                     std::vector<std::shared_ptr<const Pixels>> frames) {
  Lease lease;
  lease.data = arena->bytes().data();
  lease.pixels = std::move(frames);
  lease.arena = arena;
  GstMemory* memory = new_memory(arena->batch_fd(), arena->batch_fd_kind(), arena->bytes().size(),
                                 std::move(lease));
  // The frames' own memories are the same bytes; only through them may anybody write.
  GST_MINI_OBJECT_FLAG_SET(memory, GST_MEMORY_FLAG_READONLY);
  return memory;
}

}  // namespace lockstep
