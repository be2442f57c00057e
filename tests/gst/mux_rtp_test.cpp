// SPDX-License-Identifier: MIT
// Streams over RTP on the loopback device, one of them over a bad line. Each frame has its number painted into it before
// it is encoded, and is told by that when it comes out in a batch.
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "lockstep/painted_code.h"
#include "mux_pipeline.h"

namespace lockstep {
namespace {

constexpr guint kStreams = 3;
constexpr guint kBad = 1;  // The stream over the bad line.
constexpr std::uint32_t kFrames = 50;
constexpr Format kRtpFormat{PixelFormat::i420, 320, 192, {5, 1}};
// Before that a receiver learns how long packets are on their way, on which running times rest.
constexpr std::uint32_t kLearned = 5;
constexpr GstClockTime kPacketPeriod = GST_SECOND / 5;
// When the first frame was captured: NTP time, some day in 2026.
constexpr GstClockTime kEpoch = 4'000'000'000 * GST_SECOND;
constexpr const char* kExtension = "extmap-1=(string)\"urn:ietf:params:rtp-hdrext:ntp-64\"";

// Packets are sent as soon as they are made.
const std::string kShort = "sync=false";

enum class Fault {
  none,
  lost,      // No packet of the frame comes.
  torn,      // One does not.
  late,      // All come 600 ms later, when nobody waits for them any more.
  shuffled,  // They come in another order.
  delayed,   // They come up to 80 ms later, and what is behind them too.
};

bool is_harmless(Fault fault) {
  return fault == Fault::none || fault == Fault::shuffled || fault == Fault::delayed;
}

// What happens to each frame on the bad line; the first and the last arrive.
std::vector<Fault> some_faults() {
  std::mt19937 random(20);
  std::vector<Fault> faults(kFrames, Fault::none);
  for (std::uint32_t n = kLearned; n + 12 < kFrames; ++n) {
    faults[n] = static_cast<Fault>(random() % 10 < 5 ? 0 : random() % 6);
    // How long a receiver waits for the packets of several frames is its own affair.
    const bool any_late = faults[n] == Fault::late || faults[n - 1] == Fault::late;
    if (any_late && !is_harmless(faults[n - 1])) faults[n] = Fault::none;
  }
  return faults;
}

// A line that does to each frame's packets what it is told.
class BadLine {
 public:
  explicit BadLine(std::vector<Fault> faults) : faults_(std::move(faults)) {}

  GstPadProbeReturn operator()(GstPad* pad, GstBuffer* packet) {
    if (GST_BUFFER_PTS(packet) != pts_) begin(GST_BUFFER_PTS(packet));
    const Fault fault = faults_.at(frame_);
    const std::uint32_t index = num_packets_++;
    if (fault == Fault::shuffled && index == 1) {
      send(pad, packet);
      release(pad);
      return GST_PAD_PROBE_DROP;
    }
    release(pad);
    const bool first = index == 0;
    if (fault == Fault::late) return hold(packet, frame_ + 3);
    if (fault == Fault::shuffled && first) return hold(packet, frame_);
    if (fault == Fault::torn && first) return GST_PAD_PROBE_DROP;
    return fault == Fault::lost ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
  }

 private:
  void begin(GstClockTime pts) {
    pts_ = pts;
    ++frame_;
    num_packets_ = 0;
    if (faults_.at(frame_) == Fault::delayed)
      std::this_thread::sleep_for(std::chrono::milliseconds(random_() % 80));
  }

  GstPadProbeReturn hold(GstBuffer* packet, std::uint32_t until) {
    held_.push_back({until, num_packets_, BufferPtr(gst_buffer_ref(packet))});
    return GST_PAD_PROBE_DROP;
  }

  // Lets go of packets that are due: those of the same frame when one other has passed.
  void release(GstPad* pad) {
    for (auto it = held_.begin(); it != held_.end();) {
      const bool due = it->until < frame_ || (it->until == frame_ && num_packets_ > it->after);
      if (due) send(pad, it->packet.get());
      it = due ? held_.erase(it) : it + 1;
    }
  }

  static void send(GstPad* pad, GstBuffer* packet) {
    GstPad* peer = gst_pad_get_peer(pad);
    gst_pad_chain(peer, gst_buffer_ref(packet));
    gst_object_unref(peer);
  }

