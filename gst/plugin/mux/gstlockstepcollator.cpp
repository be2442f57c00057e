// SPDX-License-Identifier: MIT
// Everything is on CLOCK_MONOTONIC, so that a wait never depends on what clock a pad's times are read from. The running
// times of live pads are moved there by the pipeline's clock; reference timestamps by how long before their arrival they
// say the frames were captured, the median of the pads deciding, so that one pad on a wrong clock is alone with it.
// Where nothing is live capture times bear no relation to the present, and only their differences are used.
#include "gstlockstepcollator.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "gstlockstepenums.h"
#include "gstlockstepmuxintake.h"

namespace lockstep {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Longer times than this, such as "for ever", are taken for this.
constexpr Nanoseconds kLongest = std::chrono::hours(24 * 365);
constexpr Nanoseconds kUnknownPeriod{33'333'333};
constexpr Nanoseconds kWaitWhereNotLive = seconds(10);
constexpr std::size_t kQueuedWhereNotLive = 4;
constexpr std::size_t kMostQueuedUnasked = 512;
// Rates nearer than this are one, as 30/1 and 30000/1001.
constexpr double kSameRate = 1.1;
// How far the distance of a pad's clock from ours may wander before it is read anew.
constexpr Nanoseconds kClockDrift = milliseconds(500);
// How far the pads' clocks may be from where ours takes them to be; half of what makes frames absurd.
constexpr Nanoseconds kClockStep = seconds(5);
constexpr Nanoseconds kClockJitter = milliseconds(2);

std::size_t count_over(const std::vector<MuxInputPtr>& inputs) {
  return static_cast<std::size_t>(std::count_if(
      inputs.begin(), inputs.end(), [](const MuxInputPtr& input) { return input->is_over(); }));
}

// How many times as fast as recorded frames come in running time; of rates without sense, the nearest that has some.
double speed_of(const MuxInput& input) {
  return std::clamp(std::abs(input.segment.rate), 1e-3, 1e3);
}

Nanoseconds scaled(Nanoseconds time, double factor) {
  return Nanoseconds(std::llround(static_cast<double>(time.count()) * factor));
}

std::size_t anchor_of(const MuxSet& set) {
  const auto time_of = [](const MuxSet::Slot& slot) {
    return slot.state == FrameState::fresh ? slot.frame.grouped_by : Nanoseconds::max();
  };
  const auto earliest =
      std::min_element(set.slots.begin(), set.slots.end(),
                       [&](const auto& a, const auto& b) { return time_of(a) < time_of(b); });
  return static_cast<std::size_t>(earliest - set.slots.begin());
}

}  // namespace

Collator::Collator(const MuxSettings& settings)
    : settings_(settings), synchroniser_(0, {}, std::numeric_limits<std::size_t>::max()) {
  adopt();
}

MuxInputPtr Collator::add(guint index, const std::string& name) {
  collect_drops();
  auto input = std::make_shared<MuxInput>(index, name);
  const auto place =
      std::find_if(inputs_.begin(), inputs_.end(),
                   [index](const MuxInputPtr& other) { return other->index > index; });
  synchroniser_.insert_sensor(static_cast<std::size_t>(place - inputs_.begin()));
  inputs_.insert(place, input);
  number_inputs();
  forget_caps();
  adopt();
  return input;
}

void Collator::remove(const MuxInputPtr& input) {
  collect_drops();
  synchroniser_.remove_sensor(input->sensor);
  collect_drops();
  inputs_.erase(inputs_.begin() + static_cast<std::ptrdiff_t>(input->sensor));
  number_inputs();
  input->removed = true;
  adopt();
}

void Collator::number_inputs() {
  for (std::size_t i = 0; i < inputs_.size(); ++i) inputs_[i]->sensor = i;
}

void Collator::set_settings(const MuxSettings& settings) {
  const bool other_times = settings.sync_mode != settings_.sync_mode;
  settings_ = settings;
  if (other_times) flush();
  if (settings_.on_missing != OnMissing::repeat)
    for (const auto& input : inputs_) input->last.reset();
  adopt();
}

