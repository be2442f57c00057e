// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "gstlocksteplightplan.h"
#include "lockstep/rig.h"

namespace lockstep {

/// What the user has asked for the light of a lockstepsrc, and handing it to the rig.
///
/// What is set is collected, and handed over when GObject reports that properties have changed: once for each
/// g_object_set(), however many it sets. What one thread sets in between is one revision, taken or refused as a whole;
/// threads do not undo what others set. Before the rig runs it waits for begin().
///
/// \thread  any. Two mutexes: one guards what was set and is held for moments; the other is held while the rig is asked,
/// so that the rig gets everything in the order in which it was set.
class LightControl {
 public:
  /// Something that is not done, and is as it was before.
  struct Refused {
    Error error;
    bool is_setting = false;  ///< Settings of sensors; else how they are decided on.
  };

  /// The plan, or the settings of all sensors, as the user has set them.
  LightPlan plan() const;
  SettingsChange settings() const;

  /// Changes the plan; handed to the rig with the next hand_over(). `edit` is called again later, from any thread.
  void edit(const std::function<void(LightPlan&)>& edit);
  /// Sets one of the settings of all sensors; 0 leaves it as it is.
  void set(Setting setting, double value);

  /// Hands to the rig, if it runs, what was set since the last time. What is refused is to be reported.
  std::vector<Refused> hand_over();

  /// The rig is configured and about to start: hands it all. What is refused is not kept, and keeps nothing else from
  /// being taken.
  std::vector<Refused> begin(std::shared_ptr<Rig> rig);
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
  // What one thread has set since it was last handed over.
  struct Edit {
    std::thread::id by;
    std::vector<std::function<void(Asked&)>> steps;
    bool of_plan = false;
    SettingsChange settings;  // that are set to a value

    void apply_to(Asked& asked) const;
  };

  // With mutex_ held.
  Edit& add_step(std::function<void(Asked&)> step);
  // With handing_over_ held.
  void take(const Edit& edit, std::vector<Refused>& refused);
  void take_plan(const LightPlan& plan, std::vector<Refused>& refused);
  void take_all_plan(const LightPlan& plan, std::vector<Refused>& refused);
  void take_all_settings(const SettingsChange& settings, std::vector<Refused>& refused);
  Result<void> take_settings(const SettingsChange& change) const;
  void show_taken();

  mutable std::mutex mutex_;
  Asked asked_;              // guarded by mutex_; taken_ with the edits that wait
  std::vector<Edit> edits_;  // guarded by mutex_; at most one of each thread

  std::mutex handing_over_;   // taken before mutex_
  std::shared_ptr<Rig> rig_;  // guarded by handing_over_; null unless it runs
  Asked taken_;               // guarded by handing_over_; what is in force
};

}  // namespace lockstep
