// SPDX-License-Identifier: MIT
// EGLStreams of a build without CUDA's or EGL's headers: they cannot be had, and it says so.
#include "lockstep/eglstream.h"
#include "sensor/backends.h"

namespace lockstep {

const SensorBackend* eglstream_backend() { return nullptr; }

struct EglCamera::State {};

Result<void> offer_egl_stream(const std::string&, const OfferedEglStream&) {
  return no_eglstreams();
}
void withdraw_egl_stream(const std::string&) {}
EglCamera::EglCamera(std::unique_ptr<State>) {}
EglCamera::~EglCamera() = default;
Result<std::unique_ptr<EglCamera>> EglCamera::open(const Config&) { return no_eglstreams(); }
Result<void> EglCamera::run() { return no_eglstreams(); }
void EglCamera::interrupt() {}
EglCamera::Stats EglCamera::stats() const { return {}; }

}  // namespace lockstep
