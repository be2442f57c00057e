// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace lockstep::tools {

// All that commands write to standard output and standard error, but for what is drawn on a terminal
// (terminal.h, progress.h). Nothing here throws, and a reader that has gone away ends nothing by
// itself: commands that have something to finish ignore SIGPIPE.

/// Writes one line to standard output, made printable: whatever names it holds, it stays one line.
void print_line(std::string_view line);

/// Writes text to standard output as it is. For what is printable already and may have many lines.
void print_text(std::string_view text);

/// Writes out what standard output holds back; false if anything could not be written so far.
bool flush_output();

/// Writes "lockstep COMMAND: text" to standard error, made printable; without the name where
/// `command` is empty.
void report(std::string_view command, std::string_view text);

/// Writes out what is held back at the end of a command. Returns the exit status: `status`, or
/// kFailed where all went well but the output, which is then reported. A reader that has seen
/// enough and gone is no failure.
int end_output(int status);

}  // namespace lockstep::tools
