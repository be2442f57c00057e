// SPDX-License-Identifier: MIT
// Threads that do to the pads of a lockstepmux whatever upstream may do, in an order drawn from a seed, while its state and
// properties change. Every frame carries whose it is, which, and when; every batch is checked against that.
#include <gst/gst.h>
#include <gst/lockstep/gstlockstepbatchmeta.h>
#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <future>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "harness.h"

namespace lockstep {
namespace {

constexpr GstClockTime kTorturePeriod = 5 * GST_MSECOND;
constexpr guint32 kMagic = 0x10c57e90;
// Wide enough for every tolerance that is set below.
constexpr GstClockTime kMostSkew = 3 * GST_MSECOND;

// For properties that are times.
guint64 milliseconds(guint count) { return guint64{count} * guint64{GST_MSECOND}; }

// What the first bytes of a frame say.
struct Tag {
  guint32 magic = 0;
  guint32 pad = 0;      // As in sink_3.
  guint64 number = 0;   // Of all frames of the test.
  guint64 time = 0;     // Running time.
  guint32 is_good = 0;  // Whether it may be in a batch.
};

Tag tag_at(const guint8* data) {
  Tag tag;
  std::memcpy(&tag, data, sizeof tag);
  return tag;
}

GstStaticPadTemplate any_template =
    GST_STATIC_PAD_TEMPLATE("judge", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

// Looks at all batches that come out. What is wrong goes into `complaint`, since gtest cannot assert in other threads.
class Judge {
 public:
  explicit Judge(GstElement* mux) : pad_(gst_pad_new_from_static_template(&any_template, "judge")) {
    gst_object_ref_sink(pad_);
    g_object_set_data(G_OBJECT(pad_), "judge", this);
    gst_pad_set_chain_function(pad_, chain);
    gst_pad_set_active(pad_, TRUE);
    GstPad* src = gst_element_get_static_pad(mux, "src");
    gst_pad_link(src, pad_);
    gst_object_unref(src);
  }
  ~Judge() {
    gst_pad_set_active(pad_, FALSE);
    gst_object_unref(pad_);
  }
  Judge(const Judge&) = delete;
  Judge& operator=(const Judge&) = delete;

  std::string complaint() {
    std::lock_guard lock(mutex_);
    return complaint_;
  }

  std::atomic<int> num_batches{0};
  std::atomic<int> num_contiguous{0};

 private:
  static GstFlowReturn chain(GstPad* pad, GstObject*, GstBuffer* buffer) {
    auto* judge = static_cast<Judge*>(g_object_get_data(G_OBJECT(pad), "judge"));
    BufferPtr batch(buffer);
    const std::string complaint = judge->find_fault(buffer);
    if (!complaint.empty()) {
      std::lock_guard lock(judge->mutex_);
      if (judge->complaint_.empty()) judge->complaint_ = complaint;
    }
    ++judge->num_batches;
    return GST_FLOW_OK;
  }

  std::string find_fault(GstBuffer* batch) {
    const GstLockstepBatchMeta* meta = gst_buffer_get_lockstep_batch_meta(batch);
    if (!meta) return "a buffer without a batch";
    int last_pad = -1;
    GstClockTime least = GST_CLOCK_TIME_NONE;
    GstClockTime most = 0;
    guint num_frames = 0;
    for (guint slot = 0; slot < meta->n_frames; ++slot) {
      const GstLockstepFrame& frame = meta->frames[slot];
      if ((frame.state == GST_LOCKSTEP_FRAME_MISSING) != (frame.buffer == nullptr))
        return "a state that belies the frame";
      if (!frame.buffer) continue;
      const auto tag = read(frame.buffer);
      if (!tag) return "a frame that cannot be read";
      if (tag->magic != kMagic || !tag->is_good) return "a frame that should not be there";
      if (static_cast<int>(tag->pad) <= last_pad) return "pads out of order";
      last_pad = static_cast<int>(tag->pad);
      if (meta->contiguous && !is_in_arena(batch, slot, *tag)) return "a slot with another frame";
      if (frame.state != GST_LOCKSTEP_FRAME_FRESH) continue;
      if (!seen_.insert(tag->number).second) return "a frame that left before";
      if (GST_BUFFER_PTS(frame.buffer) != tag->time) return "a frame of another time";
      least = std::min(least, GstClockTime{tag->time});
      most = std::max(most, GstClockTime{tag->time});
      ++num_frames;
    }
    if (num_frames == 0) return "a batch without a fresh frame";
    if (most - least > kMostSkew)
      return "frames that are " + std::to_string(most - least) + " ns apart";
    if (meta->contiguous) ++num_contiguous;
    return "";
  }

  static std::optional<Tag> read(GstBuffer* buffer) {
    GstMapInfo map;
    if (!gst_buffer_map(buffer, &map, GST_MAP_READ)) return std::nullopt;
    std::optional<Tag> tag;
    if (map.size >= sizeof(Tag)) tag = tag_at(map.data);
    gst_buffer_unmap(buffer, &map);
    return tag;
  }

  static bool is_in_arena(GstBuffer* batch, guint slot, const Tag& wanted) {
    const GstVideoMeta* video = gst_buffer_get_video_meta_id(batch, static_cast<gint>(slot));
    GstMapInfo map;
    if (!video || !gst_buffer_map(batch, &map, GST_MAP_READ)) return false;
    const Tag tag = tag_at(map.data + video->offset[0]);
    gst_buffer_unmap(batch, &map);
    return tag.number == wanted.number && tag.pad == wanted.pad;
  }

  GstPad* pad_;
  std::mutex mutex_;
  std::string complaint_;
  std::set<guint64> seen_;  // The mux's task only.
};

// The mux, and what its upstream threads share.
struct Stage {
  explicit Stage(bool is_live)
      : live(is_live),
        mux(static_cast<GstElement*>(
            gst_object_ref_sink(gst_element_factory_make("lockstepmux", nullptr)))),
        bus(mux.get()),
        judge(mux.get()),
        clock(gst_system_clock_obtain()) {
    g_object_set(mux.get(), "max-wait", milliseconds(20), "sync-tolerance",
                 guint64{2 * GST_MSECOND}, nullptr);
    gst_element_set_clock(mux.get(), clock);
    base_time = gst_clock_get_time(clock);
    gst_element_set_base_time(mux.get(), base_time);
  }
  ~Stage() {
    gst_element_set_state(mux.get(), GST_STATE_NULL);
    gst_object_unref(clock);
  }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  GstClockTime running_time() const { return gst_clock_get_time(clock) - base_time; }

  const bool live;
  ElementPtr mux;
  Bus bus;
  Judge judge;
  GstClock* clock;
  GstClockTime base_time = 0;
  std::atomic<guint64> num_frames{0};
  std::atomic<bool> stop{false};
};

gboolean answer_latency(GstPad* pad, GstObject* parent, GstQuery* query) {
  if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY) return gst_pad_query_default(pad, parent, query);
  const bool live = GPOINTER_TO_INT(g_object_get_data(G_OBJECT(pad), "live")) != 0;
  gst_query_set_latency(query, live, live ? kTorturePeriod : 0, GST_CLOCK_TIME_NONE);
  return TRUE;
}

// One upstream thread and its pad.
class Upstream {
 public:
  Upstream(Stage& stage, guint seed) : stage_(stage), random_(seed) {}
  ~Upstream() { leave(); }
  Upstream(const Upstream&) = delete;
  Upstream& operator=(const Upstream&) = delete;

