// SPDX-License-Identifier: MIT
//
// libyuv does exact halves and quarters, which is what mosaics of 4 and 16 are made of: there its
// box filter averages every pixel, and nothing is faster. Elsewhere it skips pixels of interleaved
// planes (at a third it takes every third UV pair; measured 40 dB against exact averages where
// 60 dB can be had), and it knows neither YUY2 nor the 16-bit UV plane; and a quarter of four channels
// it makes of two halves, each rounded up twice, which is too bright by up to 2 of 255. There the rows that make
// up an output row are summed by their share first, across all channels at once, which compilers
// turn into vector code; then each channel's samples within the sum. Thirds, and other ratios of
// whole pixels, have no shares to multiply by.
#include "gstlockstepscaler.h"

#include <libyuv.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace lockstep {
namespace {

// Sums of weights, as large as the sums of samples allow: 255 x 2^8 fits 16 bits, 65535 x 2^15 fits
// 32, and so do 16 bits x 2^15 and 31 bits x 2^15 in what follows.
template <typename Sample>
struct Widths;
template <>
struct Widths<std::uint8_t> {
  using RowSum = std::uint16_t;
  using Sum = std::uint32_t;
  static constexpr int kRowBits = 8;
};
template <>
struct Widths<std::uint16_t> {
  using RowSum = std::uint32_t;
  using Sum = std::uint64_t;
  static constexpr int kRowBits = 15;
};
constexpr int kColumnBits = 15;

struct Window {
  std::uint32_t first = 0;
  std::vector<double> shares;
};

// The samples of `from` that lie under sample `index` of `to`.
Window shrunk(std::uint32_t index, std::uint32_t from, std::uint32_t to) {
  const double begin = double(index) * from / to;
  const double end = double(index + 1) * from / to;
  Window window{static_cast<std::uint32_t>(begin), {}};
  for (std::uint32_t i = window.first; i < from && i < end - 1e-9; i++)
    window.shares.push_back(std::min(end, i + 1.0) - std::max(begin, double(i)));
  return window;
}

// The two samples of `from` that are nearest to the middle of sample `index` of `to`.
Window grown(std::uint32_t index, std::uint32_t from, std::uint32_t to) {
  const double middle = std::clamp((index + 0.5) * from / to - 0.5, 0.0, from - 1.0);
  const auto first = static_cast<std::uint32_t>(middle);
  if (first + 1 == from) return {first, {1.0}};
  return {first, {1 - (middle - first), middle - first}};
}

// Appends the window as whole numbers that add up to `sum`, padded with zeros to `count`.
void append(Scaler::Taps& taps, Window window, std::uint32_t from, std::uint32_t sum) {
  while (window.shares.size() < taps.count) {
    if (window.first + window.shares.size() < from) {
      window.shares.push_back(0);
    } else {
      window.first--;
      window.shares.insert(window.shares.begin(), 0);
    }
  }
  taps.first.push_back(window.first);
  double total = 0;
  for (double share : window.shares) total += share;
  double so_far = 0;
  long given = 0;
  for (double share : window.shares) {
    so_far += share / total * sum;
    taps.weights.push_back(static_cast<std::uint16_t>(std::lround(so_far) - given));
    given = std::lround(so_far);
  }
}

Scaler::Taps make_taps(std::uint32_t from, std::uint32_t to, std::uint32_t sum) {
  std::vector<Window> windows;
  Scaler::Taps taps;
  for (std::uint32_t i = 0; i < to; i++) {
    windows.push_back(from > to ? shrunk(i, from, to) : grown(i, from, to));
    taps.count = std::max(taps.count, windows.back().shares.size());
  }
  for (Window& window : windows) append(taps, std::move(window), from, sum);
  return taps;
}

template <typename Sample, typename RowSum>
void add_row(const Sample* __restrict samples, RowSum* __restrict sums, std::size_t count,
             RowSum weight, bool first) {
  if (first) {
    for (std::size_t i = 0; i < count; i++) sums[i] = static_cast<RowSum>(samples[i] * weight);
  } else {
    for (std::size_t i = 0; i < count; i++) sums[i] += static_cast<RowSum>(samples[i] * weight);
  }
}

// Sums up one channel within a row of sums. A known number of taps makes it three times as fast.
template <std::size_t kCount, typename Sample, typename RowSum>
void sum_channel(const RowSum* sums, Sample* row, const PlaneView::Channel& channel,
                 const Scaler::Taps& taps) {
  using Sum = typename Widths<Sample>::Sum;
  constexpr int kShift = Widths<Sample>::kRowBits + kColumnBits;
  const std::size_t count = kCount == 0 ? taps.count : kCount;
  const std::size_t step = channel.step;
  const std::uint16_t* weights = taps.weights.data();
  for (std::uint32_t x = 0; x < channel.width; x++, weights += count) {
    const RowSum* from = sums + channel.offset + taps.first[x] * step;
    Sum sum = Sum{1} << (kShift - 1);
    for (std::size_t k = 0; k < count; k++) sum += Sum{weights[k]} * from[k * step];
    row[channel.offset + x * step] = static_cast<Sample>(sum >> kShift);
  }
}

template <typename Sample, typename RowSum>
void sum_channel(const RowSum* sums, Sample* row, const PlaneView::Channel& channel,
                 const Scaler::Taps& taps) {
  switch (taps.count) {
    case 1:
      return sum_channel<1>(sums, row, channel, taps);
    case 2:
      return sum_channel<2>(sums, row, channel, taps);
    case 3:
      return sum_channel<3>(sums, row, channel, taps);
    case 4:
      return sum_channel<4>(sums, row, channel, taps);
    case 5:
      return sum_channel<5>(sums, row, channel, taps);
    default:
      return sum_channel<0>(sums, row, channel, taps);
  }
}

// Whether `from` is `times` as large as `to` in every channel.
bool is_multiple(const PlaneView& from, const PlaneView& to, std::uint32_t times) {
  if (from.height != to.height * times) return false;
  for (std::size_t i = 0; i < to.num_channels; i++)
    if (from.channels[i].width != to.channels[i].width * times) return false;
  return true;
}

void copy(const PlaneView& from, const PlaneView& to) {
  for (std::uint32_t y = 0; y < to.height; y++)
    std::memcpy(to.data + y * to.stride, from.data + y * from.stride,
                to.row_samples() * to.sample_bytes);
}

// Has libyuv do what it does exactly; false if that is not this.
bool scale_with_libyuv(const PlaneView& from, const PlaneView& to) {
  if (to.sample_bytes != 1 || (!is_multiple(from, to, 2) && !is_multiple(from, to, 4)))
    return false;
  const auto scale = [&](auto function) {
    const auto width = [](const PlaneView& p) { return static_cast<int>(p.channels[0].width); };
    const auto height = [](const PlaneView& p) { return static_cast<int>(p.height); };
    const auto stride = [](const PlaneView& p) { return static_cast<int>(p.stride); };
    function(from.data, stride(from), width(from), height(from), to.data, stride(to), width(to),
             height(to), libyuv::kFilterBox);
    return true;
  };
  const std::size_t step = to.channels[0].step;
  if (to.num_channels == 1 && step == 1) return scale(libyuv::ScalePlane);
  if (to.num_channels == 2 && step == 2) return scale(libyuv::UVScale);
  if (to.num_channels == 4 && step == 4 && is_multiple(from, to, 2))
    return scale(libyuv::ARGBScale);
  return false;
}

// The sums of `kTimes` rows. All being known beforehand, this and the next take a third of the time by taps.
template <std::size_t kTimes>
void add_rows(const guint8* __restrict rows, std::size_t stride, std::uint16_t* __restrict sums,
              std::size_t count) {
  for (std::size_t i = 0; i < count; i++) {
    std::uint16_t sum = 0;
    for (std::size_t k = 0; k < kTimes; k++)
      sum = static_cast<std::uint16_t>(sum + rows[k * stride + i]);
    sums[i] = sum;
  }
}

// A row of pixels of `kBytes` from those sums, each from `kTimes` of them.
template <std::size_t kTimes, std::size_t kBytes>
void average_pixels(const std::uint16_t* __restrict sums, guint8* __restrict row,
                    std::size_t width) {
  constexpr std::uint16_t kCount = kTimes * kTimes;
  static_assert(255 * kCount + kCount / 2 <= 65535);
  for (std::size_t x = 0; x < width; x++) {
    for (std::size_t c = 0; c < kBytes; c++) {
      std::uint16_t sum = kCount / 2;
      for (std::size_t k = 0; k < kTimes; k++)
        sum = static_cast<std::uint16_t>(sum + sums[(x * kTimes + k) * kBytes + c]);
      row[x * kBytes + c] = static_cast<guint8>(sum / kCount);
    }
  }
}

template <std::size_t kTimes, std::size_t kBytes>
void average_whole(const PlaneView& from, const PlaneView& to, std::uint16_t* sums) {
  for (std::uint32_t y = 0; y < to.height; y++) {
    add_rows<kTimes>(from.data + std::size_t{y} * kTimes * from.stride, from.stride, sums,
                     from.channels[0].width * kBytes);
    average_pixels<kTimes, kBytes>(sums, to.data + y * to.stride, to.channels[0].width);
  }
}

template <std::size_t kTimes>
void average_whole(const PlaneView& from, const PlaneView& to, std::uint16_t* sums) {
  switch (to.channels[0].step) {
    case 1:
      return average_whole<kTimes, 1>(from, to, sums);
    case 2:
      return average_whole<kTimes, 2>(from, to, sums);
    default:
      return average_whole<kTimes, 4>(from, to, sums);
  }
}

// How many times as large `from` is as `to`, where pixels are so many bytes side by side and each is the mean of whole
// ones; 0 elsewhere.
std::uint32_t whole_multiple(const PlaneView& from, const PlaneView& to) {
  const PlaneView::Channel& first = to.channels[0];
  const auto is_like_first = [&](const PlaneView::Channel& channel) {
    return channel.step == first.step && channel.width == first.width;
  };
  const bool pixels =
      to.sample_bytes == 1 && (first.step == 1 || first.step == 2 || first.step == 4) &&
      std::all_of(to.channels.begin(), to.channels.begin() + to.num_channels, is_like_first);
  const std::uint32_t times = from.height / to.height;
  return pixels && is_multiple(from, to, times) ? times : 0;
}

}  // namespace

