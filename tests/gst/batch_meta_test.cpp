// SPDX-License-Identifier: MIT
#include <gst/gst.h>
#include <gst/lockstep/gstlockstepbatchmeta.h>
#include <gtest/gtest.h>

#include <cstddef>

namespace {

// What programs were compiled against must stay where it is.
static_assert(sizeof(void*) != 8 || sizeof(GstLockstepFrame) == 184);
static_assert(sizeof(void*) != 8 || offsetof(GstLockstepFrame, state) == 8);
static_assert(sizeof(void*) != 8 || offsetof(GstLockstepFrame, sequence) == 16);
static_assert(sizeof(void*) != 8 || offsetof(GstLockstepFrame, capture_time) == 24);
static_assert(sizeof(void*) != 8 || offsetof(GstLockstepFrame, exposure) == 40);
static_assert(sizeof(void*) != 8 || offsetof(GstLockstepFrame, analogue_gain) == 56);
static_assert(sizeof(void*) != 8 || offsetof(GstLockstepFrame, settings_revision) == 88);
static_assert(sizeof(void*) != 8 || sizeof(GstLockstepBatchMeta) == 88);
static_assert(sizeof(void*) != 8 || offsetof(GstLockstepBatchMeta, n_frames) == 16);
static_assert(sizeof(void*) != 8 || offsetof(GstLockstepBatchMeta, batch_number) == 24);
static_assert(sizeof(void*) != 8 || offsetof(GstLockstepBatchMeta, frames) == 40);
static_assert(sizeof(void*) != 8 || offsetof(GstLockstepFrame, settings_state) == 96);
static_assert(sizeof(void*) != 8 || offsetof(GstLockstepFrame, luma) == 104);
static_assert(sizeof(void*) != 8 || offsetof(GstLockstepBatchMeta, uniform) == 48);
static_assert(GST_LOCKSTEP_SETTINGS_UNKNOWN == 0 && GST_LOCKSTEP_SETTINGS_REFUSED == 3);
static_assert(GST_LOCKSTEP_FRAME_MISSING == 0 && GST_LOCKSTEP_FRAME_REPEATED == 2);
static_assert(GST_LOCKSTEP_CLOCK_UNKNOWN == 0 && GST_LOCKSTEP_CLOCK_SIMULATED == 4);
static_assert(GST_LOCKSTEP_REFERENCE_POINT_UNKNOWN == 0 &&
              GST_LOCKSTEP_REFERENCE_POINT_ARRIVAL == 3);

// A buffer of its own with a batch meta of two slots, slot 1 with a frame.
struct Batch {
  GstBuffer* buffer = gst_buffer_new();
  GstLockstepBatchMeta* meta = gst_buffer_add_lockstep_batch_meta(buffer, 2);
  GstBuffer* frame = gst_buffer_new_allocate(nullptr, 16, nullptr);

