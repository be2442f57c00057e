// SPDX-License-Identifier: MIT
#include "command_line.h"

int main(int argc, char** argv) { return lockstep::tools::run_command_line(argc, argv); }
