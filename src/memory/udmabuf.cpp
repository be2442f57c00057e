// SPDX-License-Identifier: MIT
// Each slot's memfd becomes a dma-buf of its own, and one more covers them all. The memfds are
// closed once mapped and wrapped: the dma-bufs and the mapping keep the pages.
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <string>
#include <vector>

#include "memory/backends.h"
#include "memory/shared_mapping.h"

namespace lockstep {
namespace {

constexpr const char* kDevice = "/dev/udmabuf";

Result<UniqueFd> open_device() {
  UniqueFd device(open(kDevice, O_RDWR | O_CLOEXEC));
  if (device) return device;
  Error error = system_error(errno, std::string("open ") + kDevice);
  if (error.code == Errc::permission_denied)
    error.what += "; give the user access to it (group kvm or a udev rule), or use memory=memfd";
  if (error.code == Errc::out_of_fds) error.what += "; raise the limit (ulimit -n)";
  if (error.code == Errc::not_found) {
    error.code = Errc::not_supported;
    error.what +=
        "; this kernel has no udmabuf (CONFIG_UDMABUF, or modprobe udmabuf), use memory=memfd";
  }
  return error;
}

Result<UniqueFd> wrap_slot(const UniqueFd& device, const UniqueFd& memfd, std::size_t bytes) {
  udmabuf_create request{};
  request.memfd = static_cast<__u32>(memfd.get());
  request.flags = UDMABUF_FLAGS_CLOEXEC;
  request.size = bytes;
  UniqueFd dmabuf(ioctl(device.get(), UDMABUF_CREATE, &request));
  if (dmabuf) return dmabuf;
  Error error =
      system_error(errno, "make a dma-buf of " + std::to_string(bytes) + " bytes for a slot");
  if (error.os_error == EINVAL)
    error.what +=
        "; the kernel's limit is in /sys/module/udmabuf/parameters/size_limit_mb, raise it or use "
        "memory=memfd";
  if (error.code == Errc::out_of_fds)
    error.what += "; raise the limit (ulimit -n) or lower max-batches";
  return error;
}

// One dma-buf over all slots. An empty one where the kernel's limit (64 MiB by default) does not
// allow it: the batch is whole without it.
UniqueFd wrap_batch(const UniqueFd& device, const SharedMapping& mapping) {
  std::vector<char> storage(sizeof(udmabuf_create_list) +
                            mapping.num_slots() * sizeof(udmabuf_create_item));
  auto* list = reinterpret_cast<udmabuf_create_list*>(storage.data());
  list->flags = UDMABUF_FLAGS_CLOEXEC;
  list->count = static_cast<__u32>(mapping.num_slots());
  for (std::size_t i = 0; i < mapping.num_slots(); ++i) {
    list->list[i].memfd = static_cast<__u32>(mapping.slot_fd(i).get());
    list->list[i].size = mapping.slot_stride();
  }
  return UniqueFd(ioctl(device.get(), UDMABUF_CREATE_LIST, list));
}

class UdmabufArena final : public Arena {
 public:
  UdmabufArena(SharedMapping mapping, std::vector<UniqueFd> slots, UniqueFd batch)
      : mapping_(std::move(mapping)), slots_(std::move(slots)), batch_(std::move(batch)) {}

  std::size_t num_slots() const override { return mapping_.num_slots(); }
  std::size_t slot_stride() const override { return mapping_.slot_stride(); }
  std::span<std::byte> bytes() const override { return {mapping_.base(), mapping_.size_bytes()}; }
  SlotView slot(std::size_t index) const override {
    return {mapping_.base() + index * mapping_.slot_stride(), mapping_.slot_stride(),
            slots_[index].get(), FdKind::dmabuf};
  }
  int batch_fd() const override { return batch_.get(); }
  FdKind batch_fd_kind() const override { return batch_ ? FdKind::dmabuf : FdKind::none; }

 private:
  SharedMapping mapping_;
  std::vector<UniqueFd> slots_;
  UniqueFd batch_;
};

class UdmabufBackend final : public MemoryBackend {
 public:
  std::string_view name() const override { return "udmabuf"; }
  std::string_view description() const override {
    return "shared memory that devices can import, one dma-buf per slot and one over the batch";
  }
  FdKind fd_kind() const override { return FdKind::dmabuf; }
  Result<void> available() const override {
    auto device = open_device();
    if (!device) return device.error();
    return {};
  }
  Result<std::shared_ptr<Arena>> allocate(std::size_t num_slots,
                                          std::size_t slot_bytes) const override {
    auto device = open_device();
    if (!device) return device.error();
    auto mapping = SharedMapping::make(num_slots, slot_bytes);
    if (!mapping) return mapping.error();
    std::vector<UniqueFd> slots;
    for (std::size_t i = 0; i < num_slots; ++i) {
      auto slot = wrap_slot(*device, mapping->slot_fd(i), mapping->slot_stride());
      if (!slot) return slot.error();
      slots.push_back(*std::move(slot));
    }
    UniqueFd batch = wrap_batch(*device, *mapping);
    for (std::size_t i = 0; i < num_slots; ++i) mapping->slot_fd(i).reset();
    return std::shared_ptr<Arena>(
        std::make_shared<UdmabufArena>(*std::move(mapping), std::move(slots), std::move(batch)));
  }
};

}  // namespace

const MemoryBackend* udmabuf_backend() {
  static const UdmabufBackend backend;
  return &backend;
}

}  // namespace lockstep
