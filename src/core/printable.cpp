// SPDX-License-Identifier: MIT
#include "core/printable.h"

#include <array>

namespace lockstep {
namespace {

constexpr std::string_view kLeftOut = "...";

bool continues_character(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

// The bytes of a character by its first one; 0 if none begins so.
std::size_t length_by_first(unsigned char first) {
  if (first < 0x80) return 1;
  if (first < 0xc2) return 0;
  if (first < 0xe0) return 2;
  if (first < 0xf0) return 3;
  return first < 0xf5 ? 4 : 0;
}

// \source RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_well_formed(char32_t code, std::size_t length) {
  constexpr std::array<char32_t, 5> kLeast = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  return code >= kLeast[length] && code <= 0x10ffff && !surrogate;
}

// \source Unicode: categories Cc, Zl, Zp, and the property Bidi_Control.
bool is_shown(char32_t code) {
  const bool control = code < 0x20 || (code >= 0x7f && code < 0xa0);
  const bool ends_line = code == 0x2028 || code == 0x2029;
  const bool turns = code == 0x61c || code == 0x200e || code == 0x200f ||
                     (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
  return !control && !ends_line && !turns;
}

std::string escaped(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::size_t bytes = printable_bytes(text);
    if (bytes > 0) {
      result += text.substr(0, bytes);
    } else {
      result += percent_escaped(text.front());
    }
    text.remove_prefix(bytes > 0 ? bytes : 1);
  }
  return result;
}

}  // namespace

std::size_t printable_bytes(std::string_view text) {
  if (text.empty()) return 0;
  const auto first = static_cast<unsigned char>(text.front());
  const std::size_t length = length_by_first(first);
  if (length == 0 || length > text.size()) return 0;
  char32_t code = length == 1 ? first : first & (0x7fU >> length);
  for (const char byte : text.substr(1, length - 1)) {
    if (!continues_character(byte)) return 0;
    code = code << 6 | (static_cast<unsigned char>(byte) & 0x3fU);
  }
  return is_well_formed(code, length) && is_shown(code) ? length : 0;
}

std::string percent_escaped(char byte) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  const auto value = static_cast<unsigned char>(byte);
  return {'%', kDigits[value >> 4], kDigits[value & 15]};
}

std::string printable(std::string_view text, std::size_t most_bytes) {
  std::string result = escaped(text);
  if (result.size() <= most_bytes) return result;
  // What is wrong often stands at the end: a third of the room is kept for it.
  const std::size_t room = most_bytes - kLeftOut.size();
  std::size_t tail = result.size() - room / 3;
  while (tail < result.size() && continues_character(result[tail])) ++tail;
  std::size_t head = room - room / 3;
  while (head > 0 && continues_character(result[head])) --head;
  return result.replace(head, tail - head, kLeftOut);
}

}  // namespace lockstep
