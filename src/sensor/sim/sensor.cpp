// SPDX-License-Identifier: MIT
#include "sensor/sim/sensor.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <utility>
#include <vector>

#include "core/printable.h"
#include "sensor/backends.h"
#include "sensor/sim/response.h"

namespace lockstep {
namespace {

constexpr SizeRange kSides{16, 4096, 1};
const RateRange kRates{{1, 1}, {240, 1}};

// As the device might number it: times in microseconds, factors in thousandths.
ControlInfo control_of(Setting setting, const SettingRange& range, double value) {
  const bool is_time = setting == Setting::exposure || setting == Setting::frame_duration;
  const auto number = [is_time](double of) {
    return static_cast<std::int64_t>(std::llround(is_time ? of / 1000 : of * 1000));
  };
  return {std::string(to_string(setting)) + (is_time ? " (us)" : " (1/1000)"), number(range.min),
          number(range.max), std::max<std::int64_t>(number(range.step), 1), number(value)};
}

std::vector<ControlInfo> controls_of(const Settings& settings, const SettingsCaps& caps) {
  std::vector<ControlInfo> controls;
  for (const Setting setting : kSettings)
    if (caps[setting])
      controls.push_back(control_of(setting, *caps[setting], value_of(settings, setting)));
  return controls;
}

// Whether planes of `wanted` can hold those of `format`.
bool holds(const Layout& wanted, const Layout& tight) {
  if (wanted.num_planes != tight.num_planes) return false;
  for (std::size_t p = 0; p < tight.num_planes; ++p) {
    const Plane& plane = wanted.planes[p];
    if (plane.row_bytes != tight.planes[p].row_bytes || plane.rows != tight.planes[p].rows ||
        plane.stride_bytes < plane.row_bytes ||
        plane.offset_bytes + plane.stride_bytes * (plane.rows - 1) + plane.row_bytes >
            wanted.size_bytes)
      return false;
  }
  return true;
}

class SimBackend final : public SensorBackend {
 public:
  std::string_view name() const override { return "sim"; }
  std::string_view description() const override {
    return "simulated camera: light, noise, flicker, drift, jitter, drops, stalls, unplugging";
  }
  std::vector<std::string> list() const override { return {"sim"}; }
  Result<std::unique_ptr<Sensor>> open(const SensorSpec& spec) const override {
    if (!spec.device.empty())
      return Error{Errc::not_found, 0,
                   "no simulated sensor \"" + quotable(spec.device) +
                       "\"; it takes options only, as sim?seed=2"};
    auto options = read_sim_options(spec);
    if (!options) return std::move(options).error();
    return options->realtime ? make_realtime_sim(to_string(spec), *options)
                             : make_virtual_sim(to_string(spec), *options);
  }
};

}  // namespace

SimSensor::SimSensor(std::string name, const SimOptions& options)
    : options_(options), name_(std::move(name)) {}

std::vector<FormatOffer> SimSensor::offers() const {
  std::vector<FormatOffer> offers;
  for (PixelFormat format : kPixelFormats) {
    if (options_.format && *options_.format != format) continue;
    FormatOffer offer{format, kSides, kSides, {kRates}};
    if (options_.size) {
      offer.width = {options_.size->width, options_.size->width, 1};
      offer.height = {options_.size->height, options_.size->height, 1};
    }
    offers.push_back(std::move(offer));
  }
  return offers;
}

SensorInfo SimSensor::describe() {
  SensorInfo info;
  info.name = name_;
  info.description = std::string("simulated sensor on the ") +
                     (options_.realtime ? "monotonic" : "virtual") + " clock";
  info.formats = offers();
  info.controls = controls_of(options_.settings, options_.caps);
  info.settings = settings_caps();
  const bool fills = options_.delivery == Delivery::fill;
  info.io = {{"fill", fills, fills ? "" : "opened with delivery=lend"},
             {"lend", !fills, fills ? "opened with delivery=fill" : ""}};
  return info;
}

Clock SimSensor::clock() const { return options_.realtime ? Clock::monotonic : Clock::simulated; }

Result<SensorStream> SimSensor::configure(const Format& format, const Layout& wanted,
                                          FdKind slot_kind) {
  const auto tight = default_layout(format.pixel_format, format.width, format.height);
  bool offered = false;
  for (const FormatOffer& offer : offers()) offered = offered || allows(offer, format);
  if (!offered || !tight || !holds(wanted, *tight)) {
    std::string all;
    for (const FormatOffer& offer : offers()) all += (all.empty() ? "" : ", ") + to_string(offer);
    return Error{Errc::not_supported, 0,
                 "set " + to_string(format) + " on " + name_ +
                     (offered ? ", the layout cannot hold it" : ", it offers " + all)};
  }
  attached_ = false;
  format_ = format;
  layout_ = wanted;
  capture_.emplace(options_, index_, format.framerate);
  capture_->write(written_, completed_, Nanoseconds(0));
  try {
    picture_.emplace(options_, index_, format, wanted);
  } catch (const std::bad_alloc&) {
    return Error{Errc::out_of_memory, 0, "no memory to draw " + to_string(format) + " on " + name_};
  }

  // It draws with the CPU.
  const bool on_gpu = slot_kind == FdKind::cuda;
  delivery_ = on_gpu ? Delivery::lend : options_.delivery;
  const bool fills = delivery_ == Delivery::fill;
  SensorStream stream;
  stream.layout = wanted;
  stream.slot_bytes = wanted.size_bytes;
  stream.delivery = delivery_;
  stream.colorimetry = sim_colorimetry(format);
  stream.io = fills    ? "fill (writes into the slots)"
              : on_gpu ? "lend (buffers of its own, the slots are GPU memory)"
                       : "lend (buffers of its own, delivery=lend)";
  return stream;
}

Result<void> SimSensor::attach(std::span<const SlotView> slots) {
  if (delivery_ == Delivery::lend) {
    // Virtual time waits for the user, so that it is up to him how many are out; real time does not.
    targets_.use_buffers(layout_.size_bytes, options_.realtime ? slots.size() : SIZE_MAX);
    attached_ = true;
    return {};
  }
  for (const SlotView& slot : slots) {
    if (slot.size_bytes >= layout_.size_bytes) continue;
    return Error{Errc::invalid_argument, 0,
                 "attach a slot of " + std::to_string(slot.size_bytes) + " bytes to " + name_ +
                     ", a frame has " + std::to_string(layout_.size_bytes)};
  }
  targets_.use_slots(slots);
  attached_ = true;
  return {};
}

Result<void> SimSensor::check_ready_to_start(bool streaming) const {
  if (capture_ && attached_ && !streaming) return {};
  return Error{Errc::invalid_argument, 0,
               "start " + name_ +
                   (streaming ? ", it streams already" : ", it is not configured and attached")};
}

Result<void> SimSensor::queue_target(std::size_t arena_index) {
  if (delivery_ == Delivery::fill) return targets_.queue(arena_index);
  return Error{Errc::invalid_argument, 0, "queue a slot to " + name_ + ", it lends its own"};
}

SettingsCaps SimSensor::settings_caps() const { return options_.caps; }

Result<SettingsChange> SimSensor::write_settings(const SettingsChange& change,
                                                 std::optional<std::uint32_t> completes,
                                                 Nanoseconds now) {
  auto taken = taken_by_sim(change, options_.caps);
  if (!taken) return Error{taken.error().code, 0, taken.error().what + ": " + name_};
  if (capture_ && capture_->refuses_writes(now))
    return Error{Errc::io, 0, "set " + to_string(change) + ", the driver refuses: " + name_};
  written_.merge(*taken);
  if (completes) completed_ = completes;
  if (capture_) capture_->write(*taken, completes, now);
  return taken;
}

Delivered SimSensor::develop(const SimShot& shot, SimTarget target, Nanoseconds ready_at) {
  Delivered delivered;
  delivered.arena_index = target.arena_index;
  delivered.lent = std::move(target.lent);
  delivered.info = shot.info;
  delivered.ready_at = ready_at;
  delivered.corrupt = shot.corrupt;
  delivered.skipped = gaps_.before(shot.info.sequence);
  return delivered;
}

Error SimSensor::gone(Errc code, const std::string& act) const {
  return Error{code, 0, act + " " + name_ + ", it is unplugged"};
}

Error SimSensor::not_lost() const {
  return Error{Errc::invalid_argument, 0, "restart " + name_ + ", it is not lost"};
}

const SensorBackend* sim_backend() {
  static const SimBackend backend;
  return &backend;
}

}  // namespace lockstep
