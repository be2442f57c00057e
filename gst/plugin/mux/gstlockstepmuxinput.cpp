// SPDX-License-Identifier: MIT
#include "gstlockstepmuxinput.h"

#include <algorithm>
#include <utility>

namespace lockstep {
namespace {

auto find_token(auto& waiting, std::uint64_t token) {
  return std::find_if(waiting.begin(), waiting.end(),
                      [token](const auto& entry) { return entry.first == token; });
}

}  // namespace

MuxFrame MuxInput::take(std::uint64_t token) {
  const auto found = find_token(waiting, token);
  MuxFrame frame = std::move(found->second);
  waiting.erase(found);
  space.notify_all();
  return frame;
}

}  // namespace lockstep
