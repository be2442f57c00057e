// SPDX-License-Identifier: MIT
#include "sensor/eglstream/link.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>

#include "core/printable.h"

namespace lockstep {
namespace {

constexpr std::string_view kHead = "lockstep-eglstream ";
constexpr std::string_view kVersion = "1";

Error no_greeting(std::string_view text) {
  return Error{
      Errc::not_supported, 0,
      "understand \"" + quotable(text) +
          "\", wanted \"lockstep-eglstream 1 format=... width=... height=... framerate=N/D "
          "matrix=... range=...\""};
}

template <typename T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool take_side(std::string_view value, std::uint32_t& side) {
  const auto read = number<std::uint32_t>(value);
  if (!read || *read < 1 || *read > kMaxSide) return false;
  side = *read;
  return true;
}

bool take_rate(std::string_view value, Fraction& rate) {
  const auto slash = value.find('/');
  if (slash == value.npos) return false;
  const auto numerator = number<std::uint32_t>(value.substr(0, slash));
  const auto denominator = number<std::uint32_t>(value.substr(slash + 1));
  if (!numerator || !denominator || *numerator < 1 || *denominator < 1) return false;
  rate = {*numerator, *denominator};
  return true;
}

// False where the value is none. Names that are not known are passed over, for greetings to come.
bool take_field(std::string_view name, std::string_view value, EglGreeting& greeting) {
  if (name == "width") return take_side(value, greeting.format.width);
  if (name == "height") return take_side(value, greeting.format.height);
  if (name == "framerate") return take_rate(value, greeting.format.framerate);
  if (name == "format") {
    const auto format = pixel_format_from(value);
    if (format) greeting.format.pixel_format = greeting.colour.pixel_format = *format;
    return format.has_value();
  }
  if (name == "matrix") {
    greeting.colour.matrix = value == "bt601" ? ColourMatrix::bt601 : ColourMatrix::bt709;
    return value == "bt601" || value == "bt709";
  }
  if (name == "range") {
    greeting.colour.range = value == "full" ? ColourRange::full : ColourRange::video;
    return value == "full" || value == "video";
  }
  return true;
}

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return Error{Errc::invalid_argument, 0,
                 "a socket's path of " + std::to_string(path.size()) + " bytes, wanted 1 to " +
                     std::to_string(sizeof address.sun_path - 1) + ": " + path};
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

UniqueFd new_socket() {
  return UniqueFd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

const sockaddr* generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

}  // namespace

std::string text_of(const EglGreeting& greeting) {
  const Format& format = greeting.format;
  return std::string(kHead) + std::string(kVersion) + " format=" + to_string(format.pixel_format) +
         " width=" + std::to_string(format.width) + " height=" + std::to_string(format.height) +
         " framerate=" + std::to_string(format.framerate.numerator) + "/" +
         std::to_string(format.framerate.denominator) +
         " matrix=" + (greeting.colour.matrix == ColourMatrix::bt601 ? "bt601" : "bt709") +
         " range=" + (greeting.colour.range == ColourRange::full ? "full" : "video");
}

Result<EglGreeting> read_greeting(std::string_view text) {
  if (text.substr(0, kHead.size()) != kHead) return no_greeting(text);
  EglGreeting greeting;
  greeting.format.width = greeting.format.height = 0;
  std::string_view rest = text.substr(kHead.size());
  bool first = true;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    const std::string_view word = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (std::exchange(first, false)) {
      if (word != kVersion) return no_greeting(text);
      continue;
    }
    const std::size_t equals = word.find('=');
    if (equals == word.npos ||
        !take_field(word.substr(0, equals), word.substr(equals + 1), greeting))
      return no_greeting(text);
  }
  if (greeting.format.width == 0 || greeting.format.height == 0) return no_greeting(text);
  return greeting;
}

Result<UniqueFd> connect_to(const std::string& path) {
  auto address = address_of(path);
  if (!address) return std::move(address).error();
  UniqueFd fd = new_socket();
  if (!fd) return system_error(errno, "make a socket");
  if (connect(fd.get(), generic(*address), sizeof *address) == 0) return fd;
  Error error = system_error(errno, "connect to a camera's socket");
  if (error.os_error == ECONNREFUSED || error.os_error == ENOENT || error.os_error == ENOTSOCK ||
      error.os_error == EPROTOTYPE) {
    error.code = Errc::not_found;
    error.what += error.os_error == EPROTOTYPE || error.os_error == ENOTSOCK
                      ? "; it is none of `lockstep camera`"
                      : "; nobody serves it, start `lockstep camera --eglstream` there";
  }
  if (error.os_error == EAGAIN) error.code = Errc::busy;
  error.what += ": " + path;
  return error;
}

Result<UniqueFd> listen_at(const std::string& path) {
  auto address = address_of(path);
  if (!address) return std::move(address).error();
  if (auto other = connect_to(path))
    return Error{Errc::busy, 0, "listen at a socket that somebody serves already: " + path};
  struct stat info {};
  if (lstat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) unlink(path.c_str());
  UniqueFd fd = new_socket();
  if (!fd) return system_error(errno, "make a socket");
  if (bind(fd.get(), generic(*address), sizeof *address) < 0 || listen(fd.get(), 8) < 0) {
    Error error = system_error(errno, "listen at a socket");
    error.what += ": " + path;
    return error;
  }
  return fd;
}

Result<EglPacket> receive_packet(int socket, Nanoseconds timeout) {
  pollfd poll_fd{socket, POLLIN, 0};
  const int ready = poll(&poll_fd, 1, static_cast<int>(timeout / std::chrono::milliseconds(1)));
  if (ready == 0)
    return Error{
        Errc::timed_out, 0,
        "no word within " + std::to_string(timeout / std::chrono::milliseconds(1)) + " ms"};
  std::array<char, 1024> text{};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  iovec part{text.data(), text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t size = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  if (size < 0 && errno != ECONNRESET) return system_error(errno, "receive from a socket");
  EglPacket packet;
  packet.text.assign(text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  const cmsghdr* header = size > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    packet.fd = UniqueFd(fd);
  }
  return packet;
}

Result<void> send_packet(int socket, std::string_view text, int fd) {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  iovec part{const_cast<char*>(text.data()), text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  if (sendmsg(socket, &message, MSG_NOSIGNAL) >= 0) return {};
  Error error = system_error(errno, "send to a socket");
  error.code = Errc::device_lost;
  return error;
}

bool has_hung_up(int socket) {
  char byte = 0;
  const ssize_t size = recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR);
}

EglFrameMetadata metadata_of(const FrameInfo& info) {
  EglFrameMetadata told;
  told.magic = EglFrameMetadata::kMagic;
  told.version = 1;
  told.sequence = info.sequence;
  told.captured_ns = info.captured.since_epoch.count();
  told.reference = static_cast<std::uint32_t>(info.reference);
  told.settings_revision = info.settings_revision;
  told.exposure_ns = info.settings.exposure.count();
  told.frame_duration_ns = info.settings.frame_duration.count();
  told.analogue_gain = info.settings.analogue_gain;
  told.digital_gain = info.settings.digital_gain;
  told.red_gain = info.settings.red_gain;
  told.blue_gain = info.settings.blue_gain;
  return told;
}

std::optional<FrameInfo> info_of(const EglFrameMetadata& metadata) {
  if (metadata.magic != EglFrameMetadata::kMagic) return std::nullopt;
  FrameInfo info;
  info.sequence = metadata.sequence;
  info.captured = {Nanoseconds(metadata.captured_ns), Clock::monotonic};
  info.reference = metadata.reference <= static_cast<std::uint32_t>(ReferencePoint::arrival)
                       ? static_cast<ReferencePoint>(metadata.reference)
                       : ReferencePoint::unknown;
  info.settings = {Nanoseconds(metadata.exposure_ns),
                   metadata.analogue_gain,
                   metadata.digital_gain,
                   metadata.red_gain,
                   metadata.blue_gain,
                   Nanoseconds(metadata.frame_duration_ns)};
  info.settings_revision = metadata.settings_revision;
  return info;
}

}  // namespace lockstep
