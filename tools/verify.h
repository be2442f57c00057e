// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace lockstep::tools {

struct VerifyOptions {
  std::string file;
  std::optional<std::uint32_t> rows;         ///< With `columns`; found out if not given.
  std::optional<std::uint32_t> columns;      ///< With `rows`.
  std::optional<std::size_t> sensors;        ///< Found out if not given.
  bool stream = false;                       ///< One sensor's pictures, whichever it is.
  std::optional<std::int64_t> tolerance_us;  ///< Half a frame period if not given.
  std::optional<std::uint64_t> batches;
  bool allow_missing = false;
  bool json = false;
  std::string png;                          ///< Where to write one picture; empty: nowhere.
  std::optional<std::uint64_t> png_number;  ///< Which; the last if not given.
};

/// Runs `lockstep verify`; answers the exit status.
int run_verify(const VerifyOptions& options);

}  // namespace lockstep::tools
