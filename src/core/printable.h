// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace lockstep {

/// The byte as "%0A", as names of sensors write it.
std::string percent_escaped(char byte);

/// Text of a user for a message: what is not plain ASCII escaped, and cut where it is long.
std::string printable(std::string_view text);

}  // namespace lockstep
