// SPDX-License-Identifier: MIT
#include "lockstep/format.h"

#include <gtest/gtest.h>

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

TEST(Offers, WithoutACommonFormatShareNothing) {
  const FormatOffer a{PixelFormat::rgb, {}, {}, {}};
  const FormatOffer b{PixelFormat::nv12, {}, {}, {}};
  EXPECT_TRUE(intersect(std::vector{a}, std::vector{b}).empty());
}

}  // namespace
}  // namespace lockstep
