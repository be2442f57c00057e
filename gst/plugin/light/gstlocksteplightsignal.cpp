// SPDX-License-Identifier: MIT
#include "gstlocksteplightsignal.h"

#include <utility>

#include "gstlocksteperror.h"
#include "gstlocksteplightplan.h"
#include "gstlocksteplightreport.h"

namespace lockstep {
namespace {

gboolean first_answer(GSignalInvocationHint*, GValue* answer, const GValue* returned, gpointer) {
  if (!g_value_get_boxed(returned)) return TRUE;
  g_value_copy(returned, answer);
  return FALSE;
}

}  // namespace

guint install_light_signal(GType element_type) {
  return g_signal_new("light", element_type, G_SIGNAL_RUN_LAST, 0, first_answer, nullptr, nullptr,
                      GST_TYPE_STRUCTURE, 1, GST_TYPE_STRUCTURE);
}

void SignalAlgorithm::start(bool in_thread) {
  stop();
  {
    std::lock_guard lock(mutex_);
    has_thread_ = in_thread;
    num_skipped_ = 0;
    num_refused_ = 0;
  }
  if (in_thread) thread_ = std::thread([this] { run(); });
}

void SignalAlgorithm::stop() {
  {
    std::lock_guard lock(mutex_);
    has_thread_ = false;
    newest_.reset();
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::uint64_t SignalAlgorithm::num_skipped() const {
  std::lock_guard lock(mutex_);
  return num_skipped_;
}

std::uint64_t SignalAlgorithm::num_refused() const {
  std::lock_guard lock(mutex_);
  return num_refused_;
}

std::vector<SettingsChange> SignalAlgorithm::decide(const LightReport& report) {
  if (!g_signal_has_handler_pending(element_.element, element_.signal, 0, FALSE)) return {};
  Question question;
  question.report = structure_of(report, element_.running_time(report.captured));
  std::vector<Settings> wanted;
  for (const LightReport::PerSensor& sensor : report.sensors) {
    question.caps.push_back(*sensor.caps);
    wanted.push_back(sensor.wanted);
  }
  {
    std::lock_guard lock(mutex_);
    if (has_thread_) {
      if (newest_) ++num_skipped_;
      newest_ = std::move(question);
      changed_.notify_all();
      return {};
    }
  }
  auto answer = ask(question);
  if (!asks_for_news(answer, question.caps, wanted)) answer.clear();
  return answer;
}

void SignalAlgorithm::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return newest_ || !has_thread_; });
    if (!has_thread_) return;
    const Question question = *std::exchange(newest_, std::nullopt);
    lock.unlock();
    const auto answer = ask(question);
    if (!answer.empty())
      if (auto applied = element_.apply(answer); !applied) warn(applied.error());
    lock.lock();
  }
}

std::vector<SettingsChange> SignalAlgorithm::ask(const Question& question) {
  GstStructure* returned = nullptr;
  g_signal_emit(element_.element, element_.signal, 0, question.report.get(), &returned);
  const StructurePtr answer(returned);
  if (!answer) return {};
  auto changes = read_answer(answer.get(), question.caps);
  if (changes) return *std::move(changes);
  {
    std::lock_guard lock(mutex_);
    ++num_refused_;
  }
  warn(changes.error());
  return {};
}

// An algorithm that is wrong is so for every batch; once a second is enough to be told.
void SignalAlgorithm::warn(const Error& error) {
  const gint64 now = g_get_monotonic_time();
  if (warned_at_ != 0 && now - warned_at_ < G_USEC_PER_SEC) return;
  warned_at_ = now;
  post_warning(element_.element, error);
}

}  // namespace lockstep
