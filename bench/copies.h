// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "lockstep/memory.h"

namespace lockstep::bench {

/// Copying a batch of 1080p NV12 frames between memfds: the same memory, and as many bytes, as a batch of the rig's.
/// What everything else is a ratio of.
class Copies {
 public:
  /// Copies go from `num_from` batches and to `num_to` batches, each in turn. Few stay in the cache, as no camera's do.
  Copies(std::size_t num_frames, std::size_t num_from, std::size_t num_to);

  /// One memcpy of each frame.
  void once();
  /// What the origin story's plugin does: out of the stream into a buffer of its own, and from there into the batch.
  void twice();
  std::size_t batch_bytes() const { return num_frames_ * frame_bytes_; }

 private:
  void copy(const Arena& from, const Arena& to) const;

  std::size_t num_frames_;
  std::size_t frame_bytes_;
  std::shared_ptr<Arena> between_;
  std::vector<std::shared_ptr<Arena>> from_;
  std::vector<std::shared_ptr<Arena>> to_;
  std::size_t next_ = 0;
};

/// So many batches of 1080p frames that no cache holds them.
std::size_t batches_beyond_cache(std::size_t num_frames);

}  // namespace lockstep::bench
