// SPDX-License-Identifier: MIT
#pragma once

namespace lockstep::tools {

/// Reads the command line and runs the command that it names. Returns the program's exit status (exit_status.h).
int run_command_line(int argc, char** argv);

}  // namespace lockstep::tools
