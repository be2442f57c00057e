// SPDX-License-Identifier: MIT
#include "test_files.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>

namespace lockstep {
namespace {

// The names of the tests that a file defines, as a filter; empty where there are none.
std::string tests_in(std::string_view file) {
  std::string filter;
  const testing::UnitTest& all = *testing::UnitTest::GetInstance();
  for (int s = 0; s < all.total_test_suite_count(); ++s) {
    const testing::TestSuite& suite = *all.GetTestSuite(s);
    for (int t = 0; t < suite.total_test_count(); ++t) {
      const testing::TestInfo& test = *suite.GetTestInfo(t);
      if (std::filesystem::path(test.file()).stem() == file)
        filter += std::string(suite.name()) + "." + test.name() + ":";
    }
  }
  return filter;
}

}  // namespace

bool select_test_file(int argc, char** argv) {
  constexpr std::string_view kOption = "--file=";
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (!argument.starts_with(kOption)) {
      std::fprintf(stderr, "unknown argument: %s\n", argv[i]);
      return false;
    }
    const std::string filter = tests_in(argument.substr(kOption.size()));
    if (filter.empty()) {
      std::fprintf(stderr, "no test of this program is in a file of that name: %s\n", argv[i]);
      return false;
    }
    if (testing::GTEST_FLAG(filter) == "*") testing::GTEST_FLAG(filter) = filter;
  }
  return true;
}

}  // namespace lockstep
