// SPDX-License-Identifier: MIT
// What must hold of every stream, tried on thousands of random ones. Each property is checked from
// the outside, on a log of what went in and what came out when.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "lockstep/synchroniser.h"
#include "random_streams.h"

namespace lockstep {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();

struct LoggedFrame {
  std::size_t sensor = 0;
  Nanoseconds captured{0};
  Nanoseconds came{0};
  std::size_t pushed = 0;      // At which step.
  std::size_t ended = kNever;  // At which step it left in a set or was dropped.
  int num_ends = 0;
  std::optional<DropReason> dropped;

  // A frame ahead of its time waits from then on.
  Nanoseconds waits_since() const { return std::max(came, captured); }
};

struct LoggedSet {
  Synchroniser::Set set;
  Nanoseconds left{0};
  std::size_t step = 0;
  SyncConfig config;
  Nanoseconds config_since{0};
};

// Lives a stream through with a caller that does as the header says: pops after each push and at
// each deadline.
class History {
 public:
  explicit History(const Stream& stream)
      : sync(stream.num_sensors, stream.config, stream.max_pending) {
    for (const Event& event : stream.events) {
      pop_until(event.now);
      handle(event);
      pop_all(event.now);
    }
    pop_until(seconds(1000));
  }

  Synchroniser sync;
  std::vector<LoggedFrame> frames;  // By token.
  std::vector<LoggedSet> sets;
  Nanoseconds config_since{0};

  std::vector<const LoggedFrame*> members(const LoggedSet& left) const {
    std::vector<const LoggedFrame*> result;
    for (const auto& token : left.set.tokens)
      if (token) result.push_back(&frames.at(*token));
    return result;
  }

 private:
  void handle(const Event& event) {
    ++step_;
    switch (event.kind) {
      case Event::Kind::frame:
        frames.push_back({event.sensor, event.captured, event.now, step_, kNever, 0, {}});
        sync.push({event.sensor, event.captured, frames.size() - 1}, event.now);
        break;
      case Event::Kind::activity:
        sync.set_active(event.sensor, event.active, event.now);
        break;
      case Event::Kind::config:
        sync.set_config(event.config);
        config_since = event.now;
        break;
    }
  }

  void pop_until(Nanoseconds now) {
    for (auto due = sync.deadline(); due && *due < now; due = sync.deadline()) {
      ++step_;
      if (!pop_all(*due)) {
        ADD_FAILURE() << "nothing left at the deadline";
        return;
      }
    }
  }

  bool pop_all(Nanoseconds now) {
    bool any = false;
    while (auto set = sync.pop(now)) {
      any = true;
      for (const auto& token : set->tokens)
        if (token) end(*token);
      sets.push_back({*std::move(set), now, step_, sync.config(), config_since});
    }
    for (const auto& drop : sync.take_drops()) {
      any = true;
      end(drop.token);
      frames.at(drop.token).dropped = drop.reason;
      EXPECT_EQ(frames.at(drop.token).sensor, drop.sensor);
    }
    return any;
  }

  void end(std::uint64_t token) {
    ++frames.at(token).num_ends;
    frames.at(token).ended = step_;
  }

