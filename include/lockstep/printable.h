// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "lockstep/export.h"

namespace lockstep {

/// Room for a name that is quoted in a message, and for a whole message. \units bytes
inline constexpr std::size_t kQuotedBytes = 60;
inline constexpr std::size_t kMessageBytes = 16 * 1024;

/// Text from users, devices or files as one line that every terminal, log and message bus can take:
/// well-formed UTF-8 of no more than `most_bytes` (at least 16).
///
/// Control characters, line ends, characters that turn the direction of writing and bytes that are
/// no UTF-8 become %XX, byte by byte, as in names of sensors. Of longer text the middle is left
/// out, with "..." in its place. Text that is printable already stays as it is.
///
/// \thread  any
LOCKSTEP_API std::string printable(std::string_view text, std::size_t most_bytes);

}  // namespace lockstep