  void run(int num_acts) {
    join();
    for (int i = 0; i < num_acts; ++i) act();
    gst_pad_push_event(pad_, gst_event_new_eos());
  }

 private:
  guint draw(guint below) { return std::uniform_int_distribution<guint>(0, below - 1)(random_); }

  void act() {
    const guint drawn = draw(100);
    if (drawn < 70) return push_frame();
    if (drawn < 75) return push_gap();
    if (drawn < 80) return change_caps();
    if (drawn < 84) return flush();
    if (drawn < 87) return begin_again();
    if (drawn < 90) return leave_and_join();
    if (drawn < 93) return new_segment();
    if (drawn < 97) return push_bad();
    ask_for_pool();
  }

  void join() {
    pad_ = gst_pad_new("upstream", GST_PAD_SRC);
    gst_object_ref_sink(pad_);
    g_object_set_data(G_OBJECT(pad_), "live", GINT_TO_POINTER(stage_.live));
    gst_pad_set_query_function(pad_, answer_latency);
    gst_pad_set_active(pad_, TRUE);
    sink_ = gst_element_request_pad_simple(stage_.mux.get(), "sink_%u");
    sscanf(GST_PAD_NAME(sink_), "sink_%u", &index_);
    gst_pad_link(pad_, sink_);
    begin();
  }

  void begin() {
    gst_pad_push_event(pad_, gst_event_new_stream_start(GST_PAD_NAME(sink_)));
    push_caps();
    new_segment();
  }

