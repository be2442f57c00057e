// SPDX-License-Identifier: MIT
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "lockstep/rig.h"

namespace lockstep {

/// Takes batches off a rig as they come, in a thread of its own, and keeps the newest until somebody wants it.
///
/// One that a newer one replaces is counted as DropReason::downstream_full. As long as this exists nobody else may call what a
/// Rig allows one caller at a time, but discard().
///
/// \thread  any.
class NewestBatch {
 public:
  /// So many more batches than downstream may hold a rig needs: the one that waits and the one that replaces it.
  static constexpr std::size_t kRoom = 2;

  /// Begins at once.
  /// \errors  io  the system has no thread left.
  static Result<std::shared_ptr<NewestBatch>> make(std::shared_ptr<Rig> rig);
  ~NewestBatch() { end(); }
  NewestBatch(const NewestBatch&) = delete;
  NewestBatch& operator=(const NewestBatch&) = delete;

  /// Waits for a batch that was not handed over yet.
  /// \errors  interrupted  as Rig::next_batch() says, by this interrupt().
  ///          others       as Rig::next_batch(); they come again with each call.
  Result<Batch> next();
  void interrupt();
  void resume();

  /// Ends, so that the rig may be stopped. \thread one caller at a time, none in next() or later.
  void end();

  /// Batches captured before `keep_from` are not wanted; they are counted as flushed.
  /// \units   as Rig::flush().
  void flush(Nanoseconds keep_from);

 private:
  explicit NewestBatch(std::shared_ptr<Rig> rig) : rig_(std::move(rig)) {}
  void run();
  // What of `batch` and the one that waits goes no further, and why.
  struct Leftover {
    Batch batch;
    DropReason reason;
  };
  std::optional<Leftover> take_in(Result<Batch> batch);
  void discard(std::optional<Leftover> leftover);

  const std::shared_ptr<Rig> rig_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Result<Batch>> waiting_;        // guarded by mutex_; an error stays
  Nanoseconds keep_from_ = Nanoseconds::min();  // guarded by mutex_
  bool interrupted_ = false;                    // guarded by mutex_
  std::thread thread_;
};

}  // namespace lockstep
