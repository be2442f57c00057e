// SPDX-License-Identifier: MIT
// Each slot is a physical allocation of its own, mapped beside its neighbour into one range of addresses, and exported as an
// fd of its own: what is written through slot 2's fd can reach slot 2 and nothing else.
#include <fcntl.h>

#include <cerrno>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cuda/driver.h"
#include "lockstep/cuda.h"
#include "lockstep/sensor_spec.h"
#include "memory/available.h"
#include "memory/backends.h"
#include "memory/cuda_copier.h"
#include "support/mutex.h"
#include "support/unique_fd.h"

namespace lockstep {
namespace {

// The driver opens files of its own beside those that it hands out, and closes them.
constexpr std::size_t kFdsOfDriver = 8;

std::string text_of(const CudaDevice& device) {
  return "GPU " + std::to_string(device.ordinal()) + " (" + device.name() + ")";
}

int attribute(const CudaDevice& device, CUdevice_attribute which) {
  const CudaDriver& driver = loaded_cuda_driver();
  CUdevice of = 0;
  int value = 0;
  if (driver.cuDeviceGet(&of, device.ordinal()) != CUDA_SUCCESS) return 0;
  return driver.cuDeviceGetAttribute(&value, which, of) == CUDA_SUCCESS ? value : 0;
}

Error no_gpu_memory(const CudaDevice& device, std::size_t wanted) {
  Error error = no_memory(CUDA_ERROR_OUT_OF_MEMORY, wanted, 1, device.free_bytes());
  error.domain = ErrorDomain::cuda;
  error.what = text_of(device) + ": " + error.what;
  return error;
}

// Whether so many more files can be opened. The driver is not asked to find out: where it lacks fds it answers that the
// operating system failed, or worse.
Result<void> check_room_for_fds(std::size_t count) {
  std::vector<UniqueFd> opened;
  for (std::size_t i = 0; i < count; ++i) {
    opened.emplace_back(open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (opened.back()) continue;
    Error error = system_error(errno, "open " + std::to_string(count) + " files for GPU memory");
    if (error.code == Errc::out_of_fds)
      error.what += "; raise the limit (ulimit -n) or lower max-batches";
    return error;
  }
  return {};
}

CUmemAllocationProp properties_of(const CudaDevice& device) {
  CUmemAllocationProp properties{};
  properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  properties.location.id = device.ordinal();
  properties.requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
  return properties;
}

// Memory of a GPU that has no address yet. Owns it; what is mapped of it stays.
class Physical {
 public:
  static Result<Physical> make(const CudaDevice& device, std::size_t bytes,
                               std::size_t batch_bytes) {
    const CUmemAllocationProp properties = properties_of(device);
    CUmemGenericAllocationHandle handle = 0;
    const CUresult failed = loaded_cuda_driver().cuMemCreate(&handle, bytes, &properties, 0);
    if (failed == CUDA_ERROR_OUT_OF_MEMORY) return no_gpu_memory(device, batch_bytes);
    if (failed) return cuda_error(failed, "allocate a slot on " + text_of(device));
    return Physical(handle);
  }
  ~Physical() {
    if (owned_) loaded_cuda_driver().cuMemRelease(handle_);
  }
  Physical(Physical&& other) noexcept
      : handle_(other.handle_), owned_(std::exchange(other.owned_, false)) {}
  Physical& operator=(Physical&&) = delete;

  CUmemGenericAllocationHandle get() const { return handle_; }

  Result<UniqueFd> export_fd() const {
    int fd = -1;
    if (const CUresult failed = loaded_cuda_driver().cuMemExportToShareableHandle(
            &fd, handle_, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0))
      return cuda_error(failed, "make an fd of a slot in GPU memory");
    UniqueFd exported(fd);
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) return system_error(errno, "close a slot's fd on exec");
    return exported;
  }

 private:
  explicit Physical(CUmemGenericAllocationHandle handle) : handle_(handle) {}

  CUmemGenericAllocationHandle handle_;
  bool owned_ = true;
};

// A range of addresses, and what is mapped there from its beginning, slot by slot. Owns both.
class AddressRange {
 public:
  static Result<AddressRange> reserve(std::shared_ptr<CudaDevice> device, std::size_t slot_stride,
                                      std::size_t num_slots) {
    CUdeviceptr base = 0;
    const CUresult failed =
        loaded_cuda_driver().cuMemAddressReserve(&base, slot_stride * num_slots, 0, 0, 0);
    if (failed == CUDA_ERROR_OUT_OF_MEMORY) return no_gpu_memory(*device, slot_stride * num_slots);
    if (failed) return cuda_error(failed, "reserve addresses on " + text_of(*device));
    return AddressRange(std::move(device), base, slot_stride, num_slots);
  }
  ~AddressRange() {
    if (base_ == 0) return;
    const CudaDriver& driver = loaded_cuda_driver();
    CudaScope scope(device_->context());
    for (std::size_t i = 0; i < num_mapped_; ++i)
      driver.cuMemUnmap(base_ + i * slot_stride_, slot_stride_);
    driver.cuMemAddressFree(base_, size_bytes());
  }
  AddressRange(AddressRange&& other) noexcept
      : device_(std::move(other.device_)),
        base_(std::exchange(other.base_, 0)),
        slot_stride_(other.slot_stride_),
        num_slots_(other.num_slots_),
        num_mapped_(other.num_mapped_) {}
  AddressRange& operator=(AddressRange&&) = delete;

