// SPDX-License-Identifier: MIT
#include "gstlockstepscaler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "gstlockstepcaps.h"

namespace lockstep {
namespace {

// A picture with memory of its own, with room between its rows.
class OwnPicture {
 public:
  OwnPicture(PixelFormat format, std::uint32_t width, std::uint32_t height)
      : layout_(*layout_with_stride(format, width, height, (width * 4 + 63) / 32 * 32)),
        bytes_(layout_.size_bytes) {
    view_.format = gst_video_format_get_info(video_format_of(format));
    view_.width = width;
    view_.height = height;
    for (std::size_t p = 0; p < layout_.num_planes; p++) {
      view_.planes[p] = bytes_.data() + layout_.planes[p].offset_bytes;
      view_.strides[p] = layout_.planes[p].stride_bytes;
    }
  }
  const PictureView& view() const { return view_; }
  std::vector<guint8>& bytes() { return bytes_; }

 private:
  Layout layout_;
  std::vector<guint8> bytes_;
  PictureView view_;
};

double sample(const PlaneView& plane, const PlaneView::Channel& channel, std::uint32_t x,
              std::uint32_t y) {
  const guint8* at =
      plane.data + y * plane.stride + (channel.offset + x * channel.step) * plane.sample_bytes;
  return plane.sample_bytes == 1 ? *at : at[0] + 256.0 * at[1];
}

// How much sample `i` of `from` counts for sample `at` of `to`, in a straightforward way.
double share(std::uint32_t i, std::uint32_t at, std::uint32_t from, std::uint32_t to) {
  const double ratio = double(from) / to;
  if (from >= to) {
    return std::max(0.0,
                    std::min<double>(i + 1, (at + 1) * ratio) - std::max<double>(i, at * ratio)) /
           ratio;
  }
  const double middle = std::clamp((at + 0.5) * ratio - 0.5, 0.0, from - 1.0);
  return std::max(0.0, 1 - std::abs(middle - i));
}

double expected(const PlaneView& from, const PlaneView::Channel& channel, std::uint32_t x,
                std::uint32_t y, std::uint32_t width, std::uint32_t height) {
  double sum = 0;
  for (std::uint32_t j = 0; j < from.height; j++) {
    const double row = share(j, y, from.height, height);
    if (row == 0) continue;
    for (std::uint32_t i = 0; i < channel.width; i++)
      sum += row * share(i, x, channel.width, width) * sample(from, channel, i, j);
  }
  return sum;
}

// The largest difference from a straightforward calculation. \units of 255
double worst_error(const PictureView& from, const PictureView& to) {
  double worst = 0;
  for (std::size_t p = 0; p < GST_VIDEO_FORMAT_INFO_N_PLANES(to.format); p++) {
    const PlaneView from_plane = plane_of(from, p);
    const PlaneView to_plane = plane_of(to, p);
    for (std::size_t c = 0; c < to_plane.num_channels; c++) {
      const PlaneView::Channel& channel = to_plane.channels[c];
      for (std::uint32_t y = 0; y < to_plane.height; y++)
        for (std::uint32_t x = 0; x < channel.width; x++)
          worst = std::max(worst, std::abs(sample(to_plane, channel, x, y) -
                                           expected(from_plane, from_plane.channels[c], x, y,
                                                    channel.width, to_plane.height)));
    }
  }
  return worst / (plane_of(to, 0).sample_bytes == 1 ? 1 : 256);
}

class Scaling : public testing::TestWithParam<PixelFormat> {};

TEST_P(Scaling, AveragesExactlyTheAreaOfEachPixel) {
  std::mt19937 random(1);
  Scaler scaler;
  for (auto [from_width, from_height, to_width, to_height] : {std::array{48u, 32u, 24u, 16u},
                                                              {64u, 64u, 16u, 16u},
                                                              {48u, 36u, 16u, 12u},
                                                              {50u, 40u, 30u, 26u},
                                                              {49u, 33u, 17u, 11u},
                                                              {48u, 32u, 16u, 16u},
                                                              {60u, 60u, 8u, 8u},
                                                              {16u, 12u, 40u, 30u},
                                                              {20u, 20u, 20u, 20u},
                                                              {30u, 10u, 20u, 30u},
                                                              {7u, 7u, 1u, 1u},
                                                              {1u, 1u, 9u, 9u},
                                                              {300u, 300u, 2u, 2u}}) {
    OwnPicture from(GetParam(), from_width, from_height);
    OwnPicture to(GetParam(), to_width, to_height);
    for (guint8& byte : from.bytes()) byte = static_cast<guint8>(random());
    scaler.scale(from.view(), to.view());
    EXPECT_LE(worst_error(from.view(), to.view()), 1.0)
        << from_width << "x" << from_height << " to " << to_width << "x" << to_height;
  }
}

TEST_P(Scaling, KeepsWhiteWhite) {
  Scaler scaler;
  OwnPicture from(GetParam(), 100, 100);
  OwnPicture to(GetParam(), 43, 67);
  std::fill(from.bytes().begin(), from.bytes().end(), guint8{255});
  scaler.scale(from.view(), to.view());
  EXPECT_LT(worst_error(from.view(), to.view()), 1e-6);
}

TEST_P(Scaling, WritesNothingOutsideTheTile) {
  Scaler scaler;
  OwnPicture from(GetParam(), 33, 31);
  OwnPicture to(GetParam(), 40, 40);
  fill(from.view(), {63, 102, 240});
  std::fill(to.bytes().begin(), to.bytes().end(), guint8{7});
  fill(crop(to.view(), {10, 12, 20, 18}), {16, 128, 128});
  const std::vector<guint8> before = to.bytes();
  scaler.scale(from.view(), crop(to.view(), {10, 12, 20, 18}));
  std::size_t changed = 0;
  std::size_t outside = 0;
  for (std::size_t i = 0; i < before.size(); i++) {
    if (before[i] == to.bytes()[i]) continue;
    changed++;
    if (before[i] == 7) outside++;
  }
  EXPECT_GT(changed, 0u);
  EXPECT_EQ(outside, 0u);
}

// Shares are rounded, whole pixels are not.
TEST(ScalingByWholePixels, RoundsToTheNearest) {
  std::mt19937 random(2);
  Scaler scaler;
  for (const PixelFormat format : {PixelFormat::nv12, PixelFormat::i420, PixelFormat::bgrx,
                                   PixelFormat::rgba, PixelFormat::gray8}) {
    for (const guint times : {3u, 5u, 6u, 8u}) {
      OwnPicture from(format, 16 * times, 12 * times);
      OwnPicture to(format, 16, 12);
      for (guint8& byte : from.bytes()) byte = static_cast<guint8>(random());
      scaler.scale(from.view(), to.view());
      EXPECT_LE(worst_error(from.view(), to.view()), 0.5 + 1e-6)
          << to_string(format) << " " << times;
      std::fill(from.bytes().begin(), from.bytes().end(), guint8{255});
      scaler.scale(from.view(), to.view());
      EXPECT_LT(worst_error(from.view(), to.view()), 1e-6) << to_string(format) << " " << times;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(PixelFormats, Scaling, testing::ValuesIn(kPixelFormats),
                         [](const auto& test) { return std::string(to_string(test.param)); });

TEST(PictureTest, EverySampleOfAPlaneBelongsToOneChannel) {
  for (const PixelFormat format : kPixelFormats) {
    OwnPicture picture(format, 8, 6);
    for (guint p = 0; p < GST_VIDEO_FORMAT_INFO_N_PLANES(picture.view().format); p++) {
      const PlaneView plane = plane_of(picture.view(), p);
      std::vector<int> owners(plane.row_samples(), 0);
      for (std::size_t c = 0; c < plane.num_channels; c++)
        for (std::uint32_t x = 0; x < plane.channels[c].width; x++)
          owners[plane.channels[c].offset + x * plane.channels[c].step]++;
      // The fourth byte of BGRx is nobody's.
      const int least = format == PixelFormat::bgrx ? 0 : 1;
      for (const int count : owners) {
        EXPECT_GE(count, least) << to_string(format) << ", plane " << p;
        EXPECT_LE(count, 1) << to_string(format) << ", plane " << p;
      }
    }
  }
}

}  // namespace
}  // namespace lockstep
