// SPDX-License-Identifier: MIT
// What the CUDA driver answers, as an Error. Takes no driver.
#include <gtest/gtest.h>

#include "cuda/driver.h"

namespace lockstep {
namespace {

// Example failure: CUDA's "out of memory" is 2, and ENOENT is.
TEST(CudaError, IsNoErrno) {
  const Error error = cuda_error(CUDA_ERROR_OUT_OF_MEMORY, "allocate a slot");
  EXPECT_EQ(error.code, Errc::out_of_memory);
  EXPECT_EQ(error.domain, ErrorDomain::cuda);
  EXPECT_EQ(number_text(error), "CUDA error 2");
}

}  // namespace
}  // namespace lockstep
