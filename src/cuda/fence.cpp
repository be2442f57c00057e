// SPDX-License-Identifier: MIT
#include <algorithm>
#include <utility>
#include <vector>

#include "cuda/driver.h"
#include "cuda/event.h"
#include "lockstep/cuda.h"
#include "support/mutex.h"

namespace lockstep {

using EventPtr = std::shared_ptr<CudaEvent>;

struct CudaFence::State {
  explicit State(std::shared_ptr<CudaDevice> on) : device(std::move(on)) {}

  const std::shared_ptr<CudaDevice> device;
  mutable Mutex mutex;  // held for no call of the driver that waits
  EventPtr written LOCKSTEP_GUARDED_BY(mutex);
  CUstream writer LOCKSTEP_GUARDED_BY(mutex) = nullptr;  // whose work has no event yet
  std::shared_ptr<const void> writer_owner LOCKSTEP_GUARDED_BY(mutex);
  std::vector<EventPtr> read LOCKSTEP_GUARDED_BY(mutex);  // since it was written

  // The event after what was written, made now if there is none yet; null where nothing was.
  Result<EventPtr> event_of_writer() {
    MutexLock lock(mutex);
    if (!writer) return written;
    auto recorded = CudaFence::record(device, writer);
    if (!recorded) return std::move(recorded).error();
    written = *std::move(recorded);
    writer = nullptr;
    writer_owner.reset();
    return written;
  }

  Result<void> wait_for(CUstream stream, const EventPtr& event) const {
    if (!event) return {};
    if (const CUresult failed = loaded_cuda_driver().cuStreamWaitEvent(stream, event->get(), 0))
      return cuda_error(failed, "have a stream wait for another on " + device->name());
    return {};
  }
};

CudaFence::CudaFence(std::shared_ptr<CudaDevice> device)
    : state_(std::make_unique<State>(std::move(device))) {}
CudaFence::~CudaFence() = default;

Result<EventPtr> CudaFence::record(std::shared_ptr<CudaDevice> device, CUstream stream) {
  const CudaDriver& driver = loaded_cuda_driver();
  CudaScope scope(device->context());
  CUevent event = nullptr;
  if (const CUresult failed = driver.cuEventCreate(&event, CU_EVENT_DISABLE_TIMING))
    return cuda_error(failed, "make an event on " + device->name());
  auto made = std::make_shared<CudaEvent>(std::move(device), event);
  if (const CUresult failed = driver.cuEventRecord(event, stream))
    return cuda_error(failed, "mark a point in a stream");
  return made;
}

Result<void> CudaFence::before_reading(CUstream stream) const {
  auto written = state_->event_of_writer();
  if (!written) return std::move(written).error();
  if (!*written) return {};
  CudaScope scope(state_->device->context());
  return state_->wait_for(stream, *written);
}

Result<void> CudaFence::after_reading(CUstream stream) const {
  std::vector<EventPtr> events;
  {
    MutexLock lock(state_->mutex);
    events = state_->read;
  }
  if (events.empty()) return {};
  CudaScope scope(state_->device->context());
  for (const EventPtr& event : events)
    if (auto waits = state_->wait_for(stream, event); !waits) return waits;
  return {};
}

Result<void> CudaFence::before_writing(CUstream stream) const {
  if (auto written = before_reading(stream); !written) return written;
  return after_reading(stream);
}

void CudaFence::was_written(EventPtr event) {
  // What was there before goes outside of the lock, for it may be the last to hold its event.
  std::vector<EventPtr> read;
  std::shared_ptr<const void> owner;
  MutexLock lock(state_->mutex);
  state_->read.swap(read);
  state_->written.swap(event);
  state_->writer = nullptr;
  state_->writer_owner.swap(owner);
}

void CudaFence::was_written_by(CUstream stream, std::shared_ptr<const void> owner) {
  was_written(nullptr);
  MutexLock lock(state_->mutex);
  state_->writer = stream;
  state_->writer_owner = std::move(owner);
}

void CudaFence::was_read(EventPtr event) {
  std::vector<EventPtr> done;
  MutexLock lock(state_->mutex);
  // Memory that is read for ever and never written keeps few events.
  const auto first_done =
      std::stable_partition(state_->read.begin(), state_->read.end(),
                            [](const EventPtr& one) { return !one->is_done(); });
  done.assign(std::make_move_iterator(first_done), std::make_move_iterator(state_->read.end()));
  state_->read.erase(first_done, state_->read.end());
  state_->read.push_back(std::move(event));
}

Result<void> CudaFence::synchronise() const {
  auto asked = state_->event_of_writer();
  if (!asked) return std::move(asked).error();
  const EventPtr written = *std::move(asked);
  if (!written) return {};
  CudaScope scope(state_->device->context());
  if (const CUresult failed = loaded_cuda_driver().cuEventSynchronize(written->get()))
    return cuda_error(failed, "wait for pixels on " + state_->device->name());
  return {};
}

}  // namespace lockstep