  CUdeviceptr base() const { return base_; }
  std::size_t slot_stride() const { return slot_stride_; }
  std::size_t num_slots() const { return num_slots_; }
  std::size_t size_bytes() const { return slot_stride_ * num_slots_; }
  const std::shared_ptr<CudaDevice>& device() const { return device_; }

  /// Maps the next slot.
  Result<void> map(const Physical& physical) {
    if (const CUresult failed = loaded_cuda_driver().cuMemMap(base_ + num_mapped_ * slot_stride_,
                                                              slot_stride_, 0, physical.get(), 0))
      return cuda_error(failed, "map a slot on " + text_of(*device_));
    ++num_mapped_;
    return {};
  }

  /// Makes all slots fit for use, and zero.
  Result<void> open_up(const CudaStream& stream) {
    const CudaDriver& driver = loaded_cuda_driver();
    CUmemAccessDesc access{};
    access.location = properties_of(*device_).location;
    access.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
    CUresult failed = driver.cuMemSetAccess(base_, size_bytes(), &access, 1);
    if (failed == CUDA_ERROR_OUT_OF_MEMORY) return no_gpu_memory(*device_, size_bytes());
    if (failed) return cuda_error(failed, "open slots on " + text_of(*device_) + " for use");
    failed = driver.cuMemsetD8Async(base_, 0, size_bytes(), stream.get());
    if (failed) return cuda_error(failed, "fill slots on " + text_of(*device_) + " with zeros");
    return stream.synchronise();
  }

 private:
  AddressRange(std::shared_ptr<CudaDevice> device, CUdeviceptr base, std::size_t slot_stride,
               std::size_t num_slots)
      : device_(std::move(device)), base_(base), slot_stride_(slot_stride), num_slots_(num_slots) {}

