// SPDX-License-Identifier: MIT
#pragma once

namespace lockstep::bench {

/// What the benchmark program does where it is started as a camera in a process of its own: --camera SOCKET INDEX.
int be_camera(char** arguments);

}  // namespace lockstep::bench
