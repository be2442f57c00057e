// SPDX-License-Identifier: MIT
#include "sensor/v4l2/io.h"

#include <memory>
#include <utility>

#include "lockstep/memory.h"
#include "sensor/v4l2/buffers.h"

namespace lockstep {
namespace {

// One slot of the kind that the rig will queue, to find out whether the driver takes it.
Result<std::shared_ptr<Arena>> sample_slot(FdKind kind, std::size_t bytes) {
  for (const MemoryBackend* memory : memory_backends())
    if (memory->fd_kind() == kind && memory->available()) return memory->allocate(1, bytes);
  return Error{Errc::not_supported, 0, std::string("no memory of kind ") + to_string(kind)};
}

// Drivers check what they are given when it is queued, before anything streams.
Result<void> try_slot(const V4l2Device& device, const V4l2Picture& picture, v4l2_memory memory,
                      FdKind kind) {
  auto arena = sample_slot(kind, picture.slot_bytes);
  if (!arena) return std::move(arena).error();
  auto buffers = V4l2Buffers::request(device, picture, memory, 1);
  if (!buffers) return std::move(buffers).error();
  return buffers->queue(0, (*arena)->slot(0));
}

Result<void> try_io(const V4l2Device& device, const V4l2Picture& picture, v4l2_memory memory,
                    FdKind slot_kind) {
  if (memory == V4L2_MEMORY_MMAP) return {};
  if (slot_kind == FdKind::cuda) return Error{Errc::not_supported, 0, "the slots are GPU memory"};
  if (memory == V4L2_MEMORY_USERPTR)
    return try_slot(device, picture, memory, slot_kind == FdKind::none ? FdKind::memfd : slot_kind);
  if (slot_kind != FdKind::dmabuf)
    return Error{Errc::not_supported, 0,
                 std::string("the slots are ") +
                     (slot_kind == FdKind::memfd ? "memfds" : "plain memory") + ", not dma-bufs"};
  if (picture.parts.size() > 1)
    return Error{Errc::not_supported, 0,
                 "the format has a buffer for each plane, and a slot is one dma-buf"};
  return try_slot(device, picture, memory, slot_kind);
}

}  // namespace

Result<V4l2Io> choose_v4l2_io(const V4l2Device& device, const V4l2Picture& picture,
                              std::optional<v4l2_memory> asked, FdKind slot_kind) {
  constexpr std::pair<v4l2_memory, const char*> kinds[] = {
      {V4L2_MEMORY_DMABUF, "dmabuf"}, {V4L2_MEMORY_USERPTR, "userptr"}, {V4L2_MEMORY_MMAP, "mmap"}};
  std::string refusals;
  for (const auto& [memory, name] : kinds) {
    if (asked && *asked != memory) continue;
    auto works = try_io(device, picture, memory, slot_kind);
    if (works) {
      const std::string why = asked              ? "asked for"
                              : refusals.empty() ? "the driver takes the slots' dma-bufs"
                                                 : refusals;
      return V4l2Io{memory, std::string(name) + " (" + why + ")"};
    }
    if (asked || works.error().code == Errc::busy) {
      Error error = std::move(works).error();
      error.what = std::string("use ") + name + ": " + error.what + " (" + device.path() + ")";
      return error;
    }
    refusals +=
        (refusals.empty() ? "no " : "; no ") + std::string(name) + ": " + works.error().what;
  }
  return Error{Errc::not_supported, 0, "no I/O works: " + refusals};
}

}  // namespace lockstep
