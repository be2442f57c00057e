// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <vector>

#include "lockstep/result.h"
#include "support/unique_fd.h"

namespace lockstep {

/// One memfd per slot, mapped side by side: what memfd and udmabuf arenas have in common.
///
/// A memfd of its own per slot, not one for the batch, because an fd that starts at the slot and
/// ends with it cannot reach another slot by any offset.
class SharedMapping {
 public:
  /// Reserves, fills with zeros and maps `num_slots` x `slot_bytes`, rounded up to pages.
  /// Pages are taken now, so that memory runs out here and not in the middle of a stream.
  ///
  /// \errors  invalid_argument, out_of_memory, out_of_fds; nothing is left open or mapped.
  static Result<SharedMapping> make(std::size_t num_slots, std::size_t slot_bytes);

  ~SharedMapping();
  SharedMapping(SharedMapping&& other) noexcept;
  SharedMapping& operator=(SharedMapping&&) = delete;

  std::size_t num_slots() const { return fds_.size(); }
  std::size_t slot_stride() const { return slot_stride_; }
  std::byte* base() const { return base_; }
  std::size_t size_bytes() const { return fds_.size() * slot_stride_; }
  const UniqueFd& slot_fd(std::size_t index) const { return fds_[index]; }
  UniqueFd& slot_fd(std::size_t index) { return fds_[index]; }

 private:
  SharedMapping() = default;

  std::vector<UniqueFd> fds_;
  std::size_t slot_stride_ = 0;
  std::byte* base_ = nullptr;
};

}  // namespace lockstep
