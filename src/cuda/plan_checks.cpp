// SPDX-License-Identifier: MIT
#include "cuda/plan_checks.h"

#include <limits>

namespace lockstep {
namespace {

std::string plane_text(std::size_t p) { return "plane " + std::to_string(p); }

Result<void> check_memory(const CudaPicture& picture, const Layout& shape, const std::string& act) {
  for (std::size_t p = 0; p < shape.num_planes; ++p) {
    if (picture.planes[p] == 0) return invalid(act + plane_text(p) + " has no address");
    const Plane& plane = shape.planes[p];
    if (plane.rows > 1 && (picture.strides[p] < plane.row_bytes ||
                           picture.strides[p] > std::numeric_limits<std::uint32_t>::max()))
      return invalid(act + plane_text(p) + " of " + text_of(picture) + " has a stride of " +
                     std::to_string(picture.strides[p]) + " bytes for rows of " +
                     std::to_string(plane.row_bytes));
  }
  return {};
}

Result<void> check_arrays(const KernelSource& source, const Layout& shape, const std::string& act) {
  for (std::size_t p = 0; p < shape.num_planes; ++p) {
    const ArrayShape& array = source.arrays[p];
    const Plane& plane = shape.planes[p];
    const std::size_t element_bytes = std::size_t{array.channels} * array.sample_bytes;
    if (source.picture.planes[p] == 0) return invalid(act + plane_text(p) + " has no array");
    if (array.width * element_bytes < plane.row_bytes || array.height < plane.rows)
      return invalid(act + plane_text(p) + " of " + text_of(source.picture) + " is an array of " +
                     std::to_string(array.width) + "x" + std::to_string(array.height) +
                     " elements of " + std::to_string(element_bytes) + " bytes, wanted " +
                     std::to_string(plane.rows) + " rows of " + std::to_string(plane.row_bytes) +
                     " bytes");
  }
  return {};
}

Result<Layout> shape_of(const CudaPicture& picture, const std::string& act) {
  auto shape = default_layout(picture.pixel_format, picture.width, picture.height);
  if (!shape) return invalid(act + shape.error().what);
  return shape;
}

}  // namespace

std::string text_of(const CudaPicture& picture) {
  return std::to_string(picture.width) + "x" + std::to_string(picture.height) + " " +
         to_string(picture.pixel_format);
}

std::size_t num_planes_of(PixelFormat format) { return default_layout(format, 2, 2)->num_planes; }

Result<void> check_count(const std::string& act, const std::string& what, std::size_t count) {
  if (count == 0) return invalid(act + " no " + what);
  if (count > CudaKernels::kMaxPictures)
    return invalid(act + " " + std::to_string(count) + " " + what + ", more than " +
                   std::to_string(CudaKernels::kMaxPictures));
  return {};
}

Result<Layout> check_source(const KernelSource& source, const std::string& act) {
  auto shape = shape_of(source.picture, act);
  if (!shape) return shape;
  auto checked = source.picture.are_arrays ? check_arrays(source, *shape, act)
                                           : check_memory(source.picture, *shape, act);
  if (!checked) return std::move(checked).error();
  return shape;
}

Result<Layout> check_target(const CudaPicture& target, const std::string& act) {
  auto shape = shape_of(target, act);
  if (!shape) return shape;
  if (auto checked = check_memory(target, *shape, act); !checked) return std::move(checked).error();
  return shape;
}

}  // namespace lockstep
