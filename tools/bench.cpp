// SPDX-License-Identifier: MIT
#include "bench.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "exit_status.h"
#include "lockstep/result.h"
#include "output.h"

namespace lockstep::tools {
namespace {

namespace fs = std::filesystem;

// Beside this program where both are installed, in the next folder where both were built.
std::string find_program() {
  std::error_code error;
  const fs::path here = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (const fs::path& candidate :
       {here / "lockstep-bench", here.parent_path() / "bench" / "lockstep-bench"}) {
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

}  // namespace

int run_bench(const std::vector<std::string>& arguments) {
  const std::string program = find_program();
  if (program.empty()) {
    report("bench",
           "run lockstep-bench, it is not in this build; install Google Benchmark "
           "(libbenchmark-dev) and build again with -Dbench=enabled");
    return kCannot;
  }
  std::vector<char*> values{const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments)
    values.push_back(const_cast<char*>(argument.c_str()));
  values.push_back(nullptr);
  execv(program.c_str(), values.data());
  report("bench", system_error(errno, "run " + program).what);
  return kFailed;
}

}  // namespace lockstep::tools
