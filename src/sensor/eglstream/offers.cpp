// SPDX-License-Identifier: MIT
#include "sensor/eglstream/offers.h"

#include <map>
#include <utility>

#include "support/mutex.h"

namespace lockstep {
namespace {

Mutex offers_mutex;
std::map<std::string, OfferedEglStream>& offers()
    LOCKSTEP_THREAD_ATTRIBUTE(requires_capability(offers_mutex)) {
  static std::map<std::string, OfferedEglStream> all;
  return all;
}

Error not_offered(const std::string& name, const std::string& names) {
  return Error{Errc::not_found, 0,
               "no EGLStream was offered as @" + name +
                   "; there is: " + (names.empty() ? "none" : names) + " (see offer_egl_stream())"};
}

Result<OfferedEglStream> look_up(const std::string& name, bool take) {
  MutexLock lock(offers_mutex);
  auto& all = offers();
  const auto found = all.find(name);
  if (found != all.end()) {
    const OfferedEglStream offered = found->second;
    if (take) all.erase(found);
    return offered;
  }
  std::string names;
  for (const auto& [other, offered] : all) names += (names.empty() ? "@" : ", @") + other;
  return not_offered(name, names);
}

}  // namespace

Result<EglGreeting> greeting_of(const Format& format, ColourMatrix matrix, ColourRange range) {
  const EglGreeting greeting{format, {format.pixel_format, matrix, range}};
  if (auto layout = default_layout(format.pixel_format, format.width, format.height); !layout)
    return std::move(layout).error();
  if (egl_format_of(greeting.colour)) return greeting;
  return Error{Errc::invalid_argument, 0,
               "an EGLStream of " + to_string(greeting.colour) +
                   ", wanted NV12, P010_10LE, GRAY8, BGRx or RGBA, NV12 in full range as bt601"};
}

Result<OfferedEglStream> offered_egl_stream(const std::string& name) {
  return look_up(name, false);
}

Result<OfferedEglStream> take_egl_stream(const std::string& name) { return look_up(name, true); }

std::vector<std::string> offered_egl_streams() {
  MutexLock lock(offers_mutex);
  std::vector<std::string> names;
  for (const auto& [name, offered] : offers()) names.push_back(name);
  return names;
}

Result<void> offer_egl_stream(const std::string& name, const OfferedEglStream& offered) {
  if (name.empty() || !offered.display || !offered.stream)
    return Error{Errc::invalid_argument, 0, "offer an EGLStream without a name, display or stream"};
  auto greeting = greeting_of(offered.format, offered.matrix, offered.range);
  if (!greeting) return std::move(greeting).error();
  MutexLock lock(offers_mutex);
  offers()[name] = offered;
  return {};
}

void withdraw_egl_stream(const std::string& name) {
  MutexLock lock(offers_mutex);
  offers().erase(name);
}

}  // namespace lockstep
