// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "lockstep/colour.h"
#include "lockstep/export.h"
#include "lockstep/format.h"
#include "lockstep/result.h"
#include "lockstep/sensor_spec.h"

/// EGLStreams: frames that another API or another process renders on the GPU, as cameras of a rig.
///
/// A sensor `eglstream:/run/camera.sock` is a camera in another process; `eglstream:@name` is a stream of this process.
namespace lockstep {

/// An EGLStream of this process that a rig is to consume.
struct OfferedEglStream {
  void* display = nullptr;  ///< The EGLDisplay of the stream.
  void* stream =
      nullptr;  ///< The EGLStreamKHR, with neither consumer nor producer yet. Stays the program's, see below.
  Format format;  ///< Of the frames that will come.
  ColourMatrix matrix = ColourMatrix::bt709;
  ColourRange range = ColourRange::video;
};

/// Makes a stream known as the sensor `eglstream:@name`. CUDA connects to it when the sensor starts; the program connects
/// the producer then. Frames are taken as they come: metadata as `lockstep camera` sends it, if there is some. Each is
/// delivered once, also where the stream repeats its last frame (EGL_SUPPORT_REUSE_NV, EGL's default), and the first may take
/// any time.
///
/// A stream serves once, from start() to stop() or to the loss of its producer. Before the next start, or to let a lost
/// sensor come back, offer a new one under the same name. The program destroys a stream when nobody holds frames of it any
/// more.
///
/// \errors  invalid_argument  no name, no stream, or a format that EGLStreams cannot carry.
///          not_supported     this build has no EGLStreams.
/// \thread  any.
LOCKSTEP_API Result<void> offer_egl_stream(const std::string& name,
                                           const OfferedEglStream& offered);
/// Forgets what was offered under that name; who has it keeps it.
LOCKSTEP_API void withdraw_egl_stream(const std::string& name);

/// A camera that delivers its frames to another process as an EGLStream: a sensor of this process, its frames put into GPU
/// memory and presented there with capture time, sequence and settings. What `lockstep camera` runs.
///
/// One consumer at a time; others are told that it is busy. A consumer that goes, or dies with frames held, is forgotten, and
/// the next may come. While nobody consumes, frames are dropped.
class LOCKSTEP_API EglCamera {
 public:
  struct Config {
    std::string socket;                ///< Path of the socket that consumers connect to.
    SensorSpec sensor{"sim", "", {}};  ///< Whose frames; one on the real clock.
    Format format;                     ///< NV12, P010_10LE, GRAY8, BGRx or RGBA.
    std::uint32_t index = 0;           ///< Which sensor of its rig it is: simulated ones paint it.
    bool arrays = false;               ///< Present CUDA arrays, not pitch-linear memory.
    int gpu = 0;
    /// Told why a consumer was let go, or refused; from within run().
    std::function<void(const Error&)> on_trouble;
  };
  struct Stats {
    std::uint64_t captured = 0;   ///< Frames of the sensor.
    std::uint64_t presented = 0;  ///< Of those, that went into a stream.
    std::uint64_t dropped = 0;    ///< Of those, that came while a consumer held every buffer.
    std::uint64_t consumers = 0;  ///< That have come so far.
  };

  /// \errors  not_supported  this build has no EGLStreams, there is no driver, no EGL, or a format they cannot carry.
  ///          busy           somebody serves that socket already.
  ///          others         as SensorBackend::open() and Sensor::configure().
  static Result<std::unique_ptr<EglCamera>> open(const Config& config);
  ~EglCamera();
  EglCamera(const EglCamera&) = delete;
  EglCamera& operator=(const EglCamera&) = delete;

  /// Captures and serves until interrupt().
  /// \errors  device_lost  the sensor or the GPU failed.
  Result<void> run();
  /// Makes run() return. \thread any; a signal handler too.
  void interrupt();
  /// \thread any.
  Stats stats() const;

 private:
  struct State;
  explicit EglCamera(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace lockstep
