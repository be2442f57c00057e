// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lockstep/frame.h"
#include "lockstep/result.h"
#include "lockstep/settings.h"
#include "lockstep/time.h"
#include "output_file.h"

namespace lockstep::tools {

inline double microseconds(Nanoseconds time) { return static_cast<double>(time.count()) / 1e3; }

/// What the pixels of one frame tell of its light. \units as in Metering.
struct LightReading {
  double luma = 0;  ///< Metering::trimmed_mean.
  double clipped_dark = 0;
  double clipped_bright = 0;
  double red = 0;
  double green = 0;
  double blue = 0;
};

/// What one batch tells of the light of one sensor. Where the frame is missing only that holds.
struct LightSample {
  FrameState state = FrameState::missing;
  std::uint32_t revision = 0;
  SettingsState settings_state = SettingsState::unknown;
  Settings settings;
  std::optional<LightReading> reading;  ///< Nothing where the frame was not metered.
  Nanoseconds offset{0};                ///< Its capture time, from the batch's on.
};

/// What one batch tells of the light of all its sensors, wherever the batch came from.
struct LightRow {
  std::uint64_t batch = 0;
  Nanoseconds captured{0};  ///< On the rig's clock.
  bool uniform = false;
  Nanoseconds skew{0};
  std::vector<LightSample> sensors;  ///< In slot order.
};

LightRow light_row(const Batch& batch);

/// The line of names above the rows of so many sensors, with its line end.
std::string csv_header(std::size_t num_sensors);

/// One line of comma-separated values, with its line end. A cell is empty where its value is not
/// known. The decimal point is a point in every locale.
std::string csv_line(const LightRow& row);

/// A file of light rows, one line a batch.
///
/// Lines are gathered and written in blocks. Once a write fails nothing more is written, and what
/// is in the file ends with a whole line.
/// \thread  one caller at a time.
class LightLog {
 public:
  /// Opens the file; what is in it stays until the first line is written. A new file that got no
  /// line is taken away again.
  ///
  /// \errors  as OutputFile::open()
  static Result<std::unique_ptr<LightLog>> create(const std::string& path, bool overwrite);

  /// \errors  io  it cannot be written, told once: later calls do nothing.
  Result<void> add(const LightRow& row);
  /// Writes what is still to be written.
  /// \errors  io  the first failure, whether or not add() told it.
  Result<void> finish();

  const std::string& path() const { return file_.path(); }
  std::uint64_t lines() const { return lines_; }  ///< Without the header.
  bool failed() const { return failure_.has_value(); }

 private:
  explicit LightLog(OutputFile file) : file_(std::move(file)) {}
  Result<void> write_out();
  Result<void> fail(int errno_value, std::size_t done);

  OutputFile file_;
  std::optional<Error> failure_;
  std::uint64_t lines_ = 0;
  std::string pending_;
};

}  // namespace lockstep::tools
