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

// What of a plane is read at once by kernels that look at samples. \units bytes, samples.
struct Unit {
  std::size_t bytes = 1;
  unsigned channels = 1;
  unsigned sample_bytes = 1;
};

Unit unit_of(PixelFormat format, std::size_t p) {
  switch (format) {
    case PixelFormat::nv12:
      return p == 0 ? Unit{1, 1, 1} : Unit{2, 2, 1};
    case PixelFormat::p010_10le:
      return p == 0 ? Unit{2, 1, 2} : Unit{4, 2, 2};
    case PixelFormat::bgrx:
    case PixelFormat::rgba:
      return {4, 4, 1};
    default:
      return {};
  }
}

std::uint64_t address_and_stride(const CudaPicture& picture, std::size_t p) {
  return picture.planes[p] | picture.strides[p];
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

Result<kernels::Access> check_access(const KernelSource& source, const std::string& act) {
  const CudaPicture& picture = source.picture;
  bool is_aligned = true;
  for (std::size_t p = 0; p < num_planes_of(picture.pixel_format); ++p) {
    const Unit unit = unit_of(picture.pixel_format, p);
    if (!picture.are_arrays) {
      is_aligned = is_aligned && address_and_stride(picture, p) % unit.bytes == 0;
      continue;
    }
    const ArrayShape& array = source.arrays[p];
    if (array.channels != unit.channels || array.sample_bytes != unit.sample_bytes)
      return invalid(act + plane_text(p) + " of " + text_of(picture) + " is an array of " +
                     std::to_string(array.channels) + " channels of " +
                     std::to_string(array.sample_bytes * 8) + " bits, wanted " +
                     std::to_string(unit.channels) + " of " +
                     std::to_string(unit.sample_bytes * 8));
  }
  if (picture.are_arrays) return kernels::Access::array;
  return is_aligned ? kernels::Access::aligned : kernels::Access::unaligned;
}

bool pairs_are_aligned(const CudaPicture& target) {
  for (std::size_t p = 0; p < num_planes_of(target.pixel_format); ++p) {
    const Unit unit = unit_of(target.pixel_format, p);
    // Luma is written by pairs too.
    const std::size_t bytes = unit.channels == 1 ? 2 * unit.bytes : unit.bytes;
    if (address_and_stride(target, p) % bytes != 0) return false;
  }
  return true;
}

}  // namespace lockstep
