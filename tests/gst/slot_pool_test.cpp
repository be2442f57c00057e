// SPDX-License-Identifier: MIT
#include "gstlockstepslotpool.h"

#include <gst/allocators/gstfdmemory.h>
#include <gst/video/gstvideopool.h>
#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <future>
#include <thread>
#include <vector>

#include "gstlockstepmemory.h"
#include "result_testing.h"

namespace lockstep {
namespace {

constexpr std::size_t kBusyArenas = SlotDispenser::kMaxArenas;

const MemoryBackend* memfd() { return *find_memory_backend("memfd"); }

CapsPtr caps_of(const char* size = "width=100,height=50") {
  const std::string text = std::string("video/x-raw,format=I420,framerate=30/1,") + size;
  return CapsPtr(gst_caps_from_string(text.c_str()));
}

// What an owner does: two writers, and a dispenser for as much as the neediest of them wants.
class SlotPoolTest : public testing::Test {
 protected:
  static constexpr std::size_t kWriters = 2;

  void SetUp() override { make_outlets(FdKind::memfd); }
  void TearDown() override {
    for (auto& outlet : outlets) outlet->close();
  }

  void make_outlets(FdKind kind) {
    for (std::size_t i = 0; i < kWriters; ++i) {
      outlets[i] = std::make_shared<SlotOutlet>(kind, [this] {
        ++num_asked;
        if (refuses) return;
        std::size_t bytes = 1;
        for (const auto& outlet : outlets) bytes = std::max(bytes, outlet->slot_bytes());
        dispenser = *SlotDispenser::make({memfd(), kWriters, bytes});
        for (std::size_t k = 0; k < kWriters; ++k) outlets[k]->set(dispenser, k);
      });
      pools[i] = new_slot_pool(outlets[i]);
    }
  }

  static bool configure(GstBufferPool* pool, const GstVideoAlignment* alignment = nullptr,
                        guint extra_bytes = 0, bool video_meta = true) {
    const CapsPtr caps = caps_of();
    GstVideoInfo info;
    EXPECT_TRUE(gst_video_info_from_caps(&info, caps.get()));
    GstStructure* config = gst_buffer_pool_get_config(pool);
    gst_buffer_pool_config_set_params(config, caps.get(),
                                      static_cast<guint>(info.size) + extra_bytes, 2, 4);
    if (video_meta) gst_buffer_pool_config_add_option(config, GST_BUFFER_POOL_OPTION_VIDEO_META);
    if (alignment) {
      gst_buffer_pool_config_add_option(config, GST_BUFFER_POOL_OPTION_VIDEO_ALIGNMENT);
      gst_buffer_pool_config_set_video_alignment(config, alignment);
    }
    return gst_buffer_pool_set_config(pool, config);
  }

  void play() {
    for (auto& pool : pools) {
      ASSERT_TRUE(configure(pool.get()));
      ASSERT_TRUE(gst_buffer_pool_set_active(pool.get(), TRUE));
    }
  }
  void stop() {
    for (auto& pool : pools) EXPECT_TRUE(gst_buffer_pool_set_active(pool.get(), FALSE));
  }

  GstFlowReturn acquire(std::size_t writer, BufferPtr& buffer, bool may_wait = true) {
    GstBufferPoolAcquireParams params{};
    params.flags =
        may_wait ? GST_BUFFER_POOL_ACQUIRE_FLAG_NONE : GST_BUFFER_POOL_ACQUIRE_FLAG_DONTWAIT;
    GstBuffer* acquired = nullptr;
    const GstFlowReturn flow =
        gst_buffer_pool_acquire_buffer(pools[writer].get(), &acquired, &params);
    buffer.reset(acquired);
    return flow;
  }

  BufferPtr acquired(std::size_t writer) {
    BufferPtr buffer;
    EXPECT_EQ(acquire(writer, buffer), GST_FLOW_OK);
    return buffer;
  }

