// SPDX-License-Identifier: MIT
#include "cuda/plan.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <string>

#include "cuda/plan_checks.h"

namespace lockstep {

using kernels::GatherCopy;
using kernels::GatherKind;
using kernels::GatherParameters;
using kernels::GatherPlane;

namespace {

// Such that divide() gives value / by for all values below 2^31. With 2^bits < by <= 2^(bits + 1) the multiplier, which is
// rounded up, is less than 2^32, and the error that this makes less than what would change a quotient.
kernels::Divisor divisor(std::uint32_t by) {
  if (by <= 1) return {std::uint32_t{1} << 31, 0};
  const auto bits = static_cast<std::uint32_t>(std::bit_width(by - 1)) - 1;
  const std::uint64_t power = std::uint64_t{1} << (32 + bits);
  return {static_cast<std::uint32_t>((power + by - 1) / by), bits + 1};
}

bool aligned(std::uint64_t value, std::size_t to) { return value % to == 0; }

std::uint32_t word_bytes(GatherCopy copy) {
  switch (copy) {
    case GatherCopy::words16:
    case GatherCopy::ragged16:
      return 16;
    case GatherCopy::ragged4:
    case GatherCopy::array4:
    case GatherCopy::array_bytes:
      return 4;
    case GatherCopy::bytes:
    case GatherCopy::none:
      break;
  }
  return 1;
}

GatherPlane plan_plane(const KernelSource& from, const CudaPicture& to, std::size_t p,
                       Plane shape) {
  const std::uint64_t source = from.picture.planes[p];
  const std::uint64_t target = to.planes[p];
  std::size_t from_stride = from.picture.strides[p];
  std::size_t to_stride = to.strides[p];
  GatherPlane plane{};
  if (from.picture.are_arrays) {
    from_stride = 0;
    plane.channels = from.arrays[p].channels;
    plane.sample_bytes = from.arrays[p].sample_bytes;
    plane.copy = aligned(target | to_stride, 4) ? GatherCopy::array4 : GatherCopy::array_bytes;
  } else {
    // Rows that adjoin, there and here, are one long row. A single row has no stride.
    if ((from_stride == shape.row_bytes && to_stride == shape.row_bytes) || shape.rows == 1) {
      shape.row_bytes *= shape.rows;
      shape.rows = 1;
      from_stride = to_stride = 0;
    }
    const std::uint64_t all = source | target | from_stride | to_stride;
    if (aligned(all, 16))
      plane.copy = aligned(shape.row_bytes, 16) ? GatherCopy::words16 : GatherCopy::ragged16;
    else
      plane.copy = aligned(all, 4) ? GatherCopy::ragged4 : GatherCopy::bytes;
  }
  const std::uint32_t bytes = word_bytes(plane.copy);
  plane.from_stride = static_cast<std::uint32_t>(from_stride);
  plane.to_stride = static_cast<std::uint32_t>(to_stride);
  plane.row_bytes = static_cast<std::uint32_t>(shape.row_bytes);
  plane.words_per_row = static_cast<std::uint32_t>((shape.row_bytes + bytes - 1) / bytes);
  plane.num_words = static_cast<std::uint32_t>(plane.words_per_row * shape.rows);
  plane.row_of_word = divisor(plane.words_per_row);
  return plane;
}

GatherKind plan_picture(const KernelSource& from, const CudaPicture& to, const Layout& shape) {
  constexpr unsigned kWordsPerBlock = kernels::kThreads * kernels::kGatherLoads;
  GatherKind kind{};
  for (std::size_t p = 0; p < kMaxPlanes; ++p) {
    GatherPlane& plane = kind.planes[p];
    if (p >= shape.num_planes) {
      plane.first_block = std::numeric_limits<std::uint32_t>::max();
      continue;
    }
    plane = plan_plane(from, to, p, shape.planes[p]);
    plane.first_block = kind.num_blocks;
    kind.num_blocks += (plane.num_words + kWordsPerBlock - 1) / kWordsPerBlock;
  }
  return kind;
}

// The number of that kind among those that the launch has, added where there is room.
std::optional<std::uint8_t> find_kind(GatherParameters& parameters, unsigned& num_kinds,
                                      const GatherKind& kind) {
  for (unsigned k = 0; k < num_kinds; ++k)
    if (std::memcmp(&parameters.kinds[k], &kind, sizeof kind) == 0)
      return static_cast<std::uint8_t>(k);
  if (num_kinds == kernels::kMaxGatherKinds) return std::nullopt;
  parameters.kinds[num_kinds] = kind;
  return static_cast<std::uint8_t>(num_kinds++);
}

Result<Layout> check_pair(const KernelSource& from, const CudaPicture& to, std::size_t index) {
  const std::string act = "gather picture " + std::to_string(index) + ", ";
  if (to.are_arrays) return invalid(act + "into CUDA arrays; kernels write to memory only");
  if (from.picture.pixel_format != to.pixel_format || from.picture.width != to.width ||
      from.picture.height != to.height)
    return invalid(act + text_of(from.picture) + " into " + text_of(to));
  if (auto checked = check_source(from, act); !checked) return std::move(checked).error();
  return check_target(to, act);
}

}  // namespace

Result<std::vector<Launch<GatherParameters>>> plan_gather(std::span<const KernelSource> from,
                                                          std::span<const CudaPicture> to) {
  if (from.size() != to.size())
    return invalid("gather " + std::to_string(from.size()) + " pictures into " +
                   std::to_string(to.size()));
  if (auto counted = check_count("gather", "pictures", from.size()); !counted)
    return std::move(counted).error();
  std::vector<Launch<GatherParameters>> launches;
  unsigned num_kinds = 0;
  unsigned num_pictures = 0;
  unsigned num_blocks = 0;
  const auto finish = [&] { launches.back().grid = {num_blocks, num_pictures, 1}; };
  for (std::size_t i = 0; i < from.size(); ++i) {
    auto shape = check_pair(from[i], to[i], i);
    if (!shape) return std::move(shape).error();
    const GatherKind kind = plan_picture(from[i], to[i], *shape);
    std::optional<std::uint8_t> known;
    if (!launches.empty()) known = find_kind(launches.back().parameters, num_kinds, kind);
    if (!known) {
      if (!launches.empty()) finish();
      launches.emplace_back();
      num_kinds = num_pictures = num_blocks = 0;
      known = find_kind(launches.back().parameters, num_kinds, kind);
    }
    GatherParameters& parameters = launches.back().parameters;
    parameters.kind_of[num_pictures] = *known;
    for (std::size_t p = 0; p < shape->num_planes; ++p) {
      parameters.from[num_pictures][p] = from[i].picture.planes[p];
      parameters.to[num_pictures][p] = to[i].planes[p];
    }
    num_blocks = std::max(num_blocks, kind.num_blocks);
    ++num_pictures;
  }
  finish();
  return launches;
}

}  // namespace lockstep
