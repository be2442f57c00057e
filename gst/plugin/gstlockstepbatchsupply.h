// SPDX-License-Identifier: MIT
#pragma once

#include <gst/base/gstbasesrc.h>

#include <atomic>
#include <memory>
#include <mutex>

#include "gstlockstepnewest.h"
#include "gstlocksteprunningtime.h"
#include "lockstep/rig.h"

namespace lockstep {

/// What becomes of batches that downstream is too slow for.
enum class Leaky : gint {
  no,          ///< They wait; while max-batches are out, new frames are dropped.
  downstream,  ///< The newest waits, those before it are dropped.
};

/// The batches of a started rig, one after the other, with what they are in running time: in order through pauses.
///
/// \thread  the streaming thread, but interrupt(), resume() and play() from any.
class BatchSupply {
 public:
  /// A batch, and what to add to its capture times to have them in running time.
  struct Taken {
    Batch batch;
    GstClockTimeDiff offset = 0;
  };

  explicit BatchSupply(GstBaseSrc* source) : source_(source), running_time_(GST_ELEMENT(source)) {}

  /// The rig has started. `leaky` means nothing in virtual time, which waits for downstream: nothing is ever old there.
  /// \errors  io  the system has no thread left.
  Result<void> begin(std::shared_ptr<Rig> rig, Leaky leaky);
  /// The rig is about to be configured anew or stopped.
  void end();

  /// Waits for the next batch. What was captured before running time began, or in a pause, is counted as flushed.
  /// \errors  as Rig::next_batch().
  Result<Taken> take();
  /// A batch that was taken goes downstream with that PTS.
  void passed_on(GstClockTime pts) { running_time_.passed_on(pts); }
  /// The stream is over: the next has a running time of its own.
  void reset() { running_time_.reset(); }

  /// Has take() fail with `interrupted`, now or when it is called next, until resume().
  void interrupt();
  void resume();
  /// The element goes to PLAYING.
  void play() { discard_old_ = true; }

 private:
  void set_interrupted(bool interrupted);  // with mutex_ held
  bool pause_is_over();

  GstBaseSrc* const source_;
  std::mutex mutex_;
  std::shared_ptr<Rig> rig_;              // guarded by mutex_
  std::shared_ptr<NewestBatch> newest_;   // guarded by mutex_; where leaky
  bool interrupted_ = false;              // guarded by mutex_
  RunningTime running_time_;              // streaming thread
  std::atomic<bool> discard_old_{false};  // frames captured before playing are not wanted
};

}  // namespace lockstep
