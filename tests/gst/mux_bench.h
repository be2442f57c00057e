// SPDX-License-Identifier: MIT
#pragma once

#include <gst/check/gstharness.h>
#include <gst/gst.h>
#include <gst/lockstep/gstlockstepbatchmeta.h>

#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "handles.h"
#include "harness.h"

namespace lockstep {

inline constexpr GstClockTime kMs = GST_MSECOND;
/// Properties of a lockstepmux from which what leaves does so because it may, and never because it waited.
inline constexpr const char* kWaitForEver = "max-wait=3600000000000 ";

/// What a test frame's pixels say: by which pad it came, and which of that pad's frames it is.
struct Mark {
  guint pad = 0;
  guint number = 0;
};

/// Caps of frames that are small and of a width that makes no stride by itself.
std::string small_caps(const std::string& rate = "30/1", const std::string& format = "NV12",
                       int width = 60, int height = 34);

/// Paints the mark all over a frame, whose planes lie where its GstVideoMeta says, else as caps say.
void paint(GstBuffer* frame, const std::string& caps, Mark mark);
/// A painted frame in memory of its own; with rows `padding` bytes longer than need be and a GstVideoMeta that says so.
BufferPtr painted_frame(const std::string& caps, Mark mark, gsize padding = 0);

/// The mark of a frame in a batch as "pad:number", "damaged" where any of its pixels is not of that mark.
std::string text_of_frame(GstBuffer* frame);
/// What is in a batch, by slot, such as "0:7 1:7 - 3:6r" where slot 2 is missing and slot 3 repeated.
std::string text_of(GstBuffer* batch);
/// That text where every pad is there, from 0 on, with its frame of that number.
std::string text_of_all(guint num_pads, guint number);
/// The same as text_of() read from the one block of memory of a contiguous batch; "none" where it is not.
std::string text_of_block(GstBuffer* batch);

GstLockstepBatchMeta* meta_of(const BufferPtr& batch);

/// Counters in an element's property `stats`.
class Stats {
 public:
  explicit Stats(GstElement* element);
  guint64 of(const char* field) const;
  /// Of a pad, by its place; `field` such as "frames".
  guint64 of(guint place, const char* field) const;
  guint64 drops(guint place, const char* reason) const;
  std::string text(guint place, const char* field) const;
  guint num_pads() const;

 private:
  const GstStructure* sensor(guint place) const;
  StructurePtr stats_;
};

/// A lockstepmux with a harness on each pad. Nothing is live unless asked for; if it is, the clock is the system's and
/// now() tells the running time.
///
/// Whatever is pulled is waited for, for a minute at most: a test that fails may take long, one that passes does not.
class MuxBench {
 public:
  enum class Live { no, yes };

  /// `properties` as in a launch line.
  explicit MuxBench(const std::vector<guint>& pads = {}, const std::string& properties = "",
                    Live live = Live::no);
  ~MuxBench();
  MuxBench(const MuxBench&) = delete;
  MuxBench& operator=(const MuxBench&) = delete;

  GstElement* element() const { return element_.get(); }
  GstHarness* pad(guint index) const { return pads_.at(index).get(); }
  GstHarness* out() const { return out_.get(); }

  /// Requests a pad and begins its stream; without caps only stream-start is sent.
  void add(guint index, const std::string& caps = small_caps(), GstClockTime latency = 0);
  void remove(guint index) { pads_.erase(index); }
  void set_caps(guint index, const std::string& caps);
  void set_segment(guint index, const GstSegment& segment);
  void set(const std::string& property, const std::string& value);

  /// Pushes the pad's frame of that number.
  GstFlowReturn push(guint index, guint number, GstClockTime pts);
  /// The same for each pad in turn, at number x 1/30 s.
  void push_all(const std::vector<guint>& indices, guint number);
  GstFlowReturn push(guint index, BufferPtr buffer);
  std::future<GstFlowReturn> push_later(guint index, guint number, GstClockTime pts);
  /// A frame of that pad's caps, in memory of its own.
  BufferPtr frame(guint index, guint number, GstClockTime pts) const;
  /// The same in what the element offers the pad to write into; null where it offers nothing.
  BufferPtr offered_frame(guint index, guint number, GstClockTime pts);
  bool send(guint index, GstEvent* event);
  /// Ends the streams of these pads.
  void end(const std::vector<guint>& indices);

  /// The next batch; null at the end of the stream, or when none comes.
  BufferPtr pull_batch();
  /// The next batch as text; "EOS" at the end of the stream.
  std::string pull();
  /// What is in all batches to the end of the stream.
  std::vector<std::string> pull_rest();
  /// The next event of that type that comes out of the element; null if none comes.
  EventPtr event(GstEventType type);
  std::string caps() const;

  /// The text of the next warning or error; empty if none comes.
  std::string warning() { return text(GST_MESSAGE_WARNING); }
  std::string error() { return text(GST_MESSAGE_ERROR); }
  /// The next element message of that name.
  StructurePtr told(const char* name);
  /// Whether a message of that type has been posted that was not taken.
  bool has_message(GstMessageType type);

  Stats stats() const { return Stats(element_.get()); }
  GstClockTime now() const;

 private:
  PoolPtr offered_pool(guint index) const;
  MessagePtr take(const std::function<bool(GstMessage*)>& is_wanted, GstClockTime wait);
  std::string text(GstMessageType type);

  bool live_ = false;
  ElementPtr element_;
  GstBus* bus_ = nullptr;
  std::deque<MessagePtr> messages_;  // That were looked at and not taken.
  std::map<guint, std::string> caps_;
  HarnessPtr out_;
  std::map<guint, HarnessPtr> pads_;
  std::map<guint, PoolPtr> pools_;
};

/// The time of a frame at 30/1.
constexpr GstClockTime at(guint number) { return number * GST_SECOND / 30; }

}  // namespace lockstep
