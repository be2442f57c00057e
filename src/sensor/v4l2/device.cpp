// SPDX-License-Identifier: MIT
#include "sensor/v4l2/device.h"

#include <fcntl.h>
#include <linux/v4l2-subdev.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

namespace lockstep {
namespace {

template <std::size_t N>
std::string text_of(const __u8 (&field)[N]) {
  const char* text = reinterpret_cast<const char*>(field);
  return std::string(text, strnlen(text, N));
}

// What a node that captures no video is for.
const char* purpose_of(std::uint32_t caps) {
  if (caps & (V4L2_CAP_VIDEO_M2M | V4L2_CAP_VIDEO_M2M_MPLANE)) return "it converts video";
  if (caps & (V4L2_CAP_VIDEO_OUTPUT | V4L2_CAP_VIDEO_OUTPUT_MPLANE)) return "it is a video output";
  if (caps & V4L2_CAP_META_CAPTURE) return "it captures metadata";
  if (caps & (V4L2_CAP_VBI_CAPTURE | V4L2_CAP_SLICED_VBI_CAPTURE)) return "it captures teletext";
  if (caps & (V4L2_CAP_RADIO | V4L2_CAP_SDR_CAPTURE)) return "it is a radio";
  return "it has no such capability";
}

const char* remedy(int errno_value) {
  switch (errno_value) {
    case EACCES:
    case EPERM:
      return "; give the user access to it (group video)";
    case EBUSY:
      return "; another program uses it";
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return "; `lockstep sensors` lists those there are";
    case ENOSPC:
      return "; its bus has no bandwidth left: ask for smaller or fewer frames, or use another "
             "port";
    default:
      return "";
  }
}

int call_on(int fd, unsigned long request, void* argument) {
  int result;
  do result = ioctl(fd, request, argument);
  while (result < 0 && errno == EINTR);
  return result < 0 ? errno : 0;
}

Error no_v4l2_device(const std::string& path) {
  return Error{Errc::not_supported, 0, "this is no V4L2 device: " + path};
}

}  // namespace

Result<V4l2Device> V4l2Device::open(const std::string& path, int input) {
  V4l2Device device;
  device.path_ = path;
  struct stat node {};
  if (stat(path.c_str(), &node) == 0 && !S_ISCHR(node.st_mode)) return no_v4l2_device(path);
  device.fd_ = UniqueFd(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!device.fd_) return device.error(errno, "open");

  if (int failed = device.call(VIDIOC_QUERYCAP, &device.capability_)) {
    if (failed == ENOTTY || failed == EINVAL) return no_v4l2_device(path);
    return device.error(failed, "ask what it is");
  }
  const v4l2_capability& all = device.capability_;
  device.caps_ = all.capabilities & V4L2_CAP_DEVICE_CAPS ? all.device_caps : all.capabilities;
  const bool captures = device.caps_ & (V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_VIDEO_CAPTURE_MPLANE);
  if (!captures || !(device.caps_ & V4L2_CAP_STREAMING))
    return Error{Errc::not_supported, 0,
                 device.description() + " captures no video, " +
                     (captures ? "it cannot stream" : purpose_of(device.caps_)) + ": " + path};

  if (input == kInputAsItIs) return device;
  if (int failed = device.call(VIDIOC_S_INPUT, &input)) {
    Error error = device.error(failed, "switch to input " + std::to_string(input));
    if (failed == EINVAL || failed == ENOTTY) error.code = Errc::not_found;
    return error;
  }
  return device;
}

int V4l2Device::call(unsigned long request, void* argument) const {
  return call_on(fd_.get(), request, argument);
}

Error V4l2Device::error(int errno_value, const std::string& act) const {
  Error error = system_error(errno_value, act + " " + path_);
  error.what += remedy(errno_value);
  return error;
}

std::string V4l2Device::description() const {
  return text_of(capability_.card) + " (" + text_of(capability_.driver) + ", " +
         text_of(capability_.bus_info) + ")";
}

Result<V4l2Subdevice> V4l2Subdevice::open(const std::string& path) {
  V4l2Subdevice device;
  device.path_ = path;
  device.fd_ = UniqueFd(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!device.fd_) {
    Error error = system_error(errno, "open " + path);
    error.what += remedy(error.os_error);
    return error;
  }
  v4l2_subdev_format format{};
  format.which = V4L2_SUBDEV_FORMAT_ACTIVE;
  if (int failed = device.call(VIDIOC_SUBDEV_G_FMT, &format)) {
    Error error = system_error(failed, "ask for the size of its frames " + path);
    if (failed == ENOTTY || failed == EINVAL)
      error = {Errc::not_supported, failed, "this is no V4L2 sub-device with a pad: " + path};
    return error;
  }
  device.width_ = format.format.width;
  device.height_ = format.format.height;
  return device;
}

int V4l2Subdevice::call(unsigned long request, void* argument) const {
  return call_on(fd_.get(), request, argument);
}

}  // namespace lockstep
