// SPDX-License-Identifier: MIT
#include <array>
#include <string>

#include "lockstep/memory.h"
#include "memory/backends.h"

namespace lockstep {

std::span<const MemoryBackend* const> memory_backends() {
  static const std::array backends = {memfd_backend(), udmabuf_backend()};
  return backends;
}

Result<const MemoryBackend*> find_memory_backend(std::string_view name) {
  std::string names;
  for (const MemoryBackend* backend : memory_backends()) {
    if (backend->name() == name) return backend;
    names += (names.empty() ? "" : ", ") + std::string(backend->name());
  }
  return Error{Errc::not_found, 0, "no memory \"" + std::string(name) + "\"; there is: " + names};
}

}  // namespace lockstep
