// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include "lockstep/export.h"

namespace lockstep {

/// What kind of trouble it is, told by what the caller can do about it.
enum class Errc {
  invalid_argument,   ///< The request itself is wrong; correct it and call again.
  not_found,          ///< No such sensor, backend or device; list what there is and choose again.
  busy,               ///< Someone else holds the device; stop them or choose another.
  not_supported,      ///< The device or this machine cannot do it; ask for something else.
  no_common_format,   ///< The sensors share no format, size or rate; the text lists what each
                      ///< offers.
  permission_denied,  ///< The user may not open it; change the permission or the user.
  out_of_memory,      ///< Memory ran out; ask for fewer or smaller batches.
  out_of_fds,         ///< The process may open no more files; raise `ulimit -n`.
  device_lost,        ///< The device went away; the others go on, it may come back.
  timed_out,          ///< Nothing happened in time; nothing is lost, call again.
  interrupted,        ///< interrupt() was called; nothing is lost, call resume() and go on.
  io,                 ///< The system refused for another reason; os_error holds it.
};

/// The enumerator's own name, as in "device_lost".
LOCKSTEP_API const char* to_string(Errc code);

/// Whose number Error::os_error is.
enum class ErrorDomain : std::uint8_t {
  system,     ///< An errno.
  cuda,       ///< A CUresult.
  egl,        ///< An error of EGL, as eglGetError() returns it.
  gstreamer,  ///< The code of a GError that GStreamer returned.
};

/// "errno", "CUDA error", "EGL error", "GStreamer error".
LOCKSTEP_API const char* to_string(ErrorDomain domain);

/// One failure: what kind, the number that the failed call gave, and a sentence for the user.
struct Error {
  Errc code = Errc::io;
  int os_error = 0;  ///< Of the failed call, in `domain`; 0 where it gave none. Never re-guessed.
  std::string
      what;  ///< Act, object and values, path last, no full stop; the remedy where there is one.
  ErrorDomain domain = ErrorDomain::system;
};

/// The number with whose it is, as in "errno 12", "CUDA error 2" or "EGL error 0x3003"; empty where there is none.
LOCKSTEP_API std::string number_text(const Error& error);

/// An Error from `errno_value`, with its code chosen by the value and strerror appended to `what`.
///
/// ENOENT/ENODEV/ENXIO: not_found. EBUSY: busy. EACCES/EPERM: permission_denied. ENOMEM:
/// out_of_memory. EMFILE/ENFILE: out_of_fds. EINVAL/ENOTTY/ENOTSUP: not_supported. Anything else:
/// io.
LOCKSTEP_API Error system_error(int errno_value, std::string what);

/// Either a T or the Error that stood in its way.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}      // NOLINT: meant to convert
  Result(Error error) : state_(std::move(error)) {}  // NOLINT: meant to convert

  explicit operator bool() const { return state_.index() == 0; }
  T& operator*() & { return std::get<0>(state_); }
  const T& operator*() const& { return std::get<0>(state_); }
  T&& operator*() && { return std::get<0>(std::move(state_)); }
  T* operator->() { return &std::get<0>(state_); }
  const T* operator->() const { return &std::get<0>(state_); }
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

/// Success, or the Error that stood in its way.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)), ok_(false) {}  // NOLINT: meant to convert

  explicit operator bool() const { return ok_; }
  const Error& error() const& { return error_; }
  Error&& error() && { return std::move(error_); }

 private:
  Error error_;
  bool ok_ = true;
};

}  // namespace lockstep
