// SPDX-License-Identifier: MIT
#pragma once

#include <poll.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lockstep/memory.h"
#include "lockstep/sensor.h"
#include "result_testing.h"

namespace lockstep {

/// One sensor with arenas of its own, driven as a rig would drive it.
///
/// Each arena has three slots and the sensor gets the middle one, so that its neighbours on both
/// sides tell if it writes too far. Their memory is LOCKSTEP_TEST_MEMORY's, or memfd.
class SensorBench {
 public:
  static constexpr std::byte kUntouched{0xa5};

  /// Opens the sensor of that name.
  static Result<std::unique_ptr<SensorBench>> open(std::string_view name) {
    auto spec = parse_sensor_spec(name);
    if (!spec) return std::move(spec).error();
    auto backend = find_sensor_backend(spec->backend);
    if (!backend) return std::move(backend).error();
    auto sensor = (*backend)->open(*spec);
    if (!sensor) return std::move(sensor).error();
    auto bench = std::make_unique<SensorBench>();
    bench->sensor_ = *std::move(sensor);
    return bench;
  }

  Sensor& operator*() { return *sensor_; }
  Sensor* operator->() { return sensor_.get(); }
  const SensorStream& stream() const { return stream_; }
  bool fills() const { return stream_.delivery == Delivery::fill; }

  /// Configures it and attaches `num_slots` slots.
  Result<void> set_up(const Format& format, std::size_t num_slots = 4) {
    const auto layout = default_layout(format.pixel_format, format.width, format.height);
    if (!layout) return layout.error();
    const char* name = std::getenv("LOCKSTEP_TEST_MEMORY");
    auto memory = find_memory_backend(name != nullptr ? name : "memfd");
    if (!memory) return std::move(memory).error();
    auto stream = sensor_->configure(format, *layout, (*memory)->fd_kind());
    if (!stream) return std::move(stream).error();
    stream_ = *std::move(stream);
    arenas_.clear();
    std::vector<SlotView> slots;
    for (std::size_t i = 0; i < num_slots; ++i) {
      auto arena = (*memory)->allocate(3, stream_.slot_bytes);
      if (!arena) return std::move(arena).error();
      std::memset((*arena)->bytes().data(), std::to_integer<int>(kUntouched),
                  (*arena)->bytes().size());
      slots.push_back((*arena)->slot(1));
      arenas_.push_back(*std::move(arena));
    }
    return sensor_->attach(slots);
  }

  /// Starts it, with every slot queued.
  Result<void> start() {
    if (auto started = sensor_->start(); !started) return started;
    return queue_all();
  }

  /// To be called when the sensor holds no slot.
  Result<void> queue_all() {
    for (std::size_t i = 0; fills() && i < arenas_.size(); ++i)
      if (auto queued = sensor_->queue(i); !queued) return queued;
    return {};
  }

  /// Waits for the next frame, whole or damaged. \errors timed_out after 10 s
  Result<Delivered> next() {
    for (;;) {
      auto frame = sensor_->dequeue();
      if (!frame) return std::move(frame).error();
      if (*frame) return **std::move(frame);
      if (!is_readable(10'000))
        return Error{Errc::timed_out, 0, "no frame from " + sensor_->describe().name};
    }
  }

  /// Whether dequeue() has something to say, now or soon.
  bool is_readable(int timeout_ms) {
    if (sensor_->clock() == Clock::simulated) return sensor_->next_event().has_value();
    pollfd poll{sensor_->readable_fd(), POLLIN, 0};
    return ::poll(&poll, 1, timeout_ms) > 0;
  }

  /// Lets the sensor have the frame's memory again.
  Result<void> give_back(Delivered frame) {
    if (!fills()) return {};
    return sensor_->queue(frame.arena_index);
  }

  std::span<const std::byte> pixels(const Delivered& frame) const {
    if (frame.lent) return {frame.lent->data, frame.lent->size_bytes};
    return slot(frame.arena_index);
  }
  std::span<std::byte> slot(std::size_t index) const {
    const SlotView view = arenas_[index]->slot(1);
    return {view.data, view.size_bytes};
  }
  /// Whether the slots on both sides of slot `index` are as they were.
  bool neighbours_are_untouched(std::size_t index) const {
    const auto whole = [](const SlotView& view) {
      for (std::size_t i = 0; i < view.size_bytes; ++i)
        if (view.data[i] != kUntouched) return false;
      return true;
    };
    return whole(arenas_[index]->slot(0)) && whole(arenas_[index]->slot(2));
  }

  /// Takes the sensor away, its memory stays.
  void drop_sensor() { sensor_.reset(); }

 private:
  std::vector<std::shared_ptr<Arena>> arenas_;
  SensorStream stream_;
  std::unique_ptr<Sensor> sensor_;  // The first to go: it writes into the arenas.
};

}  // namespace lockstep
