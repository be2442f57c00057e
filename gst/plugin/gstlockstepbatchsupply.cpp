// SPDX-License-Identifier: MIT
#include "gstlockstepbatchsupply.h"

#include <utility>

namespace lockstep {

Result<void> BatchSupply::begin(std::shared_ptr<Rig> rig, Leaky leaky) {
  std::shared_ptr<NewestBatch> newest;
  if (leaky == Leaky::downstream && rig->clock() != Clock::simulated) {
    auto made = NewestBatch::make(rig);
    if (!made) return std::move(made).error();
    newest = *std::move(made);
  }
  discard_old_ = true;
  const std::lock_guard lock(mutex_);
  rig_ = std::move(rig);
  newest_ = std::move(newest);
  if (interrupted_) set_interrupted(true);
  return {};
}

void BatchSupply::end() {
  std::shared_ptr<NewestBatch> newest;
  {
    const std::lock_guard lock(mutex_);
    if (rig_) rig_->resume();
    rig_.reset();
    newest = std::exchange(newest_, nullptr);
  }
  if (newest) newest->end();
}

void BatchSupply::interrupt() {
  const std::lock_guard lock(mutex_);
  set_interrupted(true);
}

void BatchSupply::resume() {
  const std::lock_guard lock(mutex_);
  set_interrupted(false);
}

void BatchSupply::set_interrupted(bool interrupted) {
  interrupted_ = interrupted;
  if (newest_)
    interrupted ? newest_->interrupt() : newest_->resume();
  else if (rig_)
    interrupted ? rig_->interrupt() : rig_->resume();
}

// GStreamer 1.24 and newer interrupt for a pause too. Where the pipeline goes on before that has ended the wait, a source that
// then says that it is flushing is never started again.
bool BatchSupply::pause_is_over() {
  if (!discard_old_) return false;
  resume();
  // A flush marks the pad before it interrupts: either it is seen here, or it interrupts the next wait.
  return !GST_PAD_IS_FLUSHING(GST_BASE_SRC_PAD(source_));
}

Result<BatchSupply::Taken> BatchSupply::take() {
  std::shared_ptr<Rig> rig;
  std::shared_ptr<NewestBatch> newest;
  {
    const std::lock_guard lock(mutex_);
    rig = rig_;
    newest = newest_;
  }
  if (!rig) return Error{Errc::invalid_argument, 0, "take a batch of a rig that has not started"};
  const bool is_virtual = rig->clock() == Clock::simulated;
  for (;;) {
    if (discard_old_.exchange(false) || running_time_.has_changed()) {
      const Nanoseconds from = running_time_.begin(*rig);
      if (newest)
        newest->flush(from);
      else if (!is_virtual)
        rig->flush(from);
    }
    // By the base time that the wait begins with: when it ends the pipeline may have been paused and gone on.
    const GstClockTimeDiff offset = running_time_.offset(*rig);
    auto batch = newest ? newest->next() : rig->next_batch(Nanoseconds::max());
    if (!batch && batch.error().code == Errc::interrupted && pause_is_over()) continue;
    if (!batch) return std::move(batch).error();
    const bool was_paused = discard_old_ || running_time_.has_changed();
    if (!was_paused || is_virtual) return Taken{*std::move(batch), offset};
    rig->discard(*std::move(batch), DropReason::flushed);
  }
}

}  // namespace lockstep
