// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lockstep::bench {

/// Figures by the name of the benchmark, in the unit that it gave them.
using Figures = std::map<std::string, double>;

/// One promise: a ratio of two figures of one run, and what it should be at most (or at least).
struct Ratio {
  std::string what;
  std::string figure;
  std::string baseline;         ///< Empty: the figure itself is judged.
  std::optional<double> bound;  ///< Nothing: told for comparison.
  bool at_least = false;
  std::string unit = "x";
};

/// The promises, in the order in which they are printed.
const std::vector<Ratio>& ratios();

/// Prints each ratio beside its bound; those whose figures were not measured are left out.
void print_ratios(const Figures& figures);

}  // namespace lockstep::bench
