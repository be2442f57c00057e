// SPDX-License-Identifier: MIT
// Each sensor has a queue of frames that wait, its times rising. The earliest head of all queues is
// the anchor; it and the heads within reach of it are the oldest set. That set is due once none of
// the missing frames can come any more, or once a frame has waited long enough.
//
// A frame costs about the same however many sensors there are: of the heads only the earliest and
// the longest wait are kept, and of the sensors that are waited for a single one, the witness:
// while its frame is missing, the set is not due and nobody else need be looked at. Everything is
// gone through only when a set leaves, once for its N frames.
#include "lockstep/synchroniser.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <utility>

#include "core/nanoseconds.h"

namespace lockstep {
namespace {

// How many intervals between frames make a period that can be relied on, and how many it averages.
constexpr int kIntervalsToTrust = 4;
constexpr int kIntervalsToAverage = 8;
// Times beyond are nonsense on any clock, that of NTP included (146 years), and would overflow when they are subtracted.
constexpr Nanoseconds kFarthest = Nanoseconds::max() / 2;
// How many long intervals in a row make a slower rate and are not due to lost frames.
constexpr int kLongToBelieve = 4;

SyncConfig with_durations_from_zero(SyncConfig config) {
  config.tolerance = std::max(config.tolerance, Nanoseconds(0));
  config.max_wait = std::max(config.max_wait, Nanoseconds(0));
  config.start_up_wait = std::max(config.start_up_wait, Nanoseconds(0));
  return config;
}

// A frame that waits for partners.
struct Pending {
  Nanoseconds captured{0};
  Nanoseconds waits_since{0};  // It came in, or was captured where that is said to be later.
  std::uint64_t token = 0;
};

struct SensorState {
  std::vector<Pending> pending;  // Oldest first; few, so a vector moves up cheaply.
  bool active = true;
  bool sets_pace = true;
  Nanoseconds gap_until = Nanoseconds::min();  // It has nothing captured before that.
  bool delivered = false;                      // The next two hold.
  Nanoseconds first{0};                        // Capture time of its first good frame.
  Nanoseconds last{0};                         // Capture time of its newest good frame.
  bool in_last_set = false;                    // The set that left last had a frame of it.
  int num_vain_waits = 0;                      // In a row.
  int num_doubted = 0;     // Backward frames in a row that rise among themselves.
  Nanoseconds doubted{0};  // Capture time of the newest of those.
  int num_intervals = 0;   // That `period` averages, up to kIntervalsToAverage.
  int num_long = 0;        // Intervals in a row that span lost frames, by their length.
  Nanoseconds period{0};   // From frame to frame, as of late.

  bool stalled() const { return num_vain_waits >= Synchroniser::kStallAfter; }

  // Where frames are lost the others do not come less often; a sensor that keeps to long intervals has become slower.
  void learn_period(Nanoseconds interval) {
    const bool is_long = num_intervals >= kIntervalsToTrust && interval >= period / 4 * 7;
    num_long = is_long ? num_long + 1 : 0;
    if (is_long && num_long < kLongToBelieve && period > Nanoseconds(0))
      interval /= (interval + period / 2) / period;
    num_intervals = std::min(num_intervals + 1, kIntervalsToAverage);
    period += (interval - period) / num_intervals;
  }

  // How far from a frame of this sensor one of the same instant may lie: well short of its next.
  Nanoseconds most_reach() const {
    return num_intervals < kIntervalsToTrust ? Nanoseconds::max() : period / 4 * 3;
  }
};

// What the set that left last, or was thrown away, still means for frames that come after it.
struct Departed {
  Nanoseconds captured{0};
  Nanoseconds reach{0};  // Of its anchor.
  DropReason reason_for_late = DropReason::late;
};

}  // namespace

struct Synchroniser::State {
  State(std::size_t num_sensors, SyncConfig sync_config, std::size_t most_pending)
      : config(with_durations_from_zero(sync_config)),
        max_pending(std::max<std::size_t>(most_pending, 1)),
        sensors(num_sensors) {}

  SyncConfig config;
  std::size_t max_pending;
  std::vector<SensorState> sensors;
  std::vector<Drop> drops;
  std::uint64_t num_dropped_sets = 0;
  Nanoseconds now{0};  // Latest that we were told.

