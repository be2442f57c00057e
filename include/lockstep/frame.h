// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "lockstep/format.h"
#include "lockstep/metering.h"
#include "lockstep/settings.h"
#include "lockstep/time.h"

namespace lockstep {

class Arena;

/// What is known of one captured frame.
struct FrameInfo {
  std::uint32_t sensor = 0;    ///< Index of the sensor in the rig; also its slot.
  std::uint64_t sequence = 0;  ///< Trigger count of the sensor; a gap means the sensor lost frames.
  Timestamp captured;          ///< Capture time; which moment it names says `reference`.
  ReferencePoint reference = ReferencePoint::unknown;
  /// What the frame was really exposed with: as the sensor tells, or reckoned from what its driver took and when.
  Settings settings;
  /// The change of settings in force; 0 before the first. Unless settled, the last that a frame was settled under.
  std::uint32_t settings_revision = 0;
  SettingsState settings_state =
      SettingsState::unknown;  ///< Whether all of that revision was in force.
  std::uint32_t copies =
      0;  ///< How many times CPU or GPU copied the pixels since the sensor wrote them.
};

/// Whether two frames of one rig were, for certain, exposed in full under the same settings: one revision, or before the
/// first the same values.
inline bool exposed_alike(const FrameInfo& a, const FrameInfo& b) {
  return a.settings_state == SettingsState::settled && b.settings_state == SettingsState::settled &&
         a.settings_revision == b.settings_revision &&
         (a.settings_revision > 0 || a.settings == b.settings);
}

/// Whether a slot of a batch holds a frame, and which.
enum class FrameState : std::uint8_t {
  missing,   ///< No frame; there are no pixels.
  fresh,     ///< Captured at the instant of the batch.
  repeated,  ///< The sensor's last frame once more, since none came in time.
};

LOCKSTEP_API const char* to_string(FrameState state);

/// What a file descriptor of a slot is.
enum class FdKind : std::uint8_t {
  none,    ///< No fd: memory of the sensor or of the process.
  memfd,   ///< Anonymous shared memory; mmap() it.
  dmabuf,  ///< A DMA buffer; devices can import it, mmap() works too.
  cuda,  ///< GPU memory; CUDA imports it (cuMemImportFromShareableHandle), in another process too.
};

LOCKSTEP_API const char* to_string(FdKind kind);

/// Who can reach memory by its address.
enum class MemorySpace : std::uint8_t {
  host,  ///< The CPU.
  cuda,  ///< A GPU by CUDA; the CPU must not touch it.
};

LOCKSTEP_API const char* to_string(MemorySpace space);

struct CudaPixels;

/// Pixels in memory, for as long as this object lives: a slot of an arena, or a buffer that a sensor lent.
///
/// Dropping the last reference gives the slot back to the rig, or the buffer back to its sensor,
/// whenever that is and even after the rig itself is gone.
///
/// \thread  data may be read from any thread; destruction too.
struct Pixels {
  /// Start of the slot; planes lie at Layout's offsets. Where `cuda` is set an address of the GPU (CUdeviceptr), which the
  /// CPU must not touch; null where the frame is no one range of memory, and CudaPixels::planes says where its planes lie.
  std::byte* data = nullptr;
  std::size_t size_bytes = 0;
  int fd = -1;  ///< Offset 0 is data's first byte; reaches this slot only. dup() to keep it.
  FdKind fd_kind = FdKind::none;
  const Arena* arena = nullptr;  ///< The arena that the slot is in; null where the sensor lent it.
  std::size_t slot = 0;          ///< Place in that arena.
  /// What else there is to know of pixels in the memory of a GPU (lockstep/cuda.h); null: they are in the CPU's.
  const CudaPixels* cuda = nullptr;

  MemorySpace space() const { return cuda ? MemorySpace::cuda : MemorySpace::host; }
};

/// One slot of a batch.
struct Frame {
  FrameState state = FrameState::missing;
  FrameInfo info;                        ///< Of the frame; where missing only `sensor` holds.
  Layout layout;                         ///< Of the planes in `pixels`.
  std::shared_ptr<const Pixels> pixels;  ///< Null where missing.
  std::optional<Metering>
      metering;  ///< Of fresh frames, where an algorithm or the user asks for it.
};

/// The frames of one instant, slot i from sensor i.
struct Batch {
  std::uint64_t number =
      0;  ///< Counts from 0 what Rig::next_batch() hands over; where one is discarded later there is a gap.
  std::vector<Frame> frames;  ///< One per sensor, in slot order, missing ones included.
  Timestamp captured;         ///< Capture time of the anchor: the earliest fresh frame.
  Nanoseconds skew{0};        ///< Latest minus earliest capture time of the fresh frames.
  /// Whether every frame is fresh and was exposed under the same settings revision, in full. False where that is not
  /// known for certain of one of them. Before the first revision: whether all tell the same settings.
  bool uniform = false;
  /// When its last frame became ready. \units the rig's clock, see Rig::now().
  Nanoseconds ready_at{0};
  /// The arena that holds every frame at its slot, or null where the batch is by reference. Missing
  /// slots hold stale pixels.
  std::shared_ptr<Arena> arena;

  bool contiguous() const { return arena != nullptr; }
};

}  // namespace lockstep