const Scaler::Taps& Scaler::taps(std::uint32_t from, std::uint32_t to, std::uint32_t sum) {
  auto [place, is_new] = taps_.try_emplace({from, to, sum});
  if (is_new) place->second = make_taps(from, to, sum);
  return place->second;
}

template <typename Sample>
void Scaler::average(const PlaneView& from, const PlaneView& to) {
  using RowSum = typename Widths<Sample>::RowSum;
  const Taps& rows = taps(from.height, to.height, 1u << Widths<Sample>::kRowBits);
  std::array<const Taps*, 4> columns{};
  for (std::size_t i = 0; i < to.num_channels; i++)
    columns[i] = &taps(from.channels[i].width, to.channels[i].width, 1u << kColumnBits);

  const std::size_t row_samples = from.row_samples();
  sums_.resize(row_samples * sizeof(RowSum));
  auto* sums = reinterpret_cast<RowSum*>(sums_.data());
  for (std::uint32_t y = 0; y < to.height; y++) {
    for (std::size_t k = 0; k < rows.count; k++) {
      const guint8* row = from.data + (rows.first[y] + k) * from.stride;
      add_row(reinterpret_cast<const Sample*>(row), sums, row_samples,
              static_cast<RowSum>(rows.weights[y * rows.count + k]), k == 0);
    }
    auto* row = reinterpret_cast<Sample*>(to.data + y * to.stride);
    for (std::size_t i = 0; i < to.num_channels; i++)
      sum_channel(sums, row, to.channels[i], *columns[i]);
  }
}

