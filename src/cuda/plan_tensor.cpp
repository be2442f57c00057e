// SPDX-License-Identifier: MIT
#include <string>

#include "cuda/conversion.h"
#include "cuda/plan.h"
#include "cuda/plan_checks.h"
#include "cuda/plan_scale.h"
#include "support/divide_up.h"

namespace lockstep {

using kernels::Access;
using kernels::TensorFrame;
using kernels::TensorParameters;

namespace {

constexpr std::size_t kTensorAlignment = 16;

Result<void> check_tensor(const TensorSpec& spec, std::uintptr_t tensor) {
  if (spec.width < 1 || spec.height < 1 || spec.width > kMaxSide || spec.height > kMaxSide)
    return invalid("make a tensor of " + std::to_string(spec.width) + "x" +
                   std::to_string(spec.height) + ", wanted 1x1 to " + std::to_string(kMaxSide) +
                   "x" + std::to_string(kMaxSide));
  if (tensor == 0 || tensor % kTensorAlignment != 0)
    return invalid("make a tensor at an address that is " +
                   std::string(tensor == 0 ? "null" : "not aligned to 16 bytes"));
  return {};
}

Result<TensorFrame> plan_frame(const KernelSource& source, const TensorSpec& spec,
                               const std::string& act) {
  const CudaPicture& picture = source.picture;
  if (picture.pixel_format != PixelFormat::nv12 && picture.pixel_format != PixelFormat::p010_10le)
    return invalid(act + to_string(picture.pixel_format) + ", wanted NV12 or P010_10LE");
  if (auto checked = check_source(source, act); !checked) return std::move(checked).error();
  auto access = check_access(source, act);
  if (!access) return std::move(access).error();
  const Rectangle content = tensor_content(spec, picture.width, picture.height);
  TensorFrame frame{};
  for (std::size_t p = 0; p < 2; ++p) {
    frame.from[p] = picture.planes[p];
    frame.strides[p] = picture.are_arrays ? 0 : static_cast<std::uint32_t>(picture.strides[p]);
  }
  frame.across = scale_of(picture.width, content.width);
  frame.down = scale_of(picture.height, content.height);
  frame.x = static_cast<std::uint16_t>(content.x);
  frame.y = static_cast<std::uint16_t>(content.y);
  frame.ten_bits = picture.pixel_format == PixelFormat::p010_10le;
  frame.access = *access;
  return frame;
}

void plan_values(const TensorSpec& spec, TensorParameters& parameters) {
  parameters.conversions[0] = conversion(spec.matrix, spec.range, false, spec.bgr);
  parameters.conversions[1] = conversion(spec.matrix, spec.range, true, spec.bgr);
  for (std::size_t c = 0; c < 3; ++c) {
    const double scale = spec.scale[c];
    const double mean = spec.mean[c];
    parameters.gain[c] = static_cast<float>(255 * scale);
    parameters.offset[c] = static_cast<float>(-mean * scale);
    parameters.bar[c] = static_cast<float>((spec.bar[c] - mean) * scale);
  }
}

}  // namespace

Result<TensorLaunch> plan_tensor(std::span<const KernelSource> frames, const TensorSpec& spec,
                                 std::uintptr_t tensor) {
  if (auto counted = check_count("make a tensor of", "frames", frames.size()); !counted)
    return std::move(counted).error();
  if (auto checked = check_tensor(spec, tensor); !checked) return std::move(checked).error();
  TensorLaunch launch;
  TensorParameters& parameters = launch.parameters;
  bool can_share = true;  // what columns of a block take of a frame
  for (std::size_t i = 0; i < frames.size(); ++i) {
    auto frame = plan_frame(frames[i], spec, "make a tensor of frame " + std::to_string(i) + ", ");
    if (!frame) return std::move(frame).error();
    parameters.frames[i] = *frame;
    can_share = can_share && frame->access != Access::unaligned &&
                frame->across.from >= kernels::kMinSharedWidth &&
                std::uint64_t{frame->strides[0]} * frame->down.from <= UINT32_MAX &&
                std::uint64_t{frame->strides[1]} * frame->down.from <= UINT32_MAX;
  }
  plan_values(spec, parameters);
  parameters.tensor = tensor;
  parameters.width = spec.width;
  parameters.height = spec.height;
  parameters.type = static_cast<std::uint8_t>(spec.type);
  parameters.order = static_cast<std::uint8_t>(spec.order);
  parameters.has_pairs = spec.width % 2 == 0;
  const bool is_half_planar = spec.type == TensorType::float16 && spec.order == TensorOrder::nchw;
  launch.kernel = !can_share ? TensorKernel::any
                             : (is_half_planar ? TensorKernel::half_planar : TensorKernel::aligned);
  const unsigned rows = launch.kernel == TensorKernel::any ? 1 : kernels::kTensorRows;
  launch.grid = {divide_up(spec.width, kernels::kTensorColumns),
                 divide_up(spec.height, kernels::kTensorWarps * rows),
                 static_cast<unsigned>(frames.size())};
  return launch;
}

}  // namespace lockstep
