// SPDX-License-Identifier: MIT
// What is known of frames and batches, on its way through the elements.
#include <gst/lockstep/gstlockstepbatchmeta.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "pipeline.h"

namespace lockstep {
namespace {

// What a meta says, kept when its buffer is gone.
struct Described {
  guint64 batch_number = 0;
  GstClockTime skew = 0;
  bool uniform = false;
  std::vector<GstLockstepFrame> frames;  // Their buffers are not ours.
};

Described described_by(GstBuffer* buffer) {
  Described described;
  const GstLockstepBatchMeta* meta = gst_buffer_get_lockstep_batch_meta(buffer);
  EXPECT_TRUE(meta);
  if (!meta) return described;
  described.batch_number = meta->batch_number;
  described.skew = meta->skew;
  described.uniform = meta->uniform;
  described.frames.assign(meta->frames, meta->frames + meta->n_frames);
  return described;
}

// What every buffer at the end of a pipeline says.
std::vector<Described> run(const std::string& line) {
  std::vector<Described> all;
  Pipeline pipeline(line, [&](GstBuffer* buffer) { all.push_back(described_by(buffer)); });
  EXPECT_EQ(pipeline.parse_error, "");
  pipeline.play_to_end();
  return all;
}

std::string source(const std::string& name, int exposure_ms) {
  return "lockstepsrc name=" + name +
         " sensors=\"sim?size=64x48&realtime=false&jitter-us=500\" num-sensors=2 num-buffers=6 "
         "always-meter=true exposure-time=" +
         std::to_string(exposure_ms) + "000000 ";
}

void expect_same_frame(const GstLockstepFrame& a, const GstLockstepFrame& b) {
  EXPECT_EQ(a.state, b.state);
  EXPECT_EQ(a.sequence, b.sequence);
  EXPECT_EQ(a.capture_time, b.capture_time);
  EXPECT_EQ(a.clock, b.clock);
  EXPECT_EQ(a.reference_point, b.reference_point);
  EXPECT_EQ(a.exposure, b.exposure);
  EXPECT_EQ(a.frame_duration, b.frame_duration);
  EXPECT_EQ(a.analogue_gain, b.analogue_gain);
  EXPECT_EQ(a.digital_gain, b.digital_gain);
  EXPECT_EQ(a.red_gain, b.red_gain);
  EXPECT_EQ(a.blue_gain, b.blue_gain);
  EXPECT_EQ(a.settings_revision, b.settings_revision);
  EXPECT_EQ(a.settings_state, b.settings_state);
  EXPECT_EQ(a.copies, b.copies);
  EXPECT_EQ(a.metered, b.metered);
  EXPECT_EQ(a.luma, b.luma);
  EXPECT_EQ(a.clipped_dark, b.clipped_dark);
  EXPECT_EQ(a.clipped_bright, b.clipped_bright);
  EXPECT_EQ(a.red, b.red);
  EXPECT_EQ(a.green, b.green);
  EXPECT_EQ(a.blue, b.blue);
}

TEST(Description, OfABatchStaysWithItsMosaic) {
  const auto batches = run(source("src", 5));
  const auto mosaics = run(source("src", 5) + "! locksteptiler");
  ASSERT_EQ(batches.size(), 6u);
  ASSERT_EQ(mosaics.size(), batches.size());
  for (std::size_t i = 0; i < batches.size(); ++i) {
    EXPECT_TRUE(batches[i].uniform);
    EXPECT_GT(batches[i].skew, 0u);
    EXPECT_TRUE(batches[i].frames[1].metered);
    EXPECT_EQ(mosaics[i].batch_number, batches[i].batch_number);
    EXPECT_EQ(mosaics[i].skew, batches[i].skew);
    EXPECT_EQ(mosaics[i].uniform, batches[i].uniform);
    ASSERT_EQ(mosaics[i].frames.size(), 2u);
    for (std::size_t slot : {0u, 1u})
      expect_same_frame(mosaics[i].frames[slot], batches[i].frames[slot]);
  }
}

TEST(Description, OfAFrameAndItsBatchStaysWithWhatIsTakenOut) {
  const auto batches = run(source("src", 5));
  const auto frames = run(source("src", 5) + "! lockstepdemux name=demux demux.src_1 ! queue");
  ASSERT_EQ(frames.size(), batches.size());
  for (std::size_t i = 0; i < batches.size(); ++i) {
    EXPECT_EQ(frames[i].batch_number, batches[i].batch_number);
    EXPECT_EQ(frames[i].skew, batches[i].skew);
    EXPECT_EQ(frames[i].uniform, batches[i].uniform);
    ASSERT_EQ(frames[i].frames.size(), 1u);
    expect_same_frame(frames[i].frames[0], batches[i].frames[1]);
  }
}

TEST(Description, OfFramesSurvivesBeingPutTogetherAgain) {
  const auto before = run(source("src", 5));
  const auto after = run(source("src", 5) +
                         "! lockstepdemux name=demux lockstepmux name=mux "
                         "demux.src_0 ! queue ! mux.sink_0 demux.src_1 ! queue ! mux.sink_1 mux.");
  ASSERT_EQ(after.size(), before.size());
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_TRUE(after[i].uniform);
    ASSERT_EQ(after[i].frames.size(), 2u);
    for (std::size_t slot : {0u, 1u})
      expect_same_frame(after[i].frames[slot], before[i].frames[slot]);
  }
}

// Revision 1 of one rig is another than revision 1 of another.
TEST(Description, FramesOfSeveralRigsAreNotUniform) {
  const auto batches = run(source("src", 5) + "! lockstepdemux name=one " + source("other", 9) +
                           "! lockstepdemux name=two lockstepmux name=mux "
                           "one.src_0 ! queue ! mux.sink_0 two.src_0 ! queue ! mux.sink_1 mux.");
  ASSERT_EQ(batches.size(), 6u);
  for (const Described& batch : batches) {
    ASSERT_EQ(batch.frames.size(), 2u);
    EXPECT_EQ(batch.frames[0].settings_revision, batch.frames[1].settings_revision);
    EXPECT_NE(batch.frames[0].exposure, batch.frames[1].exposure);
    EXPECT_FALSE(batch.uniform);
  }
}

// Nor do they become so by going through a batch of their own.
TEST(Description, FramesOfSeveralRigsStaySoInABatchOfABatch) {
  const auto batches =
      run(source("src", 5) + "! lockstepdemux name=one " + source("other", 9) +
          "! lockstepdemux name=two lockstepmux name=between lockstepmux name=mux "
          "one.src_0 ! queue ! between.sink_0 two.src_0 ! queue ! between.sink_1 "
          "between. ! lockstepdemux name=three "
          "three.src_0 ! queue ! mux.sink_0 three.src_1 ! queue ! mux.sink_1 mux.");
  ASSERT_EQ(batches.size(), 6u);
  for (const Described& batch : batches) EXPECT_FALSE(batch.uniform);
}

}  // namespace
}  // namespace lockstep
