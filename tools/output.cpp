// SPDX-License-Identifier: MIT
#include "output.h"

#include <cerrno>
#include <cstdio>
#include <string>

#include "exit_status.h"
#include "lockstep/printable.h"
#include "lockstep/result.h"

namespace lockstep::tools {
namespace {

int output_errno = 0;  // Why standard output could first not be written; 0: it could.

void note_failure(bool failed) {
  if (failed && output_errno == 0) output_errno = errno;
}

}  // namespace

void print_line(std::string_view line) { print_text(printable(line, kMessageBytes) + '\n'); }

void print_text(std::string_view text) {
  note_failure(std::fwrite(text.data(), 1, text.size(), stdout) < text.size());
}

bool flush_output() {
  note_failure(std::fflush(stdout) != 0);
  return output_errno == 0;
}

void report(std::string_view command, std::string_view text) {
  std::string line = "lockstep";
  if (!command.empty()) line += " " + std::string(command);
  line += ": " + printable(text, kMessageBytes) + '\n';
  (void)std::fwrite(line.data(), 1, line.size(), stderr);
}

int end_output(int status) {
  if (flush_output() || output_errno == EPIPE || status != kDone) return status;
  report("", system_error(output_errno, "write to standard output").what);
  return kFailed;
}

}  // namespace lockstep::tools
