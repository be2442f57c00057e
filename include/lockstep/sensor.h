// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/colour.h"
#include "lockstep/drop_reason.h"
#include "lockstep/export.h"
#include "lockstep/format.h"
#include "lockstep/frame.h"
#include "lockstep/memory.h"
#include "lockstep/result.h"
#include "lockstep/sensor_spec.h"
#include "lockstep/settings.h"

namespace lockstep {

/// Whether a sensor writes into our slots or hands out buffers of its own.
enum class Delivery : std::uint8_t {
  fill,  ///< We queue slots, the sensor fills them: no copy.
  lend,  ///< The sensor lends its own buffers until we drop them: no copy by reference, one into an
         ///< arena.
};

/// One control of a device, for listings. \units as the device has them.
struct ControlInfo {
  std::string name;
  std::int64_t min = 0;
  std::int64_t max = 0;
  std::int64_t step = 1;
  std::int64_t value = 0;
};

/// One way of I/O, and whether it works with this device, for listings.
struct IoInfo {
  std::string name;  ///< "dmabuf", "userptr", "mmap".
  bool works = false;
  std::string detail;  ///< Why not; empty where it works.
};

/// What a sensor is and can do.
struct SensorInfo {
  std::string name;         ///< As given to open: "v4l2:/dev/video0".
  std::string description;  ///< The device's own name, driver and place.
  std::vector<FormatOffer> formats;
  std::vector<ControlInfo> controls;
  std::vector<IoInfo> io;
  SettingsCaps settings;  ///< In its present format, as Sensor::settings_caps().
};

/// What configure() settled on.
struct SensorStream {
  Layout layout;               ///< How the sensor will lay out each frame.
  std::size_t slot_bytes = 0;  ///< Least size of a slot; at least layout.size_bytes.
  Delivery delivery = Delivery::fill;
  std::size_t min_queued = 2;  ///< Slots it wants queued at all times so as not to lose frames.
  std::optional<Colorimetry> colorimetry;  ///< Nothing: it does not say.
  std::string io;  ///< Which I/O it took and why, one line: "dmabuf (the slots are dma-bufs)".
};

/// One frame as a sensor delivers it.
struct Delivered {
  static constexpr std::size_t kLent = static_cast<std::size_t>(-1);

  std::size_t arena_index = kLent;     ///< Which queued slot was filled, or kLent.
  std::shared_ptr<const Pixels> lent;  ///< The sensor's own buffer where arena_index is kLent.
  std::optional<Layout>
      layout;      ///< Of a lent frame that lies otherwise than SensorStream::layout says.
  FrameInfo info;  ///< `sensor` is filled in by the rig.
  /// When it became ready. \units monotonic clock, or virtual (see next_event()).
  Nanoseconds ready_at{0};
  bool corrupt = false;  ///< Count it, do not pass it on; the slot is free again.
  /// Frames that the sensor lost since the last one delivered, those of a time when the device was away included where its
  /// count went on; since start() for the first. What passed between stop() and start() is not lost.
  std::uint32_t skipped = 0;
};

/// One camera device: it fills slots, or lends buffers, frame by frame.
///
/// Life: open (by SensorBackend) -> configure -> attach -> start -> queue/dequeue ... -> stop ->
/// configure ... When dequeue() or queue() answers device_lost the sensor has let go of the
/// device and of every slot; restart() brings it back to the state after start() with nothing
/// queued.
///
/// \thread  one caller at a time. restart() may be called from another thread than the rest, never
/// at once with it.
class LOCKSTEP_API Sensor {
 public:
  virtual ~Sensor() = default;

  /// What it is and can do, asked of the device now.
  virtual SensorInfo describe() = 0;

  /// The clock of its capture times and of Delivered::ready_at: monotonic, or simulated for a
  /// sensor on a virtual clock.
  virtual Clock clock() const { return Clock::monotonic; }

  /// Where the buffers lie that it lends. Who answers cuda never fills slots.
  virtual MemorySpace lends_in() const { return MemorySpace::host; }

  /// Tells the sensor its place in the rig, before configure(). Simulated sensors paint it; others
  /// need not know.
  virtual void set_index(std::uint32_t) {}