bool Scaler::average_whole_pixels(const PlaneView& from, const PlaneView& to) {
  sums_.resize(from.channels[0].width * from.channels[0].step * sizeof(std::uint16_t));
  auto* sums = reinterpret_cast<std::uint16_t*>(sums_.data());
  switch (whole_multiple(from, to)) {
    case 3:
      return average_whole<3>(from, to, sums), true;
    case 4:
      return average_whole<4>(from, to, sums), true;
    case 5:
      return average_whole<5>(from, to, sums), true;
    case 6:
      return average_whole<6>(from, to, sums), true;
    case 8:
      return average_whole<8>(from, to, sums), true;
    default:
      return false;
  }
}

void Scaler::scale(const PictureView& from, const PictureView& to) {
  for (guint i = 0; i < GST_VIDEO_FORMAT_INFO_N_PLANES(to.format); i++) {
    const PlaneView from_plane = plane_of(from, i);
    const PlaneView to_plane = plane_of(to, i);
    if (is_multiple(from_plane, to_plane, 1)) {
      copy(from_plane, to_plane);
    } else if (!scale_with_libyuv(from_plane, to_plane) &&
               !average_whole_pixels(from_plane, to_plane)) {
      if (to_plane.sample_bytes == 1) {
        average<std::uint8_t>(from_plane, to_plane);
      } else {
        average<std::uint16_t>(from_plane, to_plane);
      }
    }
  }
}

}  // namespace lockstep
