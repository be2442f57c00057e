// SPDX-License-Identifier: MIT
#include "sensor/sequence_gaps.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace lockstep {
namespace {

TEST(SequenceGaps, AreTheNumbersThatAreLeftOut) {
  SequenceGaps gaps;
  gaps.begin();
  EXPECT_EQ(gaps.before(7), 0u);
  EXPECT_EQ(gaps.before(8), 0u);
  EXPECT_EQ(gaps.before(12), 3u);
  EXPECT_EQ(gaps.next(), 13u);
}

TEST(SequenceGaps, BeginAtTheFirstFrameWhereThatIsKnown) {
  SequenceGaps gaps;
  gaps.begin(0);
  EXPECT_EQ(gaps.before(2), 2u);
}

// Example failure: an EGLStream's camera captured 120 frames between stop() and start().
TEST(SequenceGaps, BetweenStreamsAreNone) {
  SequenceGaps gaps;
  gaps.begin();
  EXPECT_EQ(gaps.before(9), 0u);
  gaps.begin();
  EXPECT_EQ(gaps.before(130), 0u);
}

TEST(SequenceGaps, OfACountThatBeganAnewAreNone) {
  SequenceGaps gaps;
  gaps.begin();
  EXPECT_EQ(gaps.before(100), 0u);
  EXPECT_EQ(gaps.before(3), 0u);
  EXPECT_EQ(gaps.before(5), 1u);
  EXPECT_EQ(gaps.before(UINT64_MAX - 1), UINT32_MAX);
}

}  // namespace
}  // namespace lockstep
