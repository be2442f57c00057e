// SPDX-License-Identifier: MIT
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>

#include "capture_options.h"

namespace lockstep::tools {

/// Options that several commands have, under the same names.
void add_capture_options(CLI::App& command, CaptureOptions& options);
void add_light_options(CLI::App& command, LightOptions& options);
/// When to end: after so many batches, or so much capture time, but not both.
void add_end_options(CLI::App& command, std::optional<std::uint64_t>& batches,
                     std::optional<double>& duration_s);

/// Refuses what is not a number within the bounds, NaN too, which lies on neither side of them.
CLI::Validator within(double low, double high);

}  // namespace lockstep::tools