  void push_caps() {
    gst_video_info_set_format(&info_, formats_[draw(3)], draw(4) == 0 ? 96 : 64, 48);
    GST_VIDEO_INFO_FPS_N(&info_) = 200;
    GST_VIDEO_INFO_FPS_D(&info_) = 1;
    CapsPtr caps(gst_video_info_to_caps(&info_));
    gst_pad_push_event(pad_, gst_event_new_caps(caps.get()));
    drop_pool();
  }

  void change_caps() { push_caps(); }

  // Times of the stream begin anywhere; running time is what counts.
  void new_segment() {
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    start_ = draw(1000) * GST_SECOND;
    segment.start = start_;
    segment.time = start_;
    gst_pad_push_event(pad_, gst_event_new_segment(&segment));
  }

  // The next instant of the grid that all share.
  GstClockTime next_time() {
    const GstClockTime now = stage_.running_time() / kTorturePeriod * kTorturePeriod;
    last_time_ = std::max(last_time_ + kTorturePeriod, now);
    return last_time_;
  }

  void wait_for(GstClockTime time) {
    while (stage_.running_time() < time && !stage_.stop)
      std::this_thread::sleep_for(std::chrono::microseconds(300));
  }

  BufferPtr new_buffer() {
    GstBuffer* buffer = nullptr;
    GstBufferPoolAcquireParams params{};
    params.flags = GST_BUFFER_POOL_ACQUIRE_FLAG_DONTWAIT;
    if (pool_ && gst_buffer_pool_acquire_buffer(pool_.get(), &buffer, &params) == GST_FLOW_OK)
      return BufferPtr(buffer);
    return BufferPtr(gst_buffer_new_allocate(nullptr, GST_VIDEO_INFO_SIZE(&info_), nullptr));
  }

  void write_tag(GstBuffer* buffer, GstClockTime time, bool is_good) {
    const Tag tag{kMagic, index_, stage_.num_frames++, time, is_good};
    gst_buffer_fill(buffer, 0, &tag, sizeof tag);
    GST_BUFFER_PTS(buffer) = start_ + time;
    GST_BUFFER_DURATION(buffer) = kTorturePeriod;
  }

  void push(BufferPtr buffer) {
    if (gst_pad_push(pad_, buffer.release()) == GST_FLOW_OK) return;
    // The mux was stopped, and has forgotten what it was told.
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    begin();
  }

  void push_frame() {
    const GstClockTime time = next_time();
    wait_for(time);
    // A dawdler every now and then, and some jitter within the tolerance.
    if (draw(50) == 0) std::this_thread::sleep_for(std::chrono::milliseconds(draw(60)));
    BufferPtr buffer = new_buffer();
    write_tag(buffer.get(), time + draw(2) * GST_MSECOND, true);
    push(std::move(buffer));
  }

  void push_gap() {
    gst_pad_push_event(pad_, gst_event_new_gap(start_ + next_time(), kTorturePeriod));
  }

  void push_bad() {
    BufferPtr buffer(gst_buffer_new_allocate(nullptr, GST_VIDEO_INFO_SIZE(&info_), nullptr));
    write_tag(buffer.get(), next_time(), false);
    switch (draw(4)) {
      case 0:
        gst_buffer_set_size(buffer.get(), 100);
        break;
      case 1:
        GST_BUFFER_PTS(buffer.get()) = GST_CLOCK_TIME_NONE;
        break;
      case 2:
        gst_buffer_add_video_meta(buffer.get(), GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_NV12,
                                  4096, 4096);
        break;
      default:
        buffer.reset(gst_buffer_new());
    }
    push(std::move(buffer));
  }

  void flush() {
    gst_pad_push_event(pad_, gst_event_new_flush_start());
    gst_pad_push_event(pad_, gst_event_new_flush_stop(FALSE));
    new_segment();
  }

  void begin_again() {
    gst_pad_push_event(pad_, gst_event_new_eos());
    begin();
  }

  void leave() {
    if (!pad_) return;
    drop_pool();
    gst_element_release_request_pad(stage_.mux.get(), sink_);
    gst_object_unref(sink_);
    gst_pad_set_active(pad_, FALSE);
    gst_object_unref(std::exchange(pad_, nullptr));
  }

  void leave_and_join() {
    leave();
    join();
  }

  void drop_pool() {
    if (pool_) gst_buffer_pool_set_active(pool_.get(), FALSE);
    pool_.reset();
  }

