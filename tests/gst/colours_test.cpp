// SPDX-License-Identifier: MIT
// What colours are on their way through the elements: as videoconvert makes them of the same source without them.
#include <gmock/gmock.h>
#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iterator>
#include <string>
#include <vector>

#include "gstlockstephandles.h"
#include "harness.h"
#include "pipeline.h"

namespace lockstep {
namespace {

using testing::HasSubstr;
using Rgb = std::array<int, 3>;

// How far off a colour may be: rounding on the way, thrice.
constexpr int kClose = 2;

testing::AssertionResult are_close(const Rgb& a, const Rgb& b) {
  for (std::size_t c = 0; c < 3; ++c)
    if (std::abs(a[c] - b[c]) > kClose)
      return testing::AssertionFailure()
             << testing::PrintToString(a) << " is not " << testing::PrintToString(b);
  return testing::AssertionSuccess();
}

// A pipeline whose pictures are converted to RGB at its end.
struct Viewed {
  explicit Viewed(const std::string& line)
      : pipeline(line + " ! videoconvert ! video/x-raw,format=RGB",
                 [this](GstBuffer* buffer) { last.reset(gst_buffer_ref(buffer)); }) {
    EXPECT_EQ(pipeline.parse_error, "");
    pipeline.play_to_end();
    const ElementPtr end(gst_bin_get_by_name(GST_BIN(pipeline.get()), "end"));
    const CapsPtr caps = caps_at("end", "sink");
    EXPECT_TRUE(caps && gst_video_info_from_caps(&info, caps.get()));
  }

  CapsPtr caps_at(const char* element, const char* pad) const {
    const ElementPtr found(gst_bin_get_by_name(GST_BIN(pipeline.get()), element));
    GstPad* static_pad = gst_element_get_static_pad(found.get(), pad);
    CapsPtr caps(gst_pad_get_current_caps(static_pad));
    gst_object_unref(static_pad);
    return caps;
  }
  std::string field(const char* element, const char* pad, const char* name) const {
    const CapsPtr caps = caps_at(element, pad);
    const gchar* value =
        caps ? gst_structure_get_string(gst_caps_get_structure(caps.get(), 0), name) : nullptr;
    return value ? value : "";
  }

  // At a share of width and height.
  Rgb at(double across, double down) const {
    const MappedFrame mapped(info, last.get(), GST_MAP_READ);
    const GstVideoFrame& frame = *mapped;
    const auto x = static_cast<gsize>(across * GST_VIDEO_FRAME_WIDTH(&frame));
    const auto y = static_cast<gsize>(down * GST_VIDEO_FRAME_HEIGHT(&frame));
    const auto* pixel = static_cast<const guint8*>(GST_VIDEO_FRAME_PLANE_DATA(&frame, 0)) +
                        y * static_cast<gsize>(GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0)) + 3 * x;
    return {pixel[0], pixel[1], pixel[2]};
  }

