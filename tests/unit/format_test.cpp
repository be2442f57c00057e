// SPDX-License-Identifier: MIT
#include "lockstep/format.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "result_testing.h"

namespace lockstep {
namespace {

TEST(Layout, OddNv12RoundsChromaUp) {
  auto layout = default_layout(PixelFormat::nv12, 5, 3);
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->planes[0], (Plane{0, 8, 5, 3}));
  EXPECT_EQ(layout->planes[1], (Plane{32, 8, 6, 2}));
  EXPECT_EQ(layout->size_bytes, 48u);
}

TEST(Layout, SizeZeroIsAnInvalidArgument) {
  for (auto [width, height] : {std::pair{0u, 4u}, {4u, 0u}, {kMaxSide + 1, 4u}}) {
    auto layout = default_layout(PixelFormat::nv12, width, height);
    ASSERT_FALSE(layout);
    EXPECT_EQ(layout.error().code, Errc::invalid_argument);
  }
}

TEST(Layout, LargestSizeIsAllowed) {
  EXPECT_TRUE(default_layout(PixelFormat::bgrx, kMaxSide, kMaxSide));
}

TEST(Layout, StrideTooShortForARowIsAnInvalidArgument) {
  EXPECT_TRUE(layout_with_stride(PixelFormat::yuy2, 5, 2, 12));
  auto layout = layout_with_stride(PixelFormat::yuy2, 5, 2, 11);
  ASSERT_FALSE(layout);
  EXPECT_EQ(layout.error().code, Errc::invalid_argument);
}

TEST(Layout, I420ChromaHasHalfTheGivenStride) {
  auto layout = layout_with_stride(PixelFormat::i420, 640, 480, 768);
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->planes[1], (Plane{768 * 480, 384, 320, 240}));
  EXPECT_EQ(layout->planes[2].offset_bytes, 768u * 480 + 384 * 240);
}

TEST(Layout, StrideBeyondTheLongestIsAnInvalidArgument) {
  EXPECT_TRUE(succeeds(layout_with_stride(PixelFormat::i420, kMaxSide, kMaxSide, kMaxStride)));
  for (const std::size_t stride : {kMaxStride + 1, std::size_t{1} << 60, SIZE_MAX})
    EXPECT_TRUE(fails(layout_with_stride(PixelFormat::nv12, 64, 64, stride), Errc::invalid_argument,
                      std::to_string(stride)));
}

TEST(Layout, OfNoPixelFormatIsAnInvalidArgument) {
  const auto none = static_cast<PixelFormat>(kPixelFormats.size());
  EXPECT_TRUE(fails(default_layout(none, 64, 64), Errc::invalid_argument, "pixel format number"));
  EXPECT_TRUE(fails(layout_with_stride(none, 64, 64, 64), Errc::invalid_argument));
}

TEST(Format, IsCheckedInEachOfItsParts) {
  const Format good{PixelFormat::nv12, 64, 48, {30, 1}};
  EXPECT_TRUE(succeeds(check(good)));
  for (const Fraction rate : {Fraction{1'000'000'000, 1}, {UINT32_MAX, 5}, {1, 86'400}, {0, 1}})
    EXPECT_TRUE(succeeds(check({PixelFormat::nv12, 64, 48, rate}))) << rate.numerator;
  for (const Fraction rate : {Fraction{1, 0}, {0, 0}, {1'000'000'001, 1}, {1, 86'401}})
    EXPECT_TRUE(fails(check({PixelFormat::nv12, 64, 48, rate}), Errc::invalid_argument, "rate of"))
        << rate.numerator;
  EXPECT_TRUE(fails(check({PixelFormat::nv12, 0, 48, {30, 1}}), Errc::invalid_argument, "size"));
  EXPECT_TRUE(fails(check({static_cast<PixelFormat>(99), 64, 48, {30, 1}}), Errc::invalid_argument,
                    "pixel format number 99"));
}

TEST(Format, PeriodIsNeverZero) {
  EXPECT_EQ(frame_period({30, 1}), Nanoseconds(33'333'333));
  EXPECT_EQ(frame_period({1, UINT32_MAX}), std::chrono::seconds(UINT32_MAX));
  EXPECT_EQ(frame_period({0, 1}), std::chrono::seconds(1));
  for (const Fraction rate : {Fraction{30, 0}, {0, 0}, {UINT32_MAX, 1}})
    EXPECT_EQ(frame_period(rate), Nanoseconds(1));
}

TEST(PixelFormat, NamesReadBack) {
  for (PixelFormat format : kPixelFormats) EXPECT_EQ(pixel_format_from(to_string(format)), format);
  EXPECT_FALSE(pixel_format_from("nv12"));
}

TEST(Offers, ShareOnlyWhatBothAllow) {
  const FormatOffer a{PixelFormat::nv12, {16, 1920, 2}, {16, 1080, 2}, {{{1, 1}, {60, 1}}}};
  const FormatOffer b{PixelFormat::nv12, {640, 640, 1}, {480, 480, 1}, {{{30, 1}, {30, 1}}}};
  auto both = intersect(std::vector{a}, std::vector{b});
  ASSERT_EQ(both.size(), 1u);
  EXPECT_TRUE(allows(both[0], {PixelFormat::nv12, 640, 480, {30, 1}}));
  EXPECT_FALSE(allows(both[0], {PixelFormat::nv12, 640, 480, {60, 1}}));
  EXPECT_FALSE(allows(both[0], {PixelFormat::nv12, 642, 480, {30, 1}}));
}

TEST(Offers, DifferentStepsMeetAtTheirCommonMultiple) {
  const FormatOffer a{PixelFormat::rgb, {10, 100, 4}, {1, 9, 1}, {}};
  const FormatOffer b{PixelFormat::rgb, {12, 100, 6}, {1, 9, 1}, {}};
  auto both = intersect(std::vector{a}, std::vector{b});
  ASSERT_EQ(both.size(), 1u);
  EXPECT_EQ(both[0].width, (SizeRange{18, 90, 12}));
}

TEST(Offers, HaveNoRateWithoutADenominator) {
  for (const std::vector<RateRange>& rates :
       {std::vector<RateRange>{}, std::vector<RateRange>{{{1, 1}, {60, 1}}}})
    for (const std::uint32_t numerator : {0u, 30u})
      EXPECT_FALSE(
          allows({PixelFormat::rgb, {}, {}, rates}, {PixelFormat::rgb, 64, 48, {numerator, 0}}));
}

TEST(Offers, WithoutACommonFormatShareNothing) {
  const FormatOffer a{PixelFormat::rgb, {}, {}, {}};
  const FormatOffer b{PixelFormat::nv12, {}, {}, {}};
  EXPECT_TRUE(intersect(std::vector{a}, std::vector{b}).empty());
}

}  // namespace
}  // namespace lockstep
