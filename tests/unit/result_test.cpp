// SPDX-License-Identifier: MIT
#include "lockstep/result.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace lockstep {
namespace {

TEST(Error, TextOfTheNumberSaysWhoseItIs) {
  EXPECT_EQ(number_text(system_error(ENOMEM, "allocate")), "errno 12");
  EXPECT_EQ(number_text({Errc::io, 2, "copy", ErrorDomain::cuda}), "CUDA error 2");
  EXPECT_EQ(number_text({Errc::io, 0x3003, "present", ErrorDomain::egl}), "EGL error 0x3003");
  EXPECT_EQ(number_text({Errc::io, 3, "decode", ErrorDomain::gstreamer}), "GStreamer error 3");
  EXPECT_EQ(number_text({Errc::invalid_argument, 0, "configure"}), "");
}

}  // namespace
}  // namespace lockstep