  void ask_for_pool() {
    drop_pool();
    CapsPtr caps(gst_video_info_to_caps(&info_));
    GstQuery* query = gst_query_new_allocation(caps.get(), TRUE);
    if (gst_pad_peer_query(pad_, query) && gst_query_get_n_allocation_pools(query) > 0) {
      GstBufferPool* pool = nullptr;
      guint size = 0;
      gst_query_parse_nth_allocation_pool(query, 0, &pool, &size, nullptr, nullptr);
      if (pool && gst_buffer_pool_set_active(pool, TRUE)) {
        pool_.reset(pool);
      } else {
        g_clear_pointer(&pool, gst_object_unref);
      }
    }
    gst_query_unref(query);
  }

  static constexpr GstVideoFormat formats_[] = {GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_NV12,
                                                GST_VIDEO_FORMAT_I420};
  Stage& stage_;
  std::mt19937 random_;
  GstPad* pad_ = nullptr;   // Owned.
  GstPad* sink_ = nullptr;  // Owned; the mux's.
  guint index_ = 0;
  GstVideoInfo info_;
  GstClockTime start_ = 0;
  GstClockTime last_time_ = 0;
  PoolPtr pool_;
};

// Changes what can be changed while the others push.
void meddle(Stage& stage, guint seed) {
  std::mt19937 random(seed);
  const auto draw = [&random](guint below) {
    return std::uniform_int_distribution<guint>(0, below - 1)(random);
  };
  GstElement* mux = stage.mux.get();
  const char* const modes[] = {"running-time", "arrival", "capture-time", "running-time"};
  while (!stage.stop) {
    switch (draw(7)) {
      case 0:
        g_object_set(mux, "sync-tolerance", milliseconds(1 + draw(2)), nullptr);
        break;
      case 1:
        g_object_set(mux, "max-wait", milliseconds(1 + draw(30)), "max-queued", draw(5), nullptr);
        break;
      case 2:
        gst_util_set_object_arg(G_OBJECT(mux), "on-missing", draw(2) == 0 ? "repeat" : "partial");
        break;
      case 3:
        gst_util_set_object_arg(G_OBJECT(mux), "late-policy", draw(2) == 0 ? "leaky" : "block");
        break;
      case 4:
        gst_util_set_object_arg(G_OBJECT(mux), "pace", draw(2) == 0 ? "all" : "slowest");
        break;
      case 5:
        gst_element_set_state(mux, GST_STATE_READY);
        gst_element_set_state(mux, GST_STATE_PLAYING);
        break;
      default: {
        GstStructure* stats = nullptr;
        g_object_get(mux, "stats", &stats, nullptr);
        gst_structure_free(stats);
      }
    }
    // The judge knows no batches but those of running time; here it is only that nothing breaks.
    if (seed % 4 == 3) gst_util_set_object_arg(G_OBJECT(mux), "sync-mode", modes[draw(4)]);
    std::this_thread::sleep_for(std::chrono::milliseconds(5 + draw(20)));
  }
}

class MuxTorture : public testing::TestWithParam<guint> {};

TEST_P(MuxTorture, EveryBatchIsRightAndNothingHangs) {
  const guint seed = GetParam();
  constexpr guint kNumUpstreams = 5;
  auto all = std::async(std::launch::async, [seed] {
    Stage stage(seed % 2 == 1);
    if (seed % 3 == 2) gst_util_set_object_arg(G_OBJECT(stage.mux.get()), "layout", "reference");
    gst_element_set_state(stage.mux.get(), GST_STATE_PLAYING);
    std::vector<std::thread> threads;
    for (guint i = 0; i < kNumUpstreams; ++i)
      threads.emplace_back([&stage, seed, i] { Upstream(stage, seed * 100 + i).run(200); });
    std::thread meddler([&stage, seed] { meddle(stage, seed); });
    for (auto& thread : threads) thread.join();
    stage.stop = true;
    meddler.join();
    EXPECT_EQ(stage.bus.take_error(), "");
    GstStructure* stats = nullptr;
    g_object_get(stage.mux.get(), "stats", &stats, nullptr);
    const CharsPtr told(gst_structure_to_string(stats));
    gst_structure_free(stats);
    EXPECT_GT(stage.judge.num_batches, 20) << told.get();
    return seed % 4 == 3 ? std::string() : stage.judge.complaint();
  });
  // A hang would be for ever; this is many times what it takes.
  if (all.wait_for(std::chrono::seconds(120)) != std::future_status::ready) {
    std::fprintf(stderr, "seed %u hangs\n", seed);
    std::abort();
  }
  EXPECT_EQ(all.get(), "");
}

INSTANTIATE_TEST_SUITE_P(Seeds, MuxTorture, testing::Range(1u, 13u));

}  // namespace
}  // namespace lockstep
