// SPDX-License-Identifier: MIT
#include "lockstep/result.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>

namespace lockstep {

const char* to_string(Errc code) {
  switch (code) {
    case Errc::invalid_argument:
      return "invalid_argument";
    case Errc::not_found:
      return "not_found";
    case Errc::busy:
      return "busy";
    case Errc::not_supported:
      return "not_supported";
    case Errc::no_common_format:
      return "no_common_format";
    case Errc::permission_denied:
      return "permission_denied";
    case Errc::out_of_memory:
      return "out_of_memory";
    case Errc::out_of_fds:
      return "out_of_fds";
    case Errc::device_lost:
      return "device_lost";
    case Errc::timed_out:
      return "timed_out";
    case Errc::interrupted:
      return "interrupted";
    case Errc::io:
      return "io";
  }
  return "unknown";
}

const char* to_string(ErrorDomain domain) {
  switch (domain) {
    case ErrorDomain::system:
      return "errno";
    case ErrorDomain::cuda:
      return "CUDA error";
    case ErrorDomain::egl:
      return "EGL error";
    case ErrorDomain::gstreamer:
      return "GStreamer error";
  }
  return "error";
}

std::string number_text(const Error& error) {
  if (error.os_error == 0) return "";
  const std::string whose = std::string(to_string(error.domain)) + " ";
  if (error.domain != ErrorDomain::egl) return whose + std::to_string(error.os_error);
  // As EGL's headers and documentation write them.
  std::array<char, 16> hex{};
  std::snprintf(hex.data(), hex.size(), "0x%x", static_cast<unsigned>(error.os_error));
  return whose + hex.data();
}

namespace {

Errc code_of(int errno_value) {
  switch (errno_value) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return Errc::not_found;
    case EBUSY:
      return Errc::busy;
    case EACCES:
    case EPERM:
      return Errc::permission_denied;
    case ENOMEM:
      return Errc::out_of_memory;
    case EMFILE:
    case ENFILE:
      return Errc::out_of_fds;
    case EINVAL:
    case ENOTTY:
    case ENOTSUP:
      return Errc::not_supported;
    default:
      return Errc::io;
  }
}

}  // namespace

Error system_error(int errno_value, std::string what) {
  // generic_category().message() is strerror() without its shared buffer.
  return Error{code_of(errno_value), errno_value,
               std::move(what) + ": " + std::generic_category().message(errno_value)};
}

}  // namespace lockstep
