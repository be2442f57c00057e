// SPDX-License-Identifier: MIT
#pragma once

namespace lockstep::tools {

// What the program tells its caller; `lockstep --help` names them too.
inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;     ///< It was tried and did not work, or the content is wrong.
inline constexpr int kCannot = 2;     ///< Wrong usage, or a file that cannot be read.
inline constexpr int kAborted = 130;  ///< Interrupted twice.

}  // namespace lockstep::tools
