// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gstlockstepmuxinput.h"
#include "gstlockstepmuxsettings.h"
#include "lockstep/synchroniser.h"

namespace lockstep {

/// What the pipeline around a mux is like.
struct MuxTiming {
  bool live = false;
  Nanoseconds upstream_latency{0};  ///< Least latency of the pads together, where live.
  Nanoseconds extra_wait{0};        ///< The element's property `latency`.
};

/// What the user should hear of.
struct MuxNotice {
  enum class Kind {
    dropped,  ///< `count` frames more were dropped for `reason`.
    stalled,  ///< The pad is not waited for any more.
    back,     ///< It delivers again.
    warning,  ///< `text` says what is wrong with what the pad sends, once for each reason.
  };
  Kind kind = Kind::dropped;
  guint slot = 0;
  std::string pad;
  DropReason reason = DropReason::late;
  std::uint64_t count = 0;
  std::string text;
};

/// The frames that leave together, in slot order.
struct MuxSet {
  struct Slot {
    MuxInputPtr input;                      ///< Null where the pad was removed.
    std::string name;                       ///< Of the pad.
    std::shared_ptr<const FrameKind> kind;  ///< Of the frame, else what the pad sends; may be null.
    FrameState state = FrameState::missing;
    MuxFrame frame;  ///< Unless missing.
  };
  std::vector<Slot> slots;
  std::size_t anchor = 0;  ///< Slot of the earliest frame.
  Nanoseconds skew{0};
  Nanoseconds ready_at{0};  ///< When its last frame came. \units CLOCK_MONOTONIC.
  bool new_caps = false;    ///< Slots or kinds differ from those of the set before.
};

/// Puts the frames of a mux's pads together: what came on each pad goes in, sets of frames come out.
///
/// What is asked of an input that was removed does nothing: its threads may be on their way still.
///
/// \units   times on CLOCK_MONOTONIC unless they say otherwise.
/// \thread  one caller at a time: the element's mutex.
class Collator {
 public:
  explicit Collator(const MuxSettings& settings);

  const std::vector<MuxInputPtr>& inputs() const { return inputs_; }
  /// Sets all counters to nothing.
  void begin();
  /// A new pad; slots are counted anew with the next set.
  MuxInputPtr add(guint index, const std::string& name);
  /// A pad goes; its slot stays empty until slots are counted anew.
  void remove(const MuxInputPtr& input);

  void set_settings(const MuxSettings& settings);
  void set_timing(const MuxTiming& timing);
  /// CLOCK_MONOTONIC minus running time; nothing without a clock.
  void set_running_offset(std::optional<Nanoseconds> offset);
  /// The pad sends frames of another kind from now on.
  void set_kind(MuxInput& input, std::shared_ptr<const FrameKind> kind);
  /// Times of what the pad sends are in that segment from now on.
  void set_segment(MuxInput& input, const GstSegment& segment);
  void set_eos(MuxInput& input, bool eos, Nanoseconds now);

  /// Takes in a frame that came on the pad just now.
  void take_in(MuxInput& input, BufferPtr buffer, Nanoseconds now);
  /// The pad has nothing for that part of its stream. \units as in the GAP event.
  void take_gap(MuxInput& input, GstClockTime start, GstClockTime duration, Nanoseconds now);
  /// Counts a frame that never went in.
  void drop(MuxInput& input, DropReason reason);

  /// The next set that is due. Call until it answers nothing.
  std::optional<MuxSet> next(Nanoseconds now);
  /// When next() must be called though no frame came.
  std::optional<Nanoseconds> deadline() const { return synchroniser_.deadline(); }

  /// Throws away what waits on one pad, or on all; their times may begin anew.
  void flush(MuxInput& input);
  void flush();
  /// Slots are counted anew with the next set, and caps made of them.
  void forget_caps() { kinds_.clear(); }

  /// What to tell the user since the last call; of drops all of them, or what is due.
  std::vector<MuxNotice> take_notices(Nanoseconds now, bool all);
  /// The same without looking at the other pads' drops, for when a frame of this one came.
  std::vector<MuxNotice> take_notices(MuxInput& input, Nanoseconds now);

  /// Whole sets that did not leave, since the last call.
  std::uint64_t take_dropped_sets() { return synchroniser_.take_dropped_sets(); }

  /// How many slots a set will have, and which one the pad's frames will be in.
  std::size_t num_slots() const;
  std::size_t slot_of(const MuxInput& input) const;

  /// The wait that holds, `extra_wait` included: what grouping adds to the latency.
  Nanoseconds max_wait() const { return synchroniser_.config().max_wait; }
  /// How long frames can be kept waiting before a pad is full.
  Nanoseconds most_delay() const;
  /// Whose rate batches have; 0/1 where that is not known.
  Fraction framerate() const;

 private:
  void adopt();
  void adopt_if_one_is_over();
  void set_paces();
  bool is_pace_a_pad() const;
  void warn_of_pace();
  MuxNotice& note(MuxNotice::Kind kind, const MuxInput& input);
  std::size_t queue_limit(const MuxInput& input) const;
  std::optional<Nanoseconds> period_of(std::size_t sensor) const;
  GstClockTime running_time_at(Nanoseconds time) const;
  std::optional<Nanoseconds> slowest_or_fastest(bool slowest) const;
  Nanoseconds on_our_clock(MuxInput& input, Nanoseconds captured, Nanoseconds came_at);
  void move_capture_offset(Nanoseconds offset);
  Nanoseconds waits_from(Nanoseconds captured) const;
  void warn(MuxInput& input, DropReason reason, const std::string& text);
  void collect_drops();
  void number_inputs();
  bool must_count_anew(const std::vector<MuxSet::Slot>& by_input) const;
  MuxSet collate(const Synchroniser::Set& set);
  void note_stalls();
  void note_drops(MuxInput& input, Nanoseconds now, bool all);
  SyncConfig sync_config() const;

  MuxSettings settings_;
  MuxTiming timing_;
  std::vector<MuxInputPtr> inputs_;  // By index of the pad; the synchroniser's sensors.
  Synchroniser synchroniser_;
  std::uint64_t next_token_ = 0;
  std::optional<Nanoseconds> running_offset_;
  std::optional<Nanoseconds> capture_offset_;  // About the median of the inputs'.
  bool any_rate_unknown_ = false;              // Some pad's caps do not tell its frame rate.
  unsigned num_sets_ = 0;
  std::size_t num_over_ = 0;  // Of the inputs that adopt() saw.

  // By slot, since the last caps; empty: to be counted anew.
  std::vector<std::shared_ptr<const FrameKind>> kinds_;
  std::vector<std::string> names_;
  std::vector<MuxNotice> notices_;
  std::string warned_of_pace_;  // The name of no pad that users were told of.
};

}  // namespace lockstep