void Collator::set_timing(const MuxTiming& timing) {
  const bool other_times = timing.live != timing_.live;
  timing_ = timing;
  if (other_times) flush();
  adopt();
}

// A clock that is not ours is read a little differently each time.
void Collator::set_running_offset(std::optional<Nanoseconds> offset) {
  const bool wanders =
      offset && running_offset_ &&
      std::max(*offset - *running_offset_, *running_offset_ - *offset) < kClockJitter;
  if (!wanders) running_offset_ = offset;
}

void Collator::begin() {
  for (const auto& input : inputs_) {
    const RigStats::PerSensor before = std::exchange(input->counts, {});
    input->counts.name = before.name;
    input->counts.io = "no frame yet";
    input->num_frames = 0;
    input->told_stalled = false;
    input->warned.assign(kNumDropReasons, false);
  }
}

void Collator::set_kind(MuxInput& input, std::shared_ptr<const FrameKind> kind) {
  if (input.removed) return;
  if (input.kind && gst_caps_is_equal(input.kind->caps.get(), kind->caps.get())) return;
  input.kind = std::move(kind);
  adopt();
}

void Collator::set_segment(MuxInput& input, const GstSegment& segment) {
  if (input.removed) return;
  input.segment = segment;
  adopt();
}

void Collator::set_eos(MuxInput& input, bool eos, Nanoseconds now) {
  if (input.removed) return;
  input.eos = eos;
  synchroniser_.set_active(input.sensor, !eos, now);
  adopt();
}

// --- Grouping ---

std::optional<Nanoseconds> Collator::period_of(std::size_t sensor) const {
  const auto& kind = inputs_[sensor]->kind;
  if (!kind || GST_VIDEO_INFO_FPS_N(&kind->info) == 0) return synchroniser_.period(sensor);
  const Nanoseconds recorded(static_cast<std::int64_t>(gst_util_uint64_scale_int(
      GST_SECOND, GST_VIDEO_INFO_FPS_D(&kind->info), GST_VIDEO_INFO_FPS_N(&kind->info))));
  return scaled(recorded, 1 / speed_of(*inputs_[sensor]));
}

std::optional<Nanoseconds> Collator::slowest_or_fastest(bool slowest) const {
  std::optional<Nanoseconds> found;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const auto period = inputs_[i]->is_over() ? std::nullopt : period_of(i);
    if (period && (!found || (slowest ? *period > *found : *period < *found))) found = period;
  }
  return found;
}

SyncConfig Collator::sync_config() const {
  SyncConfig config;
  const Nanoseconds fastest = slowest_or_fastest(false).value_or(kUnknownPeriod);
  const Nanoseconds slowest = slowest_or_fastest(true).value_or(kUnknownPeriod);
  config.tolerance = std::min(optional_time(settings_.tolerance).value_or(fastest / 2), kLongest);
  config.max_wait = std::min(
      optional_time(settings_.max_wait).value_or(timing_.live ? slowest : kWaitWhereNotLive),
      kLongest);
  if (timing_.live) config.max_wait += std::min(timing_.extra_wait, kLongest);
  config.on_missing = settings_.on_missing;
  const bool arrival = settings_.sync_mode == SyncMode::arrival;
  config.group_by = arrival ? GroupBy::newest : GroupBy::capture_time;
  config.same_clock = timing_.live || arrival;
  config.start_up_wait = Nanoseconds(0);
  return config;
}

// Makes all that follows from settings, timing and what the pads send hold.
void Collator::adopt() {
  any_rate_unknown_ = std::any_of(inputs_.begin(), inputs_.end(), [](const MuxInputPtr& input) {
    return !input->kind || GST_VIDEO_INFO_FPS_N(&input->kind->info) == 0;
  });
  num_over_ = count_over(inputs_);
  synchroniser_.set_config(sync_config());
  set_paces();
  for (const auto& input : inputs_) {
    const std::size_t before = std::exchange(input->most_queued, queue_limit(*input));
    if (input->most_queued > before) input->space.notify_all();
  }
}

