// SPDX-License-Identifier: MIT
#include "rig/placement.h"

#include <algorithm>
#include <string>

namespace lockstep {
namespace {

bool lends(const FrameSource& source) { return source.delivery == Delivery::lend; }

bool lends_on_host(const FrameSource& source) {
  return lends(source) && source.lends_in == MemorySpace::host;
}

bool lends_on_gpu(const FrameSource& source) {
  return lends(source) && source.lends_in == MemorySpace::cuda;
}

}  // namespace

bool may_copy(const Wanted& wanted, std::span<const FrameSource> sources) {
  switch (wanted.layout) {
    case BatchLayout::reference:
      return false;
    case BatchLayout::contiguous:
      return true;
    case BatchLayout::automatic:
      break;
  }
  // What is lent by a GPU is there already.
  if (wanted.space == MemorySpace::cuda) return std::ranges::any_of(sources, lends_on_host);
  return wanted.fd_kind == FdKind::dmabuf && std::ranges::any_of(sources, lends);
}

Result<void> check_placement(const Wanted& wanted, std::span<const FrameSource> sources) {
  if (std::ranges::none_of(sources, lends_on_gpu)) return {};
  const bool all = std::ranges::all_of(sources, lends_on_gpu);
  const bool to_gpu = wanted.space == MemorySpace::cuda;
  if (all && (to_gpu || !may_copy(wanted, sources))) return {};
  if (to_gpu && wanted.layout != BatchLayout::reference) return {};
  if (to_gpu)
    return Error{Errc::not_supported, 0,
                 "batch by reference frames of which some lie on a GPU and others do not; use "
                 "layout=auto, which copies those to the GPU"};
  if (all)
    return Error{Errc::not_supported, 0,
                 "copy frames from the memory of a GPU to memory=" + std::string(wanted.memory) +
                     "; use memory=cuda"};
  return Error{Errc::not_supported, 0,
               "batch frames of which some lie on a GPU and others do not; use memory=cuda"};
}

}  // namespace lockstep