  struct Held {
    std::uint32_t until;
    std::uint32_t after;
    BufferPtr packet;
  };
  std::vector<Fault> faults_;
  std::mt19937 random_{3};
  GstClockTime pts_ = GST_CLOCK_TIME_NONE;
  std::uint32_t frame_ = ~0u;  // The next is 0.
  std::uint32_t num_packets_ = 0;
  std::deque<Held> held_;
};

// Paints its number into a frame, and tells when it was captured.
GstPadProbeReturn stamp(guint stream, GstBuffer* frame) {
  const auto number = static_cast<std::uint32_t>(GST_BUFFER_OFFSET(frame));
  const Layout layout =
      *default_layout(kRtpFormat.pixel_format, kRtpFormat.width, kRtpFormat.height);
  GstMapInfo map;
  EXPECT_TRUE(gst_buffer_map(frame, &map, GST_MAP_WRITE));
  paint_code({.sensor = static_cast<std::uint8_t>(stream), .sequence = number}, kRtpFormat, layout,
             std::as_writable_bytes(std::span(map.data, map.size)));
  gst_buffer_unmap(frame, &map);
  const CapsPtr ntp(gst_caps_new_empty_simple("timestamp/x-ntp"));
  gst_buffer_add_reference_timestamp_meta(frame, ntp.get(), kEpoch + number * kPacketPeriod,
                                          GST_CLOCK_TIME_NONE);
  return GST_PAD_PROBE_OK;
}

std::string sender_line(guint stream, int port, const std::string& line) {
  const std::string s = std::to_string(stream);
  // Key frames only: a lost frame is one frame lost.
  // One source, so that an instant is one for all of them; each has a copy of its frames to paint.
  return "camera. ! queue ! videobalance name=camera" + s +
         " saturation=0.9 "
         "! vp8enc deadline=1 cpu-used=8 keyframe-max-dist=0 target-bitrate=2000000 "
         "! rtpvp8pay mtu=300 auto-header-extension=true ! application/x-rtp," +
         kExtension + " ! identity name=line" + s + " ! udpsink host=127.0.0.1 async=false " +
         line + " port=" + std::to_string(port) + " ";
}

std::string receiver_line(guint stream) {
  const std::string s = std::to_string(stream);
  return "udpsrc name=port" + s +
         " address=127.0.0.1 port=0 caps=\"application/x-rtp,"
         "media=(string)video,clock-rate=(int)90000,encoding-name=(string)VP8,payload=(int)96,"
         "extmap-1=(string)urn:ietf:params:rtp-hdrext:ntp-64\" "
         "! rtpjitterbuffer latency=150 add-reference-timestamp-meta=true ! rtpvp8depay ! vp8dec "
         "! mux.sink_" +
         s + " ";
}

std::optional<PaintedCode> code_in(GstBuffer* frame) {
  const MappedFrame mapped(info_of(frame, nullptr), frame, GST_MAP_READ);
  if (!mapped) return std::nullopt;
  LumaView luma;
  luma.width = kRtpFormat.width;
  luma.height = kRtpFormat.height;
  luma.stride_bytes = static_cast<std::size_t>(GST_VIDEO_FRAME_PLANE_STRIDE(&*mapped, 0));
  luma.bytes = {static_cast<const std::byte*>(GST_VIDEO_FRAME_PLANE_DATA(&*mapped, 0)),
                luma.stride_bytes * luma.height};
  return read_code(luma);
}

// What came out of the mux, by batch and slot: the number of the frame, nothing where it is missing.
class Received {
 public:
  GstPadProbeReturn add(GstBuffer* batch) {
    const GstLockstepBatchMeta* meta = gst_buffer_get_lockstep_batch_meta(batch);
    std::vector<std::optional<std::uint32_t>> numbers(meta->n_frames);
    guint num_over = 0;
    for (guint s = 0; s < meta->n_frames; ++s) {
      if (!meta->frames[s].buffer) continue;
      const auto code = code_in(meta->frames[s].buffer);
      EXPECT_TRUE(code) << "slot " << s << " of batch " << batches_.size();
      if (!code) continue;
      EXPECT_EQ(code->sensor, s);
      numbers[s] = code->sequence;
      num_over += code->sequence == kFrames - 1;
    }
    const std::lock_guard lock(mutex_);
    num_over_ += num_over;
    batches_.push_back(std::move(numbers));
    changed_.notify_all();
    return GST_PAD_PROBE_OK;
  }

