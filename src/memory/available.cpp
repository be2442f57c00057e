// SPDX-License-Identifier: MIT
#include "memory/available.h"

#include <fstream>
#include <string>

namespace lockstep {
namespace {

std::string mebibytes(std::size_t bytes) {
  const bool has_rest = bytes % (1u << 20) > 0;
  return std::to_string((bytes >> 20) + has_rest) + " MiB";
}

}  // namespace

std::size_t available_bytes() {
  std::ifstream meminfo("/proc/meminfo");
  std::string word;
  while (meminfo >> word) {
    if (word != "MemAvailable:") continue;
    std::size_t kib = 0;
    meminfo >> kib;
    return kib * 1024;
  }
  return static_cast<std::size_t>(-1);
}

Error no_memory(int os_error, std::size_t wanted, std::size_t num_batches, std::size_t available) {
  const std::string batches =
      num_batches == 1 ? "one batch" : std::to_string(num_batches) + " batches";
  return Error{
      Errc::out_of_memory, os_error,
      "no " + mebibytes(wanted) + " for " + batches + ", " + mebibytes(available) +
          " available; ask for smaller frames, fewer sensors or fewer batches (max-batches)"};
}

}  // namespace lockstep