// Not with EOS already: how long the last frames wait there must not change what they are grouped with.
void Collator::adopt_if_one_is_over() {
  if (count_over(inputs_) != num_over_) adopt();
}

bool Collator::is_pace_a_pad() const {
  return std::any_of(inputs_.begin(), inputs_.end(),
                     [this](const auto& input) { return input->name == settings_.pace; });
}

void Collator::warn_of_pace() {
  const bool known = settings_.pace == "slowest" || settings_.pace == "all" || is_pace_a_pad();
  if (known || std::exchange(warned_of_pace_, settings_.pace) == settings_.pace) return;
  MuxNotice& notice = notices_.emplace_back();
  notice.kind = MuxNotice::Kind::warning;
  notice.text = "pace=" + settings_.pace +
                " is none of slowest, all and the pads there are; all pads set the pace";
}

void Collator::set_paces() {
  const auto slowest = slowest_or_fastest(true);
  const bool named = is_pace_a_pad();
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    bool sets_pace = true;
    if (named) {
      sets_pace = inputs_[i]->name == settings_.pace;
    } else if (settings_.pace == "slowest") {
      const auto period = period_of(i);
      sets_pace =
          !period || !slowest ||
          static_cast<double>(period->count()) * kSameRate >= static_cast<double>(slowest->count());
    }
    synchroniser_.set_pace(i, sets_pace);
  }
}

std::size_t Collator::queue_limit(const MuxInput& input) const {
  if (settings_.max_queued > 0) return settings_.max_queued;
  if (!timing_.live) return kQueuedWhereNotLive;
  const Nanoseconds period =
      std::max(period_of(input.sensor).value_or(kUnknownPeriod), Nanoseconds(1'000'000));
  const auto during_wait =
      static_cast<std::size_t>((max_wait() + timing_.upstream_latency) / period);
  return std::min(during_wait + 3, kMostQueuedUnasked);
}

Nanoseconds Collator::most_delay() const {
  Nanoseconds least = seconds(3600);
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const Nanoseconds period = std::min(period_of(i).value_or(kUnknownPeriod), least);
    const auto most =
        static_cast<std::int64_t>(std::min<std::size_t>(inputs_[i]->most_queued, 3600));
    least = std::min(least, period * most);
  }
  return std::max(least, max_wait());
}

Fraction Collator::framerate() const {
  Fraction rate{0, 1};
  bool any = false;
  for (const auto& input : inputs_) {
    if (!input->kind || input->is_over()) continue;
    const Fraction own{static_cast<std::uint32_t>(GST_VIDEO_INFO_FPS_N(&input->kind->info)),
                       static_cast<std::uint32_t>(GST_VIDEO_INFO_FPS_D(&input->kind->info))};
    if (input->name == settings_.pace) return own;
    if (!any || (settings_.pace == "all" ? rate < own : own < rate)) rate = own;
    any = true;
  }
  return rate;
}

// --- In ---

Nanoseconds Collator::on_our_clock(MuxInput& input, Nanoseconds captured, Nanoseconds came_at) {
  if (!timing_.live || settings_.sync_mode == SyncMode::arrival) return captured;
  if (settings_.sync_mode == SyncMode::running_time && running_offset_)
    return captured + *running_offset_;
  const Nanoseconds offset = came_at - captured;
  if (!input.capture_offset || offset > *input.capture_offset + kClockDrift ||
      offset < *input.capture_offset - kClockDrift) {
    input.capture_offset = offset;
    std::vector<Nanoseconds> offsets;
    for (const auto& other : inputs_)
      if (other->capture_offset) offsets.push_back(*other->capture_offset);
    std::sort(offsets.begin(), offsets.end());
    move_capture_offset(offsets[(offsets.size() - 1) / 2]);
  }
  return captured + *capture_offset_;
}

// Of a time on CLOCK_MONOTONIC; NONE without a clock, as before the pipeline plays.
GstClockTime Collator::running_time_at(Nanoseconds time) const {
  if (!running_offset_) return GST_CLOCK_TIME_NONE;
  return static_cast<GstClockTime>(std::max(time - *running_offset_, Nanoseconds(0)).count());
}

