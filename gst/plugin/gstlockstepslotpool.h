// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>

#include "gstlockstephandles.h"
#include "lockstep/frame.h"
#include "lockstep/result.h"
#include "lockstep/slot_dispenser.h"

namespace lockstep {

/// What a pool draws its slots from: a writer's place at a dispenser, which its owner may change while the pool is in
/// use.
///
/// The owner makes it, gives it to a pool, and calls set() once it knows how large slots must be: slot_bytes() says so
/// of this one. When a pool finds itself without slots that are large enough it asks the owner, who then makes a
/// dispenser for all of its outlets, calls set() on each and returns.
///
/// \thread  any thread may call anything. The owner is asked in the thread that draws, with no lock held.
class SlotOutlet {
 public:
  /// Asks the owner to set() a dispenser whose slots have slot_bytes(). It may be running still when close() returns, so
  /// it must not rely on the owner's being there: let it hold a weak reference.
  using Ask = std::function<void()>;

  /// `fd_kind` is that of the dispensers to come.
  SlotOutlet(FdKind fd_kind, Ask ask);

  /// Draws slots of that writer from now on; null: none, until set() is called again.
  void set(std::shared_ptr<SlotDispenser> dispenser, std::size_t slot);
  /// Ends it for good: asks no more, keeps no dispenser, and whoever waits goes on.
  void close();
  /// What the pool needs as it is configured; 0 before that.
  /// \units  bytes.
  std::size_t slot_bytes() const;
  FdKind fd_kind() const { return fd_kind_; }

  /// What the pool needs from now on.
  void need(std::size_t slot_bytes);
  /// The next slot.
  ///
  /// \errors  busy         all slots are in use.
  ///          not_found    the owner has set no dispenser with slots that are large enough.
  ///          interrupted  it is closed.
  ///          others       as SlotDispenser::take().
  Result<std::shared_ptr<const Pixels>> take();
  /// The next slot, waiting while all are in use.
  ///
  /// \errors  interrupted  it is closed, or `given_up` said so, which is looked at after each wake().
  ///          others       as take(), but never busy.
  Result<std::shared_ptr<const Pixels>> wait_and_take(const std::function<bool()>& given_up);
  /// Has whoever waits look whether to give up.
  void wake();

 private:
  struct Source {
    std::shared_ptr<SlotDispenser> dispenser;
    std::size_t slot = 0;
    std::uint64_t seen = 0;  // of the dispenser's returns
  };
  Result<Source> source();

  const FdKind fd_kind_;
  mutable std::mutex mutex_;  // taken before the dispenser's; guards all below
  Ask ask_;
  std::shared_ptr<SlotDispenser> dispenser_;
  std::size_t slot_ = 0;
  std::size_t slot_bytes_ = 0;
  bool closed_ = false;
};

/// A pool of video buffers that are the slots of an outlet. Each buffer is new, with the slot as its one memory: the
/// slot comes back when that memory is freed, be it long after the buffer.
///
/// It takes the options GST_BUFFER_POOL_OPTION_VIDEO_META and GST_BUFFER_POOL_OPTION_VIDEO_ALIGNMENT as
/// GstVideoBufferPool does. The numbers of buffers in its configuration mean nothing: the dispenser has as many as it
/// has.
///
/// Where no slot can be had, a pool of memfds gives a buffer of ordinary memory in the same layout, and does not wait:
/// decoders hold on to many. A pool of dma-bufs waits, since who asks for those can use nothing else; with
/// GST_BUFFER_POOL_ACQUIRE_FLAG_DONTWAIT it answers GST_FLOW_EOS.
PoolPtr new_slot_pool(std::shared_ptr<SlotOutlet> outlet);

}  // namespace lockstep
