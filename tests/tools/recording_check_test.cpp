// SPDX-License-Identifier: MIT
#include "recording_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep::tools {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint64_t kPeriodUs = 33'333;
constexpr std::uint64_t kSequenceEnd = 1u << 24;
constexpr std::uint64_t kCapturedEnd = std::uint64_t{1} << 40;

PaintedCode code_of(std::size_t sensor, std::uint64_t sequence, std::uint64_t start_us = 5000) {
  return {.sensor = static_cast<std::uint8_t>(sensor),
          .sequence = static_cast<std::uint32_t>(sequence % kSequenceEnd),
          .captured_us = (start_us + sequence * kPeriodUs) % kCapturedEnd};
}

// What a faultless rig records as its picture number `sequence`, time stamps in whole milliseconds.
Picture faultless(std::size_t num_sensors, std::uint64_t sequence, std::uint64_t start_us = 5000) {
  Picture picture{.pts = milliseconds((sequence * kPeriodUs + 500) / 1000)};
  for (std::size_t i = 0; i < num_sensors; ++i)
    picture.tiles.push_back(code_of(i, sequence, start_us));
  return picture;
}

std::vector<Picture> faultless_run(std::size_t num_sensors, std::size_t num_pictures) {
  std::vector<Picture> pictures;
  for (std::size_t i = 0; i < num_pictures; ++i) pictures.push_back(faultless(num_sensors, i));
  return pictures;
}

Expectation four_sensors() { return {.num_sensors = 4, .tolerance = microseconds(kPeriodUs / 2)}; }

Report check(const Expectation& expectation, const std::vector<Picture>& pictures) {
  RecordingCheck check(expectation);
  for (const Picture& picture : pictures) check.add(picture);
  return check.report();
}

TEST(RecordingCheck, AFaultlessRecordingHasNoFaults) {
  const Report report = check(four_sensors(), faultless_run(4, 10));
  EXPECT_THAT(report.faults, IsEmpty());
  EXPECT_THAT(report.findings, IsEmpty());
  EXPECT_EQ(report.pictures, 10u);
  for (const auto& sensor : report.sensors) EXPECT_EQ(sensor.readable, 10u);
}

TEST(RecordingCheck, SwappedSensorsAreInTheWrongPlaceAndNothingElse) {
  auto pictures = faultless_run(4, 5);
  std::swap(pictures[2].tiles[1], pictures[2].tiles[3]);
  const Report report = check(four_sensors(), pictures);
  EXPECT_THAT(report.faults, ElementsAre("2 frames in the wrong place"));
  EXPECT_EQ(report.findings[0], "picture 2, tile 1: shows sensor 3, wanted sensor 1");
  EXPECT_EQ(report.sensors[1].wrong_place, 1u);
  EXPECT_EQ(report.sensors[3].wrong_place, 1u);
  for (const auto& sensor : report.sensors) EXPECT_EQ(sensor.readable, 5u);
}

TEST(RecordingCheck, OneSensorInEveryPlaceIsWrongInTheOthers) {
  auto pictures = faultless_run(4, 3);
  for (Picture& picture : pictures) picture.tiles.assign(4, picture.tiles[0]);
  const Report report = check(four_sensors(), pictures);
  EXPECT_THAT(report.faults, ElementsAre("9 frames in the wrong place"));
  EXPECT_EQ(report.sensors[0].wrong_place, 0u);
}

TEST(RecordingCheck, ASensorThatShowsTwiceIsFollowedWhereItBelongs) {
  auto pictures = faultless_run(4, 4);
  pictures[2].tiles[0] = code_of(3, 1);
  const Report report = check(four_sensors(), pictures);
  EXPECT_EQ(report.sensors[0].wrong_place, 1u);
  EXPECT_EQ(report.sensors[3].missing + report.sensors[3].repeated + report.sensors[3].backward,
            0u);
}

TEST(RecordingCheck, ASensorThatIsNotInTheRigIsInTheWrongPlace) {
  auto pictures = faultless_run(4, 4);
  pictures[2].tiles[0] = code_of(63, 2);
  EXPECT_EQ(check(four_sensors(), pictures).sensors[0].wrong_place, 1u);
}

TEST(RecordingCheck, ACodeInATileOfNoSensorIsAFault) {
  auto pictures = faultless_run(4, 3);
  pictures[1].tiles.push_back(code_of(0, 1));
  EXPECT_THAT(check(four_sensors(), pictures).faults,
              ElementsAre("1 frames in tiles of no sensor"));
}

