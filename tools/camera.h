// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "lockstep/format.h"

namespace lockstep::tools {

struct CameraOptions {
  std::string socket;  ///< Where consumers find its EGLStream.
  std::string sensor = "sim";
  std::string pixel_format = "NV12";
  Format format{
      PixelFormat::nv12, 1920, 1080, {30, 1}};  ///< Its pixel format is that of `pixel_format`.
  std::uint32_t index = 0;
  bool arrays = false;
  int gpu = 0;
};

/// Runs `lockstep camera`; answers the exit status.
int run_camera(CameraOptions options);

}  // namespace lockstep::tools