  // Waits for the last frame of each stream; a minute, so that a test that fails ends.
  bool wait() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::minutes(1),
                             [this] { return num_over_ >= kStreams; });
  }
  const auto& batches() const { return batches_; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  guint num_over_ = 0;  // Streams whose last frame has come.
  std::vector<std::vector<std::optional<std::uint32_t>>> batches_;
};

class MuxRtp : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* element :
         {"udpsrc", "rtpjitterbuffer", "rtpvp8depay", "vp8enc", "rtphdrextntp64"})
      if (GstElementFactory* factory = gst_element_factory_find(element)) {
        gst_object_unref(factory);
      } else {
        GTEST_SKIP() << "no " << element << ": install gstreamer1.0-plugins-good";
      }
  }

  // Sends all streams; `lines` are how their packets are sent.
  void run(const std::string& properties, const std::vector<Fault>& faults,
           const std::vector<std::string>& lines = {kShort, kShort, kShort}) {
    // A missing frame is known to be one by the next that comes, however long that may take.
    // Half a period: depayloaders do not tell rates, and what is taken for granted until they are learned is less.
    std::string line = "lockstepmux name=mux max-wait=5000000000 sync-tolerance=100000000 " +
                       properties + " ! fakesink name=end sync=false ";
    for (guint s = 0; s < kStreams; ++s) line += receiver_line(s);
    receiver_ = std::make_unique<MuxPipeline>(line);
    receiver_->watch("end.sink",
                     [this](GstPad*, GstBuffer* batch) { return received_.add(batch); });
    gst_element_set_state(receiver_->get(), GST_STATE_PLAYING);

    line = "videotestsrc is-live=true pattern=smpte num-buffers=" + std::to_string(kFrames) +
           " ! video/x-raw,format=I420,width=320,height=192,framerate=5/1 ! tee name=camera ";
    for (guint s = 0; s < kStreams; ++s) line += sender_line(s, port(s), lines[s]);
    MuxPipeline sender(line);
    for (guint s = 0; s < kStreams; ++s)
      sender.watch("camera" + std::to_string(s) + ".src",
                   [s](GstPad*, GstBuffer* frame) { return stamp(s, frame); });
    auto bad = std::make_shared<BadLine>(faults);
    sender.watch("line" + std::to_string(kBad) + ".src",
                 [bad](GstPad* pad, GstBuffer* packet) { return (*bad)(pad, packet); });
    ASSERT_EQ(sender.run(), "EOS");
    ASSERT_TRUE(received_.wait()) << received_.batches().size()
                                  << " batches and not all the last ones";
    gst_element_send_event(receiver_->get(), gst_event_new_eos());
    ASSERT_EQ(receiver_->run(), "EOS");
  }

  int port(guint stream) {
    gint port = 0;
    g_object_get(receiver_->element("port" + std::to_string(stream)).get(), "port", &port, nullptr);
    EXPECT_GT(port, 0);
    return port;
  }

  // From frame `first` on, every frame of each stream but those that the line lost is there, once, in order, in its slot,
  // with those of its instant; and those that were lost are counted.
  void expect_all_but(const std::vector<Fault>& faults, std::uint32_t first) {
    std::size_t num_lost = 0;
    const auto& batches = received_.batches();
    ASSERT_GE(batches.size(), kFrames - first);
    for (std::uint32_t n = first; n < kFrames; ++n) {
      const auto& numbers = batches[batches.size() - kFrames + n];
      ASSERT_EQ(numbers.size(), kStreams);
      for (guint s = 0; s < kStreams; ++s) {
        const bool lost = s == kBad && !is_harmless(faults[n]);
        num_lost += lost;
        EXPECT_EQ(numbers[s], lost ? std::nullopt : std::optional(n)) << "slot " << s;
      }
    }
    expect_counted(num_lost, first > 0);
    RecordProperty("lost", std::to_string(num_lost));
  }

  void expect_counted(std::size_t num_lost, bool had_to_learn) {
    const Stats stats = receiver_->stats();
    for (guint s = 0; s < kStreams; ++s) {
      const std::size_t num_came = kFrames - (s == kBad ? num_lost : 0);
      EXPECT_EQ(stats.of(s, "frames") + stats.of(s, "drops"), num_came) << s;
      EXPECT_EQ(stats.text(s, "io"), "in place (the frames lie in slots of a batch)");
      if (had_to_learn) continue;
      EXPECT_EQ(stats.of(s, "drops"), 0u) << s;
      EXPECT_EQ(stats.of(s, "missing"), kFrames - num_came) << s;
    }
    EXPECT_EQ(stats.of("copies"), 0u);
    RecordProperty("by-reference", std::to_string(stats.of("by-reference")));
  }

  std::unique_ptr<MuxPipeline> receiver_;
  Received received_;
};

TEST_F(MuxRtp, FramesOfAnInstantMeetByTheirRunningTime) {
  const std::vector<Fault> none(kFrames, Fault::none);
  run("sync-mode=running-time", none);
  expect_all_but(none, kLearned);
}

TEST_F(MuxRtp, WhatOneStreamLosesTheOthersKeep) {
  const std::vector<Fault> faults = some_faults();
  run("sync-mode=running-time", faults);
  expect_all_but(faults, kLearned);
}

// The lines differ in length by more than three frames, which only the senders' clock tells.
TEST_F(MuxRtp, FramesOfAnInstantMeetByTheirCaptureTime) {
  const std::vector<Fault> faults = some_faults();
  run("sync-mode=capture-time reference-timestamp-caps=timestamp/x-ntp", faults,
      {kShort, "ts-offset=150000000", "ts-offset=700000000"});
  expect_all_but(faults, 0);
}

}  // namespace
}  // namespace lockstep