TEST(RecordingCheck, ALostPictureIsMissingFromEverySensor) {
  auto pictures = faultless_run(4, 6);
  pictures.erase(pictures.begin() + 3);
  const Report report = check(four_sensors(), pictures);
  EXPECT_THAT(report.faults, ElementsAre("4 frames missing"));
  EXPECT_EQ(report.findings[0], "picture 3, sensor 0: frame 4 follows frame 2, 1 missing");
}

TEST(RecordingCheck, ARepeatedFrameIsRepeatedAndItsSuccessorMissing) {
  auto pictures = faultless_run(4, 6);
  pictures[3].tiles[2] = pictures[2].tiles[2];
  const Report report = check(four_sensors(), pictures);
  EXPECT_THAT(report.faults, ElementsAre("1 frames missing", "1 frames repeated"));
  EXPECT_EQ(report.sensors[2].repeated, 1u);
  EXPECT_EQ(report.sensors[2].missing, 1u);
}

TEST(RecordingCheck, ARepeatedFrameDoesNotCountAsAnotherInstant) {
  auto pictures = faultless_run(4, 6);
  pictures[3].tiles[2] = pictures[2].tiles[2];
  EXPECT_EQ(check(four_sensors(), pictures).skew_max, Nanoseconds(0));
}

TEST(RecordingCheck, AnUnreadableTileIsNotAlsoMissing) {
  auto pictures = faultless_run(4, 6);
  pictures[3].tiles[1] = std::nullopt;
  EXPECT_THAT(check(four_sensors(), pictures).faults, ElementsAre("1 tiles unreadable"));
}

TEST(RecordingCheck, GapsBesideAnUnreadableTileAreCountedWithoutIt) {
  auto pictures = faultless_run(4, 8);
  pictures[3].tiles[1] = std::nullopt;
  pictures[4].tiles[1] = code_of(1, 6);
  pictures.resize(5);
  const Report report = check(four_sensors(), pictures);
  EXPECT_EQ(report.sensors[1].unreadable, 1u);
  EXPECT_EQ(report.sensors[1].missing, 2u);
}

TEST(RecordingCheck, ASensorWithoutATileIsUnreadable) {
  auto pictures = faultless_run(3, 6);
  EXPECT_THAT(check(four_sensors(), pictures).faults, ElementsAre("6 tiles unreadable"));
}

TEST(RecordingCheck, AFrameThatGoesBackIsOutOfOrder) {
  auto pictures = faultless_run(4, 6);
  pictures[4].tiles[0] = pictures[1].tiles[0];
  EXPECT_EQ(check(four_sensors(), pictures).sensors[0].backward, 1u);
}

TEST(RecordingCheck, ACaptureTimeThatGoesBackIsOutOfOrder) {
  auto pictures = faultless_run(4, 6);
  pictures[4].tiles[0]->captured_us = pictures[3].tiles[0]->captured_us;
  EXPECT_EQ(check(four_sensors(), pictures).sensors[0].backward, 1u);
}

TEST(RecordingCheck, CaptureTimesWithinToleranceAreOneInstant) {
  auto pictures = faultless_run(4, 3);
  pictures[1].tiles[3]->captured_us += kPeriodUs / 2;
  const Report report = check(four_sensors(), pictures);
  EXPECT_THAT(report.faults, IsEmpty());
  EXPECT_EQ(report.skew_max, microseconds(kPeriodUs / 2));
}

TEST(RecordingCheck, CaptureTimesBeyondToleranceAreAnotherInstant) {
  auto pictures = faultless_run(4, 3);
  pictures[1].tiles[3]->captured_us += kPeriodUs / 2 + 1;
  const Report report = check(four_sensors(), pictures);
  EXPECT_THAT(report.faults, ElementsAre("1 pictures of more than one instant"));
  EXPECT_THAT(report.findings[0], HasSubstr("picture 1: sensor 3 captured 16.667 ms after"));
}

// Example failure: sensor 2's frames arrive one batch late, in the right order.
TEST(RecordingCheck, ASensorOneFrameBehindIsAnotherInstantThroughout) {
  std::vector<Picture> pictures;
  for (std::uint64_t i = 1; i < 4; ++i) {
    pictures.push_back(faultless(4, i));
    pictures.back().tiles[2] = code_of(2, i - 1);
  }
  EXPECT_THAT(check(four_sensors(), pictures).faults,
              ElementsAre("3 pictures of more than one instant"));
}

