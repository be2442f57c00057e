// SPDX-License-Identifier: MIT
#pragma once

#include <dirent.h>

#include <cstddef>

namespace lockstep {

/// How many file descriptors this process has open, the one that counts them and the entries of the folder itself included.
inline std::size_t num_open_fds() {
  std::size_t count = 0;
  DIR* fds = opendir("/proc/self/fd");
  while (readdir(fds) != nullptr) ++count;
  closedir(fds);
  return count;
}

}  // namespace lockstep
