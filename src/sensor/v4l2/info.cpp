// SPDX-License-Identifier: MIT
#include "sensor/v4l2/info.h"

#include <algorithm>
#include <cerrno>
#include <numeric>
#include <utility>

namespace lockstep {
namespace {

// Drivers that count forever would keep us forever.
constexpr std::uint32_t kMostEntries = 256;

// In lowest terms: drivers write 25000/1000 as well.
Fraction rate_of(const v4l2_fract& period) {
  const std::uint32_t common = std::max(std::gcd(period.numerator, period.denominator), 1u);
  return {period.denominator / common, period.numerator / common};
}

std::vector<RateRange> rates(const V4l2Device& device, std::uint32_t fourcc, std::uint32_t width,
                             std::uint32_t height) {
  std::vector<RateRange> found;
  v4l2_frmivalenum entry{};
  entry.pixel_format = fourcc;
  entry.width = width;
  entry.height = height;
  for (; entry.index < kMostEntries; ++entry.index) {
    if (device.call(VIDIOC_ENUM_FRAMEINTERVALS, &entry)) break;
    const bool one = entry.type == V4L2_FRMIVAL_TYPE_DISCRETE;
    const Fraction low = rate_of(one ? entry.discrete : entry.stepwise.max);
    const Fraction high = rate_of(one ? entry.discrete : entry.stepwise.min);
    if (low.denominator > 0 && high.denominator > 0) found.push_back({low, high});
    if (!one) break;  // one range is all there is
  }
  return found;
}

// Where the driver lists no sizes: the one that it is set to.
std::vector<FormatOffer> present_size(const V4l2Device& device, const V4l2Fourcc& fourcc) {
  v4l2_format format{};
  format.type = device.buffer_type();
  if (device.call(VIDIOC_G_FMT, &format)) return {};
  const std::uint32_t width = device.multiplanar() ? format.fmt.pix_mp.width : format.fmt.pix.width;
  const std::uint32_t height =
      device.multiplanar() ? format.fmt.pix_mp.height : format.fmt.pix.height;
  return {{fourcc.pixel_format,
           {width, width, 1},
           {height, height, 1},
           rates(device, fourcc.fourcc, width, height)}};
}

SizeRange range_of(std::uint32_t min, std::uint32_t max, std::uint32_t step) {
  return {std::max(min, 1u), std::min(max, kMaxSide), std::max(step, 1u)};
}

std::vector<FormatOffer> sizes(const V4l2Device& device, const V4l2Fourcc& fourcc) {
  std::vector<FormatOffer> found;
  v4l2_frmsizeenum entry{};
  entry.pixel_format = fourcc.fourcc;
  for (; entry.index < kMostEntries; ++entry.index) {
    if (device.call(VIDIOC_ENUM_FRAMESIZES, &entry)) break;
    if (entry.type == V4L2_FRMSIZE_TYPE_DISCRETE) {
      const auto [width, height] = entry.discrete;
      found.push_back({fourcc.pixel_format, range_of(width, width, 1), range_of(height, height, 1),
                       rates(device, fourcc.fourcc, width, height)});
      continue;
    }
    const v4l2_frmsize_stepwise& all = entry.stepwise;
    // Rates of the largest size: what it can do, the smaller ones can too.
    found.push_back({fourcc.pixel_format, range_of(all.min_width, all.max_width, all.step_width),
                     range_of(all.min_height, all.max_height, all.step_height),
                     rates(device, fourcc.fourcc, all.max_width, all.max_height)});
    break;
  }
  return entry.index == 0 && found.empty() ? present_size(device, fourcc) : found;
}

}  // namespace

std::vector<V4l2Fourcc> offered_fourccs(const V4l2Device& device) {
  std::vector<std::uint32_t> listed;
  v4l2_fmtdesc entry{};
  entry.type = device.buffer_type();
  for (; entry.index < kMostEntries; ++entry.index) {
    if (device.call(VIDIOC_ENUM_FMT, &entry)) break;
    listed.push_back(entry.pixelformat);
  }
  std::vector<V4l2Fourcc> ours;
  for (const V4l2Fourcc& one : v4l2_fourccs())
    if (std::find(listed.begin(), listed.end(), one.fourcc) != listed.end()) ours.push_back(one);
  return ours;
}

std::vector<FormatOffer> v4l2_offers(const V4l2Device& device,
                                     const std::vector<V4l2Fourcc>& fourccs) {
  std::vector<FormatOffer> offers;
  for (const V4l2Fourcc& fourcc : fourccs) {
    const bool known = std::any_of(offers.begin(), offers.end(), [&](const FormatOffer& offer) {
      return offer.pixel_format == fourcc.pixel_format;
    });
    if (known) continue;
    for (FormatOffer& offer : sizes(device, fourcc)) offers.push_back(std::move(offer));
  }
  return offers;
}

std::vector<ControlInfo> v4l2_controls(const V4l2Call& call) {
  std::vector<ControlInfo> controls;
  for (V4l2Control& one : find_v4l2_controls(call))
    controls.push_back({std::move(one.name), one.min, one.max, one.step, one.value});
  return controls;
}

std::vector<IoInfo> v4l2_io(const V4l2Device& device) {
  struct Kind {
    const char* name;
    std::uint32_t memory;
    std::uint32_t capability;
  };
  constexpr Kind kinds[] = {
      {"dmabuf", V4L2_MEMORY_DMABUF, V4L2_BUF_CAP_SUPPORTS_DMABUF},
      {"userptr", V4L2_MEMORY_USERPTR, V4L2_BUF_CAP_SUPPORTS_USERPTR},
      {"mmap", V4L2_MEMORY_MMAP, V4L2_BUF_CAP_SUPPORTS_MMAP},
  };
  std::vector<IoInfo> all;
  for (const Kind& kind : kinds) {
    v4l2_requestbuffers none{};  // asking for none frees all, and tells what there could be
    none.type = device.buffer_type();
    none.memory = kind.memory;
    const int failed = device.call(VIDIOC_REQBUFS, &none);
    // Kernels before 4.20 tell no capabilities; the call alone answers then.
    const bool works = !failed && (none.capabilities == 0 || none.capabilities & kind.capability);
    all.push_back({kind.name, works,
                   works             ? ""
                   : failed == EBUSY ? "not known, a program streams from it"
                                     : "the driver does not have it"});
  }
  return all;
}

}  // namespace lockstep
