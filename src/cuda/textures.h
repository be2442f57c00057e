// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "cuda/driver.h"
#include "cuda/event.h"
#include "cuda/plan.h"
#include "lockstep/cuda.h"
#include "support/mutex.h"

namespace lockstep {

/// A texture object through which kernels read a CUDA array. Owns it.
class Texture {
 public:
  Texture(std::shared_ptr<CudaDevice> device, CUtexObject object, ArrayShape shape)
      : device_(std::move(device)), object_(object), shape_(shape) {}
  ~Texture();
  Texture(const Texture&) = delete;
  Texture& operator=(const Texture&) = delete;

  CUtexObject get() const { return object_; }
  const ArrayShape& shape() const { return shape_; }

 private:
  std::shared_ptr<CudaDevice> device_;
  CUtexObject object_;
  ArrayShape shape_;
};

/// Textures of CUDA arrays. They are kept, for producers present the same few arrays again and again, and live at least
/// until the kernels are done that were given them.
///
/// \thread  any.
class TextureCache {
 public:
  /// So many are kept at most; the one that was not asked for the longest time goes first.
  static constexpr std::size_t kMaxTextures = 256;

  /// Keeps textures alive.
  using Textures = std::vector<std::shared_ptr<const Texture>>;

  explicit TextureCache(std::shared_ptr<CudaDevice> device) : device_(std::move(device)) {}
  /// Waits for the kernels that were given textures.
  ~TextureCache();
  TextureCache(const TextureCache&) = delete;
  TextureCache& operator=(const TextureCache&) = delete;

  /// The picture as kernels read it, its textures added to `textures`.
  ///
  /// \errors  invalid_argument  an array with other than 1, 2 or 4 channels of 8 or 16 bits.
  ///          device_lost, io   the driver failed.
  Result<KernelSource> source_of(const CudaPicture& picture, Textures& textures);

  /// Keeps what kernels were given that `stream` has by now.
  /// \errors  device_lost, io  the driver failed; they are kept all the same.
  Result<void> keep(Textures textures, CUstream stream);

  /// Forgets all arrays.
  void clear();

 private:
  struct Known {
    std::shared_ptr<const Texture> texture;
    std::uint64_t asked = 0;
  };
  struct InUse {
    std::shared_ptr<CudaEvent> until;
    Textures textures;
  };

  Result<std::shared_ptr<const Texture>> find(std::uintptr_t array);

  const std::shared_ptr<CudaDevice> device_;
  Mutex mutex_;
  std::uint64_t num_asked_ LOCKSTEP_GUARDED_BY(mutex_) = 0;
  std::map<std::uintptr_t, Known> known_ LOCKSTEP_GUARDED_BY(mutex_);
  std::deque<InUse> in_use_ LOCKSTEP_GUARDED_BY(mutex_);
};

}  // namespace lockstep
