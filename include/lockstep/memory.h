// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "lockstep/export.h"
#include "lockstep/frame.h"
#include "lockstep/result.h"

namespace lockstep {

/// A slot as a place to write to.
struct SlotView {
  std::byte* data =
      nullptr;  ///< In the arena's space(): where that is a GPU's, the CPU must not touch it.
  std::size_t size_bytes = 0;  ///< The slot stride: a whole number of pages.
  int fd = -1;  ///< Offset 0 of this fd is the slot's first byte; it reaches nothing else.
  FdKind fd_kind = FdKind::none;
  /// The same as a dma-buf where the driver can and `fd` is none; -1 elsewhere.
  int dmabuf_fd = -1;
  /// Where the arena is GPU memory: who writes and reads the slot. Planes lie where the frame's Layout says, and of
  /// CudaPixels::planes only the first, the slot's address, is known here.
  const CudaPixels* cuda = nullptr;
};

/// One allocation that holds every slot of a batch, slot i at i x slot_stride(), as one mapping.
///
/// \thread  immutable once made: any thread may call anything.
class LOCKSTEP_API Arena {
 public:
  virtual ~Arena() = default;

  /// Who can reach it by its addresses.
  virtual MemorySpace space() const { return MemorySpace::host; }
  virtual std::size_t num_slots() const = 0;
  /// \units bytes from one slot to the next; a whole number of pages.
  virtual std::size_t slot_stride() const = 0;
  /// All slots in slot order, as addresses in space(). \shape num_slots x slot_stride bytes.
  virtual std::span<std::byte> bytes() const = 0;
  virtual SlotView slot(std::size_t index) const = 0;
  /// One fd over the whole batch, or -1 where there is none.
  virtual int batch_fd() const = 0;
  virtual FdKind batch_fd_kind() const = 0;
};

/// Copies frames into slots of arenas of one kind. Made by that kind's backend.
///
/// \thread  one caller at a time.
class LOCKSTEP_API FrameCopier {
 public:
  virtual ~FrameCopier() = default;

  /// One frame and where it goes.
  struct Job {
    std::shared_ptr<const Pixels> from;  ///< Kept until it is read where it is memory of the CPU.
    Layout from_layout;
    SlotView to;
    Layout to_layout;
    Format format;  ///< Of both layouts; its rate means nothing.
  };

  /// Copies all of these frames. On a GPU all that lie there already are copied by one kernel launch (in a build without
  /// kernels plane by plane), those of the CPU are uploaded, and the call returns before that is done: the slots' fences
  /// (CudaPixels::fence) order whoever reads them, and the frames' whoever writes them next.
  ///
  /// \errors  not_supported  pixels in memory that these slots cannot be filled from; nothing was copied.
  ///          device_lost    the GPU failed; nothing can be said of the slots.
  ///          io, out_of_memory  the driver failed otherwise; nor then.
  virtual Result<void> copy(std::span<const Job> jobs) = 0;
};

/// A kind of memory that batches can live in.
class LOCKSTEP_API MemoryBackend {
 public:
  virtual ~MemoryBackend() = default;

  /// The name users write, as in `memory=udmabuf`.
  virtual std::string_view name() const = 0;
  /// One line for listings.
  virtual std::string_view description() const = 0;
  /// What the fds of its slots are.
  virtual FdKind fd_kind() const = 0;
  /// Who can reach its arenas by their addresses.
  virtual MemorySpace space() const { return MemorySpace::host; }
  /// How much of it can be had at present; the maximum where that is not known. \units bytes.
  virtual std::size_t available_bytes() const;
  /// Whether it works on this machine and for this user, and if not why and what to do.
  virtual Result<void> available() const = 0;
  /// Makes one arena, zeroed.
  ///
  /// \errors  invalid_argument   no slot, no bytes, or more than kMaxSensors slots.
  ///          permission_denied  the user may not open the device behind it.
  ///          not_supported      this kernel has no such memory, or the slot is beyond its limit.
  ///          out_of_memory      no memory; nothing is left allocated.
  ///          out_of_fds         no file descriptors; nothing is left open.
  virtual Result<std::shared_ptr<Arena>> allocate(std::size_t num_slots,
                                                  std::size_t slot_bytes) const = 0;
  /// Makes what copies frames into these arenas. On a GPU it has a stream of its own, and the kernel that gathers frames;
  /// a build without nvcc has none and copies them by the driver, plane by plane.
  ///
  /// \errors  as available(); out_of_memory, io  the GPU has no stream, or does not take the kernels.
  virtual Result<std::unique_ptr<FrameCopier>> make_copier() const;
};

/// The number of the GPU that the name of a backend names, as in "cuda" (0) or "cuda:1"; nothing where it names other memory.
LOCKSTEP_API std::optional<int> gpu_named(std::string_view memory);

/// Every backend that this build has, in the order listings show them; of GPUs the first.
LOCKSTEP_API std::span<const MemoryBackend* const> memory_backends();

/// The backend of that name; "cuda" is the first GPU's, "cuda:1" the next one's, whether or not there is such a GPU.
///
/// \errors  not_found  names those there are; for "cuda" says that this build has no CUDA part.
LOCKSTEP_API Result<const MemoryBackend*> find_memory_backend(std::string_view name);

}  // namespace lockstep
