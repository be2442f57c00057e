// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "lockstep/drop_reason.h"
#include "lockstep/export.h"
#include "lockstep/time.h"

namespace lockstep {

/// What becomes of a set in which frames are missing after the wait.
enum class OnMissing : std::uint8_t {
  partial,  ///< It leaves with the slot empty.
  repeat,   ///< It leaves with the sensor's last frame again, marked so.
  drop,     ///< It does not leave; its frames are counted as unmatched.
};

LOCKSTEP_API const char* to_string(OnMissing policy);

/// What makes frames belong together.
enum class GroupBy : std::uint8_t {
  capture_time,  ///< They were captured at the same instant.
  /// Nothing: a set is the newest frame of each sensor. What another frame of its sensor follows
  /// before the set leaves is dropped as surplus, and only sensors that set the pace are waited for.
  newest,
};

/// How frames are grouped. All of it may change while running. Durations below 0 count as 0.
struct SyncConfig {
  /// Most that capture times within one set may differ. Beyond three quarters of a sensor's frame
  /// period (an average that the synchroniser keeps) it is not used for that sensor: its next frame
  /// would be taken for the one before.
  Nanoseconds tolerance{16'666'666};
  Nanoseconds max_wait{33'333'333};  ///< How long a frame may wait for the others of its set.
  OnMissing on_missing = OnMissing::partial;
  GroupBy group_by = GroupBy::capture_time;
  /// Whether capture times are on the clock of `now`. If not, as with files that are read faster or
  /// slower than they were recorded, no time within 146 years of 0 is absurd, none is ahead, and waits count from the push.
  bool same_clock = true;
  /// How long from the first frame on sets that lack an active sensor are thrown away, until every
  /// one has delivered.
  Nanoseconds start_up_wait = std::chrono::seconds(2);
};

/// Groups frames of several sensors by capture time. Pure: no clock, no thread; time comes in as an
/// argument.
///
/// The earliest frame that waits is the anchor of a set; the set holds of each sensor the frame
/// within tolerance of the anchor. Sets leave in order of capture time.
///
/// A set leaves as soon as its last frame is pushed. It also leaves, incomplete, as soon as no
/// missing frame can come any more: each of the sensors that lack one has delivered a later frame,
/// is inactive or stalled; or when a frame has waited for max_wait. A sensor that was waited for in
/// vain kStallAfter times in a row is stalled: not waited for until it delivers again. A frame that
/// comes when its set has left is dropped as late.
///
/// Until every active sensor has delivered once (at most start_up_wait from the first frame on),
/// sets that lack an active sensor are thrown away as start_up; so are the frames from before the
/// last sensor's first.
///
/// Where sensors differ in rate some of them may set the pace: a set without a frame of any of those
/// is dropped as surplus, unless all of them are inactive or stalled and none of their frames waits. At
/// first all set it.
///
/// Capture times of one sensor must rise; a frame that does not is dropped as duplicate or
/// backward, one further than kAbsurd from `now` as absurd, neither disturbs the others. A sensor
/// whose times stay back but rise, because its clock was set back or one time was far ahead, is
/// believed again with the kBelieveAfter-th such frame; what still waits with a later time is then
/// dropped as absurd. When that is so of every live sensor, the order of sets begins anew. Frames
/// captured ahead of `now` wait as if they came in when captured; a set ahead of `now` leaves only
/// complete.
///
/// \units   all times in nanoseconds on one clock, capture times and `now` alike.
/// \thread  one caller at a time.
class LOCKSTEP_API Synchroniser {
 public:
  static constexpr int kStallAfter = 3;
  static constexpr int kBelieveAfter = 3;
  static constexpr Nanoseconds kAbsurd = std::chrono::seconds(10);

  /// One frame: whose, when, and a number by which the caller finds it again.
  struct Arrival {
    std::size_t sensor = 0;
    Nanoseconds captured{0};
    std::uint64_t token = 0;
    /// Its wait counts from here if that is later than `now`: for a sensor whose frames come sooner
    /// than the others' are bound to. \units as captured; only with same_clock.
    Nanoseconds waits_from = Nanoseconds::min();
  };

  /// A frame that will be in no set, and why.
  struct Drop {
    std::size_t sensor = 0;
    std::uint64_t token = 0;
    DropReason reason = DropReason::late;
  };

  /// One set of frames.
  struct Set {
    std::vector<std::optional<std::uint64_t>> tokens;  ///< Per sensor; nothing where missing.
    Nanoseconds captured{0};                           ///< Of the earliest frame.
    Nanoseconds skew{0};                               ///< Latest minus earliest.
    std::size_t num_frames = 0;
  };

  /// `max_pending` frames of a sensor may wait at most (at least 1): what it delivers beyond that
  /// is dropped as overflow by the pop() that leaves so many waiting.
  Synchroniser(std::size_t num_sensors, SyncConfig config, std::size_t max_pending);
  ~Synchroniser();
  Synchroniser(Synchroniser&&) noexcept;
  Synchroniser& operator=(Synchroniser&&) noexcept;

  /// Takes in a frame. `now` never goes back from call to call.
  void push(const Arrival& arrival, Nanoseconds now);

  /// The next set that is due at `now`, in order of capture time. Call until it answers nothing.
  std::optional<Set> pop(Nanoseconds now);

  /// When pop() must be called next though no frame came; not after the last `now` if it is due
  /// already, nothing if no frame waits.
  std::optional<Nanoseconds> deadline() const;

  /// Frames dropped since the last call.
  std::vector<Drop> take_drops();
  /// Whole sets that pop() dropped since the last call, as start_up, surplus or unmatched. Their frames are among
  /// take_drops().
  std::uint64_t take_dropped_sets();

  /// Tells that the sensor has no frame captured before `until`: sets before that do not wait for it.
  void push_gap(std::size_t sensor, Nanoseconds until, Nanoseconds now);

  /// An inactive sensor is not waited for. All are active at first. Its pending frames stay, new
  /// ones are taken; a set without it is still incomplete.
  void set_active(std::size_t sensor, bool active, Nanoseconds now);

  /// Whether the sensor is one of those that set the pace.
  void set_pace(std::size_t sensor, bool sets_pace);

  /// Whether the sensor was waited for in vain too often, and is not waited for any more.
  bool is_stalled(std::size_t sensor) const;

  /// Average time from frame to frame as of late, once there were enough of them. Frames that are lost now and then do
  /// not make it longer.
  std::optional<Nanoseconds> period(std::size_t sensor) const;

  std::size_t num_sensors() const;
  /// Makes room for a sensor; those from that place on move up by one. Call take_drops() before.
  void insert_sensor(std::size_t at);
  /// Takes a sensor out, its pending frames dropped as flushed; those behind it move down by one once
  /// take_drops() has been called, which must be next.
  void remove_sensor(std::size_t sensor);
  /// Forgets what the sensor delivered: pending frames are dropped as flushed, its times may begin
  /// anew. Once all active ones are forgotten, the order of sets begins anew.
  void forget(std::size_t sensor);

  /// Changes tolerance, wait and policy from the next pop() on.
  void set_config(const SyncConfig& config);
  const SyncConfig& config() const;

  /// Forgets every pending frame (they become drops, `flushed`) and starts as new, but for the
  /// configuration and who is active.
  void reset();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lockstep
