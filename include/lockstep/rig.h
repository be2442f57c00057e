// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lockstep/colour.h"
#include "lockstep/export.h"
#include "lockstep/format.h"
#include "lockstep/frame.h"
#include "lockstep/histogram.h"
#include "lockstep/light.h"
#include "lockstep/result.h"
#include "lockstep/sensor.h"
#include "lockstep/sensor_spec.h"
#include "lockstep/synchroniser.h"

namespace lockstep {

/// Whether batches are one block of memory.
enum class BatchLayout : std::uint8_t {
  /// Contiguous where that is free, by reference otherwise. Never a copy, unless memory that
  /// devices can import, or memory of a GPU, was asked for and a sensor lends buffers that are not.
  automatic,
  contiguous,  ///< Always contiguous; frames that are not in place are copied once.
  reference,   ///< Always by reference: never a copy.
};

LOCKSTEP_API const char* to_string(BatchLayout layout);

/// Something that happened to a sensor.
struct RigEvent {
  enum class Kind : std::uint8_t {
    sensor_lost,       ///< It went away; `error` says how. The others go on.
    sensor_back,       ///< It delivers again.
    frames_dropped,    ///< `count` frames more were dropped for `reason`.
    settings_refused,  ///< It did not take what was asked; `error` says why. Its last settings stay.
    no_settings,  ///< It lacks control of what was asked, as `error` says, and stays in the rig.
    light_refused,  ///< What an algorithm answers, or an override, was refused; the last settings stay.
                    ///< `error` says why, `sensor` means nothing.
  };
  Kind kind = Kind::frames_dropped;
  std::size_t sensor = 0;
  DropReason reason = DropReason::sensor;
  std::uint64_t count = 0;
  Error error;
};

/// Kebab-case name of the kind, as in "sensor-lost".
LOCKSTEP_API const char* to_string(RigEvent::Kind kind);

/// How frames are to be grouped; what is left open follows the frame rate. See SyncConfig.
struct Grouping {
  std::optional<Nanoseconds> tolerance;  ///< Nothing: half a frame period.
  /// Nothing: one frame period. Arenas are made for the wait that holds when the rig is configured: with a longer one
  /// later, or beyond 16 frame periods, frames that have no slot to come into are dropped as overflow.
  std::optional<Nanoseconds> max_wait;
  OnMissing on_missing = OnMissing::partial;
};

/// Most batches that a rig lets be out at once.
inline constexpr std::size_t kMaxBatches = 64;

/// Longest tolerance and wait that a rig takes.
inline constexpr Nanoseconds kMaxWait = std::chrono::seconds(10);

/// What a rig is made of and how it batches.
struct RigConfig {
  std::vector<SensorSpec> sensors;  ///< 1 to kMaxSensors; sensor i fills slot i.
  std::string memory = "memfd";     ///< Name of a MemoryBackend.
  BatchLayout layout = BatchLayout::automatic;
  Grouping grouping;
  /// Batches that may be out at once; when all are, frames are dropped. 1 to kMaxBatches.
  std::size_t max_batches = 4;
  LightConfig light;
  /// Decides with LightMode::application; else unused.
  std::shared_ptr<LightAlgorithm> algorithm;
  /// Called from within configure(), start(), next_batch() and stop(), without a lock held; for drops at most once a
  /// second for each sensor and reason, for settings at most once a second for each sensor.
  std::function<void(const RigEvent&)> on_event;
};

/// What a rig has counted since start().
struct RigStats {
  struct PerSensor {
    std::string name;
    std::string io;  ///< Which I/O the sensor took and why.
    bool lost = false;
    std::uint64_t frames = 0;                            ///< Fresh frames that left in a batch.
    std::array<std::uint64_t, kNumDropReasons> drops{};  ///< By DropReason.
    std::uint64_t copies = 0;                            ///< Frame copies made.
    std::uint64_t missing = 0;                           ///< Batches that left without its frame.
    std::uint64_t repeated = 0;  ///< Batches that left with its last frame again.
  };
  std::uint64_t batches = 0;          ///< That left.
  std::uint64_t incomplete = 0;       ///< Of those, with a frame missing or repeated.
  std::uint64_t by_reference = 0;     ///< Of those, not contiguous.
  std::uint64_t dropped_batches = 0;  ///< Whole sets that did not leave, for any reason.
  std::vector<PerSensor> sensors;
  Histogram skew;  ///< Of the batches that left with two fresh frames or more, discarded ones too.
  Histogram latency;          ///< From the last frame ready to report_departure().
  std::uint64_t uniform = 0;  ///< Batches that left with Batch::uniform.
  std::uint64_t revisions =
      0;  ///< The newest settings revision; they are counted on from start to start.
  /// Of those, the ones that no frame need ever show: they came faster than frames, and share their instant with a
  /// later one.
  std::uint64_t superseded = 0;
  std::uint64_t late_writes = 0;  ///< Writes of settings that missed their trigger.
  /// Changes that were refused, by us or by a driver, since configure().
  std::uint64_t refused_settings = 0;
};

/// The sensors that are captured together, their memory and their synchroniser: cameras in, batches
/// out.
///
/// Life: open -> configure -> start -> next_batch ... -> stop -> configure .... Batches outlive
/// the rig.
///
/// \thread  configure(), start(), next_batch(), flush() and stop(): one caller at a time. Everything else, and the dropping of
/// batches, from any thread at any time; what it answers may have changed when it returns.
class LOCKSTEP_API Rig {
 public:
  /// Opens every sensor. Nothing streams yet.
  ///
  /// \errors  invalid_argument   no sensor, too many, the same device twice, a bad option, realtime
  /// and virtual sensors mixed.
  ///          not_found, busy, permission_denied, not_supported  as SensorBackend::open() and the
  ///          memory backend.
  static Result<std::unique_ptr<Rig>> open(RigConfig config);

