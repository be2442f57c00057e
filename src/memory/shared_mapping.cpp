// SPDX-License-Identifier: MIT
#include "memory/shared_mapping.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>
#include <string>
#include <utility>

#include "lockstep/sensor_spec.h"
#include "memory/available.h"

namespace lockstep {
namespace {

Result<UniqueFd> make_memfd(std::size_t bytes, std::size_t batch_bytes) {
  UniqueFd fd(memfd_create("lockstep-slot", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) {
    Error error = system_error(errno, "make shared memory for a slot");
    if (error.code == Errc::out_of_fds)
      error.what += "; raise the limit (ulimit -n) or lower max-batches";
    return error;
  }
  if (ftruncate(fd.get(), static_cast<off_t>(bytes)) < 0 ||
      fallocate(fd.get(), 0, 0, static_cast<off_t>(bytes)) < 0)
    return no_memory(errno, batch_bytes);
  // A shrunk file would turn reads of the mapping into SIGBUS, here and in whoever we pass the fd
  // to.
  if (fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
    return system_error(errno, "seal shared memory");
  return fd;
}

}  // namespace

Result<SharedMapping> SharedMapping::make(std::size_t num_slots, std::size_t slot_bytes) {
  if (num_slots < 1 || num_slots > kMaxSensors || slot_bytes < 1)
    return Error{Errc::invalid_argument, 0,
                 std::to_string(num_slots) + " slots of " + std::to_string(slot_bytes) +
                     " bytes, wanted 1 to " + std::to_string(kMaxSensors) +
                     " slots of at least 1 byte"};
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  if (slot_bytes > (static_cast<std::size_t>(-1) >> 8)) return no_memory(ENOMEM, slot_bytes);

  SharedMapping mapping;
  mapping.slot_stride_ = (slot_bytes + page - 1) / page * page;
  const std::size_t total = num_slots * mapping.slot_stride_;
  if (total > available_bytes()) return no_memory(ENOMEM, total);

  void* base = mmap(nullptr, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return no_memory(errno, total);
  mapping.base_ = static_cast<std::byte*>(base);
  mapping.fds_.resize(num_slots);  // so that the destructor unmaps all of it from here on

  for (std::size_t i = 0; i < num_slots; ++i) {
    auto fd = make_memfd(mapping.slot_stride_, total);
    if (!fd) return fd.error();
    void* slot = mmap(mapping.base_ + i * mapping.slot_stride_, mapping.slot_stride_,
                      PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd->get(), 0);
    if (slot == MAP_FAILED) return no_memory(errno, total);
    mapping.fds_[i] = *std::move(fd);
  }
  return mapping;
}

SharedMapping::~SharedMapping() {
  if (base_ != nullptr) munmap(base_, size_bytes());
}

SharedMapping::SharedMapping(SharedMapping&& other) noexcept
    : fds_(std::move(other.fds_)),
      slot_stride_(other.slot_stride_),
      base_(std::exchange(other.base_, nullptr)) {}

}  // namespace lockstep
