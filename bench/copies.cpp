// SPDX-License-Identifier: MIT
#include "copies.h"

#include <benchmark/benchmark.h>

#include <cstring>

#include "lockstep/format.h"

namespace lockstep::bench {

namespace {

// Several times what last-level caches hold.
constexpr std::size_t kMoreThanCaches = std::size_t{160} << 20;

std::size_t frame_bytes() { return default_layout(PixelFormat::nv12, 1920, 1080)->size_bytes; }

}  // namespace

std::size_t batches_beyond_cache(std::size_t num_frames) {
  return kMoreThanCaches / (num_frames * frame_bytes()) + 1;
}

Copies::Copies(std::size_t num_frames, std::size_t num_from, std::size_t num_to)
    : num_frames_(num_frames), frame_bytes_(frame_bytes()), from_(num_from), to_(num_to) {
  const MemoryBackend* memfd = *find_memory_backend("memfd");
  const auto allocate = [&] { return *memfd->allocate(num_frames, frame_bytes_); };
  between_ = allocate();
  for (auto* arenas : {&from_, &to_})
    for (auto& arena : *arenas) arena = allocate();
}

void Copies::copy(const Arena& from, const Arena& to) const {
  for (std::size_t i = 0; i < num_frames_; ++i)
    std::memcpy(to.slot(i).data, from.slot(i).data, frame_bytes_);
  benchmark::ClobberMemory();
}

void Copies::once() {
  const std::size_t turn = next_++;
  copy(*from_[turn % from_.size()], *to_[turn % to_.size()]);
}

void Copies::twice() {
  const std::size_t turn = next_++;
  copy(*from_[turn % from_.size()], *between_);
  copy(*between_, *to_[turn % to_.size()]);
}

}  // namespace lockstep::bench
