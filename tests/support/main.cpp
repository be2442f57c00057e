// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "test_files.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  return lockstep::select_test_file(argc, argv) ? RUN_ALL_TESTS() : 2;
}
