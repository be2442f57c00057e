// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "capture_options.h"

namespace lockstep::tools {

/// What is not given is left to the elements' own defaults.
struct RecordOptions {
  std::string file;
  bool overwrite = false;

  CaptureOptions capture;
  LightOptions light;
  std::optional<double> tolerance_ms;
  std::optional<double> max_wait_ms;
  std::string on_missing;
  std::optional<std::uint32_t> max_batches;

  std::optional<std::uint64_t> batches;  ///< Ends after so many.
  std::optional<double> duration_s;      ///< Ends after that much capture time.

  std::uint32_t width = 0;    ///< Of the recorded picture; 0: the frames side by side.
  std::uint32_t height = 0;   ///< Of the recorded picture; 0: the frames side by side.
  std::uint32_t rows = 0;     ///< 0: as square as possible.
  std::uint32_t columns = 0;  ///< 0: as square as possible.
  std::string encoder = "auto";
  std::optional<std::uint32_t> bitrate_kbit;
  std::string preset;
};

/// Runs `lockstep record`; answers the exit status.
int run_record(const RecordOptions& options);

}  // namespace lockstep::tools
