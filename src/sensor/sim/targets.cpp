// SPDX-License-Identifier: MIT
#include "sensor/sim/targets.h"

#include <algorithm>
#include <new>
#include <string>
#include <utility>

namespace lockstep {

bool SimBuffers::empty() const {
  MutexLock lock(mutex_);
  return num_out_ >= most_;
}

std::optional<SimTarget> SimBuffers::take() {
  std::unique_ptr<Buffer> buffer;
  {
    MutexLock lock(mutex_);
    if (num_out_ >= most_) return std::nullopt;
    ++num_out_;
    if (!free_.empty()) {
      buffer = std::move(free_.back());
      free_.pop_back();
    }
  }
  if (!buffer) buffer = make();
  if (!buffer) {
    MutexLock lock(mutex_);
    --num_out_;
    return std::nullopt;
  }
  SimTarget target;
  target.bytes = {buffer->pixels.data, buffer->pixels.size_bytes};
  Buffer* raw = buffer.release();
  target.lent =
      std::shared_ptr<const Pixels>(&raw->pixels, [pool = shared_from_this(), raw](const Pixels*) {
        pool->give_back(std::unique_ptr<Buffer>(raw));
      });
  return target;
}

void SimBuffers::give_back(std::unique_ptr<Buffer> buffer) {
  MutexLock lock(mutex_);
  --num_out_;
  free_.push_back(std::move(buffer));
}

std::unique_ptr<SimBuffers::Buffer> SimBuffers::make() const {
  auto buffer = std::make_unique<Buffer>();
  buffer->bytes.reset(new (std::nothrow) std::byte[size_bytes_]());
  if (!buffer->bytes) return nullptr;
  buffer->pixels.data = buffer->bytes.get();
  buffer->pixels.size_bytes = size_bytes_;
  return buffer;
}

void SimTargets::use_slots(std::span<const SlotView> slots) {
  buffers_.reset();
  queued_.clear();
  slots_.assign(slots.begin(), slots.end());
}

void SimTargets::use_buffers(std::size_t size_bytes, std::size_t most) {
  buffers_ = std::make_shared<SimBuffers>(size_bytes, most);
  queued_.clear();
  slots_.clear();
}

Result<void> SimTargets::queue(std::size_t arena_index) {
  const bool known = arena_index < slots_.size();
  if (known && std::find(queued_.begin(), queued_.end(), arena_index) == queued_.end()) {
    queued_.push_back(arena_index);
    return {};
  }
  return Error{Errc::invalid_argument, 0,
               "queue slot " + std::to_string(arena_index) + ", " +
                   (known ? "it is queued already" : "there are " + std::to_string(slots_.size()))};
}

bool SimTargets::empty() const { return buffers_ ? buffers_->empty() : queued_.empty(); }

std::optional<SimTarget> SimTargets::take() {
  if (buffers_) return buffers_->take();
  if (queued_.empty()) return std::nullopt;
  SimTarget target;
  target.arena_index = queued_.front();
  target.bytes = {slots_[target.arena_index].data, slots_[target.arena_index].size_bytes};
  queued_.pop_front();
  return target;
}

}  // namespace lockstep