  Batch() {
    meta->batch_number = 7;
    meta->skew = 300;
    meta->frames[1].buffer = gst_buffer_ref(frame);
    meta->frames[1].state = GST_LOCKSTEP_FRAME_FRESH;
    meta->frames[1].sequence = 42;
  }
  ~Batch() {
    gst_clear_buffer(&buffer);
    gst_buffer_unref(frame);
  }
  int references_to_frame() const { return GST_MINI_OBJECT_REFCOUNT_VALUE(frame) - 1; }
};

TEST(BatchMeta, StartsWithEverySlotMissing) {
  Batch batch;
  const GstLockstepFrame& frame = batch.meta->frames[0];
  EXPECT_EQ(frame.buffer, nullptr);
  EXPECT_EQ(frame.state, GST_LOCKSTEP_FRAME_MISSING);
  EXPECT_EQ(frame.capture_time, GST_CLOCK_TIME_NONE);
  EXPECT_EQ(frame.analogue_gain, 1.0);
  EXPECT_FALSE(batch.meta->contiguous);
  EXPECT_EQ(batch.meta->frames[1].sensor, 1u);
}

TEST(BatchMeta, IsFoundOnItsBufferOnly) {
  Batch batch;
  EXPECT_EQ(gst_buffer_get_lockstep_batch_meta(batch.buffer), batch.meta);
  EXPECT_EQ(gst_buffer_get_lockstep_batch_meta(batch.frame), nullptr);
}

TEST(BatchMeta, HasNoFrameBeyondItsLastSlot) {
  Batch batch;
  EXPECT_EQ(gst_lockstep_batch_meta_get_n_frames(batch.meta), 2u);
  EXPECT_EQ(gst_lockstep_batch_meta_get_frame(batch.meta, 1), &batch.meta->frames[1]);
  EXPECT_EQ(gst_lockstep_batch_meta_get_frame(batch.meta, 2), nullptr);
}

TEST(BatchMeta, LetsGoOfItsFramesWithTheBuffer) {
  Batch batch;
  EXPECT_EQ(batch.references_to_frame(), 1);
  gst_clear_buffer(&batch.buffer);
  EXPECT_EQ(batch.references_to_frame(), 0);
}

TEST(BatchMeta, SurvivesACopyThatSharesTheFrames) {
  Batch batch;
  GstBuffer* copy = gst_buffer_copy(batch.buffer);
  GstLockstepBatchMeta* meta = gst_buffer_get_lockstep_batch_meta(copy);
  ASSERT_NE(meta, nullptr);
  EXPECT_EQ(meta->n_frames, 2u);
  EXPECT_EQ(meta->batch_number, 7u);
  EXPECT_EQ(meta->skew, 300u);
  EXPECT_EQ(meta->frames[1].sequence, 42u);
  EXPECT_EQ(meta->frames[1].buffer, batch.frame);
  EXPECT_EQ(batch.references_to_frame(), 2);
  gst_buffer_unref(copy);
  EXPECT_EQ(batch.references_to_frame(), 1);
}

TEST(BatchMeta, SurvivesBeingMadeWritable) {
  Batch batch;
  GstBuffer* writable = gst_buffer_make_writable(gst_buffer_ref(batch.buffer));
  ASSERT_NE(writable, batch.buffer);
  EXPECT_NE(gst_buffer_get_lockstep_batch_meta(writable), nullptr);
  gst_buffer_unref(writable);
}

TEST(BatchMeta, DoesNotFollowAPartOfTheBuffer) {
  Batch batch;
  gst_buffer_append_memory(batch.buffer, gst_allocator_alloc(nullptr, 64, nullptr));
  GstBuffer* part = gst_buffer_copy_region(batch.buffer, GST_BUFFER_COPY_ALL, 0, 32);
  EXPECT_EQ(gst_buffer_get_lockstep_batch_meta(part), nullptr);
  gst_buffer_unref(part);
}

TEST(BatchMeta, HoldsMoreSlotsThanABufferHoldsMemories) {
  GstBuffer* buffer = gst_buffer_new();
  GstLockstepBatchMeta* meta = gst_buffer_add_lockstep_batch_meta(buffer, 256);
  for (guint slot = 0; slot < 256; slot++) meta->frames[slot].buffer = gst_buffer_new();
  EXPECT_EQ(gst_lockstep_batch_meta_get_frame(meta, 255)->sensor, 255u);
  gst_buffer_unref(buffer);
}

TEST(BatchMeta, NeedsAtLeastOneSlot) {
  GstBuffer* buffer = gst_buffer_new();
  EXPECT_EQ(gst_buffer_add_lockstep_batch_meta(buffer, 0), nullptr);
  EXPECT_EQ(gst_buffer_get_lockstep_batch_meta(buffer), nullptr);
  gst_buffer_unref(buffer);
}

TEST(BatchMeta, EnumerationsHaveNicks) {
  auto* klass = static_cast<GEnumClass*>(g_type_class_ref(GST_TYPE_LOCKSTEP_REFERENCE_POINT));
  EXPECT_STREQ(g_enum_get_value(klass, GST_LOCKSTEP_REFERENCE_POINT_START_OF_EXPOSURE)->value_nick,
               "start-of-exposure");
  g_type_class_unref(klass);
}

}  // namespace
