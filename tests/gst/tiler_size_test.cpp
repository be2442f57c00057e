// SPDX-License-Identifier: MIT
// How large mosaics are, and in what shape they show what they show.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "batches.h"
#include "harness.h"
#include "tiler_bench.h"

namespace lockstep {
namespace {

constexpr Format kFullHd{PixelFormat::nv12, 1920, 1080, {30, 1}};
constexpr Format kQuarterHd{PixelFormat::nv12, 320, 180, {30, 1}};
constexpr Format kPal{PixelFormat::nv12, 720, 576, {25, 1}};

struct SizeCase {
  std::size_t slots;
  Format frames;
  const char* properties;
  const char* downstream;
  std::uint32_t width;
  std::uint32_t height;
};

TEST(TilerCaps, SizeIsChosenWithoutDistortion) {
  for (const SizeCase& wanted : {
           SizeCase{4, kFullHd, "", "", 1920, 1080},
           {2, kFullHd, "", "", 1920, 540},
           {1, kQuarterHd, "", "", 320, 180},
           {4, kFullHd, "width=1280", "", 1280, 720},
           {4, kFullHd, "height=360", "", 640, 360},
           {4, kFullHd, "width=300 height=300", "", 300, 300},
           {4, kFullHd, "", ", width=960", 960, 540},
           {4, kFullHd, "", ", height=720", 1280, 720},
           {4, kFullHd, "", ", width=[1,1280]", 1280, 720},
           {4, kFullHd, "width=1280 height=720", ", width=640, height=480", 640, 480},
       }) {
    Tiler tiler(wanted.properties);
    gst_harness_set_sink_caps_str(tiler.harness.get(),
                                  (std::string("video/x-raw") + wanted.downstream).c_str());
    play(tiler.harness.get(), wanted.frames, wanted.slots);
    ASSERT_TRUE(tiler.draw(all_fresh(wanted.frames, wanted.slots)));
    EXPECT_EQ(tiler.format_out().width, wanted.width) << wanted.properties << wanted.downstream;
    EXPECT_EQ(tiler.format_out().height, wanted.height) << wanted.properties << wanted.downstream;
  }
}

TEST(TilerCaps, SizeLeftOpenHasRoomForEveryTile) {
  const Format tiny{PixelFormat::nv12, 1, 1, {30, 1}};
  const Format flat{PixelFormat::nv12, 4096, 2, {30, 1}};
  const Format thin{PixelFormat::nv12, 2, 4096, {30, 1}};
  for (const Format& frames : {tiny, flat, thin}) {
    for (const char* properties : {"", "rows=1", "columns=1", "width=1920", "height=1080"}) {
      Tiler tiler(properties);
      play(tiler.harness.get(), frames, 64);
      BatchPlan plan{frames, std::vector<FrameState>(64, FrameState::missing), 0};
      EXPECT_TRUE(tiler.draw(plan))
          << to_string(frames) << " " << properties << ": " << tiler.bus.take_error();
    }
  }
}

// Batches whose frames have pixels of these aspects, and what comes out of the tiler.
struct AspectTiler {
  AspectTiler(const std::vector<std::string>& aspects, const std::string& properties,
              const std::string& downstream = "")
      : tiler(properties), num_slots(aspects.size()) {
    gst_harness_set_sink_caps_str(tiler.harness.get(), ("video/x-raw" + downstream).c_str());
    std::string caps = batch_caps(kPal, num_slots);
    const bool alike = aspects == std::vector<std::string>(num_slots, aspects.front());
    if (alike) caps += ", pixel-aspect-ratio=" + aspects.front();
    std::string streams;
    for (const std::string& aspect : aspects)
      streams += (streams.empty() ? "[" : ", [") + frame_caps(kPal) +
                 ", pixel-aspect-ratio=" + aspect + "]";
    if (!alike) caps += ", streams=(GstCaps)<" + streams + ">";
    gst_harness_set_src_caps_str(tiler.harness.get(), caps.c_str());
    mosaic = tiler.draw(all_fresh(kPal, num_slots));
    CapsPtr out(gst_pad_get_current_caps(tiler.harness->sinkpad));
    if (out) gst_video_info_from_caps(&info, out.get());
  }
  std::string text() const {
    return std::to_string(GST_VIDEO_INFO_WIDTH(&info)) + "x" +
           std::to_string(GST_VIDEO_INFO_HEIGHT(&info)) + " " +
           std::to_string(GST_VIDEO_INFO_PAR_N(&info)) + "/" +
           std::to_string(GST_VIDEO_INFO_PAR_D(&info));
  }

  Tiler tiler;
  std::size_t num_slots;
  BufferPtr mosaic;
  GstVideoInfo info{};
};

TEST(TilerPixelAspect, IsThatOfTheFrames) {
  EXPECT_EQ(AspectTiler({"16/11"}, "").text(), "720x576 16/11");
  EXPECT_EQ(AspectTiler({"16/11", "16/11"}, "width=1280 height=480").text(), "1280x480 16/11");
  EXPECT_EQ(AspectTiler({"16/11", "16/11"}, "width=720").text(), "720x288 16/11");
  EXPECT_EQ(AspectTiler({"1/1", "1/1"}, "").text(), "1440x576 1/1");
}

// 2 x 720 x 16/11 are displayed 2095 wide.
TEST(TilerPixelAspect, CountsInTheSizeThatIsLeftOpen) {
  EXPECT_EQ(AspectTiler({"16/11", "16/11"}, "").text(), "1320x528 16/11");
}

TEST(TilerPixelAspect, IsCorrectedWhereDownstreamDemandsAnother) {
  EXPECT_EQ(AspectTiler({"16/11", "16/11"}, "", ", pixel-aspect-ratio=1/1").text(), "1920x528 1/1");
  EXPECT_EQ(AspectTiler({"16/11"}, "", ", pixel-aspect-ratio=1/1").text(), "1048x576 1/1");
}

// The wide one fills its tile, of 960 of 1920; the other has 11/16 of that, in the middle.
TEST(TilerPixelAspect, OfSeveralKindsBecomesSquareAndTilesKeepTheirShapes) {
  const AspectTiler tiler({"16/11", "1/1"}, "");
  EXPECT_EQ(tiler.text(), "1920x528 1/1");
  const Format format = tiler.tiler.format_out();
  constexpr int kBackground = 16;
  constexpr int kFrame = 0x80;
  const auto middle = [&](std::uint32_t x) {
    return brightness(tiler.mosaic.get(), format, x, 300);
  };
  EXPECT_EQ(middle(3), kFrame);
  EXPECT_EQ(middle(956), kFrame);
  EXPECT_EQ(middle(963), kBackground);
  EXPECT_EQ(middle(960 + 150 - 4), kBackground);
  EXPECT_EQ(middle(960 + 150 + 4), kFrame);
  EXPECT_EQ(middle(1920 - 150 - 4), kFrame);
  EXPECT_EQ(middle(1920 - 150 + 4), kBackground);
  const auto code = code_in(tiler.mosaic.get(), format, {960 + 150, 0, 660, 528});
  ASSERT_TRUE(code);
  EXPECT_EQ(code->sensor, 1);
}

}  // namespace
}  // namespace lockstep
