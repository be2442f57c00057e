// SPDX-License-Identifier: MIT
#include "cuda/textures.h"

#include <algorithm>
#include <string>

#include "cuda/plan_checks.h"

namespace lockstep {
namespace {

CUarray array_of(std::uintptr_t plane) { return reinterpret_cast<CUarray>(plane); }

Result<ArrayShape> shape_of(std::uintptr_t array) {
  CUDA_ARRAY_DESCRIPTOR descriptor{};
  if (const CUresult failed =
          loaded_cuda_driver().cuArrayGetDescriptor(&descriptor, array_of(array)))
    return cuda_error(failed, "ask what a CUDA array is made of");
  ArrayShape shape;
  shape.width = descriptor.Width;
  shape.height = std::max<std::size_t>(descriptor.Height, 1);
  shape.channels = static_cast<std::uint8_t>(descriptor.NumChannels);
  shape.sample_bytes = descriptor.Format == CU_AD_FORMAT_UNSIGNED_INT16 ? 2 : 1;
  const bool of_samples = descriptor.Format == CU_AD_FORMAT_UNSIGNED_INT8 ||
                          descriptor.Format == CU_AD_FORMAT_UNSIGNED_INT16;
  if (of_samples && (shape.channels == 1 || shape.channels == 2 || shape.channels == 4))
    return shape;
  return invalid("read a CUDA array of " + std::to_string(descriptor.NumChannels) +
                 " channels of format " + std::to_string(descriptor.Format) +
                 ", wanted 1, 2 or 4 of unsigned 8 or 16 bits");
}

bool same(const ArrayShape& a, const ArrayShape& b) {
  return a.width == b.width && a.height == b.height && a.channels == b.channels &&
         a.sample_bytes == b.sample_bytes;
}

Result<CUtexObject> make_texture(std::uintptr_t array) {
  CUDA_RESOURCE_DESC resource{};
  resource.resType = CU_RESOURCE_TYPE_ARRAY;
  resource.res.array.hArray = array_of(array);
  CUDA_TEXTURE_DESC how{};  // coordinates in elements
  for (CUaddress_mode& mode : how.addressMode) mode = CU_TR_ADDRESS_MODE_CLAMP;
  how.filterMode = CU_TR_FILTER_MODE_POINT;
  how.flags = CU_TRSF_READ_AS_INTEGER;
  CUtexObject object = 0;
  if (const CUresult failed =
          loaded_cuda_driver().cuTexObjectCreate(&object, &resource, &how, nullptr))
    return cuda_error(failed, "make a texture of a CUDA array");
  return object;
}

}  // namespace

Texture::~Texture() {
  CudaScope scope(device_->context());
  loaded_cuda_driver().cuTexObjectDestroy(object_);
}

TextureCache::~TextureCache() {
  CudaScope scope(device_->context());
  MutexLock lock(mutex_);
  for (const InUse& use : in_use_)
    if (use.until) loaded_cuda_driver().cuEventSynchronize(use.until->get());
}

Result<std::shared_ptr<const Texture>> TextureCache::find(std::uintptr_t array) {
  // Asked of the driver each time: where an array was destroyed another may have its handle.
  auto shape = shape_of(array);
  if (!shape) return std::move(shape).error();
  MutexLock lock(mutex_);
  Known& known = known_[array];
  known.asked = ++num_asked_;
  if (known.texture && same(known.texture->shape(), *shape)) return known.texture;
  auto object = make_texture(array);
  if (!object) {
    known_.erase(array);
    return std::move(object).error();
  }
  auto made = std::make_shared<const Texture>(device_, *object, *shape);
  known.texture = made;
  if (known_.size() > kMaxTextures)
    known_.erase(std::min_element(known_.begin(), known_.end(), [](const auto& a, const auto& b) {
      return a.second.asked < b.second.asked;
    }));
  return std::shared_ptr<const Texture>(std::move(made));
}

Result<KernelSource> TextureCache::source_of(const CudaPicture& picture, Textures& textures) {
  KernelSource source;
  source.picture = picture;
  if (!picture.are_arrays) return source;
  for (std::size_t p = 0; p < num_planes_of(picture.pixel_format); ++p) {
    if (picture.planes[p] == 0) continue;  // the kernel's checks tell of it
    auto texture = find(picture.planes[p]);
    if (!texture) return std::move(texture).error();
    source.picture.planes[p] = (*texture)->get();
    source.arrays[p] = (*texture)->shape();
    textures.push_back(*std::move(texture));
  }
  return source;
}

Result<void> TextureCache::keep(Textures textures, CUstream stream) {
  if (textures.empty()) return {};
  auto event = CudaFence::record(device_, stream);
  std::vector<InUse> done;  // goes outside of the lock
  MutexLock lock(mutex_);
  while (!in_use_.empty() && in_use_.front().until && in_use_.front().until->is_done()) {
    done.push_back(std::move(in_use_.front()));
    in_use_.pop_front();
  }
  in_use_.push_back({event ? *event : nullptr, std::move(textures)});
  if (!event) return std::move(event).error();
  return {};
}

void TextureCache::clear() {
  std::map<std::uintptr_t, Known> known;
  MutexLock lock(mutex_);
  known_.swap(known);
}

}  // namespace lockstep
