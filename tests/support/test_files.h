// SPDX-License-Identifier: MIT
#pragma once

namespace lockstep {

/// Leaves only the tests that the source file FILE.cpp defines, where an argument is --file=FILE; a --gtest_filter goes
/// before it. Many files share a program that way and are still a test each for Meson. To be called after
/// InitGoogleTest(), which leaves that argument alone.
///
/// Returns false, after a line on stderr, where no test is in that file or an argument is unknown.
bool select_test_file(int argc, char** argv);

}  // namespace lockstep
