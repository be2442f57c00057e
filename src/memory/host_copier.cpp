// SPDX-License-Identifier: MIT
#include <cstring>
#include <memory>

#include "lockstep/memory.h"
#include "memory/available.h"

namespace lockstep {
namespace {

// Copies a frame from its own layout to another of the same format.
void copy_frame(const std::byte* from, const Layout& from_layout, std::byte* to,
                const Layout& to_layout) {
  if (from_layout == to_layout) {
    std::memcpy(to, from, to_layout.size_bytes);
    return;
  }
  for (std::size_t p = 0; p < to_layout.num_planes; ++p) {
    const Plane& source = from_layout.planes[p];
    const Plane& target = to_layout.planes[p];
    for (std::size_t row = 0; row < target.rows; ++row)
      std::memcpy(to + target.offset_bytes + row * target.stride_bytes,
                  from + source.offset_bytes + row * source.stride_bytes, target.row_bytes);
  }
}

class HostCopier final : public FrameCopier {
 public:
  Result<void> copy(std::span<const Job> jobs) override {
    for (const Job& job : jobs) {
      if (job.from->space() != MemorySpace::host)
        return Error{Errc::not_supported, 0,
                     "copy a frame from the memory of a GPU into that of the CPU; use memory=cuda"};
      copy_frame(job.from->data, job.from_layout, job.to.data, job.to_layout);
    }
    return {};
  }
};

}  // namespace

std::size_t MemoryBackend::available_bytes() const { return lockstep::available_bytes(); }

Result<std::unique_ptr<FrameCopier>> MemoryBackend::make_copier() const {
  return std::unique_ptr<FrameCopier>(std::make_unique<HostCopier>());
}

}  // namespace lockstep
