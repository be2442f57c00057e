// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "lockstep/printable.h"

namespace lockstep {

/// How many bytes the printable character takes that `text` begins with; 0 if it begins with none.
std::size_t printable_bytes(std::string_view text);

/// The byte as "%0A", as names of sensors write it.
std::string percent_escaped(char byte);

/// A name as messages quote it: printable and short.
inline std::string quotable(std::string_view name) { return printable(name, kQuotedBytes); }

}  // namespace lockstep
