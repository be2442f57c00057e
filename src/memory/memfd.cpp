// SPDX-License-Identifier: MIT
#include "memory/backends.h"
#include "memory/shared_mapping.h"

namespace lockstep {
namespace {

class MemfdArena final : public Arena {
 public:
  explicit MemfdArena(SharedMapping mapping) : mapping_(std::move(mapping)) {}

  std::size_t num_slots() const override { return mapping_.num_slots(); }
  std::size_t slot_stride() const override { return mapping_.slot_stride(); }
  std::span<std::byte> bytes() const override { return {mapping_.base(), mapping_.size_bytes()}; }
  SlotView slot(std::size_t index) const override {
    return {mapping_.base() + index * mapping_.slot_stride(), mapping_.slot_stride(),
            mapping_.slot_fd(index).get(), FdKind::memfd};
  }
  int batch_fd() const override { return -1; }
  FdKind batch_fd_kind() const override { return FdKind::none; }

 private:
  SharedMapping mapping_;
};

class MemfdBackend final : public MemoryBackend {
 public:
  std::string_view name() const override { return "memfd"; }
  std::string_view description() const override {
    return "anonymous shared memory, one memfd per slot";
  }
  FdKind fd_kind() const override { return FdKind::memfd; }
  Result<void> available() const override { return {}; }
  Result<std::shared_ptr<Arena>> allocate(std::size_t num_slots,
                                          std::size_t slot_bytes) const override {
    auto mapping = SharedMapping::make(num_slots, slot_bytes);
    if (!mapping) return mapping.error();
    return std::shared_ptr<Arena>(std::make_shared<MemfdArena>(*std::move(mapping)));
  }
};

}  // namespace

const MemoryBackend* memfd_backend() {
  static const MemfdBackend backend;
  return &backend;
}

}  // namespace lockstep