  ~Rig();
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  /// What all sensors can be set to. \errors no_common_format lists what each offers.
  Result<std::vector<FormatOffer>> formats() const;

  /// Sets every sensor and allocates the arenas. A rig that runs is stopped for it.
  ///
  /// A rig that cannot be set up so is set up as before again, and stopped; where that fails too, or it was not configured
  /// before, it is not configured: start() is refused.
  ///
  /// Sensors that lend buffers in the memory of a GPU go with memory=cuda; with other memory only by reference, and only if
  /// all sensors are such.
  ///
  /// \errors  invalid_argument  as check(const Format&); nothing is changed, and a rig that runs goes on.
  ///          not_supported     a sensor cannot do it, the text says which and what it offers; or sensors lend memory of a GPU, and batches would have to be copied from there or be of both
  ///                            kinds; the text says what to ask for.
  ///          out_of_memory, out_of_fds, permission_denied  the arenas cannot be had; nothing stays
  ///          allocated.
  Result<void> configure(const Format& format);

  /// \errors  invalid_argument  the rig is not configured.
  ///          others as Sensor::start(); sensors that had started are stopped again.
  Result<void> start();

  /// Waits for the next batch and hands it over. Sensors that are lost meanwhile are tried again
  /// until they come back, and the others go on; when all are lost it waits.
  ///
  /// Copies nothing, unless the layout is contiguous and a frame lies elsewhere, or as BatchLayout::automatic says. In the
  /// memory of a GPU pixels may still be on their way: CudaPixels::fence orders who reads them.
  /// \shape   frames[i] is sensor i's, missing ones included; planes as Frame::layout says.
  /// \units   Batch::captured on clock(); timeout a duration on the real clock, Nanoseconds::max() for ever.
  /// \errors  timed_out      no batch in time; nothing is lost, call again.
  ///          interrupted    interrupt() was called; frames go on being captured, call resume()
  ///          then this again.
  ///          device_lost    the GPU that frames are copied by failed. Their batch is counted as flushed; sensors go on, and
  ///                         what is not copied can be had, but the GPU's context does not come back in this process.
  ///          not_supported, io  a frame could not be copied; its batch is counted as flushed.
  ///          out_of_memory  the system, or the GPU, gave no memory.
  /// \thread  one caller at a time.
  Result<Batch> next_batch(Nanoseconds timeout);