  // Of the heads of all queues; the times hold if there is a head.
  std::size_t num_heads = 0;
  Nanoseconds anchor{0};  // Earliest capture time.
  std::size_t anchor_sensor = 0;
  Nanoseconds waits_since{0};    // Of the one that waits longest.
  std::size_t num_overfull = 0;  // Queues longer than max_pending.

  std::size_t witness = 0;  // A sensor that is waited for, as far as known.
  std::optional<Departed> departed;

  std::optional<Nanoseconds> first_push;
  bool all_started = false;   // Every active sensor has delivered; then the next holds.
  Nanoseconds started_at{0};  // Latest of their first capture times.

  void drop(std::size_t sensor, std::uint64_t token, DropReason reason) {
    drops.push_back({sensor, token, reason});
  }

  // How far from the anchor a frame of the same instant may lie. Whatever the tolerance, it ends
  // short of a frame period: else after a lost frame the next one would be taken in its place, and
  // so on for ever.
  Nanoseconds anchor_reach() const {
    return std::min(config.tolerance, sensors[anchor_sensor].most_reach());
  }
  Nanoseconds reach(const SensorState& sensor) const {
    return std::min(anchor_reach(), sensor.most_reach());
  }
  bool in_reach(const SensorState& sensor) const {
    if (sensor.pending.empty()) return false;
    return takes_newest() || sensor.pending.front().captured - anchor <= reach(sensor);
  }
  bool takes_newest() const { return config.group_by == GroupBy::newest; }

  // Whether a frame for the oldest set could still come. One that is pending but not in that set is
  // a later one already.
  bool is_awaited(const SensorState& sensor) const {
    if (!sensor.active || !sensor.pending.empty() || sensor.stalled()) return false;
    if (takes_newest()) return sensor.sets_pace;
    return sensor.gap_until <= add_saturating(anchor, reach(sensor));
  }

  std::optional<DropReason> find_fault(SensorState& sensor, Nanoseconds captured);
  void believe(std::size_t index, Nanoseconds captured);
  void begin_again_if_all_went_back();
  void drop_from(std::size_t index, Nanoseconds captured);
  bool is_late(const SensorState& sensor, Nanoseconds captured) const;
  void note_delivery(SensorState& sensor, Nanoseconds captured);
  void note_start();
  void enqueue(const Arrival& arrival);
  void replace(const Arrival& arrival);
  void include_head(std::size_t index);
  void survey();

