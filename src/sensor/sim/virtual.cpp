// SPDX-License-Identifier: MIT
// The simulated sensor on its virtual clock: no thread, no waiting. Time goes on when a frame is
// taken, and stands still while there is no slot to fill, so that frames are lost by the options
// alone and every run is the same.
#include <algorithm>
#include <utility>

#include "sensor/sim/sensor.h"

namespace lockstep {
namespace {

class VirtualSim final : public SimSensor {
 public:
  using SimSensor::SimSensor;

  Result<void> start() override;
  Result<void> queue(std::size_t arena_index) override;
  Result<std::optional<Delivered>> dequeue() override;
  void stop() override;
  Result<void> restart() override;
  int readable_fd() const override { return -1; }
  std::optional<Nanoseconds> next_event() const override;
  Result<SettingsChange> write(const SettingsChange& change, std::optional<std::uint32_t> completes,
                               Nanoseconds now) override;

 private:
  enum class State { stopped, streaming, lost };

  State state_ = State::stopped;
};

Result<void> VirtualSim::start() {
  if (auto ready = check_ready_to_start(state_ != State::stopped); !ready) return ready;
  capture_->begin(options_.phase);
  gaps_.begin(0);
  state_ = State::streaming;
  return {};
}

Result<void> VirtualSim::queue(std::size_t arena_index) {
  if (state_ == State::lost) return gone(Errc::device_lost, "queue a slot to");
  return queue_target(arena_index);
}

std::optional<Nanoseconds> VirtualSim::next_event() const {
  if (state_ == State::lost && capture_->plugged_at() != Nanoseconds::max())
    return capture_->plugged_at();
  if (state_ != State::streaming || targets_.empty()) return std::nullopt;
  return std::min(capture_->next().ready, capture_->unplugged_at());
}

Result<std::optional<Delivered>> VirtualSim::dequeue() {
  if (state_ == State::lost) return gone(Errc::device_lost, "take a frame from");
  if (state_ == State::stopped || targets_.empty()) return std::optional<Delivered>();
  const SimShot shot = capture_->next();
  if (shot.ready >= capture_->unplugged_at()) {
    state_ = State::lost;
    targets_.clear();
    return gone(Errc::device_lost, "take a frame from");
  }
  // It passes in its time, so that what is written meanwhile finds its place.
  if (shot.lost) {
    capture_->advance();
    return std::optional<Delivered>();
  }
  auto target = targets_.take();
  if (!target) return Error{Errc::out_of_memory, 0, "no memory for a frame of " + name_};
  if (!shot.corrupt) picture_->draw(shot, target->bytes);
  Delivered delivered = develop(shot, *std::move(target), shot.ready);
  capture_->advance();
  return std::optional(std::move(delivered));
}

void VirtualSim::stop() {
  state_ = State::stopped;
  targets_.clear();
  if (capture_) capture_->end();
}

Result<void> VirtualSim::restart() {
  if (state_ != State::lost) return not_lost();
  if (capture_->plugged_at() == Nanoseconds::max()) return gone(Errc::not_found, "restart");
  capture_->resume(capture_->plugged_at());
  state_ = State::streaming;
  return {};
}

Result<SettingsChange> VirtualSim::write(const SettingsChange& change,
                                         std::optional<std::uint32_t> completes, Nanoseconds now) {
  const bool away =
      state_ == State::lost || (state_ == State::streaming && now >= capture_->unplugged_at());
  if (away) return gone(Errc::device_lost, "write settings to");
  return write_settings(change, completes, now);
}

}  // namespace

std::unique_ptr<Sensor> make_virtual_sim(std::string name, const SimOptions& options) {
  return std::make_unique<VirtualSim>(std::move(name), options);
}

}  // namespace lockstep