  BufferPtr last;
  GstVideoInfo info{};
  Pipeline pipeline;
};

// What a source of one colour sends; `caps` such as "NV12,width=320,height=240,colorimetry=bt601".
std::string source(const std::string& pattern, const std::string& caps) {
  return "videotestsrc num-buffers=2 pattern=" + pattern +
         " ! video/x-raw,format=RGB,width=320,height=240 ! videoscale ! videoconvert ! "
         "video/x-raw,format=" +
         caps + ",framerate=30/1 ";
}

struct Pattern {
  const char* name;
  Rgb colour;
};
const Pattern kPatterns[] = {{"red", {255, 0, 0}},
                             {"green", {0, 255, 0}},
                             {"blue", {0, 0, 255}},
                             {"white", {255, 255, 255}},
                             {"black", {0, 0, 0}}};

// How far the furthest component is off.
int error_of(const Rgb& seen, const Rgb& colour) {
  int most = 0;
  for (std::size_t c = 0; c < 3; ++c) most = std::max(most, std::abs(seen[c] - colour[c]));
  return most;
}

// A mosaic of several sources.
std::string mosaic_of(const std::vector<std::string>& sources, const std::string& tiler) {
  std::string line = "lockstepmux name=mux ! locksteptiler name=tiler " + tiler;
  for (std::size_t i = 0; i < sources.size(); ++i)
    line = sources[i] + "! mux.sink_" + std::to_string(i) + " " + line;
  return line;
}

// Two sources side by side.
std::string side_by_side(const std::string& left, const std::string& right,
                         const std::string& tiler) {
  return mosaic_of({left, right}, "rows=1 " + tiler);
}

TEST(Colours, StayWhenTheHeightChanges) {
  for (const auto& [frames, mosaic] :
       {std::pair{"NV12,width=320,height=240", "width=1920 height=1080"},
        {"NV12,width=1920,height=1080", "width=640 height=360"},
        {"I420,width=320,height=240", "width=1280 height=720"},
        {"RGB,width=320,height=240", "width=1280 height=720"}}) {
    for (const Pattern& pattern : kPatterns) {
      const std::string one = source(pattern.name, frames);
      const Rgb alone = Viewed(one).at(0.5, 0.5);
      const Viewed both(side_by_side(one, one, mosaic));
      EXPECT_TRUE(are_close(both.at(0.25, 0.5), alone)) << frames << pattern.name;
      EXPECT_TRUE(are_close(both.at(0.75, 0.5), alone)) << frames << pattern.name;
    }
  }
}

TEST(Colours, OfSeveralColorimetriesStayInOneMosaic) {
  const std::vector<std::string> all = {"bt601", "bt709", "(string)1:4:5:4", "bt2020"};
  std::size_t next = 0;
  for (const char* format : {"NV12", "I420", "YUY2"}) {
    // The mosaic has the colorimetry of the first slot.
    for (std::size_t first = 0; first < all.size(); ++first) {
      const Pattern& pattern = kPatterns[next++ % std::size(kPatterns)];
      std::vector<std::string> slots;
      std::vector<int> errors;  // Of each alone: what videoconvert makes of some is 6 off.
      for (std::size_t slot = 0; slot < all.size(); ++slot) {
        slots.push_back(source(pattern.name, std::string(format) +
                                                 ",width=320,height=240,colorimetry=" +
                                                 all[(first + slot) % all.size()]));
        errors.push_back(error_of(Viewed(slots.back()).at(0.5, 0.5), pattern.colour));
      }
      const Viewed mosaic(mosaic_of(slots, "rows=2 width=640 height=480"));
      for (std::size_t slot = 0; slot < all.size(); ++slot) {
        const Rgb seen = mosaic.at(slot % 2 == 0 ? 0.25 : 0.75, slot < 2 ? 0.25 : 0.75);
        EXPECT_LE(error_of(seen, pattern.colour), std::max(errors[0], errors[slot]) + kClose)
            << format << ": " << all[(first + slot) % all.size()] << " in a mosaic of "
            << all[first];
      }
    }
  }
}

TEST(Colours, AreConvertedToWhatDownstreamDemands) {
  const std::string one = source("red", "NV12,width=320,height=240,colorimetry=bt601");
  const Viewed both(side_by_side(one, one, "! video/x-raw,colorimetry=bt709"));
  EXPECT_EQ(both.field("tiler", "src", "colorimetry"), "bt709");
  EXPECT_LE(error_of(both.at(0.25, 0.5), {255, 0, 0}), 6);
}

TEST(Colours, ThatAreNotConvertedInFullAreReportedOnce) {
  Pipeline pipeline(side_by_side(source("red", "NV12,width=320,height=240,colorimetry=bt601"),
                                 source("red", "NV12,width=320,height=240,colorimetry=bt709"),
                                 "width=640 height=240"));
  ASSERT_EQ(pipeline.parse_error, "");
  pipeline.set_state(GST_STATE_PLAYING);
  constexpr auto kNews = static_cast<GstMessageType>(int{GST_MESSAGE_WARNING} |
                                                     int{GST_MESSAGE_ERROR} | int{GST_MESSAGE_EOS});
  const auto warning = pipeline.wait_for(kNews);
  ASSERT_TRUE(warning);
  EXPECT_THAT(Pipeline::error_text(warning.get()), HasSubstr("primaries of slot 1"));
  const auto end = pipeline.wait_for(kNews);
  ASSERT_TRUE(end);
  EXPECT_EQ(GST_MESSAGE_TYPE(end.get()), GST_MESSAGE_EOS) << Pipeline::error_text(end.get());
}

TEST(Colours, OfEachPadComeOutOfTheDemuxerAsTheyWentIn) {
  Pipeline pipeline(source("red", "NV12,width=320,height=240,colorimetry=bt601") + "! mux.sink_0 " +
                    source("red", "NV12,width=320,height=240,colorimetry=bt709") +
                    "! mux.sink_1 lockstepmux name=mux ! lockstepdemux name=demux "
                    "demux.src_0 ! queue ! fakesink name=zero demux.src_1 ! queue");
  ASSERT_EQ(pipeline.parse_error, "");
  ASSERT_TRUE(pipeline.play_to_end());
  for (const auto& [name, colorimetry] : {std::pair{"zero", "bt601"}, {"end", "bt709"}}) {
    const ElementPtr sink(gst_bin_get_by_name(GST_BIN(pipeline.get()), name));
    GstPad* pad = gst_element_get_static_pad(sink.get(), "sink");
    const CapsPtr caps(gst_pad_get_current_caps(pad));
    gst_object_unref(pad);
    ASSERT_TRUE(caps);
    EXPECT_STREQ(gst_structure_get_string(gst_caps_get_structure(caps.get(), 0), "colorimetry"),
                 colorimetry);
  }
}

TEST(Colours, OfSeveralKindsForWhoTakesOneAreRefusedWithTheRemedy) {
  Pipeline pipeline(
      source("red", "NV12,width=320,height=240,colorimetry=bt601") + "! mux.sink_0 " +
      source("red", "NV12,width=320,height=240,colorimetry=bt709") +
      "! mux.sink_1 lockstepmux name=mux ! "
      "video/x-raw(meta:GstLockstepBatchMeta),colorimetry={(string)bt601,(string)bt709}");
  ASSERT_EQ(pipeline.parse_error, "");
  pipeline.set_state(GST_STATE_PLAYING);
  const auto error = pipeline.wait_for(GST_MESSAGE_ERROR);
  ASSERT_TRUE(error);
  EXPECT_THAT(Pipeline::error_text(error.get()), HasSubstr("put videoconvert and a capsfilter"));
}

TEST(SourceColours, AreSaidAndTheMosaicKeepsThem) {
  for (const auto& [size, colorimetry] :
       {std::pair{"width=640,height=360", "bt601"}, {"width=1280,height=720", "bt709"}}) {
    const std::string frames =
        "lockstepsrc name=source num-sensors=1 sensors=\"sim?realtime=false&noise=0&render=scene\" "
        "num-buffers=2 ! video/x-raw(meta:GstLockstepBatchMeta),format=NV12," +
        std::string(size) + ",framerate=30/1 ! ";
    const Viewed alone(frames + "lockstepdemux name=demux demux.src_0");
    for (const char* mosaic : {"width=1920 height=1080", "width=480 height=270"}) {
      const Viewed scaled(frames + "locksteptiler name=tiler " + mosaic);
      EXPECT_EQ(scaled.field("source", "src", "colorimetry"), colorimetry);
      EXPECT_EQ(scaled.field("tiler", "src", "colorimetry"), colorimetry);
      // In the middle of the large patches of the chart's left half.
      EXPECT_TRUE(are_close(scaled.at(0.02, 0.5), alone.at(0.02, 0.5))) << size << mosaic;
    }
  }
}

TEST(SourceColours, ThatDownstreamExcludesAreRefusedWithAReason) {
  Pipeline pipeline(
      "lockstepsrc num-sensors=2 sensors=\"sim?realtime=false\" ! "
      "video/x-raw(meta:GstLockstepBatchMeta),format=NV12,width=640,height=360,colorimetry=bt709");
  ASSERT_EQ(pipeline.parse_error, "");
  pipeline.set_state(GST_STATE_PLAYING);
  const auto error = pipeline.wait_for(GST_MESSAGE_ERROR);
  ASSERT_TRUE(error);
  EXPECT_THAT(Pipeline::error_text(error.get()),
              HasSubstr("deliver frames of colorimetry bt601, as sensor 0 does"));
}

}  // namespace
}  // namespace lockstep
