// SPDX-License-Identifier: MIT
// GStreamer's own v4l2src on four kernel cameras, each of which writes into its slot of lockstepmux's batches: the driver
// imports the slots as dma-bufs, and nothing copies a frame.
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "gst/mux_pipeline.h"

namespace lockstep {
namespace {

constexpr guint kCameras = 4;
constexpr guint kFrames = 200;
// Frames that drivers may have in flight at once, with some to spare: so long a camera that skipped one is out of step.
constexpr guint kBackInStep = 12;
// vivid's solid pictures, which tell the cameras apart, and their brightness as it comes out: BT.601, limited range.
constexpr struct {
  int pattern;
  int luma;
} kPictures[kCameras] = {{5, 16}, {6, 235}, {7, 81}, {8, 145}};

std::string camera_line(guint index, const std::string& io) {
  const std::string i = std::to_string(index);
  return "v4l2src name=camera" + i + " device=/dev/video" + i + " io-mode=" + io +
         " num-buffers=" + std::to_string(kFrames) +
         " extra-controls=controls,test_pattern=" + std::to_string(kPictures[index].pattern) +
         ",osd_text_mode=2,brightness=128"
         " ! video/x-raw,format=NV12,width=320,height=180,framerate=10/1 ! mux.sink_" +
         i + " ";
}

// The brightness of all of a frame's pixels; nothing where they differ by more than a step of rounding.
std::optional<int> brightness_of(GstBuffer* frame) {
  const MappedFrame mapped(info_of(frame, nullptr), frame, GST_MAP_READ);
  if (!mapped) return std::nullopt;
  guint8 least = 255;
  guint8 most = 0;
  for (int y = 0; y < GST_VIDEO_FRAME_HEIGHT(&*mapped); ++y) {
    const auto* row = static_cast<const guint8*>(GST_VIDEO_FRAME_PLANE_DATA(&*mapped, 0)) +
                      y * GST_VIDEO_FRAME_PLANE_STRIDE(&*mapped, 0);
    const auto [low, high] = std::minmax_element(row, row + GST_VIDEO_FRAME_WIDTH(&*mapped));
    least = std::min(least, *low);
    most = std::max(most, *high);
  }
  return most - least <= 1 ? std::optional<int>(least) : std::nullopt;
}

class MuxV4l2 : public testing::Test {
 protected:
  void run(const std::string& io, const std::string& properties) {
    // The cameras have no common trigger: a frame of each lies within three quarters of a period.
    std::string line = "lockstepmux name=mux sync-tolerance=75000000 " + properties +
                       " ! fakesink name=end sync=false ";
    for (guint s = 0; s < kCameras; ++s) line += camera_line(s, io);
    pipeline_ = std::make_unique<MuxPipeline>(line);
    pipeline_->watch("end.sink", [this](GstPad*, GstBuffer* batch) { return look(batch); });
    ASSERT_EQ(pipeline_->run(), "EOS");
  }

  GstPadProbeReturn look(GstBuffer* batch) {
    const GstLockstepBatchMeta* meta = gst_buffer_get_lockstep_batch_meta(batch);
    num_contiguous_ += meta->contiguous ? 1 : 0;
    bool follows = true;  // Each camera's next frame is there.
    for (guint s = 0; s < meta->n_frames; ++s) {
      const GstLockstepFrame& frame = meta->frames[s];
      follows = follows && frame.buffer && last_[s] && frame.sequence == *last_[s] + 1;
      if (!frame.buffer) continue;
      EXPECT_EQ(frame.copies, 0u);
      const auto brightness = brightness_of(frame.buffer);
      EXPECT_TRUE(brightness) << "slot " << s << " is of more than one camera";
      EXPECT_NEAR(brightness.value_or(-1), kPictures[s].luma, 2) << "slot " << s;
      // Sequence numbers are the driver's: frames come in order.
      EXPECT_GE(frame.sequence, last_[s].value_or(0)) << "slot " << s;
      last_[s] = frame.sequence;
    }
    in_a_row_ = follows ? in_a_row_ + 1 : 0;
    if (in_a_row_ > kBackInStep) {
      ++num_in_step_;
      EXPECT_TRUE(meta->contiguous || reference_) << "after " << in_a_row_ << " batches in a row";
    }
    return GST_PAD_PROBE_OK;
  }

  // Each frame of each camera is in a batch or counted.
  void expect_all_counted() const {
    const Stats stats = pipeline_->stats();
    for (guint s = 0; s < kCameras; ++s) {
      EXPECT_EQ(stats.of(s, "frames") + stats.of(s, "drops"), kFrames) << s;
      EXPECT_GT(stats.of(s, "frames"), kFrames / 2) << s;
    }
    // Shown, since a guest's clock is too coarse to tell how many there must be.
    std::printf("%u batches, %u incomplete, %u contiguous, %u that had to be\n",
                static_cast<unsigned>(stats.of("batches")),
                static_cast<unsigned>(stats.of("incomplete")), num_contiguous_, num_in_step_);
  }

  std::unique_ptr<MuxPipeline> pipeline_;
  std::array<std::optional<guint64>, kCameras> last_;
  bool reference_ = false;  // Batches are not contiguous.
  guint num_contiguous_ = 0;
  guint in_a_row_ = 0;     // Batches in which no camera had skipped a frame.
  guint num_in_step_ = 0;  // Batches that must be contiguous.
};

TEST_F(MuxV4l2, DriversWriteIntoTheSlots) {
  ASSERT_NO_FATAL_FAILURE(run("dmabuf-import", "memory=udmabuf"));
  expect_all_counted();
  const Stats stats = pipeline_->stats();
  EXPECT_EQ(stats.of("copies"), 0u);
  for (guint s = 0; s < kCameras; ++s)
    EXPECT_EQ(stats.text(s, "io"), "in place (the frames lie in slots of a batch)");
  EXPECT_EQ(stats.of("by-reference"), stats.of("batches") - num_contiguous_);
  EXPECT_GT(num_in_step_, 0u);
}

TEST_F(MuxV4l2, BuffersOfTheDriversArePassedOn) {
  reference_ = true;
  ASSERT_NO_FATAL_FAILURE(run("mmap", "layout=reference"));
  expect_all_counted();
  EXPECT_EQ(pipeline_->stats().of("copies"), 0u);
  EXPECT_EQ(num_contiguous_, 0u);
}

}  // namespace
}  // namespace lockstep