  std::shared_ptr<CudaDevice> device_;
  CUdeviceptr base_;
  std::size_t slot_stride_;
  std::size_t num_slots_;
  std::size_t num_mapped_ = 0;
};

// The slot as a dma-buf, or none where the driver has no such thing: the slot is whole without it.
UniqueFd dmabuf_of(CUdeviceptr slot, std::size_t bytes) {
  const CudaDriver& driver = loaded_cuda_driver();
  int fd = -1;
  if (!driver.cuMemGetHandleForAddressRange ||
      driver.cuMemGetHandleForAddressRange(&fd, slot, bytes, CU_MEM_RANGE_HANDLE_TYPE_DMA_BUF_FD,
                                           0) != CUDA_SUCCESS)
    return {};
  UniqueFd dmabuf(fd);
  if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) return {};
  return dmabuf;
}

// The fds of a slot, and who writes and reads it.
struct Slot {
  UniqueFd fd;
  UniqueFd dmabuf;
  CudaPixels pixels;
};

std::byte* pointer_of(CUdeviceptr address) {
  return reinterpret_cast<std::byte*>(static_cast<std::uintptr_t>(address));
}

class CudaArena final : public Arena {
 public:
  CudaArena(CudaStream stream, AddressRange range, std::vector<Slot> slots)
      : stream_(std::move(stream)), range_(std::move(range)), slots_(std::move(slots)) {}

  // What streams still do with the slots must be done before they are unmapped.
  ~CudaArena() override {
    for (const Slot& slot : slots_) (void)slot.pixels.fence->before_writing(stream_.get());
    (void)stream_.synchronise();
  }

  MemorySpace space() const override { return MemorySpace::cuda; }
  std::size_t num_slots() const override { return slots_.size(); }
  std::size_t slot_stride() const override { return range_.slot_stride(); }
  std::span<std::byte> bytes() const override {
    return {pointer_of(range_.base()), range_.size_bytes()};
  }
  SlotView slot(std::size_t index) const override {
    const Slot& slot = slots_[index];
    SlotView view;
    view.data = pointer_of(range_.base() + index * range_.slot_stride());
    view.size_bytes = range_.slot_stride();
    view.fd = slot.fd.get();
    view.fd_kind = FdKind::cuda;
    view.dmabuf_fd = slot.dmabuf.get();
    view.cuda = &slot.pixels;
    return view;
  }
  int batch_fd() const override { return -1; }
  FdKind batch_fd_kind() const override { return FdKind::none; }

 private:
  CudaStream stream_;
  AddressRange range_;
  std::vector<Slot> slots_;
};

Result<Slot> make_slot(AddressRange& range, std::size_t index, bool with_dmabuf) {
  auto physical = Physical::make(*range.device(), range.slot_stride(), range.size_bytes());
  if (!physical) return std::move(physical).error();
  if (auto mapped = range.map(*physical); !mapped) return std::move(mapped).error();
  auto fd = physical->export_fd();
  if (!fd) return std::move(fd).error();
  const CUdeviceptr address = range.base() + index * range.slot_stride();
  Slot slot;
  slot.fd = *std::move(fd);
  if (with_dmabuf) slot.dmabuf = dmabuf_of(address, range.slot_stride());
  slot.pixels.device = range.device();
  slot.pixels.planes[0] = static_cast<std::uintptr_t>(address);
  slot.pixels.fence = std::make_shared<CudaFence>(range.device());
  return slot;
}

Result<std::shared_ptr<Arena>> make_arena(std::shared_ptr<CudaDevice> device, std::size_t num_slots,
                                          std::size_t slot_bytes) {
  CudaScope scope(device->context());
  const CUmemAllocationProp properties = properties_of(*device);
  std::size_t granularity = 0;
  if (const CUresult failed = loaded_cuda_driver().cuMemGetAllocationGranularity(
          &granularity, &properties, CU_MEM_ALLOC_GRANULARITY_MINIMUM))
    return cuda_error(failed, "ask in what units " + text_of(*device) + " allocates");
  if (slot_bytes > std::numeric_limits<std::size_t>::max() >> 8)
    return no_gpu_memory(*device, slot_bytes);
  const std::size_t stride = (slot_bytes + granularity - 1) / granularity * granularity;
  if (num_slots * stride > device->free_bytes()) return no_gpu_memory(*device, num_slots * stride);

  const bool with_dmabufs = attribute(*device, CU_DEVICE_ATTRIBUTE_DMA_BUF_SUPPORTED) != 0;
  if (auto room = check_room_for_fds(num_slots * (with_dmabufs ? 2 : 1) + kFdsOfDriver); !room)
    return std::move(room).error();
  auto stream = CudaStream::make(device);
  if (!stream) return std::move(stream).error();
  auto range = AddressRange::reserve(std::move(device), stride, num_slots);
  if (!range) return std::move(range).error();
  std::vector<Slot> slots;
  for (std::size_t i = 0; i < num_slots; ++i) {
    auto slot = make_slot(*range, i, with_dmabufs);
    if (!slot) return std::move(slot).error();
    slots.push_back(*std::move(slot));
  }
  if (auto opened = range->open_up(*stream); !opened) return std::move(opened).error();
  return std::shared_ptr<Arena>(
      std::make_shared<CudaArena>(*std::move(stream), *std::move(range), std::move(slots)));
}

// What an arena takes beside a CUDA driver of any age.
Result<void> check_can_share(const CudaDevice& device) {
  if (attribute(device, CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED) != 0 &&
      attribute(device, CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED) != 0)
    return {};
  return Error{Errc::not_supported, 0,
               text_of(device) + " cannot share memory by file descriptors; use other memory"};
}

class CudaBackend final : public MemoryBackend {
 public:
  explicit CudaBackend(int ordinal)
      : ordinal_(ordinal), name_(ordinal == 0 ? "cuda" : "cuda:" + std::to_string(ordinal)) {}

