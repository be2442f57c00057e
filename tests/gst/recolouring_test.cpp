// SPDX-License-Identifier: MIT
#include "gstlockstepcolour.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>

#include "gstlockstepcaps.h"
#include "gstlockstephandles.h"

namespace lockstep {
namespace {

GstVideoInfo info_in(PixelFormat format, gint width, gint height, const char* colorimetry) {
  GstVideoInfo info;
  gst_video_info_set_format(&info, video_format_of(format), static_cast<guint>(width),
                            static_cast<guint>(height));
  gst_video_colorimetry_from_string(&info.colorimetry, colorimetry);
  return info;
}

BufferPtr buffer_for(const GstVideoInfo& info) {
  BufferPtr buffer(gst_buffer_new_allocate(nullptr, info.size, nullptr));
  gst_buffer_memset(buffer.get(), 0, 0, info.size);
  return buffer;
}

// A flat picture of that colour, as GStreamer's converter makes it.
void convert(const GstVideoInfo& from, GstBuffer* picture, const GstVideoInfo& to,
             GstBuffer* converted) {
  GstVideoInfo in = from;
  GstVideoInfo out = to;
  GstVideoConverter* converter = gst_video_converter_new(&in, &out, nullptr);
  MappedFrame source(in, picture, GST_MAP_READ);
  MappedFrame target(out, converted, GST_MAP_WRITE);
  gst_video_converter_frame(converter, source.frame(), target.frame());
  gst_video_converter_free(converter);
}

BufferPtr flat(const std::array<guint8, 3>& rgb, const GstVideoInfo& info) {
  const GstVideoInfo in =
      info_in(PixelFormat::rgb, GST_VIDEO_INFO_WIDTH(&info), GST_VIDEO_INFO_HEIGHT(&info), "sRGB");
  BufferPtr source = buffer_for(in);
  {
    const MappedFrame mapped(in, source.get(), GST_MAP_WRITE);
    fill(picture_of(*mapped), rgb);
  }
  BufferPtr picture = buffer_for(info);
  convert(in, source.get(), info, picture.get());
  return picture;
}

// The code value of a component in the middle of a picture, of 8 bits.
double code_in_middle(const GstVideoInfo& info, GstBuffer* buffer, guint component) {
  const MappedFrame mapped(info, buffer, GST_MAP_READ);
  const auto in_plane = static_cast<guint>(GST_VIDEO_INFO_COMP_PLANE(&info, component));
  const PlaneView plane = plane_of(picture_of(*mapped), in_plane);
  std::size_t channel = 0;
  for (guint c = 0; c < component; ++c)
    channel += static_cast<guint>(GST_VIDEO_INFO_COMP_PLANE(&info, c)) == in_plane;
  const PlaneView::Channel& samples = plane.channels[channel];
  const guint8* at = plane.data + plane.height / 2 * plane.stride +
                     (samples.offset + samples.width / 2 * samples.step) * plane.sample_bytes;
  return plane.sample_bytes == 1 ? at[0] : (at[0] + 256 * at[1]) / 256.0;
}

class RecolouringOf : public testing::TestWithParam<PixelFormat> {};

// Within 2 of 255 of what GStreamer's converter makes of the colour itself. (From one YUV to another of the same matrix it
// leaves the range as it is.)
TEST_P(RecolouringOf, IsAsGStreamerConvertsTheColourItself) {
  std::mt19937 random(7);
  const char* const all[] = {"bt601", "bt709", "bt2020", "smpte240m", "1:4:5:4", "1:3:5:1"};
  for (const char* from : all) {
    for (const char* to : all) {
      const GstVideoInfo before = info_in(GetParam(), 7, 5, from);
      const GstVideoInfo after = info_in(GetParam(), 7, 5, to);
      const auto recolouring = Recolouring::between(before, after);
      ASSERT_EQ(recolouring.has_value(), from != to);
      if (!recolouring) continue;
      for (int i = 0; i < 20; ++i) {
        const std::array<guint8, 3> rgb{static_cast<guint8>(random()),
                                        static_cast<guint8>(random()),
                                        static_cast<guint8>(random())};
        BufferPtr picture = flat(rgb, before);
        BufferPtr wanted = flat(rgb, after);
        {
          const MappedFrame mapped(before, picture.get(), GST_MAP_READWRITE);
          recolouring->apply(picture_of(*mapped));
        }
        for (guint c = 0; c < GST_VIDEO_INFO_N_COMPONENTS(&after); ++c)
          EXPECT_NEAR(code_in_middle(after, picture.get(), c),
                      code_in_middle(after, wanted.get(), c), 2)
              << from << " to " << to << ", component " << c;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(PixelFormats, RecolouringOf,
                         testing::Values(PixelFormat::nv12, PixelFormat::i420, PixelFormat::yuy2,
                                         PixelFormat::uyvy, PixelFormat::p010_10le),
                         [](const auto& test) { return std::string(to_string(test.param)); });

TEST(Recolouring, ConvertsTheRangeOfGreyAndRgb) {
  for (PixelFormat format : {PixelFormat::gray8, PixelFormat::rgb, PixelFormat::bgrx}) {
    const bool rgb = is_rgb(format);
    const GstVideoInfo full = info_in(format, 4, 4, rgb ? "1:1:7:1" : "1:4:0:0");
    const GstVideoInfo video = info_in(format, 4, 4, rgb ? "2:1:7:1" : "2:4:0:0");
    BufferPtr picture = buffer_for(full);
    gst_buffer_memset(picture.get(), 0, 255, full.size);
    {
      const MappedFrame mapped(full, picture.get(), GST_MAP_READWRITE);
      Recolouring::between(full, video)->apply(picture_of(*mapped));
    }
    EXPECT_EQ(code_in_middle(video, picture.get(), 0), 235) << to_string(format);
    EXPECT_FALSE(Recolouring::between(full, full));
  }
}

TEST(Recolouring, SaysWhatItDoesNotConvert) {
  const auto between = [](const char* a, const char* b) {
    return beyond_recolouring(info_in(PixelFormat::nv12, 2, 2, a).colorimetry,
                              info_in(PixelFormat::nv12, 2, 2, b).colorimetry);
  };
  EXPECT_EQ(between("bt601", "bt601"), "");
  EXPECT_EQ(between("bt601", "bt709"), "primaries");
  EXPECT_EQ(between("1:4:7:1", "1:4:5:1"), "transfer");
  EXPECT_EQ(between("bt601", "1:4:7:1"), "transfer and primaries");
  EXPECT_EQ(between("2:3:5:1", "1:4:16:1"), "");
  EXPECT_EQ(between("2:4:0:0", "bt709"), "");
}

TEST(SamplesOf, AColourAreThoseThatGStreamerConvertsItTo) {
  for (PixelFormat format : kPixelFormats) {
    if (format == PixelFormat::gray8) continue;
    for (const char* colorimetry : {"bt601", "bt709", "1:4:5:4"}) {
      const GstVideoInfo info = info_in(format, 4, 4, is_rgb(format) ? "sRGB" : colorimetry);
      for (const Colour& colour : {kBlack, kRed, kAmber}) {
        BufferPtr picture = flat(colour.rgb, info);
        const ColourSamples samples = samples_of(colour, info);
        for (guint c = 0; c < 3; ++c)
          EXPECT_NEAR(samples[c], code_in_middle(info, picture.get(), c), 1.5)
              << to_string(format) << " " << colorimetry << ", component " << c;
      }
    }
  }
}

TEST(ExplicitCaps, SayWhatGStreamerTakesForGranted) {
  for (const auto& [given, colorimetry] :
       {std::pair{"video/x-raw, format=NV12, width=64, height=576, framerate=30/1", "bt601"},
        {"video/x-raw, format=NV12, width=64, height=578, framerate=30/1", "bt709"},
        {"video/x-raw, format=RGB, width=64, height=48, framerate=30/1", "sRGB"},
        {"video/x-raw, format=NV12, width=64, height=48, framerate=30/1, colorimetry=bt2020",
         "bt2020"}}) {
    const CapsPtr caps(gst_caps_from_string(given));
    GstVideoInfo info;
    gst_video_info_from_caps(&info, caps.get());
    const CapsPtr complete = explicit_caps(caps.get(), info);
    const GstStructure* structure = gst_caps_get_structure(complete.get(), 0);
    EXPECT_STREQ(gst_structure_get_string(structure, "colorimetry"), colorimetry);
    EXPECT_TRUE(gst_structure_has_field(structure, "pixel-aspect-ratio"));
  }
}

}  // namespace
}  // namespace lockstep