TEST(RecordingCheck, TimeStampsThatAreNotCaptureTimesAreAFault) {
  auto pictures = faultless_run(4, 4);
  *pictures[2].pts += milliseconds(5);
  // The step to it and the step from it.
  EXPECT_THAT(check(four_sensors(), pictures).faults,
              ElementsAre("2 pictures with a time stamp that is not their capture time's"));
}

TEST(RecordingCheck, PicturesWithoutTimeStampsAreNotJudgedByThem) {
  std::vector<Picture> pictures;
  for (std::uint64_t i = 0; i < 4; ++i) {
    Picture picture = faultless(4, i);
    pictures.push_back({.pts = i == 2 ? std::nullopt : picture.pts, .tiles = picture.tiles});
  }
  EXPECT_THAT(check(four_sensors(), pictures).faults, IsEmpty());
}

TEST(RecordingCheck, SequenceNumbersMayWrapAround) {
  std::vector<Picture> pictures;
  for (std::uint64_t i = kSequenceEnd - 2; i < kSequenceEnd + 2; ++i)
    pictures.push_back(faultless(4, i));
  EXPECT_THAT(check(four_sensors(), pictures).faults, IsEmpty());
}

TEST(RecordingCheck, CaptureTimesMayWrapAroundWithinAPicture) {
  std::vector<Picture> pictures;
  const std::uint64_t start_us = kCapturedEnd - kPeriodUs - 1;
  for (std::uint64_t i = 0; i < 4; ++i) {
    pictures.push_back(faultless(4, i, start_us));
    pictures.back().tiles[1] = code_of(1, i, start_us + 2);
  }
  ASSERT_LT(pictures[1].tiles[1]->captured_us, pictures[1].tiles[0]->captured_us);
  const Report report = check(four_sensors(), pictures);
  EXPECT_THAT(report.faults, IsEmpty());
  EXPECT_EQ(report.skew_max, microseconds(2));
}

TEST(RecordingCheck, AStreamMayShowAnySensor) {
  std::vector<Picture> pictures;
  for (std::uint64_t i = 0; i < 4; ++i)
    pictures.push_back({.pts = microseconds(i * kPeriodUs), .tiles = {code_of(2, i)}});
  const Expectation expectation{.num_sensors = 1, .any_sensor = true};
  const Report report = check(expectation, pictures);
  EXPECT_THAT(report.faults, IsEmpty());
  EXPECT_EQ(report.sensors[0].sensor, 2u);
}

TEST(RecordingCheck, AStreamThatChangesItsSensorIsInTheWrongPlace) {
  std::vector<Picture> pictures;
  for (std::uint64_t i = 0; i < 4; ++i)
    pictures.push_back({.pts = microseconds(i * kPeriodUs), .tiles = {code_of(i == 2 ? 1 : 2, i)}});
  const Expectation expectation{.num_sensors = 1, .any_sensor = true};
  EXPECT_EQ(check(expectation, pictures).sensors[0].wrong_place, 1u);
}

TEST(RecordingCheck, TooFewPicturesAreAFault) {
  Expectation expectation = four_sensors();
  expectation.num_pictures = 6;
  EXPECT_THAT(check(expectation, faultless_run(4, 6)).faults, IsEmpty());
  EXPECT_THAT(check(expectation, faultless_run(4, 5)).faults,
              ElementsAre("5 pictures instead of 6"));
}

TEST(RecordingCheck, MissingFramesCanBeAllowedButNotWrongPlaces) {
  auto pictures = faultless_run(4, 8);
  pictures[1].tiles[0] = std::nullopt;
  pictures[3].tiles[2] = pictures[2].tiles[2];
  pictures.erase(pictures.begin() + 5);
  Expectation expectation = four_sensors();
  expectation.allow_missing = true;
  EXPECT_THAT(check(expectation, pictures).faults, IsEmpty());
  std::swap(pictures[4].tiles[0], pictures[4].tiles[1]);
  EXPECT_THAT(check(expectation, pictures).faults, ElementsAre("2 frames in the wrong place"));
}

TEST(RecordingCheck, OnlyTheFirstFindingsArePutIntoWords) {
  auto pictures = faultless_run(4, 20);
  for (Picture& picture : pictures) std::swap(picture.tiles[0], picture.tiles[1]);
  const Report report = check(four_sensors(), pictures);
  EXPECT_EQ(report.findings.size(), RecordingCheck::kMaxFindings);
  EXPECT_THAT(report.faults, ElementsAre("40 frames in the wrong place"));
}

}  // namespace
}  // namespace lockstep::tools