  /// Makes next_batch() return at once, now or when it is called next, until resume().
  void interrupt();
  void resume();

  /// Throws away what waits for partners, what the sensors have ready, and from now on every set
  /// that was captured before `keep_from`; all of it is counted as flushed.
  /// \units   keep_from on clock().
  /// \thread  as next_batch().
  void flush(Nanoseconds keep_from);

  /// Takes back a batch that goes no further, of those that next_batch() has handed over since start(). Its fresh frames are
  /// counted as dropped for `reason`, and it among the dropped batches, no longer among those that left.
  /// \thread  any, but not at once with start() and stop().
  void discard(Batch batch, DropReason reason);

  /// Stops the sensors and lets go of the arenas; counters stay until the next start().
  void stop();

  /// Tells that a batch has left the caller's hands, for the latency in stats().
  /// \units   ready_at as in Batch.
  void report_departure(Nanoseconds ready_at);

  /// Counts a copy of the frame in each of these slots, which the caller made of a batch, in stats().
  /// \thread  any.
  void report_copies(std::span<const std::size_t> slots);

  /// Changes settings under a new revision, which it returns. It takes effect on the same trigger in every sensor, each
  /// sensor's and each setting's delay counted in; each frame tells whether it was exposed under it. Before start() it
  /// holds from the first frame on.
  ///
  /// One change is for every sensor, those that lack one of its settings aside; or one for each sensor, in slot order.
  ///
  /// Changes that come faster than frames may share an instant: the later ones supersede the others, as stats() count.
  ///
  /// \errors  invalid_argument  a value that is not a number, or that a sensor cannot be set to (the text says which and
  ///                            its range); an exposure longer than the frame, as it is or is asked for with it;
  ///                            neither one change nor one a sensor; a rig that was never configured. Nothing is
  ///                            changed.
  ///          not_supported     no sensor has such a control. Nothing is changed.
  /// \thread  any; takes effect with the next call of next_batch(), or in the one that waits.
  Result<std::uint32_t> apply(const SettingsChange& change);
  Result<std::uint32_t> apply(std::span<const SettingsChange> per_sensor);
  /// Whether apply() would take it now. \errors as apply(); nothing is counted. \thread any.
  Result<void> check_settings(std::span<const SettingsChange> per_sensor) const;

  /// Changes who decides on settings, and how, from the next batch on.
  /// \errors  invalid_argument, not_supported  as check(); an override that a sensor cannot be set to, once the rig is
  ///          configured. Nothing is changed.
  Result<void> set_light(const LightConfig& config);
  LightConfig light() const;

  /// What each sensor can be set to, in slot order. Known once configured.
  std::vector<SettingsCaps> settings_caps() const;
  /// What was last asked of each sensor, in slot order; what its driver made of it once that is known.
  std::vector<Settings> wanted_settings() const;

  /// Changes grouping, while running too, from the next batch on.
  /// \errors  invalid_argument  a time below 0 or above kMaxWait, or no OnMissing; nothing is changed.
  Result<void> set_grouping(const Grouping& grouping);
  /// Tolerance and wait that hold for the present format.
  SyncConfig sync() const;

  /// The clock that batches are captured on: monotonic, or simulated for virtual sensors.
  Clock clock() const;
  /// The present on clock(). \units ns since its epoch.
  Nanoseconds now() const;

  /// Whether the arenas are memory that devices can import.
  bool uses_dmabufs() const;
  /// Whether every frame will be a dma-buf. Known once configured.
  bool delivers_dmabufs() const;
  /// Who will be able to reach the frames. Known once opened.
  MemorySpace frame_space() const;

  /// What it was configured to last.
  Format format() const;
  /// What the frames of each sensor mean, in slot order: as the sensors say, else the usual for their format. Known once
  /// configured. \thread as configure().
  std::vector<Colorimetry> colorimetry() const;
  std::size_t num_sensors() const;
  RigStats stats() const;

 private:
  struct State;
  explicit Rig(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace lockstep
