// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "gstlockstephandles.h"
#include "lockstep/light.h"

namespace lockstep {

/// Adds the signal `light` to the class of an element, and returns its id. The first handler that answers decides.
guint install_light_signal(GType element_type);

/// Asks the application for settings, by the signal `light`.
///
/// On a virtual clock it asks from within decide(), so that runs are repeatable. On the real clock a slow handler must
/// not hold up the stream: a thread of its own asks, always about the newest report, and what the application was too
/// slow for is counted. An answer then takes effect when it comes.
///
/// \thread  decide() as LightAlgorithm; num_skipped() and num_refused() any; start() and stop() one at a time.
class SignalAlgorithm : public LightAlgorithm {
 public:
  /// What it needs of the element, none of it called from within another.
  struct Element {
    GstElement* element = nullptr;  ///< Outlives what is asked.
    guint signal = 0;
    std::function<GstClockTime(Nanoseconds captured)> running_time;
    /// Takes an answer that came from the thread.
    std::function<Result<void>(std::span<const SettingsChange>)> apply;
  };

  explicit SignalAlgorithm(Element element) : element_(std::move(element)) {}
  ~SignalAlgorithm() override { stop(); }

  /// From now on a thread asks, or decide() itself.
  void start(bool in_thread);
  /// Waits for a handler that is at work to return; none is called any more.
  void stop();

  std::vector<SettingsChange> decide(const LightReport& report) override;

  /// Reports that a newer one came for before a handler had seen them, since start().
  std::uint64_t num_skipped() const;
  /// Answers that make no sense, since start(); what the rig refuses it counts itself.
  std::uint64_t num_refused() const;

 private:
  // One report and what an answer to it is checked against.
  struct Question {
    StructurePtr report;
    std::vector<SettingsCaps> caps;
  };

  void run();
  std::vector<SettingsChange> ask(const Question& question);
  void warn(const Error& error);

  Element element_;
  std::thread thread_;  // of whoever starts and stops
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Question> newest_;  // guarded by mutex_; not yet asked
  bool has_thread_ = false;         // guarded by mutex_
  std::uint64_t num_skipped_ = 0;   // guarded by mutex_
  std::uint64_t num_refused_ = 0;   // guarded by mutex_
  gint64 warned_at_ = 0;  // of the thread that asks; us of g_get_monotonic_time(), 0: not yet
};

}  // namespace lockstep