  // Takes every slot of a writer that there is.
  std::vector<std::shared_ptr<const Pixels>> take_all(std::size_t writer) {
    std::vector<std::shared_ptr<const Pixels>> all;
    for (auto next = outlets[writer]->take(); next; next = outlets[writer]->take())
      all.push_back(*std::move(next));
    EXPECT_EQ(all.size(), kBusyArenas);
    return all;
  }

  // Whether the writer can have a slot at once.
  bool has_slot(std::size_t writer) { return bool(outlets[writer]->take()); }

  std::shared_ptr<SlotOutlet> outlets[kWriters];
  PoolPtr pools[kWriters];
  std::shared_ptr<SlotDispenser> dispenser;
  int num_asked = 0;
  bool refuses = false;
};

TEST_F(SlotPoolTest, BuffersAreTheSlots) {
  play();
  const BufferPtr buffer = acquired(1);
  const auto pixels = pixels_of(buffer.get());
  ASSERT_NE(pixels, nullptr);
  EXPECT_EQ(pixels->slot, 1u);
  ASSERT_EQ(gst_buffer_n_memory(buffer.get()), 1u);
  GstMemory* memory = gst_buffer_peek_memory(buffer.get(), 0);
  ASSERT_TRUE(gst_is_fd_memory(memory));
  EXPECT_EQ(gst_fd_memory_get_fd(memory), pixels->fd);
  GstMapInfo map;
  ASSERT_TRUE(gst_buffer_map(buffer.get(), &map, GST_MAP_READWRITE));
  EXPECT_EQ(map.data, reinterpret_cast<guint8*>(pixels->data));
  EXPECT_EQ(map.size, 100u * 50 + 2 * 52 * 25);
  std::memset(map.data, 7, map.size);
  gst_buffer_unmap(buffer.get(), &map);
  EXPECT_EQ(pixels->arena->slot(1).data[0], std::byte{7});
  EXPECT_EQ(pixels->arena->slot(0).data[0], std::byte{0});
}

TEST_F(SlotPoolTest, TwoPoolsInStepFillOneArena) {
  play();
  const Arena* before = nullptr;
  for (int n = 0; n < 3; ++n) {
    const BufferPtr buffers[] = {acquired(0), acquired(1)};
    std::vector<std::shared_ptr<const Pixels>> pixels = {pixels_of(buffers[0].get()),
                                                         pixels_of(buffers[1].get())};
    const auto arena = dispenser->common_arena(pixels, {true, true});
    ASSERT_NE(arena, nullptr);
    if (n == 0) before = arena.get();
    EXPECT_EQ(arena.get(), before);
    dispenser->left_together(pixels);
  }
  EXPECT_EQ(num_asked, 1);
  EXPECT_EQ(dispenser->num_arenas(), 1u);
}

TEST_F(SlotPoolTest, NoSlotIsTakenBeforeItIsWrittenTo) {
  play();
  EXPECT_EQ(num_asked, 0);
  EXPECT_EQ(dispenser, nullptr);
}

TEST_F(SlotPoolTest, BufferHasTheDefaultLayout) {
  play();
  const BufferPtr buffer = acquired(0);
  const GstVideoMeta* meta = gst_buffer_get_video_meta(buffer.get());
  ASSERT_NE(meta, nullptr);
  EXPECT_EQ(meta->format, GST_VIDEO_FORMAT_I420);
  EXPECT_EQ(meta->width, 100u);
  EXPECT_EQ(meta->height, 50u);
  EXPECT_EQ(meta->n_planes, 3u);
  EXPECT_EQ(meta->stride[1], 52);
  EXPECT_EQ(meta->offset[2], 100u * 50 + 52 * 25);
  EXPECT_FALSE(GST_BUFFER_FLAG_IS_SET(buffer.get(), GST_BUFFER_FLAG_TAG_MEMORY));
}

TEST_F(SlotPoolTest, BufferHasNoVideoMetaUnlessAsked) {
  ASSERT_TRUE(configure(pools[0].get(), nullptr, 0, false));
  ASSERT_TRUE(gst_buffer_pool_set_active(pools[0].get(), TRUE));
  EXPECT_EQ(gst_buffer_get_video_meta(acquired(0).get()), nullptr);
}

// As videotestsrc of GStreamer 1.28 does to any pool that has the option.
TEST_F(SlotPoolTest, AlignmentMayBeAskedForWithoutSayingWhich) {
  GstStructure* config = gst_buffer_pool_get_config(pools[0].get());
  const CapsPtr caps = caps_of();
  gst_buffer_pool_config_set_params(config, caps.get(), 100 * 50 * 3 / 2 + 200, 0, 0);
  gst_buffer_pool_config_add_option(config, GST_BUFFER_POOL_OPTION_VIDEO_META);
  gst_buffer_pool_config_add_option(config, GST_BUFFER_POOL_OPTION_VIDEO_ALIGNMENT);
  ASSERT_TRUE(gst_buffer_pool_set_config(pools[0].get(), config));
  ASSERT_TRUE(gst_buffer_pool_set_active(pools[0].get(), TRUE));
  EXPECT_NE(pixels_of(acquired(0).get()), nullptr);
}

TEST_F(SlotPoolTest, AlignmentIsAsGstVideoBufferPoolHasIt) {
  GstVideoAlignment alignment{};
  alignment.padding_top = 2;
  alignment.padding_left = 16;
  alignment.padding_bottom = 30;
  alignment.padding_right = 12;
  for (guint& stride : alignment.stride_align) stride = 31;
  const PoolPtr model(gst_video_buffer_pool_new());
  GstBuffer* modelled = nullptr;
  ASSERT_TRUE(configure(model.get(), &alignment));
  ASSERT_TRUE(gst_buffer_pool_set_active(model.get(), TRUE));
  ASSERT_EQ(gst_buffer_pool_acquire_buffer(model.get(), &modelled, nullptr), GST_FLOW_OK);
  const BufferPtr expected(modelled);

  ASSERT_TRUE(configure(pools[0].get(), &alignment));
  EXPECT_EQ(outlets[0]->slot_bytes(), gst_buffer_get_size(expected.get()));
  ASSERT_TRUE(gst_buffer_pool_set_active(pools[0].get(), TRUE));
  for (bool slot : {true, false}) {
    std::vector<std::shared_ptr<const Pixels>> held;
    if (!slot) held = take_all(0);
    const BufferPtr buffer = acquired(0);
    EXPECT_EQ(pixels_of(buffer.get()) != nullptr, slot);
    EXPECT_EQ(gst_buffer_get_size(buffer.get()), gst_buffer_get_size(expected.get()));
    const GstVideoMeta* meta = gst_buffer_get_video_meta(buffer.get());
    const GstVideoMeta* wanted = gst_buffer_get_video_meta(expected.get());
    ASSERT_NE(meta, nullptr);
    for (guint p = 0; p < 3; ++p) {
      EXPECT_EQ(meta->offset[p], wanted->offset[p]);
      EXPECT_EQ(meta->stride[p], wanted->stride[p]);
      EXPECT_EQ(meta->stride[p] % 32, 0);
    }
  }
  const PoolPtr* both[] = {&model, &pools[0]};
  std::string configs[2];
  for (int i = 0; i < 2; ++i) {
    const StructurePtr config(gst_buffer_pool_get_config(both[i]->get()));
    const CharsPtr text(gst_structure_to_string(config.get()));
    configs[i] = text.get();
  }
  EXPECT_EQ(configs[1], configs[0]);
}

TEST_F(SlotPoolTest, LargerSizeIsKept) {
  ASSERT_TRUE(configure(pools[0].get(), nullptr, 5000));
  EXPECT_EQ(outlets[0]->slot_bytes(), 100u * 50 + 2 * 52 * 25 + 5000);
}

TEST_F(SlotPoolTest, ConfigurationsThatMakeNoSenseAreRefused) {
  const auto set = [&](GstCaps* caps, guint size) {
    GstStructure* config = gst_buffer_pool_get_config(pools[0].get());
    gst_buffer_pool_config_set_params(config, caps, size, 0, 0);
    return bool(gst_buffer_pool_set_config(pools[0].get(), config));
  };
  const CapsPtr caps = caps_of();
  const CapsPtr audio(gst_caps_new_empty_simple("audio/x-raw"));
  EXPECT_FALSE(set(nullptr, 10'000));
  EXPECT_FALSE(set(audio.get(), 10'000));
  EXPECT_FALSE(set(caps.get(), 7599));
  EXPECT_EQ(outlets[0]->slot_bytes(), 0u);
  EXPECT_TRUE(set(caps.get(), 7600));
  EXPECT_EQ(outlets[0]->slot_bytes(), 7600u);
}

TEST_F(SlotPoolTest, SlotComesBackWithTheMemoryNotWithTheBuffer) {
  play();
  BufferPtr buffer = acquired(0);
  GstMemory* memory = gst_buffer_get_memory(buffer.get(), 0);
  const auto held = [&] {
    std::vector<std::shared_ptr<const Pixels>> all;
    for (auto next = outlets[0]->take(); next; next = outlets[0]->take())
      all.push_back(*std::move(next));
    return all;
  }();
  EXPECT_EQ(held.size(), kBusyArenas - 1);
  buffer.reset();
  EXPECT_FALSE(has_slot(0));
  gst_memory_unref(memory);
  EXPECT_TRUE(has_slot(0));
}

TEST_F(SlotPoolTest, WithoutASlotBuffersAreOrdinaryMemoryOfTheSameLayout) {
  play();
  const BufferPtr first = acquired(0);
  std::vector<std::shared_ptr<const Pixels>> held;
  for (auto next = outlets[0]->take(); next; next = outlets[0]->take())
    held.push_back(*std::move(next));
  const BufferPtr buffer = acquired(0);
  EXPECT_EQ(pixels_of(buffer.get()), nullptr);
  EXPECT_EQ(gst_buffer_get_size(buffer.get()), gst_buffer_get_size(first.get()));
  EXPECT_EQ(gst_buffer_get_video_meta(buffer.get())->offset[2], 100u * 50 + 52 * 25);
  held.pop_back();
  EXPECT_NE(pixels_of(acquired(0).get()), nullptr);
}

TEST_F(SlotPoolTest, OwnerThatGivesNothingLeavesOrdinaryMemory) {
  refuses = true;
  play();
  EXPECT_EQ(pixels_of(acquired(0).get()), nullptr);
  EXPECT_EQ(num_asked, 1);
  outlets[0]->close();
  EXPECT_EQ(pixels_of(acquired(0).get()), nullptr);
  EXPECT_EQ(num_asked, 1);
}

TEST_F(SlotPoolTest, OwnerIsAskedForLargerSlotsWhenALayoutNeedsThem) {
  play();
  acquired(0);
  const auto small = dispenser;
  stop();
  ASSERT_TRUE(configure(pools[1].get(), nullptr, 100'000));
  ASSERT_TRUE(gst_buffer_pool_set_active(pools[1].get(), TRUE));
  const BufferPtr large = acquired(1);
  EXPECT_EQ(num_asked, 2);
  ASSERT_NE(pixels_of(large.get()), nullptr);
  EXPECT_GE(pixels_of(large.get())->size_bytes, 107'600u);
  // The other writer has moved along.
  EXPECT_NE(dispenser, small);
  ASSERT_TRUE(gst_buffer_pool_set_active(pools[0].get(), TRUE));
  EXPECT_EQ(pixels_of(acquired(0).get())->arena, pixels_of(large.get())->arena);
  EXPECT_EQ(num_asked, 2);
}

TEST_F(SlotPoolTest, OwnerMayChangeTheWriterWhileThePoolIsInUse) {
  play();
  EXPECT_EQ(pixels_of(acquired(0).get())->slot, 0u);
  const auto other = *SlotDispenser::make({memfd(), 5, 100'000});
  outlets[0]->set(other, 4);
  const BufferPtr buffer = acquired(0);
  EXPECT_EQ(pixels_of(buffer.get())->slot, 4u);
  EXPECT_EQ(pixels_of(buffer.get())->arena->num_slots(), 5u);
}

TEST_F(SlotPoolTest, BuffersOutliveOwnerAndPool) {
  play();
  const BufferPtr buffer = acquired(0);
  for (std::size_t i = 0; i < kWriters; ++i) {
    outlets[i]->close();
    outlets[i]->set(dispenser, i);  // Too late.
  }
  dispenser.reset();
  stop();
  pools[0].reset();
  EXPECT_EQ(gst_buffer_memset(buffer.get(), 0, 1, 7600), 7600u);
}

TEST_F(SlotPoolTest, PoolThatIsActivatedAgainGivesSlotsAgain) {
  play();
  BufferPtr kept = acquired(0);
  stop();
  BufferPtr none;
  EXPECT_EQ(acquire(0, none), GST_FLOW_FLUSHING);
  EXPECT_EQ(none, nullptr);
  kept.reset();
  for (int n = 0; n < 3; ++n) {
    play();
    EXPECT_NE(pixels_of(acquired(0).get()), nullptr);
    stop();
  }
  EXPECT_EQ(num_asked, 1);
}

// Offers a pool for what comes in.
GstPadProbeReturn offer(GstPad*, GstPadProbeInfo* probe, gpointer pool) {
  GstQuery* query = GST_PAD_PROBE_INFO_QUERY(probe);
  if (GST_QUERY_TYPE(query) != GST_QUERY_ALLOCATION) return GST_PAD_PROBE_OK;
  GstCaps* caps = nullptr;
  gst_query_parse_allocation(query, &caps, nullptr);
  GstVideoInfo info;
  gst_video_info_from_caps(&info, caps);
  gst_query_add_allocation_pool(query, static_cast<GstBufferPool*>(pool),
                                static_cast<guint>(info.size), 0, 0);
  gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, nullptr);
  return GST_PAD_PROBE_HANDLED;
}

GstPadProbeReturn keep(GstPad*, GstPadProbeInfo* probe, gpointer kept) {
  static_cast<std::vector<std::shared_ptr<const Pixels>>*>(kept)->push_back(
      pixels_of(GST_PAD_PROBE_INFO_BUFFER(probe)));
  return GST_PAD_PROBE_OK;
}

TEST_F(SlotPoolTest, SourcesOfGStreamersOwnWriteTheSlots) {
  std::vector<std::shared_ptr<const Pixels>> written[kWriters];
  for (std::size_t i = 0; i < kWriters; ++i) {
    GstElement* pipeline = gst_parse_launch(
        "videotestsrc pattern=white num-buffers=3 ! video/x-raw,format=I420,width=100,height=50 ! "
        "fakesink name=end",
        nullptr);
    ASSERT_NE(pipeline, nullptr);
    GstElement* end = gst_bin_get_by_name(GST_BIN(pipeline), "end");
    GstPad* pad = gst_element_get_static_pad(end, "sink");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM, offer, pools[i].get(), nullptr);
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, keep, &written[i], nullptr);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    GstBus* bus = gst_element_get_bus(pipeline);
    GstMessage* message = gst_bus_timed_pop_filtered(
        bus, 60 * GST_SECOND,
        static_cast<GstMessageType>(int{GST_MESSAGE_EOS} | int{GST_MESSAGE_ERROR}));
    ASSERT_NE(message, nullptr);
    EXPECT_EQ(GST_MESSAGE_TYPE(message), GST_MESSAGE_EOS);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_message_unref(message);
    for (gpointer object : std::initializer_list<gpointer>{bus, pad, end, pipeline})
      gst_object_unref(object);
  }
  ASSERT_EQ(written[0].size(), 3u);
  ASSERT_EQ(written[1].size(), 3u);
  for (int n = 0; n < 3; ++n) {
    ASSERT_NE(written[0][n], nullptr);
    ASSERT_NE(written[1][n], nullptr);
    EXPECT_EQ(written[0][n]->arena, written[1][n]->arena);
    for (int byte : {0, 100 * 50 - 1}) {
      EXPECT_EQ(written[0][n]->data[byte], std::byte{235});
      EXPECT_EQ(written[1][n]->data[byte], std::byte{235});
    }
  }
}

// A pool of dma-bufs, which waits. What kind the memory really is makes no difference to the waiting.
class WaitingSlotPoolTest : public SlotPoolTest {
 protected:
  void SetUp() override {
    make_outlets(FdKind::dmabuf);
    play();
    acquired(0);
    held = take_all(0);
  }

  // Acquires in a thread of its own, which waits by the time this returns, or is about to.
  std::future<GstFlowReturn> acquire_in_thread(BufferPtr& buffer) {
    std::promise<void> begins;
    auto begun = begins.get_future();
    auto flow =
        std::async(std::launch::async, [this, &buffer, begins = std::move(begins)]() mutable {
          begins.set_value();
          return acquire(0, buffer);
        });
    begun.wait();
    EXPECT_EQ(flow.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
    return flow;
  }

  std::vector<std::shared_ptr<const Pixels>> held;
};

TEST_F(WaitingSlotPoolTest, WithDontWaitItIsTheEnd) {
  BufferPtr buffer;
  EXPECT_EQ(acquire(0, buffer, false), GST_FLOW_EOS);
  held.pop_back();
  EXPECT_EQ(acquire(0, buffer, false), GST_FLOW_OK);
  EXPECT_NE(pixels_of(buffer.get()), nullptr);
}

TEST_F(WaitingSlotPoolTest, SlotThatComesBackEndsTheWait) {
  BufferPtr buffer;
  auto flow = acquire_in_thread(buffer);
  held.pop_back();
  EXPECT_EQ(flow.get(), GST_FLOW_OK);
  EXPECT_NE(pixels_of(buffer.get()), nullptr);
}

TEST_F(WaitingSlotPoolTest, FlushingEndsTheWait) {
  BufferPtr buffer;
  auto flow = acquire_in_thread(buffer);
  gst_buffer_pool_set_flushing(pools[0].get(), TRUE);
  EXPECT_EQ(flow.get(), GST_FLOW_FLUSHING);
  gst_buffer_pool_set_flushing(pools[0].get(), FALSE);
  held.pop_back();
  EXPECT_EQ(acquire(0, buffer), GST_FLOW_OK);
}

TEST_F(WaitingSlotPoolTest, DeactivatingEndsTheWait) {
  BufferPtr buffer;
  auto flow = acquire_in_thread(buffer);
  stop();
  EXPECT_EQ(flow.get(), GST_FLOW_FLUSHING);
}

TEST_F(WaitingSlotPoolTest, ClosingEndsTheWait) {
  BufferPtr buffer;
  auto flow = acquire_in_thread(buffer);
  outlets[0]->close();
  EXPECT_EQ(flow.get(), GST_FLOW_FLUSHING);
}

TEST_F(WaitingSlotPoolTest, AnotherDispenserEndsTheWait) {
  BufferPtr buffer;
  auto flow = acquire_in_thread(buffer);
  outlets[0]->set(*SlotDispenser::make({memfd(), 3, 100'000}), 2);
  EXPECT_EQ(flow.get(), GST_FLOW_OK);
  EXPECT_EQ(pixels_of(buffer.get())->slot, 2u);
}

TEST_F(WaitingSlotPoolTest, WithoutADispenserItIsAnErrorAndNotAWait) {
  refuses = true;
  outlets[0]->set(nullptr, 0);
  BufferPtr buffer;
  EXPECT_EQ(acquire(0, buffer), GST_FLOW_ERROR);
}

}  // namespace
}  // namespace lockstep
