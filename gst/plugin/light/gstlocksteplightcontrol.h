// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "gstlocksteplightplan.h"
#include "lockstep/rig.h"

namespace lockstep {

/// What the user has asked for the light of a lockstepsrc, and handing it to the rig.
///
/// What is set is collected, and handed over as one revision when GObject tells that properties have changed: once for
/// each g_object_set(), however many it sets. Before the rig runs it waits for begin().
///
/// \thread  any. Two mutexes: one guards what was set and is held for moments; the other is held while the rig is asked,
/// so that it is told everything in the order in which it was set.
class LightControl {
 public:
  /// The plan, or the settings of all sensors, as the user has set them.
  LightPlan plan() const;
  SettingsChange settings() const;

  /// Changes the plan; told to the rig with the next hand_over().
  void edit(const std::function<void(LightPlan&)>& edit);
  /// Sets one of the settings of all sensors; 0 leaves it as it is.
  void set(Setting setting, double value);

  /// Tells the rig, if it runs, what was set since the last time. What is refused is as it was before.
  /// \errors  one for each thing that is refused, to be reported.
  std::vector<Error> hand_over();

  /// The rig is configured and about to start: tells it all. What is refused is not kept.
  /// \errors  as hand_over().
  std::vector<Error> begin(std::shared_ptr<Rig> rig);
  /// The rig has stopped.
  void end();

  /// Changes settings as an application's algorithm decides, unless the application is no longer asked.
  /// \errors  as Rig::apply().
  Result<void> apply_answer(std::span<const SettingsChange> answer);

 private:
  struct Asked {
    LightPlan plan;
    SettingsChange settings;
  };

  // With telling_ held.
  std::vector<Error> tell();
  void tell_plan(const LightPlan& asked, std::vector<Error>& refused);
  void tell_settings(const SettingsChange& asked, const SettingsChange& changed,
                     std::vector<Error>& refused);
  Result<void> take_plan(const LightPlan& plan);
  Result<void> take_settings(const SettingsChange& change);
  std::vector<Error> drop_impossible_overrides();

  mutable std::mutex mutex_;
  Asked asked_;                // guarded by mutex_
  SettingsChange changed_;     // guarded by mutex_; what of settings waits to be handed over
  bool plan_changed_ = false;  // guarded by mutex_

  std::mutex telling_;        // taken before mutex_
  std::shared_ptr<Rig> rig_;  // guarded by telling_; null unless it runs
  Asked taken_;               // guarded by telling_; what was last good
};

}  // namespace lockstep
