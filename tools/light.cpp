// SPDX-License-Identifier: MIT
// All in one thread: it waits for a batch, notes it, and draws when it is time. Signals only set a
// flag, which is read at the latest when the next drawing is due.
#include "light.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <deque>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "exit_status.h"
#include "light_log.h"
#include "light_view.h"
#include "lockstep/rig.h"
#include "output.h"
#include "terminal.h"

namespace lockstep::tools {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kBetweenDrawings{100};
constexpr std::chrono::seconds kBetweenLines{1};
// Said once more at the end, when the screen that showed them is gone.
constexpr std::size_t kMaxMessages = 10;

volatile std::sig_atomic_t end_asked = 0;

void on_signal(int) { end_asked = 1; }

void watch_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  for (const int signal : {SIGINT, SIGTERM}) sigaction(signal, &action, nullptr);
  struct sigaction before {};
  sigaction(SIGHUP, nullptr, &before);
  if (before.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, nullptr);  // nohup is obeyed.
  // A log's reader who goes away must not end the stream; one of what is printed ends it in good order.
  std::signal(SIGPIPE, SIG_IGN);
}

BatchLayout layout_from(const std::string& name) {
  for (const BatchLayout layout : {BatchLayout::contiguous, BatchLayout::reference})
    if (name == to_string(layout)) return layout;
  return BatchLayout::automatic;
}

// What a rig shows, from its first batch to its last.
class LightRun {
 public:
  explicit LightRun(const LightCommand& command) : command_(command) {}

  Result<void> open_log();
  Result<void> start_rig();
  int run();

 private:
  Result<RigConfig> rig_config();
  bool is_last(const Batch& batch) const;
  bool has_run_dry() const;
  void take(const Batch& batch);
  void read_stats();
  void show();
  void end_log(const Error& failure);
  void say(std::string text);
  int finish();

  const LightCommand& command_;
  std::unique_ptr<LightLog> log_;
  std::unique_ptr<Rig> rig_;
  std::unique_ptr<Screen> screen_;  // Null where standard output is no terminal.
  LightView view_;
  std::deque<std::string> messages_;
  std::optional<Nanoseconds> first_captured_;
  Nanoseconds captured_{0};              // From the first batch to the last.
  SteadyClock::time_point captured_at_;  // When the last one came, or all began.
  SteadyClock::time_point due_;          // When to show next.
  SteadyClock::time_point shown_at_;     // And what was there then, for the rate.
  std::uint64_t shown_batches_ = 0;
  bool failed_ = false;
};

Result<RigConfig> LightRun::rig_config() {
  auto sensors = wanted_sensors(command_.capture);
  if (!sensors) return sensors.error();
  RigConfig config;
  config.sensors = *std::move(sensors);
  if (!command_.capture.memory.empty()) config.memory = command_.capture.memory;
  config.layout = layout_from(command_.capture.layout);
  config.light = light_config(command_.light);
  config.light.always_meter = true;
  config.on_event = [this](const RigEvent& event) { say(event_text(event)); };
  if (auto valid = check(config.light, config.sensors.size()); !valid) return valid.error();
  return config;
}

Result<void> LightRun::start_rig() {
  auto config = rig_config();
  if (!config) return config.error();
  for (const SensorSpec& spec : config->sensors)
    view_.sensors.emplace_back().name = to_string(spec);
  view_.mode = config->light.mode;
  view_.target = config->light.target;
  auto rig = Rig::open(*std::move(config));
  if (!rig) return rig.error();
  rig_ = *std::move(rig);
  const auto offers = rig_->formats();
  if (!offers) return offers.error();
  const auto format = wanted_format(command_.capture, *offers);
  if (!format) return format.error();
  if (auto done = rig_->configure(*format); !done) return done;
  if (const SettingsChange change = wanted_settings(command_.light); !change.empty())
    if (auto revision = rig_->apply(change); !revision) return revision.error();
  return rig_->start();
}

Result<void> LightRun::open_log() {
  if (command_.light.log.empty()) return {};
  auto log = LightLog::create(command_.light.log, command_.overwrite);
  if (!log) return log.error();
  log_ = *std::move(log);
  return {};
}

bool LightRun::is_last(const Batch& batch) const {
  if (command_.batches) return view_.batches >= *command_.batches;
  if (!command_.duration_s) return false;
  const Fraction rate = rig_->format().framerate;
  const double period_s = static_cast<double>(rate.denominator) / rate.numerator;
  const std::chrono::duration<double> since = batch.captured.since_epoch - *first_captured_;
  return since.count() + 1.5 * period_s >= *command_.duration_s;
}