  std::string_view name() const override { return name_; }
  std::string_view description() const override {
    return "memory of an NVIDIA GPU, one CUDA allocation and fd per slot";
  }
  FdKind fd_kind() const override { return FdKind::cuda; }
  MemorySpace space() const override { return MemorySpace::cuda; }
  std::size_t available_bytes() const override {
    auto device = open();
    return device ? (*device)->free_bytes() : 0;
  }
  Result<void> available() const override {
    auto device = open();
    if (!device) return std::move(device).error();
    return check_can_share(**device);
  }
  Result<std::shared_ptr<Arena>> allocate(std::size_t num_slots,
                                          std::size_t slot_bytes) const override {
    if (num_slots < 1 || num_slots > kMaxSensors || slot_bytes < 1)
      return Error{Errc::invalid_argument, 0,
                   std::to_string(num_slots) + " slots of " + std::to_string(slot_bytes) +
                       " bytes, wanted 1 to " + std::to_string(kMaxSensors) +
                       " slots of at least 1 byte"};
    auto device = open();
    if (!device) return std::move(device).error();
    if (auto can = check_can_share(**device); !can) return std::move(can).error();
    return make_arena(*std::move(device), num_slots, slot_bytes);
  }
  Result<std::unique_ptr<FrameCopier>> make_copier() const override {
    auto device = open();
    if (!device) return std::move(device).error();
    return make_cuda_copier(*std::move(device));
  }

 private:
  // Once opened it stays: making a context anew takes longer than all the rest.
  Result<std::shared_ptr<CudaDevice>> open() const {
    MutexLock lock(mutex_);
    if (device_) return device_;
    auto device = CudaDevice::open(ordinal_);
    if (device) device_ = *device;
    return device;
  }

  const int ordinal_;
  const std::string name_;
  mutable Mutex mutex_;
  mutable std::shared_ptr<CudaDevice> device_ LOCKSTEP_GUARDED_BY(mutex_);
};

}  // namespace

const MemoryBackend* cuda_backend(int ordinal) {
  static Mutex mutex;
  // Never destroyed: the driver may be gone before our own statics are.
  static auto* const backends = new std::map<int, std::unique_ptr<CudaBackend>>;
  MutexLock lock(mutex);
  std::unique_ptr<CudaBackend>& backend = (*backends)[ordinal];
  if (!backend) backend = std::make_unique<CudaBackend>(ordinal);
  return backend.get();
}

}  // namespace lockstep
