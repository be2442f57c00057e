// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lockstep/painted_code.h"
#include "lockstep/sensor_spec.h"
#include "lockstep/time.h"

namespace lockstep::tools {

/// What a recording ought to show.
struct Expectation {
  std::size_t num_sensors = 1;  ///< Tile i shows sensor i; tiles beyond show no code.
  bool any_sensor = false;      ///< A single stream: it shows the sensor that it shows first.
  Nanoseconds tolerance{0};     ///< Most that capture times within one picture may differ.
  std::optional<std::uint64_t> num_pictures = std::nullopt;
  bool allow_missing = false;  ///< Missing, repeated and unreadable frames are no fault.
};

/// One decoded picture. \shape tiles in row-major order; nothing where no code could be read.
struct Picture {
  std::optional<Nanoseconds> pts = std::nullopt;
  std::vector<std::optional<PaintedCode>> tiles = {};
};

/// What a recording did show. \units counts of frames where nothing else is said.
struct Report {
  struct PerSensor {
    std::size_t sensor = 0;
    std::uint64_t readable = 0;
    std::uint64_t unreadable = 0;   ///< Its tile held no code.
    std::uint64_t missing = 0;      ///< Sequence numbers that no picture shows.
    std::uint64_t repeated = 0;     ///< Shown again.
    std::uint64_t backward = 0;     ///< Sequence number or capture time went back.
    std::uint64_t wrong_place = 0;  ///< Its tile showed another sensor.
  };
  std::uint64_t pictures = 0;
  std::vector<PerSensor> sensors;
  Nanoseconds skew_max{0};             ///< Widest spread of capture times in one picture.
  std::uint64_t beyond_tolerance = 0;  ///< Pictures with a wider spread than allowed.
  std::uint64_t extra_tiles = 0;       ///< Codes in tiles that no sensor has.
  std::uint64_t wrong_pts = 0;         ///< Pictures whose PTS step is not the capture time's.
  std::vector<std::string> findings;   ///< The first few faults, in words.
  std::vector<std::string> faults;     ///< What is wrong in all; empty: nothing is.
};

/// Judges a recording picture by picture. Pure: knows nothing of files and decoders.
///
/// Sequence numbers (24 bits) and capture times (40 bits of microseconds) may wrap around.
class RecordingCheck {
 public:
  /// Faults beyond this many are counted, but not put into words.
  static constexpr std::size_t kMaxFindings = 10;
  /// Most that a step of PTS may differ from the step of capture time.
  /// \source Matroska's clock ticks in milliseconds, and each end of a step is rounded to it.
  static constexpr Nanoseconds kPtsSlack = std::chrono::milliseconds(2);

  explicit RecordingCheck(const Expectation& expectation);

  void add(const Picture& picture);
  Report report() const;

 private:
  struct Track {
    std::optional<PaintedCode> last;
    std::uint64_t last_picture = 0;
  };

  std::optional<std::size_t> sensor_of_tile(std::size_t tile) const;
  Report::PerSensor& counts_of(std::size_t tile) { return report_.sensors[tile]; }
  void check_place(std::size_t tile, const PaintedCode& code);
  bool follow(std::size_t tile, const PaintedCode& code);
  void check_instants(const Picture& picture, const std::vector<PaintedCode>& fresh);
  void find(std::string text);

  Expectation expectation_;
  Report report_;
  std::optional<std::size_t> stream_sensor_;  // The sensor of a single stream, once seen.
  std::array<Track, kMaxSensors> tracks_{};   // By sensor.
  std::optional<Nanoseconds> last_pts_;       // Of the last picture with every frame fresh.
  std::uint64_t last_instant_us_ = 0;         // Its earliest capture time.
};

}  // namespace lockstep::tools
