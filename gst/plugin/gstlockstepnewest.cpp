// SPDX-License-Identifier: MIT
#include "gstlockstepnewest.h"

#include <string>
#include <system_error>
#include <utility>

namespace lockstep {

Result<std::shared_ptr<NewestBatch>> NewestBatch::make(std::shared_ptr<Rig> rig) {
  std::shared_ptr<NewestBatch> newest(new NewestBatch(std::move(rig)));
  try {
    newest->thread_ = std::thread(&NewestBatch::run, newest.get());
  } catch (const std::system_error& error) {
    return system_error(error.code().value(), "start a thread for leaky=downstream");
  }
  return newest;
}

void NewestBatch::end() {
  if (!thread_.joinable()) return;
  rig_->interrupt();
  thread_.join();
  rig_->resume();
}

void NewestBatch::run() {
  for (;;) {
    auto batch = rig_->next_batch(Nanoseconds::max());
    const bool failed = !batch;
    if (failed && batch.error().code == Errc::interrupted) return;
    discard(take_in(std::move(batch)));
    changed_.notify_one();
    if (failed) return;
  }
}

std::optional<NewestBatch::Leftover> NewestBatch::take_in(Result<Batch> batch) {
  std::lock_guard lock(mutex_);
  if (batch && batch->captured.since_epoch < keep_from_)
    return Leftover{*std::move(batch), DropReason::flushed};
  auto older = std::exchange(waiting_, std::move(batch));
  if (!older) return std::nullopt;
  return Leftover{**std::move(older), DropReason::downstream_full};
}

void NewestBatch::discard(std::optional<Leftover> leftover) {
  if (leftover) rig_->discard(std::move(leftover->batch), leftover->reason);
}

Result<Batch> NewestBatch::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return interrupted_ || waiting_; });
  if (interrupted_) return Error{Errc::interrupted, 0, "wait for a batch: interrupted"};
  if (!*waiting_) return waiting_->error();
  return **std::exchange(waiting_, std::nullopt);
}

void NewestBatch::interrupt() {
  {
    std::lock_guard lock(mutex_);
    interrupted_ = true;
  }
  changed_.notify_one();
}

void NewestBatch::resume() {
  std::lock_guard lock(mutex_);
  interrupted_ = false;
}

void NewestBatch::flush(Nanoseconds keep_from) {
  std::optional<Leftover> old;
  {
    std::lock_guard lock(mutex_);
    keep_from_ = keep_from;
    if (waiting_ && *waiting_ && (*waiting_)->captured.since_epoch < keep_from)
      old = Leftover{**std::exchange(waiting_, std::nullopt), DropReason::flushed};
  }
  discard(std::move(old));
}

}  // namespace lockstep