// Frames that wait would no longer belong together with those that follow: it stays where it is while it is about right,
// however much longer some pads' frames are on their way than others', and when it does not they are dropped.
void Collator::move_capture_offset(Nanoseconds offset) {
  if (capture_offset_ && offset < *capture_offset_ + kClockStep &&
      offset > *capture_offset_ - kClockStep)
    return;
  if (capture_offset_) {
    synchroniser_.reset();
    collect_drops();
  }
  capture_offset_ = offset;
}

// Pads that upstream delays less than others have time to spare until those can have delivered.
Nanoseconds Collator::waits_from(Nanoseconds captured) const {
  if (!timing_.live || settings_.sync_mode != SyncMode::running_time) return Nanoseconds::min();
  return captured + timing_.upstream_latency;
}

void Collator::take_in(MuxInput& input, BufferPtr buffer, Nanoseconds now) {
  if (input.removed) return;
  GstBuffer* raw = buffer.get();
  if (GST_BUFFER_FLAG_IS_SET(raw, GST_BUFFER_FLAG_GAP) && gst_buffer_get_size(raw) == 0) {
    take_gap(input, GST_BUFFER_PTS(raw), GST_BUFFER_DURATION(raw), now);
    return;
  }
  auto looked_at = look_at(input, std::move(buffer), now);
  std::variant<Nanoseconds, Refusal> time;
  if (auto* frame = std::get_if<MuxFrame>(&looked_at)) time = time_of(*frame, settings_);
  const Refusal* refusal = std::get_if<Refusal>(&looked_at);
  if (!refusal) refusal = std::get_if<Refusal>(&time);
  if (refusal) {
    warn(input, refusal->reason, refusal->text);
    drop(input, refusal->reason);
    return;
  }
  MuxFrame& frame = std::get<MuxFrame>(looked_at);
  const Nanoseconds told = std::get<Nanoseconds>(time);
  const Nanoseconds captured = on_our_clock(input, told, frame.came_at);
  if (frame.info.captured.clock == Clock::unknown) {
    const bool ours = captured != told || settings_.sync_mode == SyncMode::arrival;
    const bool reference = settings_.sync_mode == SyncMode::capture_time;
    frame.info.captured = {reference ? told : captured,
                           ours && !reference ? Clock::monotonic : Clock::unknown};
    if (settings_.sync_mode == SyncMode::arrival) frame.info.reference = ReferencePoint::arrival;
  }
  if (!GST_CLOCK_TIME_IS_VALID(frame.running_time)) {
    const bool maps = timing_.live || settings_.sync_mode == SyncMode::arrival;
    frame.running_time = running_time_at(maps ? captured : frame.came_at);
  }
  frame.grouped_by = captured;
  const std::uint64_t token = next_token_++;
  input.waiting.emplace_back(token, std::move(frame));
  synchroniser_.push({input.sensor, captured, token, waits_from(captured)}, now);
  collect_drops();
}

void Collator::take_gap(MuxInput& input, GstClockTime start, GstClockTime duration,
                        Nanoseconds now) {
  if (input.removed) return;
  const GstSegment& segment = input.segment;
  if (settings_.sync_mode != SyncMode::running_time || segment.format != GST_FORMAT_TIME ||
      !GST_CLOCK_TIME_IS_VALID(start))
    return;
  // One that does not say how long it is lasts a frame at least.
  if (!GST_CLOCK_TIME_IS_VALID(duration)) {
    const Nanoseconds period = period_of(input.sensor).value_or(Nanoseconds(1));
    duration = static_cast<GstClockTime>(scaled(period, speed_of(input)).count());
  }
  duration = std::min<GstClockTime>(duration, GST_CLOCK_TIME_NONE - 1 - start);
  guint64 end = 0;
  if (!gst_segment_clip(&segment, GST_FORMAT_TIME, start, start + duration, nullptr, &end)) return;
  const GstClockTime until = gst_segment_to_running_time(&segment, GST_FORMAT_TIME, end);
  if (!GST_CLOCK_TIME_IS_VALID(until)) return;
  const Nanoseconds told(static_cast<std::int64_t>(until));
  synchroniser_.push_gap(input.sensor, on_our_clock(input, told, now), now);
}

