// SPDX-License-Identifier: MIT
#include "recording_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace lockstep::tools {
namespace {

constexpr int kSequenceBits = 24;
constexpr int kCapturedBits = 40;

// The difference of two numbers of which only the low bits are known, the short way round.
std::int64_t wrapped_difference(std::uint64_t later, std::uint64_t earlier, int bits) {
  const int unknown = 64 - bits;
  return static_cast<std::int64_t>((later - earlier) << unknown) >> unknown;
}

std::int64_t microseconds_between(std::uint64_t later, std::uint64_t earlier) {
  return wrapped_difference(later, earlier, kCapturedBits);
}

bool earlier_capture(const PaintedCode& a, const PaintedCode& b) {
  return microseconds_between(a.captured_us, b.captured_us) < 0;
}

}  // namespace

RecordingCheck::RecordingCheck(const Expectation& expectation) : expectation_(expectation) {
  report_.sensors.resize(expectation.num_sensors);
  for (std::size_t i = 0; i < expectation.num_sensors; ++i) report_.sensors[i].sensor = i;
}

std::optional<std::size_t> RecordingCheck::sensor_of_tile(std::size_t tile) const {
  if (expectation_.any_sensor) return stream_sensor_;
  if (tile >= expectation_.num_sensors) return std::nullopt;
  return tile;
}

void RecordingCheck::add(const Picture& picture) {
  std::vector<PaintedCode> fresh;
  std::vector<std::size_t> misplaced;
  const std::size_t num_tiles = std::max(picture.tiles.size(), expectation_.num_sensors);
  for (std::size_t tile = 0; tile < num_tiles; ++tile) {
    const auto code = tile < picture.tiles.size() ? picture.tiles[tile] : std::nullopt;
    if (tile < expectation_.num_sensors)
      ++(code ? counts_of(tile).readable : counts_of(tile).unreadable);
    if (!code) continue;
    if (expectation_.any_sensor && !stream_sensor_) {
      stream_sensor_ = code->sensor;
      counts_of(tile).sensor = code->sensor;
    }
    if (sensor_of_tile(tile) != code->sensor) {
      misplaced.push_back(tile);
    } else if (follow(tile, *code)) {
      fresh.push_back(*code);
    }
  }
  // After the frames in place, so that a sensor which shows twice is followed where it belongs.
  for (const std::size_t tile : misplaced) {
    const PaintedCode& code = *picture.tiles[tile];
    check_place(tile, code);
    const bool shows_elsewhere = tracks_[code.sensor].last_picture == report_.pictures + 1;
    const bool is_ours = !expectation_.any_sensor && code.sensor < expectation_.num_sensors;
    if (is_ours && !shows_elsewhere && follow(code.sensor, code)) fresh.push_back(code);
  }
  check_instants(picture, fresh);
  ++report_.pictures;
}

void RecordingCheck::check_place(std::size_t tile, const PaintedCode& code) {
  const auto wanted = sensor_of_tile(tile);
  if (!wanted) {
    ++report_.extra_tiles;
    find(fmt::format("picture {}, tile {}: shows sensor {}, wanted none", report_.pictures, tile,
                     code.sensor));
    return;
  }
  ++counts_of(tile).wrong_place;
  find(fmt::format("picture {}, tile {}: shows sensor {}, wanted sensor {}", report_.pictures, tile,
                   code.sensor, *wanted));
}

