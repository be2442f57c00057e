// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lockstep/format.h"
#include "lockstep/frame.h"
#include "lockstep/result.h"
#include "lockstep/time.h"
#include "sensor/eglstream/colour.h"
#include "support/unique_fd.h"

namespace lockstep {

// How a camera process and a consumer of its frames meet: a Unix socket of packets (SOCK_SEQPACKET). The camera listens. It
// greets whoever connects with what it delivers; the consumer answers with a stream of EGL, made as it wants it, as an fd;
// the camera connects to that and presents frames. Whoever closes the socket is gone.

/// What a camera greets with.
struct EglGreeting {
  Format format;
  EglColour colour;  ///< Its pixel format is format's.

  friend bool operator==(const EglGreeting&, const EglGreeting&) = default;
};

/// "lockstep-eglstream 1 format=NV12 width=1920 height=1080 framerate=30/1 matrix=bt709 range=video".
std::string text_of(const EglGreeting& greeting);

/// \errors  not_supported  it is none, of another version, or says what we do not know.
Result<EglGreeting> read_greeting(std::string_view text);

/// What a camera answers instead when it has a consumer already.
inline constexpr std::string_view kEglBusy = "lockstep-eglstream busy";
/// What a consumer sends with its stream.
inline constexpr std::string_view kEglStream = "lockstep-eglstream stream";

/// A listening socket. What lies at `path` from a camera that died is taken away; what is served is not.
/// \errors  invalid_argument  a path too long for a socket.
///          busy              somebody serves it.
///          permission_denied, io  it cannot be made.
Result<UniqueFd> listen_at(const std::string& path);

/// \errors  not_found          there is no such socket, or nobody serves it.
///          permission_denied  the user may not connect to it.
Result<UniqueFd> connect_to(const std::string& path);

/// The next packet, and the fd that came with it if any; nothing if none comes in time; empty text once the other has gone.
struct EglPacket {
  std::string text;
  UniqueFd fd;
};
Result<EglPacket> receive_packet(int socket, Nanoseconds timeout);
/// `fd` is sent along unless it is -1. \errors device_lost the other has gone.
Result<void> send_packet(int socket, std::string_view text, int fd);
/// Whether the other has gone.
bool has_hung_up(int socket);

/// What travels with each frame, in metadata block 0 of the stream (EGL_NV_stream_metadata). All zero where the producer
/// sends none.
struct EglFrameMetadata {
  static constexpr std::uint32_t kMagic = 0x4b434f4c;  // "LOCK"
  static constexpr std::int32_t kType = 0x4c4b;        // what EGL_METADATA0_TYPE_NV says

  std::uint32_t magic = 0;
  std::uint32_t version = 0;     ///< 1.
  std::uint64_t sequence = 0;    ///< Trigger count of the camera.
  std::int64_t captured_ns = 0;  ///< On CLOCK_MONOTONIC.
  std::uint32_t reference = 0;   ///< As ReferencePoint.
  std::uint32_t settings_revision = 0;
  std::int64_t exposure_ns = 0;  ///< 0 where the camera does not tell.
  std::int64_t frame_duration_ns = 0;
  double analogue_gain = 1;
  double digital_gain = 1;
  double red_gain = 1;
  double blue_gain = 1;
};
static_assert(sizeof(EglFrameMetadata) == 80);

/// What travels with a frame of that information. `sensor` and `copies` do not: the consumer knows better.
EglFrameMetadata metadata_of(const FrameInfo& info);
/// The same back; nothing where the producer sent none, or what we do not know.
std::optional<FrameInfo> info_of(const EglFrameMetadata& metadata);

}  // namespace lockstep
