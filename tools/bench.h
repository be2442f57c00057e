// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

namespace lockstep::tools {

/// Runs the benchmark program in place of this one, with `arguments`; answers the exit status if it
/// cannot.
int run_bench(const std::vector<std::string>& arguments);

}  // namespace lockstep::tools
