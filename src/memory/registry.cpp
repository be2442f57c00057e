// SPDX-License-Identifier: MIT
#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include "core/printable.h"
#include "lockstep/memory.h"
#include "memory/backends.h"

namespace lockstep {
std::optional<int> gpu_named(std::string_view memory) {
  constexpr std::string_view kCuda = "cuda";
  if (memory == kCuda) return 0;
  if (!memory.starts_with("cuda:")) return std::nullopt;
  memory.remove_prefix(kCuda.size() + 1);
  int ordinal = 0;
  const char* end = memory.data() + memory.size();
  const auto [rest, error] = std::from_chars(memory.data(), end, ordinal);
  // A process has a few GPUs; a backend for each number that somebody thinks of would stay for ever.
  if (error != std::errc() || rest != end || ordinal < 0 || ordinal > 255) return std::nullopt;
  return ordinal;
}

std::span<const MemoryBackend* const> memory_backends() {
  static const std::vector<const MemoryBackend*> backends = [] {
    std::vector<const MemoryBackend*> there = {memfd_backend(), udmabuf_backend()};
    if (const MemoryBackend* cuda = cuda_backend(0)) there.push_back(cuda);
    return there;
  }();
  return backends;
}

Result<const MemoryBackend*> find_memory_backend(std::string_view name) {
  const auto gpu = gpu_named(name);
  const MemoryBackend* on_gpu = gpu ? cuda_backend(*gpu) : nullptr;
  if (on_gpu) return on_gpu;
  std::string names;
  for (const MemoryBackend* backend : memory_backends()) {
    if (backend->name() == name) return backend;
    names += (names.empty() ? "" : ", ") + std::string(backend->name());
  }
  std::string why;
  if (gpu) why = ": this build has no CUDA part; build with CUDA's headers (cuda.h) at hand";
  return Error{Errc::not_found, 0,
               "no memory \"" + quotable(name) + "\"" + why + "; there is: " + names};
}

}  // namespace lockstep
