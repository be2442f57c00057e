// SPDX-License-Identifier: MIT
#include "lockstep/printable.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep {
namespace {

TEST(Printable, TextStaysAsItIs) {
  for (const std::string_view text : {"", "v4l2:/dev/video0?io=auto", "100 %",
                                      "Gerät nicht gefunden", "カメラ", "👁", "e\u0301"})
    EXPECT_EQ(printable(text, kQuotedBytes), text);
}

TEST(Printable, WhatATerminalWouldObeyIsEscaped) {
  const std::vector<std::pair<std::string_view, std::string_view>> texts = {
      {"\x1b[31mred", "%1B[31mred"},
      {"one\nFAKE\r\t", "one%0AFAKE%0D%09"},
      {"\x7f", "%7F"},
      {"\u009b31m", "%C2%9B31m"},   // The control sequence introducer of eight bits.
      {"a\u202eb", "a%E2%80%AEb"},  // Writing from right to left.
      {"a\u2066b\u200f", "a%E2%81%A6b%E2%80%8F"},
      {"a\u2028b", "a%E2%80%A8b"},  // A line end.
  };
  for (const auto& [text, wanted] : texts) EXPECT_EQ(printable(text, kQuotedBytes), wanted);
  EXPECT_EQ(printable(std::string_view("a\0b", 3), kQuotedBytes), "a%00b");
}

TEST(Printable, WhatIsNoUtf8IsEscapedByteByByte) {
  const std::vector<std::pair<std::string_view, std::string_view>> texts = {
      {"\xff", "%FF"},
      {"a\x80z", "a%80z"},  // Goes on with nothing.
      {"\xc3", "%C3"},      // Ends early.
      {"\xe3\x82z", "%E3%82z"},
      {"\xc0\xaf", "%C0%AF"},  // Overlong.
      {"\xe0\x80\xaf", "%E0%80%AF"},
      {"\xed\xa0\x80", "%ED%A0%80"},         // A surrogate.
      {"\xf4\x90\x80\x80", "%F4%90%80%80"},  // Beyond U+10FFFF.
      {"\xf8\x88\x80\x80\x80", "%F8%88%80%80%80"},
  };
  for (const auto& [text, wanted] : texts) EXPECT_EQ(printable(text, kQuotedBytes), wanted);
}

TEST(Printable, LongTextKeepsItsBeginningAndItsEnd) {
  const std::string text = "open " + std::string(10'000'000, 'x') + ": No such file or directory";
  const std::string cut = printable(text, 100);
  EXPECT_EQ(cut.size(), 100u);
  EXPECT_EQ(cut.substr(0, 6), "open x");
  EXPECT_NE(cut.find("x...x"), cut.npos);
  EXPECT_EQ(cut.substr(cut.size() - 12), "or directory");
}

TEST(Printable, TheBoundIsKeptToTheByteAndNoCharacterIsCut) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "é";
  for (std::size_t most = 16; most < 40; ++most) {
    const std::string cut = printable(text, most);
    EXPECT_LE(cut.size(), most);
    EXPECT_GE(cut.size(), most - 2);
    EXPECT_EQ(printable(cut, most), cut) << "a character was cut";
  }
  EXPECT_EQ(printable(text, text.size()), text);
  EXPECT_NE(printable(text, text.size() - 1), text);
}

TEST(Printable, WhatIsPrintableAlreadyIsNotEscapedAgain) {
  const std::string once = printable("%41\x1b\xff%", kQuotedBytes);
  EXPECT_EQ(once, "%41%1B%FF%");
  EXPECT_EQ(printable(once, kQuotedBytes), once);
}

}  // namespace
}  // namespace lockstep
