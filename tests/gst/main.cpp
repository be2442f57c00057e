// SPDX-License-Identifier: MIT
#include <gst/gst.h>
#include <gtest/gtest.h>

#include "test_files.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  gst_init(&argc, &argv);
  const int failed = lockstep::select_test_file(argc, argv) ? RUN_ALL_TESTS() : 2;
  gst_deinit();
  return failed;
}
