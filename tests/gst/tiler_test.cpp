// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gst/lockstep/gstlockstepbatchmeta.h>
#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "batches.h"
#include "harness.h"
#include "lockstep/mosaic.h"
#include "tiler_bench.h"

namespace lockstep {
namespace {

using testing::HasSubstr;

constexpr Format kSmallSlot{PixelFormat::nv12, 320, 180, {30, 1}};

// Whether every slot's tile shows that slot's frame of `sequence`.
testing::AssertionResult shows(GstBuffer* mosaic, const Format& format, std::size_t num_slots,
                               std::uint32_t sequence, Grid wanted = {}) {
  const Grid grid = *grid_for(num_slots, wanted);
  for (std::size_t slot = 0; slot < num_slots; slot++) {
    const auto code = code_in(mosaic, format, tile_of(slot, grid, format.width, format.height));
    if (!code) return testing::AssertionFailure() << "no code in tile " << slot;
    if (code->sensor != slot || code->sequence != sequence)
      return testing::AssertionFailure() << "tile " << slot << " shows frame " << code->sequence
                                         << " of sensor " << int{code->sensor};
  }
  return testing::AssertionSuccess();
}

// The brightness of the pixel that is one off the tile's corner: there the marks are.
int upper_right(GstBuffer* mosaic, const Format& format, const Rectangle& tile) {
  return brightness(mosaic, format, tile.x + tile.width - 2, tile.y + 1);
}
int lower_left(GstBuffer* mosaic, const Format& format, const Rectangle& tile) {
  return brightness(mosaic, format, tile.x + 1, tile.y + tile.height - 1);
}
// By BT.601, which holds for frames of this height.
constexpr int kRedLuma = 81;
constexpr int kAmberLuma = 178;
constexpr int kGrayLuma = 0x80;
constexpr int kBlackLuma = 16;

class TilerGrids : public testing::TestWithParam<int> {};

TEST_P(TilerGrids, ShowEachSensorInItsOwnTile) {
  const auto slots = static_cast<std::size_t>(GetParam());
  Tiler tiler;
  play(tiler.harness.get(), kSmallSlot, slots);
  BufferPtr mosaic = tiler.draw(all_fresh(kSmallSlot, slots, 9));
  ASSERT_TRUE(mosaic);
  EXPECT_TRUE(shows(mosaic.get(), tiler.format_out(), slots, 9));
}
INSTANTIATE_TEST_SUITE_P(Slots, TilerGrids, testing::Range(1, 17));

class TilerFormats : public testing::TestWithParam<PixelFormat> {};

TEST_P(TilerFormats, KeepThePixelFormatAndTheTiles) {
  for (auto [size, width, height] : {std::tuple{"width=320 height=180", 320u, 180u},
                                     {"width=480 height=270", 480u, 270u},
                                     {"width=643 height=363", 321u, 181u},
                                     {"width=1000 height=500", 320u, 180u}}) {
    const Format format{GetParam(), width, height, {30, 1}};
    Tiler tiler(size);
    play(tiler.harness.get(), format, 4);
    BufferPtr mosaic = tiler.draw(all_fresh(format, 4, 3));
    ASSERT_TRUE(mosaic);
    EXPECT_TRUE(shows(mosaic.get(), tiler.format_out(GetParam()), 4, 3)) << size;
  }
}
INSTANTIATE_TEST_SUITE_P(PixelFormats, TilerFormats, testing::ValuesIn(kPixelFormats),
                         [](const auto& test) { return std::string(to_string(test.param)); });

TEST(Tiler, DrawsSixtyFourSlots) {
  Tiler tiler("width=1024 height=576");
  play(tiler.harness.get(), kSmallSlot, 64);
  BufferPtr mosaic = tiler.draw(all_fresh(kSmallSlot, 64));
  ASSERT_TRUE(mosaic);
  EXPECT_TRUE(shows(mosaic.get(), tiler.format_out(), 64, 0));
}

TEST(Tiler, TakesFramesWithStridesOfTheirOwn) {
  Tiler tiler;
  play(tiler.harness.get(), kSmallSlot, 1);
  BufferPtr batch = make_batch(all_fresh(kSmallSlot, 1));
  GstLockstepFrame* frame = gst_buffer_get_lockstep_batch_meta(batch.get())->frames;
  GstVideoInfo info;
  gst_video_info_set_format(&info, GST_VIDEO_FORMAT_NV12, 320, 180);
  BufferPtr wide(gst_buffer_new_allocate(nullptr, 512 * 270, nullptr));
  gsize offsets[4] = {0, 512 * 180};
  gint strides[4] = {512, 512};
  gst_buffer_add_video_meta_full(wide.get(), GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_NV12, 320,
                                 180, 2, offsets, strides);
  {
    const MappedFrame from(info, frame->buffer, GST_MAP_READ);
    MappedFrame to(info, wide.get(), GST_MAP_WRITE);
    gst_video_frame_copy(const_cast<GstVideoFrame*>(&*to), &*from);
  }
  gst_buffer_unref(frame->buffer);
  frame->buffer = wide.release();
  ASSERT_EQ(gst_harness_push(tiler.harness.get(), batch.release()), GST_FLOW_OK);
  EXPECT_TRUE(shows(pull(tiler.harness.get()).get(), tiler.format_out(), 1, 0));
}

TEST(Tiler, LeavesTilesWithoutASlotBlack) {
  Tiler tiler("rows=2 columns=2");
  play(tiler.harness.get(), kSmallSlot, 3);
  BufferPtr mosaic = tiler.draw(all_fresh(kSmallSlot, 3));
  const Format format = tiler.format_out();
  const Rectangle tile = tile_of(3, {2, 2}, format.width, format.height);
  EXPECT_EQ(brightness(mosaic.get(), format, tile.x + 9, tile.y + 9), kBlackLuma);
  EXPECT_EQ(upper_right(mosaic.get(), format, tile), kBlackLuma);
}

TEST(Tiler, FollowsRowsAndColumns) {
  Tiler tiler("rows=1");
  play(tiler.harness.get(), kSmallSlot, 3);
  BufferPtr mosaic = tiler.draw(all_fresh(kSmallSlot, 3));
  EXPECT_EQ(tiler.format_out().width, 960u);
  EXPECT_EQ(tiler.format_out().height, 180u);
  EXPECT_TRUE(shows(mosaic.get(), tiler.format_out(), 3, 0, {.rows = 1}));
}

TEST(TilerMissing, SlotShowsItsLastFrameMarkedInRed) {
  Tiler tiler;
  play(tiler.harness.get(), kSmallSlot, 4);
  tiler.draw(all_fresh(kSmallSlot, 4, 0));
  const Format format = tiler.format_out();
  const Rectangle tile = tile_of(1, {2, 2}, format.width, format.height);
  for (std::uint32_t number : {1u, 2u}) {
    BatchPlan plan = all_fresh(kSmallSlot, 4, number);
    plan.states[1] = FrameState::missing;
    BufferPtr mosaic = tiler.draw(plan);
    auto code = code_in(mosaic.get(), format, tile);
    ASSERT_TRUE(code);
    EXPECT_EQ(code->sensor, 1);
    EXPECT_EQ(code->sequence, 0u);
    EXPECT_EQ(upper_right(mosaic.get(), format, tile), kRedLuma);
    EXPECT_EQ(lower_left(mosaic.get(), format, tile), kRedLuma);
    const Rectangle neighbour = tile_of(0, {2, 2}, format.width, format.height);
    EXPECT_EQ(code_in(mosaic.get(), format, neighbour)->sequence, number);
    EXPECT_EQ(upper_right(mosaic.get(), format, neighbour), kGrayLuma);
  }
}

TEST(TilerMissing, MarkGoesWhenTheSensorIsBack) {
  Tiler tiler;
  play(tiler.harness.get(), kSmallSlot, 1);
  tiler.draw({kSmallSlot, {FrameState::missing}, 0});
  BufferPtr mosaic = tiler.draw(all_fresh(kSmallSlot, 1, 1));
  const Format format = tiler.format_out();
  EXPECT_TRUE(shows(mosaic.get(), format, 1, 1));
  EXPECT_EQ(upper_right(mosaic.get(), format, {0, 0, format.width, format.height}), kGrayLuma);
}

TEST(TilerMissing, SlotThatNeverHadAFrameIsBlack) {
  for (PixelFormat pixel_format : kPixelFormats) {
    const Format format{pixel_format, 320, 180, {30, 1}};
    Tiler tiler;
    play(tiler.harness.get(), format, 1);
    BufferPtr mosaic = tiler.draw({format, {FrameState::missing}, 0});
    EXPECT_LE(brightness(mosaic.get(), format, 100, 100), kBlackLuma) << to_string(pixel_format);
  }
}

TEST(TilerMissing, SlotKeepsItsFrameInALayoutOfAnotherSize) {
  Tiler tiler("width=640 height=360");
  play(tiler.harness.get(), kSmallSlot, 2);
  tiler.draw(all_fresh(kSmallSlot, 2, 0));
  g_object_set(tiler.element.get(), "rows", 2, nullptr);
  BufferPtr mosaic = tiler.draw({kSmallSlot, {FrameState::fresh, FrameState::missing}, 1});
  const Format format = tiler.format_out();
  auto code = code_in(mosaic.get(), format, tile_of(1, {2, 1}, format.width, format.height));
  ASSERT_TRUE(code);
  EXPECT_EQ(code->sensor, 1);
  EXPECT_EQ(code->sequence, 0u);
}

// The whole of one pixel of a mosaic in RGBA.
std::array<int, 4> rgba_at(GstBuffer* mosaic, const Format& format, std::uint32_t x,
                           std::uint32_t y) {
  std::array<guint8, 4> bytes{};
  gst_buffer_extract(mosaic, 4 * (gsize{y} * format.width + x), bytes.data(), bytes.size());
  return {bytes[0], bytes[1], bytes[2], bytes[3]};
}

TEST(TilerRgba, MarksAndEmptyTilesAreOpaqueAndFramesKeepTheirAlpha) {
  const Format format{PixelFormat::rgba, 320, 180, {30, 1}};
  // Frames as large as their tiles, and larger.
  for (const char* size :
       {"width=640 height=360", "width=320 height=180", "width=430 height=242"}) {
    Tiler tiler(size);
    play(tiler.harness.get(), format, 3);
    const BufferPtr mosaic =
        tiler.draw({format, {FrameState::repeated, FrameState::missing, FrameState::fresh}, 1});
    ASSERT_TRUE(mosaic);
    const Format out = tiler.format_out(PixelFormat::rgba);
    const auto place = [&](std::size_t slot) {
      return tile_of(slot, {2, 2}, out.width, out.height);
    };
    const auto corner = [&](std::size_t slot) {
      return rgba_at(mosaic.get(), out, place(slot).x + place(slot).width - 2, place(slot).y + 1);
    };
    const auto middle = [&](std::size_t slot) {
      return rgba_at(mosaic.get(), out, place(slot).x + place(slot).width / 2,
                     place(slot).y + place(slot).height / 2);
    };
    EXPECT_EQ(corner(0), (std::array{255, 191, 0, 255})) << size;
    EXPECT_EQ(middle(0), (std::array{128, 128, 128, 128})) << size;
    EXPECT_EQ(corner(1), (std::array{255, 0, 0, 255})) << size;
    EXPECT_EQ(middle(1), (std::array{0, 0, 0, 255})) << size;
    EXPECT_EQ(middle(2), (std::array{128, 128, 128, 128})) << size;
    EXPECT_EQ(middle(3), (std::array{0, 0, 0, 255})) << size;
  }
}

TEST(TilerRepeated, FrameIsMarkedInAmberInOneCornerOnly) {
  Tiler tiler;
  play(tiler.harness.get(), kSmallSlot, 1);
  BufferPtr mosaic = tiler.draw({kSmallSlot, {FrameState::repeated}, 5});
  const Format format = tiler.format_out();
  EXPECT_TRUE(shows(mosaic.get(), format, 1, 4));
  const Rectangle all{0, 0, format.width, format.height};
  EXPECT_EQ(upper_right(mosaic.get(), format, all), kAmberLuma);
  EXPECT_EQ(lower_left(mosaic.get(), format, all), kGrayLuma);
}

TEST(TilerShowSlot, FillsThePictureWithThatSlot) {
  Tiler tiler("show-slot=2");
  play(tiler.harness.get(), kSmallSlot, 4);
  BufferPtr mosaic = tiler.draw(all_fresh(kSmallSlot, 4, 1));
  const Format format = tiler.format_out();
  EXPECT_EQ(format.width, 640u);
  EXPECT_EQ(code_in(mosaic.get(), format, {0, 0, format.width, format.height})->sensor, 2);
}

TEST(TilerShowSlot, ChangesWhileRunning) {
  Tiler tiler;
  play(tiler.harness.get(), kSmallSlot, 4);
  tiler.draw(all_fresh(kSmallSlot, 4, 0));
  g_object_set(tiler.element.get(), "show-slot", 3, nullptr);
  BufferPtr mosaic = tiler.draw(all_fresh(kSmallSlot, 4, 1));
  const Format format = tiler.format_out();
  EXPECT_EQ(code_in(mosaic.get(), format, {0, 0, format.width, format.height})->sensor, 3);
  g_object_set(tiler.element.get(), "show-slot", -1, nullptr);
  mosaic = tiler.draw(all_fresh(kSmallSlot, 4, 2));
  EXPECT_TRUE(shows(mosaic.get(), format, 4, 2));
}

TEST(TilerShowSlot, BeyondTheBatchShowsAllWithAWarning) {
  Tiler tiler("show-slot=4");
  play(tiler.harness.get(), kSmallSlot, 4);
  BufferPtr mosaic = tiler.draw(all_fresh(kSmallSlot, 4));
  EXPECT_TRUE(shows(mosaic.get(), tiler.format_out(), 4, 0));
  EXPECT_THAT(tiler.bus.take_warning(), HasSubstr("slot 4 of a batch with slots 0 to 3"));
}

TEST(TilerShowSlot, BeyondTheBatchIsWarnedOfOnceWhileRunningToo) {
  Tiler tiler;
  play(tiler.harness.get(), kSmallSlot, 4);
  tiler.draw(all_fresh(kSmallSlot, 4));
  g_object_set(tiler.element.get(), "show-slot", 4, nullptr);
  BufferPtr mosaic = tiler.draw(all_fresh(kSmallSlot, 4, 1));
  EXPECT_TRUE(shows(mosaic.get(), tiler.format_out(), 4, 1));
  EXPECT_THAT(tiler.bus.take_warning(), HasSubstr("slot 4 of a batch with slots 0 to 3"));
  tiler.draw(all_fresh(kSmallSlot, 4, 2));
  EXPECT_EQ(tiler.bus.take_warning(), "");
}

TEST(TilerErrors, GridWithTooFewTiles) {
  Tiler tiler("rows=1 columns=3");
  play(tiler.harness.get(), kSmallSlot, 4);
  EXPECT_EQ(push(tiler.harness.get(), all_fresh(kSmallSlot, 4)), GST_FLOW_NOT_NEGOTIATED);
  EXPECT_THAT(tiler.bus.take_error(), HasSubstr("4 slots in 1 rows of 3"));
}

TEST(TilerErrors, GridThatBecomesTooSmallWhileRunning) {
  Tiler tiler("width=640 height=360");
  play(tiler.harness.get(), kSmallSlot, 4);
  tiler.draw(all_fresh(kSmallSlot, 4));
  g_object_set(tiler.element.get(), "rows", 1, "columns", 1, nullptr);
  EXPECT_EQ(push(tiler.harness.get(), all_fresh(kSmallSlot, 4)), GST_FLOW_NOT_NEGOTIATED);
  EXPECT_THAT(tiler.bus.take_error(), HasSubstr("4 slots in 1 rows of 1"));
}

TEST(TilerErrors, PictureWithoutRoomForTheTiles) {
  Tiler enough("width=16 height=16");
  play(enough.harness.get(), kSmallSlot, 64);
  EXPECT_TRUE(enough.draw(all_fresh(kSmallSlot, 64)));
  Tiler tiler("width=16 height=15");
  play(tiler.harness.get(), kSmallSlot, 64);
  EXPECT_EQ(push(tiler.harness.get(), all_fresh(kSmallSlot, 64)), GST_FLOW_NOT_NEGOTIATED);
  EXPECT_THAT(tiler.bus.take_error(), HasSubstr("at least 16x16"));
}

TEST(TilerErrors, BufferThatIsNoBatch) {
  Tiler tiler;
  play(tiler.harness.get(), kSmallSlot, 1);
  EXPECT_EQ(gst_harness_push(tiler.harness.get(), make_frame(kSmallSlot, {}).release()),
            GST_FLOW_ERROR);
  EXPECT_THAT(tiler.bus.take_error(), HasSubstr("GstLockstepBatchMeta"));
}

TEST(TilerErrors, FrameTooSmallForItsCaps) {
  Tiler tiler;
  play(tiler.harness.get(), kSmallSlot, 1);
  BufferPtr batch = make_batch(all_fresh(kSmallSlot, 1));
  gst_buffer_resize(gst_buffer_get_lockstep_batch_meta(batch.get())->frames[0].buffer, 0, 100);
  EXPECT_EQ(gst_harness_push(tiler.harness.get(), batch.release()), GST_FLOW_ERROR);
  EXPECT_THAT(tiler.bus.take_error(), HasSubstr("slot 0 to read it as 320x180"));
}

TEST(TilerCaps, AreNotThoseOfPlainVideo) {
  Tiler tiler;
  gst_harness_set_src_caps_str(tiler.harness.get(), frame_caps(kSmallSlot).c_str());
  EXPECT_EQ(gst_harness_push(tiler.harness.get(), make_frame(kSmallSlot, {}).release()),
            GST_FLOW_NOT_NEGOTIATED);
}

TEST(TilerCaps, OfBatchesAreRefusedByElementsThatKnowNone) {
  for (const char* feature : {"", ", memory:DMABuf"}) {
    HarnessPtr harness(gst_harness_new("videoconvert"));
    gst_harness_set_sink_caps_str(harness.get(), "video/x-raw");
    play(harness.get(), kSmallSlot, 4, feature);
    EXPECT_EQ(push(harness.get(), all_fresh(kSmallSlot, 4)), GST_FLOW_NOT_NEGOTIATED);
  }
}

TEST(TilerCaps, TakeDmabufs) {
  Tiler tiler;
  play(tiler.harness.get(), kSmallSlot, 4, ", memory:DMABuf");
  EXPECT_TRUE(tiler.draw(all_fresh(kSmallSlot, 4)));
}

TEST(TilerCaps, ChangeOfBatchSizeOrFrameSizeWhileRunning) {
  Tiler tiler;
  play(tiler.harness.get(), kSmallSlot, 4);
  tiler.draw(all_fresh(kSmallSlot, 4, 0));
  play(tiler.harness.get(), kSmallSlot, 6);
  BufferPtr mosaic = tiler.draw(all_fresh(kSmallSlot, 6, 1));
  EXPECT_TRUE(shows(mosaic.get(), tiler.format_out(), 6, 1));
  const Format larger{PixelFormat::i420, 640, 360, {30, 1}};
  play(tiler.harness.get(), larger, 2);
  mosaic = tiler.draw({larger, {FrameState::fresh, FrameState::missing}, 2});
  const Format format = tiler.format_out(PixelFormat::i420);
  EXPECT_EQ(format.width, 1280u);
  EXPECT_EQ(code_in(mosaic.get(), format, tile_of(0, {1, 2}, 1280, 360))->sequence, 2u);
}

TEST(TilerCaps, ChangeOfRowsChangesTheSizeThatIsLeftOpen) {
  Tiler tiler;
  play(tiler.harness.get(), kSmallSlot, 2);
  tiler.draw(all_fresh(kSmallSlot, 2, 0));
  g_object_set(tiler.element.get(), "rows", 2, nullptr);
  BufferPtr mosaic = tiler.draw(all_fresh(kSmallSlot, 2, 1));
  EXPECT_EQ(tiler.format_out().width, 320u);
  EXPECT_EQ(tiler.format_out().height, 360u);
  EXPECT_TRUE(shows(mosaic.get(), tiler.format_out(), 2, 1, {.rows = 2}));
}

TEST(TilerMeta, TimesAreThoseOfTheBatch) {
  Tiler tiler;
  play(tiler.harness.get(), kSmallSlot, 1);
  BufferPtr mosaic = tiler.draw(all_fresh(kSmallSlot, 1, 7));
  EXPECT_EQ(GST_BUFFER_PTS(mosaic.get()), time_of_batch(7, kSmallSlot));
  EXPECT_EQ(GST_BUFFER_DURATION(mosaic.get()), time_of_batch(1, kSmallSlot));
}

TEST(TilerMeta, TellsOfEachSlotWithoutItsFrame) {
  Tiler tiler;
  play(tiler.harness.get(), kSmallSlot, 2);
  BufferPtr mosaic = tiler.draw({kSmallSlot, {FrameState::missing, FrameState::fresh}, 7});
  const GstLockstepBatchMeta* meta = gst_buffer_get_lockstep_batch_meta(mosaic.get());
  ASSERT_TRUE(meta);
  EXPECT_EQ(meta->n_frames, 2u);
  EXPECT_EQ(meta->batch_number, 7u);
  EXPECT_EQ(meta->skew, 5u);
  EXPECT_FALSE(meta->contiguous);
  EXPECT_EQ(meta->frames[0].state, GST_LOCKSTEP_FRAME_MISSING);
  EXPECT_EQ(meta->frames[1].exposure, 1001u);
  EXPECT_EQ(meta->frames[1].buffer, nullptr);
}

TEST(TilerMeta, FramesAreLetGoAtOnce) {
  Tiler tiler;
  play(tiler.harness.get(), kSmallSlot, 1);
  BufferPtr batch = make_batch(all_fresh(kSmallSlot, 1));
  BufferPtr frame(
      gst_buffer_ref(gst_buffer_get_lockstep_batch_meta(batch.get())->frames[0].buffer));
  gst_harness_push(tiler.harness.get(), batch.release());
  EXPECT_EQ(GST_MINI_OBJECT_REFCOUNT_VALUE(frame.get()), 1);
}

TEST(TilerMeta, OfOthersOnTheBatchIsKept) {
  static const gchar* tags[] = {nullptr};
  gst_meta_register_custom("LockstepTestMeta", tags, nullptr, nullptr, nullptr);
  Tiler tiler;
  play(tiler.harness.get(), kSmallSlot, 1);
  BufferPtr batch = make_batch(all_fresh(kSmallSlot, 1));
  GstCustomMeta* custom = gst_buffer_add_custom_meta(batch.get(), "LockstepTestMeta");
  gst_structure_set(gst_custom_meta_get_structure(custom), "answer", G_TYPE_INT, 42, nullptr);
  gst_harness_push(tiler.harness.get(), batch.release());
  BufferPtr mosaic = pull(tiler.harness.get());
  EXPECT_TRUE(gst_buffer_get_custom_meta(mosaic.get(), "LockstepTestMeta"));
}

TEST(Tiler, PassesTheEndOfTheStreamOn) {
  Tiler tiler;
  play(tiler.harness.get(), kSmallSlot, 1);
  tiler.draw(all_fresh(kSmallSlot, 1));
  ASSERT_TRUE(gst_harness_push_event(tiler.harness.get(), gst_event_new_eos()));
  EventPtr last;
  while (GstEvent* event = gst_harness_try_pull_event(tiler.harness.get())) last.reset(event);
  ASSERT_TRUE(last);
  EXPECT_EQ(GST_EVENT_TYPE(last.get()), GST_EVENT_EOS);
}

TEST(Tiler, GoesOnAfterAFlush) {
  Tiler tiler;
  play(tiler.harness.get(), kSmallSlot, 1);
  tiler.draw(all_fresh(kSmallSlot, 1, 0));
  gst_harness_push_event(tiler.harness.get(), gst_event_new_flush_start());
  gst_harness_push_event(tiler.harness.get(), gst_event_new_flush_stop(TRUE));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_harness_push_event(tiler.harness.get(), gst_event_new_segment(&segment));
  BufferPtr mosaic = tiler.draw(all_fresh(kSmallSlot, 1, 1));
  EXPECT_TRUE(shows(mosaic.get(), tiler.format_out(), 1, 1));
}

TEST(Tiler, DropsWhatIsTooLateAsDownstreamTells) {
  Tiler tiler;
  play(tiler.harness.get(), kSmallSlot, 1);
  tiler.draw(all_fresh(kSmallSlot, 1, 0));
  gst_harness_push_upstream_event(
      tiler.harness.get(), gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 0.5, GST_SECOND, GST_SECOND));
  EXPECT_EQ(push(tiler.harness.get(), all_fresh(kSmallSlot, 1, 1)), GST_FLOW_OK);
  EXPECT_FALSE(pull(tiler.harness.get()));
}

}  // namespace
}  // namespace lockstep