// Whether all that was asked for would be captured by now if a sensor were left to do it: without one, capture time goes
// on by the clock.
bool LightRun::has_run_dry() const {
  const auto sensors = rig_->stats().sensors;
  const bool all_lost =
      std::all_of(sensors.begin(), sensors.end(), [](const auto& sensor) { return sensor.lost; });
  const std::chrono::duration<double> passed = captured_ + (SteadyClock::now() - captured_at_);
  return command_.duration_s && all_lost && passed.count() >= *command_.duration_s;
}

void LightRun::take(const Batch& batch) {
  LightRow row = light_row(batch);
  if (!first_captured_) first_captured_ = row.captured;
  captured_ = row.captured - *first_captured_;
  captured_at_ = SteadyClock::now();
  if (log_)
    if (const auto added = log_->add(row); !added) end_log(added.error());
  ++view_.batches;
  view_.batch = row.batch;
  view_.uniform = row.uniform;
  view_.num_uniform += row.uniform ? 1 : 0;
  view_.skew = row.skew;
  for (std::size_t i = 0; i < row.sensors.size(); ++i) {
    view_.sensors[i].sample = row.sensors[i];
    view_.latest_revision = std::max(view_.latest_revision, row.sensors[i].revision);
    const auto& metering = batch.frames[i].metering;
    view_.sensors[i].bars = metering ? bars_of(*metering) : std::array<float, kNumBars>{};
  }
}

void LightRun::read_stats() {
  const RigStats stats = rig_->stats();
  for (std::size_t i = 0; i < stats.sensors.size(); ++i) {
    view_.sensors[i].lost = stats.sensors[i].lost;
    view_.sensors[i].drops = 0;
    for (const std::uint64_t count : stats.sensors[i].drops) view_.sensors[i].drops += count;
  }
}

void LightRun::show() {
  const auto now = SteadyClock::now();
  if (now < due_) return;
  const std::chrono::duration<double> passed = now - shown_at_;
  view_.batches_a_second = static_cast<double>(view_.batches - shown_batches_) / passed.count();
  shown_at_ = now;
  shown_batches_ = view_.batches;
  read_stats();
  if (screen_) {
    const auto [columns, rows] = terminal_size(STDOUT_FILENO);
    screen_->draw(view_lines(view_, columns, rows));
    due_ = now + kBetweenDrawings;
  } else {
    print_line(view_text(view_));
    end_asked = end_asked || !flush_output();
    due_ = now + kBetweenLines;
  }
}

void LightRun::end_log(const Error& failure) {
  failed_ = true;
  say(failure.what + "; the log ends there");
}

void LightRun::say(std::string text) {
  if (!screen_) report("light", text);
  messages_.push_back(text);
  if (messages_.size() > kMaxMessages) messages_.pop_front();
  view_.message = std::move(text);
}

int LightRun::run() {
  watch_signals();
  if (can_draw(STDOUT_FILENO)) screen_ = std::make_unique<Screen>();
  shown_at_ = SteadyClock::now();
  captured_at_ = shown_at_;
  due_ = shown_at_ + kBetweenDrawings;
  bool ended = false;
  while (!ended && !end_asked) {
    auto batch = rig_->next_batch(kBetweenDrawings);
    if (batch) {
      take(*batch);
      ended = is_last(*batch);
    } else if (batch.error().code == Errc::timed_out) {
      ended = has_run_dry();
    } else {
      failed_ = ended = true;
      say(batch.error().what);
    }
    show();
  }
  return finish();
}

int LightRun::finish() {
  read_stats();
  rig_->stop();
  if (log_ && !log_->failed())
    if (const auto finished = log_->finish(); !finished) end_log(finished.error());
  if (screen_) {
    screen_.reset();
    for (const std::string& message : messages_) report("light", message);
  }
  view_.message.clear();
  constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();
  const std::size_t columns = can_draw(STDOUT_FILENO) ? terminal_size(STDOUT_FILENO).columns : kAll;
  for (const ViewLine& line : view_lines(view_, columns, kAll)) print_line(line.text);
  if (log_ && !log_->failed())
    print_line(fmt::format("{}: {} batches", log_->path(), log_->lines()));
  return failed_ ? kFailed : kDone;
}

}  // namespace

int run_light(LightCommand command) {
  if (command.light.mode.empty())
    command.light.mode =
        to_string(wanted_settings(command.light).empty() ? LightMode::shared : LightMode::manual);
  LightRun run(command);
  if (auto opened = run.open_log(); !opened) {
    report("light", opened.error().what);
    return kCannot;
  }
  if (auto started = run.start_rig(); !started) {
    report("light", started.error().what);
    return started.error().code == Errc::invalid_argument ? kCannot : kFailed;
  }
  return run.run();
}

}  // namespace lockstep::tools