  bool awaits_anyone();
  bool is_complete() const;
  Nanoseconds due_at();
  Set take_set();
  bool is_surplus() const;
  std::optional<DropReason> reason_to_drop(const Set& set) const;
  void flush_pending(std::size_t index);
  void discard(const Set& set, DropReason reason);
  void drop_overflow();
};

// What is wrong with a capture time, if anything. Counts towards belief.
std::optional<DropReason> Synchroniser::State::find_fault(SensorState& sensor,
                                                          Nanoseconds captured) {
  if (captured > kFarthest || captured < -kFarthest) return DropReason::absurd;
  if (takes_newest()) return std::nullopt;
  if (config.same_clock && (captured > now + kAbsurd || captured < now - kAbsurd))
    return DropReason::absurd;
  if (!sensor.delivered || captured > sensor.last) {
    sensor.num_doubted = 0;
    return std::nullopt;
  }
  if (captured == sensor.last || (sensor.num_doubted > 0 && captured == sensor.doubted))
    return DropReason::duplicate;
  const bool rises = sensor.num_doubted > 0 && captured > sensor.doubted;
  sensor.num_doubted = rises ? sensor.num_doubted + 1 : 1;
  sensor.doubted = captured;
  if (sensor.num_doubted < kBelieveAfter) return DropReason::backward;
  return std::nullopt;
}

// The sensor's clock really went back, or its times before were the wrong ones.
void Synchroniser::State::believe(std::size_t index, Nanoseconds captured) {
  sensors[index].num_doubted = 0;
  drop_from(index, captured);
  begin_again_if_all_went_back();
  survey();
}

// Sets leave in order of capture time, so after one wrong or former time has left, everything that
// is right now is late. Once every live sensor is before it, that order means nothing.
void Synchroniser::State::begin_again_if_all_went_back() {
  if (!departed) return;
  for (const SensorState& sensor : sensors)
    if (sensor.active && sensor.delivered && !sensor.stalled() && sensor.last >= departed->captured)
      return;
  for (std::size_t i = 0; i < sensors.size(); ++i) drop_from(i, departed->captured);
  departed.reset();
}

// Drops what waits with this capture time or a later one; survey() must follow.
void Synchroniser::State::drop_from(std::size_t index, Nanoseconds captured) {
  auto& pending = sensors[index].pending;
  for (; !pending.empty() && pending.back().captured >= captured; pending.pop_back())
    drop(index, pending.back().token, DropReason::absurd);
}

bool Synchroniser::State::is_late(const SensorState& sensor, Nanoseconds captured) const {
  if (!departed || takes_newest()) return false;
  if (captured <= departed->captured) return true;
  return !sensor.in_last_set &&
         captured - departed->captured <= std::min(departed->reach, sensor.most_reach());
}

// The sensor lives, whatever becomes of the frame.
void Synchroniser::State::note_delivery(SensorState& sensor, Nanoseconds captured) {
  sensor.num_vain_waits = 0;
  if (sensor.delivered) {
    if (captured > sensor.last) sensor.learn_period(captured - sensor.last);
  } else {
    sensor.delivered = true;
    sensor.first = captured;
    note_start();
  }
  sensor.last = captured;
}

void Synchroniser::State::note_start() {
  if (all_started) return;
  bool any = false;
  Nanoseconds latest_first = Nanoseconds::min();
  for (const SensorState& sensor : sensors) {
    if (!sensor.active) continue;
    if (!sensor.delivered) return;
    any = true;
    latest_first = std::max(latest_first, sensor.first);
  }
  all_started = any;
  started_at = latest_first;
}

void Synchroniser::State::enqueue(const Arrival& arrival) {
  auto& pending = sensors[arrival.sensor].pending;
  if (takes_newest() && !pending.empty()) {
    replace(arrival);
    return;
  }
  const Nanoseconds since =
      config.same_clock ? std::max({now, arrival.captured, arrival.waits_from}) : now;
  pending.push_back({arrival.captured, since, arrival.token});
  if (pending.size() == 1) include_head(arrival.sensor);
  if (pending.size() == max_pending + 1) ++num_overfull;
}

// The newer frame waits in the place of the older ones, and no longer than they.
void Synchroniser::State::replace(const Arrival& arrival) {
  auto& pending = sensors[arrival.sensor].pending;
  for (const Pending& older : pending) drop(arrival.sensor, older.token, DropReason::surplus);
  pending.erase(pending.begin() + 1, pending.end());
  pending.front().captured = arrival.captured;
  pending.front().token = arrival.token;
  survey();
}

void Synchroniser::State::include_head(std::size_t index) {
  const Pending& head = sensors[index].pending.front();
  const bool first = num_heads++ == 0;
  waits_since = first ? head.waits_since : std::min(waits_since, head.waits_since);
  if (!first && head.captured >= anchor) return;
  anchor = head.captured;
  anchor_sensor = index;
}

// Looks at every queue anew, after some were shortened.
void Synchroniser::State::survey() {
  num_heads = 0;
  num_overfull = 0;
  for (std::size_t i = 0; i < sensors.size(); ++i) {
    if (!sensors[i].pending.empty()) include_head(i);
    if (sensors[i].pending.size() > max_pending) ++num_overfull;
  }
}

bool Synchroniser::State::awaits_anyone() {
  for (std::size_t tried = 0; tried < sensors.size(); ++tried) {
    if (is_awaited(sensors[witness])) return true;
    witness = witness + 1 < sensors.size() ? witness + 1 : 0;
  }
  return false;
}

bool Synchroniser::State::is_complete() const {
  return num_heads == sensors.size() &&
         std::all_of(sensors.begin(), sensors.end(),
                     [this](const SensorState& sensor) { return in_reach(sensor); });
}

// When the oldest set leaves. A set that lacks frames does not leave before its own capture time:
// a wrong time far ahead would make everything until then late.
Nanoseconds Synchroniser::State::due_at() {
  if (is_complete()) return now;
  if (awaits_anyone()) return add_saturating(waits_since, config.max_wait);
  return config.same_clock ? anchor : now;
}

// Takes the oldest set out of the queues. Whoever is still awaited was so in vain.
Synchroniser::Set Synchroniser::State::take_set() {
  Set set;
  set.tokens.resize(sensors.size());
  set.captured = anchor;
  departed = Departed{anchor, anchor_reach(), DropReason::late};
  for (std::size_t i = 0; i < sensors.size(); ++i) {
    SensorState& sensor = sensors[i];
    auto& pending = sensor.pending;
    sensor.in_last_set = in_reach(sensor);
    if (sensor.in_last_set) {
      set.tokens[i] = pending.front().token;
      set.skew = std::max(set.skew, pending.front().captured - anchor);
      ++set.num_frames;
      pending.erase(pending.begin());
    } else if (is_awaited(sensor)) {
      ++sensor.num_vain_waits;
    }
  }
  survey();
  return set;
}

// Whether the set that was just taken lacks all who set the pace, though one of them goes on.
bool Synchroniser::State::is_surplus() const {
  bool any_goes_on = false;
  for (const SensorState& sensor : sensors) {
    if (!sensor.sets_pace) continue;
    if (sensor.in_last_set) return false;
    any_goes_on = any_goes_on || !sensor.pending.empty() || (sensor.active && !sensor.stalled());
  }
  return any_goes_on;
}

// Why a set that is due does not leave; nothing if it does.
std::optional<DropReason> Synchroniser::State::reason_to_drop(const Set& set) const {
  if (set.num_frames == sensors.size()) return std::nullopt;
  if (is_surplus()) return DropReason::surplus;
  const bool lacks_active = std::any_of(sensors.begin(), sensors.end(), [](const auto& sensor) {
    return sensor.active && !sensor.in_last_set;
  });
  const bool starting = first_push && now - *first_push < config.start_up_wait &&
                        (!all_started || set.captured < started_at);
  if (starting && lacks_active) return DropReason::start_up;
  if (config.on_missing == OnMissing::drop) return DropReason::unmatched;
  return std::nullopt;
}

void Synchroniser::State::discard(const Set& set, DropReason reason) {
  for (std::size_t i = 0; i < set.tokens.size(); ++i)
    if (set.tokens[i]) drop(i, *set.tokens[i], reason);
  ++num_dropped_sets;
  if (reason == DropReason::start_up) departed->reason_for_late = reason;
}

// The newest go, and only of the sensor that has too many: letting the oldest set leave early would
// make the others' frames late, and dropping the oldest frame would start its wait anew for ever.
void Synchroniser::State::drop_overflow() {
  if (num_overfull == 0) return;
  for (std::size_t i = 0; i < sensors.size(); ++i) {
    auto& pending = sensors[i].pending;
    for (; pending.size() > max_pending; pending.pop_back())
      drop(i, pending.back().token, DropReason::overflow);
  }
  num_overfull = 0;
}

void Synchroniser::State::flush_pending(std::size_t index) {
  for (const Pending& frame : sensors[index].pending) drop(index, frame.token, DropReason::flushed);
  sensors[index].pending.clear();
}

Synchroniser::Synchroniser(std::size_t num_sensors, SyncConfig config, std::size_t max_pending)
    : state_(std::make_unique<State>(num_sensors, config, max_pending)) {}
Synchroniser::~Synchroniser() = default;
Synchroniser::Synchroniser(Synchroniser&&) noexcept = default;
Synchroniser& Synchroniser::operator=(Synchroniser&&) noexcept = default;

void Synchroniser::push(const Arrival& arrival, Nanoseconds now) {
  State& state = *state_;
  assert(arrival.sensor < state.sensors.size());
  state.now = std::max(state.now, now);
  if (!state.first_push) state.first_push = state.now;
  SensorState& sensor = state.sensors[arrival.sensor];
  if (const auto fault = state.find_fault(sensor, arrival.captured)) {
    state.drop(arrival.sensor, arrival.token, *fault);
    return;
  }
  const bool went_back = sensor.delivered && arrival.captured < sensor.last;
  state.note_delivery(sensor, arrival.captured);
  if (went_back) state.believe(arrival.sensor, arrival.captured);
  if (state.is_late(sensor, arrival.captured))
    state.drop(arrival.sensor, arrival.token, state.departed->reason_for_late);
  else
    state.enqueue(arrival);
}

std::optional<Synchroniser::Set> Synchroniser::pop(Nanoseconds now) {
  State& state = *state_;
  state.now = std::max(state.now, now);
  while (state.num_heads > 0 && state.due_at() <= state.now) {
    Set set = state.take_set();
    const auto reason = state.reason_to_drop(set);
    if (!reason) return set;
    state.discard(set, *reason);
  }
  state.drop_overflow();
  return std::nullopt;
}

std::optional<Nanoseconds> Synchroniser::deadline() const {
  if (state_->num_heads == 0) return std::nullopt;
  return state_->due_at();
}

std::vector<Synchroniser::Drop> Synchroniser::take_drops() {
  return std::exchange(state_->drops, {});
}

std::uint64_t Synchroniser::take_dropped_sets() {
  return std::exchange(state_->num_dropped_sets, 0);
}

void Synchroniser::set_active(std::size_t sensor, bool active, Nanoseconds now) {
  assert(sensor < state_->sensors.size());
  state_->now = std::max(state_->now, now);
  state_->sensors[sensor].active = active;
  state_->note_start();
}

void Synchroniser::push_gap(std::size_t sensor, Nanoseconds until, Nanoseconds now) {
  assert(sensor < state_->sensors.size());
  state_->now = std::max(state_->now, now);
  SensorState& silent = state_->sensors[sensor];
  silent.gap_until = std::max(silent.gap_until, until);
  silent.num_vain_waits = 0;
}

void Synchroniser::set_pace(std::size_t sensor, bool sets_pace) {
  assert(sensor < state_->sensors.size());
  state_->sensors[sensor].sets_pace = sets_pace;
}

bool Synchroniser::is_stalled(std::size_t sensor) const {
  assert(sensor < state_->sensors.size());
  return state_->sensors[sensor].stalled();
}

std::optional<Nanoseconds> Synchroniser::period(std::size_t sensor) const {
  assert(sensor < state_->sensors.size());
  const SensorState& asked = state_->sensors[sensor];
  if (asked.num_intervals < kIntervalsToTrust) return std::nullopt;
  return asked.period;
}

std::size_t Synchroniser::num_sensors() const { return state_->sensors.size(); }

void Synchroniser::insert_sensor(std::size_t at) {
  assert(at <= state_->sensors.size() && state_->drops.empty());
  state_->sensors.emplace(state_->sensors.begin() + static_cast<std::ptrdiff_t>(at));
  state_->survey();
}

void Synchroniser::remove_sensor(std::size_t sensor) {
  assert(sensor < state_->sensors.size() && state_->drops.empty());
  state_->flush_pending(sensor);
  state_->sensors.erase(state_->sensors.begin() + static_cast<std::ptrdiff_t>(sensor));
  state_->witness = 0;
  state_->survey();
  state_->note_start();
}

void Synchroniser::forget(std::size_t sensor) {
  assert(sensor < state_->sensors.size());
  state_->flush_pending(sensor);
  SensorState fresh;
  fresh.active = state_->sensors[sensor].active;
  fresh.sets_pace = state_->sensors[sensor].sets_pace;
  state_->sensors[sensor] = std::move(fresh);
  // Nothing is left that the set which left last could come before.
  const auto& sensors = state_->sensors;
  if (std::none_of(sensors.begin(), sensors.end(), [](const SensorState& other) {
        return other.delivered && (other.active || !other.pending.empty());
      }))
    state_->departed.reset();
  state_->survey();
}

void Synchroniser::set_config(const SyncConfig& config) {
  state_->config = with_durations_from_zero(config);
}

const SyncConfig& Synchroniser::config() const { return state_->config; }

void Synchroniser::reset() {
  State fresh(state_->sensors.size(), state_->config, state_->max_pending);
  fresh.now = state_->now;
  fresh.drops = std::move(state_->drops);
  fresh.num_dropped_sets = state_->num_dropped_sets;
  for (std::size_t i = 0; i < fresh.sensors.size(); ++i) {
    fresh.sensors[i].active = state_->sensors[i].active;
    fresh.sensors[i].sets_pace = state_->sensors[i].sets_pace;
    for (const Pending& frame : state_->sensors[i].pending)
      fresh.drop(i, frame.token, DropReason::flushed);
  }
  *state_ = std::move(fresh);
}

}  // namespace lockstep