  std::size_t step_ = 0;
};

template <typename Check>
void for_streams(Faults faults, Check check) {
  constexpr std::uint32_t kNumStreams = 1000;
  for (std::uint32_t seed = 0; seed < kNumStreams; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Stream stream = StreamMaker(seed, faults).make();
    check(stream, History(stream));
    if (testing::Test::HasFailure()) return;
  }
}

constexpr Faults kAll{true, true};
constexpr Faults kRightTimes{false, true};
constexpr Faults kFewest{false, false};

TEST(AnyStream, EndsEveryFrameExactlyOnce) {
  for_streams(kAll, [](const Stream&, const History& history) {
    for (const LoggedFrame& frame : history.frames) EXPECT_EQ(frame.num_ends, 1);
    EXPECT_EQ(history.sync.deadline(), std::nullopt);
  });
}

TEST(AnyStream, EndsEveryFrameExactlyOnceWhenResetInTheMiddle) {
  for_streams(kAll, [](Stream stream, const History&) {
    Synchroniser sync(stream.num_sensors, stream.config, stream.max_pending);
    std::vector<int> num_ends(stream.events.size());
    std::uint64_t token = 0;
    for (const Event& event : stream.events) {
      if (event.kind == Event::Kind::frame)
        sync.push({event.sensor, event.captured, token++}, event.now);
      while (const auto set = sync.pop(event.now))
        for (const auto& member : set->tokens)
          if (member) ++num_ends.at(*member);
      if (token % 50 == 49) sync.reset();
    }
    sync.reset();
    for (const auto& drop : sync.take_drops()) ++num_ends.at(drop.token);
    num_ends.resize(token);
    EXPECT_EQ(std::count(num_ends.begin(), num_ends.end(), 1), static_cast<std::int64_t>(token));
  });
}

TEST(AnyStream, KeepsEverySensorInItsSlot) {
  for_streams(kAll, [](const Stream& stream, const History& history) {
    for (const LoggedSet& left : history.sets) {
      ASSERT_EQ(left.set.tokens.size(), stream.num_sensors);
      for (std::size_t slot = 0; slot < stream.num_sensors; ++slot) {
        if (!left.set.tokens[slot]) continue;
        EXPECT_EQ(history.frames.at(*left.set.tokens[slot]).sensor, slot);
      }
    }
  });
}

TEST(AnyStream, NeverGroupsBeyondTheTolerance) {
  for_streams(kAll, [](const Stream&, const History& history) {
    for (const LoggedSet& left : history.sets) {
      const auto members = history.members(left);
      ASSERT_FALSE(members.empty());
      const auto [first, last] =
          std::minmax_element(members.begin(), members.end(),
                              [](auto* a, auto* b) { return a->captured < b->captured; });
      EXPECT_EQ(left.set.num_frames, members.size());
      EXPECT_EQ(left.set.captured, (*first)->captured);
      EXPECT_EQ(left.set.skew, (*last)->captured - (*first)->captured);
      EXPECT_LE(left.set.skew, left.config.tolerance);
    }
  });
}

TEST(AnyStream, LeavesInOrderOfCaptureTimeWhileClocksGoForward) {
  for_streams(kRightTimes, [](const Stream&, const History& history) {
    for (std::size_t i = 1; i < history.sets.size(); ++i)
      EXPECT_LT(history.sets[i - 1].set.captured, history.sets[i].set.captured);
  });
}

TEST(AnyStream, GoesBackInOrderOnlyWhenASensorsClockWent) {
  for_streams(kAll, [](const Stream&, const History& history) {
    for (std::size_t i = 1; i < history.sets.size(); ++i) {
      if (history.sets[i - 1].set.captured < history.sets[i].set.captured) continue;
      EXPECT_TRUE(
          std::any_of(history.frames.begin(), history.frames.end(), [&](const LoggedFrame& frame) {
            return frame.pushed <= history.sets[i].step && frame.dropped == DropReason::backward;
          }));
    }
  });
}

TEST(AnyStream, LetsNoFrameWaitLongerThanMaxWait) {
  for_streams(kAll, [](const Stream&, const History& history) {
    for (const LoggedSet& left : history.sets)
      for (const LoggedFrame* frame : history.members(left))
        EXPECT_LE(left.left,
                  std::max(frame->waits_since() + left.config.max_wait, left.config_since));
  });
}

TEST(AnyStream, LetsCompleteSetsLeaveWithTheirLastFrame) {
  std::size_t num_complete = 0;
  for_streams(kFewest, [&](const Stream& stream, const History& history) {
    for (const LoggedSet& left : history.sets) {
      if (left.set.num_frames < stream.num_sensors) continue;
      ++num_complete;
      const auto members = history.members(left);
      EXPECT_TRUE(std::any_of(members.begin(), members.end(),
                              [&](auto* frame) { return frame->pushed == left.step; }));
    }
  });
  EXPECT_GT(num_complete, 1000u);
}

// Whether a frame that still waits at that step has waited for max_wait.
bool has_waited_enough(const History& history, const LoggedSet& left) {
  return std::any_of(history.frames.begin(), history.frames.end(), [&](const LoggedFrame& frame) {
    return frame.pushed <= left.step && frame.ended >= left.step &&
           frame.waits_since() + left.config.max_wait <= left.left;
  });
}

TEST(AnyStream, WaitsForEverySensorThatCouldStillDeliver) {
  std::size_t num_early = 0;
  for (std::uint32_t seed = 0; seed < 1000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Stream stream = StreamMaker(seed, kFewest).make();
    stream.config.on_missing = OnMissing::partial;
    stream.max_pending = 1000;
    const History history(stream);
    for (const LoggedSet& left : history.sets) {
      const bool waited = has_waited_enough(history, left);
      for (std::size_t slot = 0; slot < stream.num_sensors; ++slot) {
        const LoggedFrame* newest = nullptr;
        for (const LoggedFrame& frame : history.frames)
          if (frame.sensor == slot && frame.pushed <= left.step) newest = &frame;
        if (left.set.tokens[slot] || !newest) continue;
        // One that stalled while the rig started up left no sets to count.
        if (std::any_of(history.frames.begin(), history.frames.end(), [&](auto& frame) {
              return frame.dropped == DropReason::start_up && frame.ended >= newest->pushed;
            }))
          continue;
        const bool delivered_later = newest->captured > left.set.captured;
        num_early += !waited;
        const auto is_recent = [&](const LoggedSet& other) {
          return other.step >= newest->pushed && other.step <= left.step && &other != &left &&
                 !other.set.tokens[slot];
        };
        const auto missed = std::count_if(history.sets.begin(), history.sets.end(), is_recent);
        EXPECT_TRUE(waited || delivered_later || missed >= Synchroniser::kStallAfter)
            << "sensor " << slot << " in the set of " << left.set.captured.count();
      }
    }
    if (HasFailure()) return;
  }
  EXPECT_GT(num_early, 1000u);
}

TEST(AnyStream, GivesEachReasonOnlyWhereItApplies) {
  for_streams(kAll, [](const Stream& stream, const History& history) {
    const Nanoseconds start_up_end = history.frames.front().came + SyncConfig{}.start_up_wait;
    for (const LoggedFrame& frame : history.frames) {
      if (!frame.dropped) continue;
      const auto before = [&](auto matches) {
        return std::any_of(
            history.frames.begin(), history.frames.end(), [&](const LoggedFrame& other) {
              return other.sensor == frame.sensor && other.pushed < frame.pushed && matches(other);
            });
      };
      switch (*frame.dropped) {
        case DropReason::duplicate:
          EXPECT_TRUE(before([&](auto& other) { return other.captured == frame.captured; }));
          break;
        case DropReason::backward:
          EXPECT_TRUE(before([&](auto& other) { return other.captured > frame.captured; }));
          break;
        case DropReason::start_up:
          // It, or the set that it was too late for.
          EXPECT_TRUE(frame.came < start_up_end || frame.ended == frame.pushed);
          break;
        case DropReason::late:
          EXPECT_EQ(frame.ended, frame.pushed);
          break;
        case DropReason::overflow:
          EXPECT_GT(std::count_if(history.frames.begin(), history.frames.end(),
                                  [&](const LoggedFrame& other) {
                                    return other.pushed <= frame.ended &&
                                           other.ended >= frame.ended;
                                  }),
                    static_cast<std::int64_t>(stream.max_pending));
          break;
        case DropReason::absurd:
        case DropReason::unmatched:
          break;
        default:
          ADD_FAILURE() << "not one of the synchroniser's: " << to_string(*frame.dropped);
      }
    }
  });
}

// Three perfect sensors and one that does everything wrong.
TEST(AnyStream, CostsPerfectSensorsNothingThatABadOneDoes) {
  constexpr Nanoseconds kPeriod = milliseconds(33);
  constexpr std::size_t kBad = 3;
  for (std::uint32_t seed = 0; seed < 1000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Stream stream = StreamMaker(seed, {true, false}).make();
    std::vector<Event> events;
    for (Event& event : stream.events) {
      if (event.sensor != 0) continue;
      event.sensor = kBad;
      events.push_back(event);
    }
    const Nanoseconds begin = seconds(50);
    for (int k = 0; k < 100; ++k)
      for (std::size_t sensor = 0; sensor < kBad; ++sensor)
        events.push_back({Event::Kind::frame,
                          begin + kPeriod * k + milliseconds(2),
                          sensor,
                          begin + kPeriod * k,
                          true,
                          {}});
    std::stable_sort(events.begin(), events.end(),
                     [](const Event& a, const Event& b) { return a.now < b.now; });
    stream = {4, 4, {kPeriod / 2, kPeriod, OnMissing::partial}, kPeriod, std::move(events)};
    const History history(stream);
    for (const LoggedFrame& frame : history.frames) {
      if (frame.sensor == kBad || frame.dropped == DropReason::start_up) continue;
      EXPECT_FALSE(frame.dropped) << to_string(*frame.dropped) << " " << frame.captured.count();
    }
    for (const LoggedSet& left : history.sets) {
      const auto& tokens = left.set.tokens;
      EXPECT_TRUE(tokens[0].has_value() == tokens[1].has_value() &&
                  tokens[1].has_value() == tokens[2].has_value());
    }
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace lockstep