  /// Sets the format, with `wanted` as the layout if the device can, its own otherwise. `slot_kind`
  /// is what the fds of the slots will be, by which the sensor chooses its I/O.
  ///
  /// \errors  not_supported  the device took something else; the text says what was asked and what
  /// it gave.
  ///          busy           another process streams from it.
  virtual Result<SensorStream> configure(const Format& format, const Layout& wanted,
                                         FdKind slot_kind) = 0;

  /// Makes this sensor's slots known: slots[k] is its slot in arena k. They stay valid until stop()
  /// has returned. A lending sensor is attached with as many slots, which may be empty, and ignores
  /// them.
  virtual Result<void> attach(std::span<const SlotView> slots) = 0;

  /// Begins to capture. What the device did since stop() was nobody's: none of it is counted as lost.
  virtual Result<void> start() = 0;

  /// Gives slot k to the sensor to fill. Never waits for the device. Not for lending sensors.
  virtual Result<void> queue(std::size_t arena_index) = 0;

  /// The next frame if one is ready, nothing if not. Never waits.
  ///
  /// \errors  device_lost  it went away; see above. No slot is the sensor's any more.
  virtual Result<std::optional<Delivered>> dequeue() = 0;

  /// Stops and takes back every slot: when it returns none is written to any more.
  virtual void stop() = 0;

  /// Opens, configures, attaches and starts again as before the loss. May take as long as the
  /// device takes.
  /// \errors  as the single steps; the sensor stays lost.
  virtual Result<void> restart() = 0;

  /// An fd that poll() finds readable (POLLIN) or broken (POLLERR, POLLHUP) when dequeue() has
  /// something to say. -1 on a virtual clock, and while lost.
  virtual int readable_fd() const = 0;

  /// On a virtual clock (`realtime=false`): the time at which dequeue() will next have something to
  /// say; while lost, the time at which restart() can work. Nothing while no slot is queued to a
  /// filling sensor, and for sensors on the real clock. Changes only by calls of this object.
  virtual std::optional<Nanoseconds> next_event() const { return std::nullopt; }

  /// What light it can be set to, and how long that takes. From configure() on until the next; the same while it streams.
  virtual SettingsCaps settings_caps() const = 0;

  /// Writes settings in one go, now. Each holds for exposures as SettingRange::delay says; written before start(), from
  /// the first on. Answers what the driver took of them, which it may have rounded. Settings outlive stop() and restart().
  ///
  /// `completes` is the revision that is whole with this write: simulated sensors paint it, others need not know. It may
  /// come without any setting.
  ///
  /// \units   now: on clock().
  /// \errors  not_supported     a setting that settings_caps() does not have; nothing was written.
  ///          invalid_argument  the driver refuses the values; what was before stays.
  ///          io, busy          the driver failed; what was before may have changed in part.
  ///          device_lost       it went away, as dequeue() will say.
  virtual Result<SettingsChange> write(const SettingsChange& change,
                                       std::optional<std::uint32_t> completes, Nanoseconds now) = 0;
};

/// A kind of sensor.
class LOCKSTEP_API SensorBackend {
 public:
  virtual ~SensorBackend() = default;

  /// The name users write before the colon.
  virtual std::string_view name() const = 0;
  /// One line for listings.
  virtual std::string_view description() const = 0;
  /// The sensors found on this machine, as names to open. Simulated ones: one example.
  virtual std::vector<std::string> list() const = 0;
  /// Opens one.
  ///
  /// \errors  invalid_argument   an unknown option or a value out of range; the text says what
  /// there is.
  ///          not_found          no such device.
  ///          busy               someone else has it.
  ///          not_supported      the device captures no video.
  ///          permission_denied  the user may not open it.
  virtual Result<std::unique_ptr<Sensor>> open(const SensorSpec& spec) const = 0;
};

/// Every backend that this build has.
LOCKSTEP_API std::span<const SensorBackend* const> sensor_backends();

/// The backend of that name. \errors not_found names those there are.
LOCKSTEP_API Result<const SensorBackend*> find_sensor_backend(std::string_view name);

}  // namespace lockstep
