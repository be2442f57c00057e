// SPDX-License-Identifier: MIT
#pragma once

#include <linux/videodev2.h>

#include <cstdint>
#include <string>

#include "lockstep/result.h"
#include "support/unique_fd.h"

namespace lockstep {

/// An open V4L2 device that captures video by streaming.
class V4l2Device {
 public:
  static constexpr int kInputAsItIs = -1;

  /// Opens it without waiting and switches it to `input`, unless that is kInputAsItIs.
  ///
  /// \errors  not_found          no such device, or no such input.
  ///          permission_denied  the user may not open it.
  ///          busy               someone else streams from another input.
  ///          not_supported      it is no V4L2 device, or one that captures no video.
  static Result<V4l2Device> open(const std::string& path, int input);

  /// One ioctl, repeated when a signal interrupts it. Answers 0 or errno.
  int call(unsigned long request, void* argument) const;

  /// The error of a failed call(): act, device, the system's text, and what to do about it.
  Error error(int errno_value, const std::string& act) const;

  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }
  /// "vivid (vivid, platform:vivid-000)".
  std::string description() const;
  bool multiplanar() const { return caps_ & V4L2_CAP_VIDEO_CAPTURE_MPLANE; }
  std::uint32_t buffer_type() const {
    return multiplanar() ? V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE : V4L2_BUF_TYPE_VIDEO_CAPTURE;
  }

 private:
  UniqueFd fd_;
  std::string path_;
  v4l2_capability capability_{};
  std::uint32_t caps_ = 0;  // of this node, not of the whole device
};

/// An open V4L2 sub-device: the sensor behind a camera whose controls are not the camera's own.
class V4l2Subdevice {
 public:
  /// \errors  not_found, permission_denied  as V4l2Device::open().
  ///          not_supported                 it is no V4L2 sub-device, or has no pad.
  static Result<V4l2Subdevice> open(const std::string& path);

  /// As V4l2Device::call().
  int call(unsigned long request, void* argument) const;

  const std::string& path() const { return path_; }
  /// Size of the frames at its first pad, which its timing counts in.
  std::uint32_t width() const { return width_; }
  std::uint32_t height() const { return height_; }

 private:
  UniqueFd fd_;
  std::string path_;
  std::uint32_t width_ = 0;
  std::uint32_t height_ = 0;
};

}  // namespace lockstep
