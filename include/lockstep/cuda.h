// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lockstep/export.h"
#include "lockstep/format.h"
#include "lockstep/result.h"

/// CUDA's own handles, as cuda.h declares them; that header is not needed to use this one.
typedef struct CUstream_st* CUstream;
typedef struct CUctx_st* CUcontext;

/// What the CUDA part offers. The driver is loaded at run time, when a CudaDevice is first opened: a program that links
/// this library starts on a machine that has none. A library that was built without CUDA's headers has the same
/// functions; CudaDevice::open() then says so.
namespace lockstep {

/// A GPU, by the primary context that everything in this process shares, CUDA's runtime API too.
///
/// \thread  any thread may call anything.
class LOCKSTEP_API CudaDevice {
 public:
  /// The GPU of that number, as CUDA counts them: the same object as long as anybody has it.
  ///
  /// \errors  not_supported  this build has no CUDA part, there is no driver, or it is too old; the text says which.
  ///          not_found      there is no such GPU; the text says how many there are.
  ///          out_of_memory  the GPU has no memory left for a context.
  ///          io             the driver failed otherwise.
  static Result<std::shared_ptr<CudaDevice>> open(int ordinal = 0);
  ~CudaDevice();
  CudaDevice(const CudaDevice&) = delete;
  CudaDevice& operator=(const CudaDevice&) = delete;

  int ordinal() const { return ordinal_; }
  const std::string& name() const { return name_; }
  CUcontext context() const { return context_; }
  /// Memory of the GPU that nobody has. \units bytes.
  std::size_t free_bytes() const;

 private:
  CudaDevice(int ordinal, CUcontext context, std::string name);

  int ordinal_;
  CUcontext context_;
  std::string name_;
};

/// Work goes on a GPU in the order of its stream, and streams know nothing of each other. Owns one.
///
/// \thread  any, one at a time.
class LOCKSTEP_API CudaStream {
 public:
  /// \errors  out_of_memory, io  the driver has none.
  static Result<CudaStream> make(std::shared_ptr<CudaDevice> device);
  ~CudaStream();
  CudaStream(CudaStream&& other) noexcept;
  CudaStream& operator=(CudaStream&&) = delete;

  CUstream get() const { return stream_; }
  const std::shared_ptr<CudaDevice>& device() const { return device_; }

  /// Waits until all that was given to it is done. The host sleeps or spins: not for streaming threads.
  /// \errors  device_lost  the work failed, and with it the GPU's context.
  Result<void> synchronise() const;

 private:
  CudaStream(std::shared_ptr<CudaDevice> device, CUstream stream);

  std::shared_ptr<CudaDevice> device_;
  CUstream stream_;
};

/// A point in a stream that others can wait for. Costs the host about a microsecond.
class CudaEvent;

/// Who writes and who reads a piece of GPU memory, so that streams take turns at it and the host waits for none of them.
///
/// Whoever puts work into a stream says before: before_reading() or before_writing(); and after it: was_read() or
/// was_written(), with an event of that stream.
///
/// \thread  any thread may call anything.
class LOCKSTEP_API CudaFence {
 public:
  explicit CudaFence(std::shared_ptr<CudaDevice> device);
  ~CudaFence();
  CudaFence(const CudaFence&) = delete;
  CudaFence& operator=(const CudaFence&) = delete;

  /// An event after all that `stream` was given so far; one will do for many fences.
  /// \errors  device_lost, out_of_memory, io.
  static Result<std::shared_ptr<CudaEvent>> record(std::shared_ptr<CudaDevice> device,
                                                   CUstream stream);

  /// What `stream` is given from now on comes after what was written. \errors device_lost, io.
  Result<void> before_reading(CUstream stream) const;
  /// What `stream` is given from now on comes after everybody has read it.
  Result<void> after_reading(CUstream stream) const;
  /// What `stream` is given from now on comes after what was written, and after everybody has read it.
  Result<void> before_writing(CUstream stream) const;
  void was_written(std::shared_ptr<CudaEvent> event);
  /// The same by all that `stream` was given so far, which `owner` keeps: an event is made when somebody first asks, and may
  /// then stand for later work of that stream too.
  void was_written_by(CUstream stream, std::shared_ptr<const void> owner);
  void was_read(std::shared_ptr<CudaEvent> event);

  /// Waits until what was written is there, for whoever reads from the CPU.
  /// \errors  device_lost  the work failed, and with it the GPU's context.
  Result<void> synchronise() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Pixels that lie in the memory of a GPU: what Pixels::cuda tells of them.
struct CudaPixels {
  std::shared_ptr<CudaDevice> device;
  /// Of each plane: its device address (CUdeviceptr), or its CUarray. Planes may lie in any order and any distance apart;
  /// strides are those of the frame's Layout, offsets mean nothing. Where Pixels::data is set the frame is one range of
  /// memory instead, its planes at the Layout's offsets from there, and only the first is named here.
  std::array<std::uintptr_t, kMaxPlanes> planes{};
  bool are_arrays = false;  ///< The planes are CUDA arrays, which kernels read through textures.
  /// Who writes and reads it. Readers outside of this library too must keep to it, or keep the pixels until they are done.
  std::shared_ptr<CudaFence> fence;
};

}  // namespace lockstep
