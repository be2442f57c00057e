// SPDX-License-Identifier: MIT
#include "lockstep/colour.h"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

TEST(Colorimetry, OfWhoDoesNotSayFollowsTheHeight) {
  EXPECT_EQ(usual_colorimetry(PixelFormat::nv12, 576),
            colorimetry_of(ColourMatrix::bt601, ColourRange::video));
  EXPECT_EQ(usual_colorimetry(PixelFormat::nv12, 577),
            colorimetry_of(ColourMatrix::bt709, ColourRange::video));
}

TEST(Colorimetry, OfRgbAndGreyIsInFullRange) {
  for (PixelFormat format :
       {PixelFormat::rgb, PixelFormat::bgrx, PixelFormat::rgba, PixelFormat::gray8})
    EXPECT_EQ(usual_colorimetry(format, 1080).range, ColourRange::full) << to_string(format);
  EXPECT_EQ(usual_colorimetry(PixelFormat::rgb, 100).transfer, ColourTransfer::srgb);
}

TEST(Colorimetry, IsNamedByWhatIsNotItsMatrixsOwn) {
  EXPECT_EQ(to_string(colorimetry_of(ColourMatrix::bt709, ColourRange::video)), "bt709 video");
  EXPECT_EQ(to_string(Colorimetry{ColourRange::full, ColourMatrix::bt601, ColourTransfer::srgb,
                                  ColourPrimaries::bt709}),
            "bt601 full, srgb, bt709 primaries");
}

}  // namespace
}  // namespace lockstep
