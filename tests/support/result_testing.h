// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <string_view>

#include "lockstep/result.h"

namespace lockstep {

/// Holds if `result` is a success; shows its error otherwise. EXPECT_TRUE(succeeds(result)).
template <typename T>
testing::AssertionResult succeeds(const Result<T>& result) {
  if (result) return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << to_string(result.error().code) << ": " << result.error().what;
}

/// Holds if `result` failed with `code` and its text contains `text`.
template <typename T>
testing::AssertionResult fails(const Result<T>& result, Errc code, std::string_view text = "") {
  if (result) return testing::AssertionFailure() << "it succeeded";
  if (result.error().code == code && result.error().what.find(text) != std::string::npos)
    return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << to_string(result.error().code) << ": " << result.error().what;
}

}  // namespace lockstep