// Compares with the sensor's frame before and says whether this one is new. `tile` is where the
// sensor belongs.
bool RecordingCheck::follow(std::size_t tile, const PaintedCode& code) {
  Track& track = tracks_[code.sensor];
  Report::PerSensor& counts = counts_of(tile);
  const std::uint64_t picture = report_.pictures + 1;
  const std::int64_t elapsed = static_cast<std::int64_t>(picture - track.last_picture);
  const auto last = std::exchange(track.last, code);
  track.last_picture = picture;
  if (!last) return true;

  const auto step = wrapped_difference(code.sequence, last->sequence, kSequenceBits);
  const auto time_step = microseconds_between(code.captured_us, last->captured_us);
  if (step < 0 || (step > 0 && time_step <= 0)) {
    ++counts.backward;
    find(
        fmt::format("picture {}, sensor {}: frame {} captured at {} us comes after frame {} "
                    "captured at {} us",
                    report_.pictures, code.sensor, code.sequence, code.captured_us, last->sequence,
                    last->captured_us));
    return false;
  }
  // Pictures in which the sensor's tile could not be read are counted there, not here again.
  if (step > elapsed) {
    counts.missing += static_cast<std::uint64_t>(step - elapsed);
    find(fmt::format("picture {}, sensor {}: frame {} follows frame {}, {} missing",
                     report_.pictures, code.sensor, code.sequence, last->sequence, step - elapsed));
  } else if (step < elapsed) {
    counts.repeated += static_cast<std::uint64_t>(elapsed - step);
    find(fmt::format("picture {}, sensor {}: frame {} is shown again", report_.pictures,
                     code.sensor, code.sequence));
  }
  return step > 0;
}

void RecordingCheck::check_instants(const Picture& picture, const std::vector<PaintedCode>& fresh) {
  if (fresh.empty()) return;
  const auto [first, last] = std::minmax_element(fresh.begin(), fresh.end(), earlier_capture);
  const Nanoseconds skew =
      std::chrono::microseconds(microseconds_between(last->captured_us, first->captured_us));
  report_.skew_max = std::max(report_.skew_max, skew);
  if (skew > expectation_.tolerance) {
    ++report_.beyond_tolerance;
    find(fmt::format("picture {}: sensor {} captured {:.3f} ms after sensor {}, allowed {:.3f} ms",
                     report_.pictures, last->sensor, static_cast<double>(skew.count()) / 1e6,
                     first->sensor, static_cast<double>(expectation_.tolerance.count()) / 1e6));
  }

  if (fresh.size() != expectation_.num_sensors || !picture.pts) return;
  if (last_pts_) {
    const Nanoseconds pts_step = *picture.pts - *last_pts_;
    const Nanoseconds capture_step =
        std::chrono::microseconds(microseconds_between(first->captured_us, last_instant_us_));
    if (std::chrono::abs(pts_step - capture_step) > kPtsSlack) {
      ++report_.wrong_pts;
      find(
          fmt::format("picture {}: its time stamp rose by {:.3f} ms, its capture time by {:.3f} "
                      "ms",
                      report_.pictures, static_cast<double>(pts_step.count()) / 1e6,
                      static_cast<double>(capture_step.count()) / 1e6));
    }
  }
  last_pts_ = picture.pts;
  last_instant_us_ = first->captured_us;
}

void RecordingCheck::find(std::string text) {
  if (report_.findings.size() < kMaxFindings) report_.findings.push_back(std::move(text));
}

Report RecordingCheck::report() const {
  Report report = report_;
  Report::PerSensor all;
  for (const auto& sensor : report.sensors) {
    all.unreadable += sensor.unreadable;
    all.missing += sensor.missing;
    all.repeated += sensor.repeated;
    all.backward += sensor.backward;
    all.wrong_place += sensor.wrong_place;
  }
  auto fault = [&report](std::uint64_t count, const char* what) {
    if (count > 0) report.faults.push_back(fmt::format("{} {}", count, what));
  };
  fault(all.wrong_place, "frames in the wrong place");
  fault(report.extra_tiles, "frames in tiles of no sensor");
  fault(all.backward, "frames out of order");
  fault(report.beyond_tolerance, "pictures of more than one instant");
  fault(report.wrong_pts, "pictures with a time stamp that is not their capture time's");
  if (!expectation_.allow_missing) {
    fault(all.missing, "frames missing");
    fault(all.repeated, "frames repeated");
    fault(all.unreadable, "tiles unreadable");
  }
  if (expectation_.num_pictures && *expectation_.num_pictures != report.pictures)
    report.faults.push_back(
        fmt::format("{} pictures instead of {}", report.pictures, *expectation_.num_pictures));
  return report;
}

}  // namespace lockstep::tools
