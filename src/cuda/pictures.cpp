// SPDX-License-Identifier: MIT
// What there is to know of pictures and tensors without a GPU.
#include <algorithm>

#include "lockstep/cuda_kernels.h"

namespace lockstep {
namespace {

std::size_t bytes_of(TensorType type) {
  switch (type) {
    case TensorType::uint8:
      return 1;
    case TensorType::float16:
      return 2;
    case TensorType::float32:
      return 4;
  }
  return 0;
}

// round(a * b / c), and at least one pixel.
std::uint32_t scaled(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  return std::max<std::uint32_t>(1, (2 * std::uint64_t{a} * b + c) / (2 * std::uint64_t{c}));
}

}  // namespace

CudaPicture cuda_picture(const Pixels& pixels, const Layout& layout, PixelFormat format,
                         std::uint32_t width, std::uint32_t height) {
  CudaPicture picture;
  picture.pixel_format = format;
  picture.width = width;
  picture.height = height;
  picture.are_arrays = pixels.cuda->are_arrays;
  const auto begin = reinterpret_cast<std::uintptr_t>(pixels.data);
  for (std::size_t p = 0; p < layout.num_planes; ++p) {
    const Plane& plane = layout.planes[p];
    picture.planes[p] = pixels.data ? begin + plane.offset_bytes : pixels.cuda->planes[p];
    picture.strides[p] = plane.stride_bytes;
  }
  return picture;
}

std::size_t tensor_bytes(const TensorSpec& spec, std::size_t num_frames) {
  return num_frames * 3 * spec.width * spec.height * bytes_of(spec.type);
}

Rectangle tensor_content(const TensorSpec& spec, std::uint32_t width, std::uint32_t height) {
  if (!spec.letterbox || width == 0 || height == 0) return {0, 0, spec.width, spec.height};
  Rectangle content{0, 0, spec.width, spec.height};
  // Whichever side fills the tensor first; compared as products, so that nothing is rounded.
  if (std::uint64_t{spec.width} * height <= std::uint64_t{spec.height} * width)
    content.height = std::min(spec.height, scaled(height, spec.width, width));
  else
    content.width = std::min(spec.width, scaled(width, spec.height, height));
  content.x = (spec.width - content.width) / 2;
  content.y = (spec.height - content.height) / 2;
  return content;
}

}  // namespace lockstep
