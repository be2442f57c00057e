// SPDX-License-Identifier: MIT
#include "core/printable.h"

namespace lockstep {

std::string percent_escaped(char byte) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  const auto value = static_cast<unsigned char>(byte);
  return {'%', kDigits[value >> 4], kDigits[value & 15]};
}

std::string printable(std::string_view text) {
  constexpr std::size_t kMost = 60;
  std::string result;
  for (char c : text) {
    if (result.size() >= kMost) return result + "...";
    result += c < 0x20 || c > 0x7e ? percent_escaped(c) : std::string(1, c);
  }
  return result;
}

}  // namespace lockstep
