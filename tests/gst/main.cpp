// SPDX-License-Identifier: MIT
#include <gst/gst.h>
#include <gtest/gtest.h>

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  gst_init(&argc, &argv);
  const int failed = RUN_ALL_TESTS();
  gst_deinit();
  return failed;
}