void Collator::drop(MuxInput& input, DropReason reason) {
  ++input.counts.drops[static_cast<std::size_t>(reason)];
  input.drops.add(0, reason, 1);
  input.space.notify_all();
}

void Collator::collect_drops() {
  for (const auto& dropped : synchroniser_.take_drops()) {
    MuxInput& input = *inputs_[dropped.sensor];
    input.take(dropped.token);
    if (dropped.reason == DropReason::absurd)
      warn(input, dropped.reason,
           "sends frames whose times are more than 10 s from the other pads' or the present; "
           "correct its clock, or use another sync-mode");
    drop(input, dropped.reason);
  }
}

void Collator::flush(MuxInput& input) {
  if (input.removed) return;
  collect_drops();
  synchroniser_.forget(input.sensor);
  input.capture_offset.reset();
  input.last.reset();
  collect_drops();
}

void Collator::flush() {
  synchroniser_.reset();
  collect_drops();
  capture_offset_.reset();
  for (const auto& input : inputs_) {
    input->capture_offset.reset();
    input->last.reset();
  }
}

// --- Out ---

std::optional<MuxSet> Collator::next(Nanoseconds now) {
  adopt_if_one_is_over();
  const auto set = synchroniser_.pop(now);
  collect_drops();
  note_stalls();
  if (!set) return std::nullopt;
  // What the synchroniser learns of rates takes a few frames, and may change.
  ++num_sets_;
  if (any_rate_unknown_ && (num_sets_ <= 16 || num_sets_ % 16 == 0)) adopt();
  return collate(*set);
}

bool Collator::must_count_anew(const std::vector<MuxSet::Slot>& by_input) const {
  if (kinds_.empty()) return true;
  return std::any_of(by_input.begin(), by_input.end(), [this](const MuxSet::Slot& slot) {
    return !slot.input->slot || slot.kind != kinds_[*slot.input->slot];
  });
}

MuxSet Collator::collate(const Synchroniser::Set& set) {
  std::vector<MuxSet::Slot> by_input(inputs_.size());
  MuxSet collated;
  collated.skew = set.skew;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    MuxInput& input = *inputs_[i];
    MuxSet::Slot& slot = by_input[i];
    slot.input = inputs_[i];
    slot.kind = input.kind;
    if (set.tokens[i]) {
      slot.state = FrameState::fresh;
      slot.frame = input.take(*set.tokens[i]);
      collated.ready_at = std::max(collated.ready_at, slot.frame.came_at);
      if (settings_.on_missing == OnMissing::repeat) input.last = slot.frame.again();
    } else if (settings_.on_missing == OnMissing::repeat && input.last) {
      slot.state = FrameState::repeated;
      slot.frame = input.last->again();
    }
    if (slot.state != FrameState::missing) slot.kind = slot.frame.kind;
  }
  collated.new_caps = must_count_anew(by_input);
  if (collated.new_caps) {
    kinds_.assign(inputs_.size(), nullptr);
    names_.assign(inputs_.size(), "");
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      inputs_[i]->slot = i;
      kinds_[i] = by_input[i].kind;
      names_[i] = inputs_[i]->name;
    }
    set_paces();
    warn_of_pace();
  }
  collated.slots.resize(kinds_.size());
  for (std::size_t s = 0; s < kinds_.size(); ++s) {
    collated.slots[s].name = names_[s];
    collated.slots[s].kind = kinds_[s];
  }
  for (MuxSet::Slot& slot : by_input) {
    const std::size_t place = *slot.input->slot;
    slot.name = names_[place];
    slot.frame.info.sensor = static_cast<std::uint32_t>(place);
    collated.slots[place] = std::move(slot);
  }
  collated.anchor = anchor_of(collated);
  return collated;
}

std::size_t Collator::num_slots() const { return kinds_.empty() ? inputs_.size() : kinds_.size(); }

std::size_t Collator::slot_of(const MuxInput& input) const {
  return kinds_.empty() || !input.slot ? input.sensor : *input.slot;
}

}  // namespace lockstep
