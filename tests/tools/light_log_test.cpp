// SPDX-License-Identifier: MIT
#include "light_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <locale>
#include <string>
#include <vector>

namespace lockstep::tools {
namespace {

namespace fs = std::filesystem;
using std::chrono::microseconds;
using testing::HasSubstr;

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "light-log-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path_); }
  std::string file(const char* name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

std::string content_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells(1);
  for (const char byte : line) {
    if (byte == ',') {
      cells.emplace_back();
    } else if (byte != '\n') {
      cells.back() += byte;
    }
  }
  return cells;
}

// The cell of that column, as a reader of the file finds it.
std::string cell(const LightRow& row, const std::string& column) {
  const auto names = cells_of(csv_header(row.sensors.size()));
  const auto cells = cells_of(csv_line(row));
  EXPECT_EQ(cells.size(), names.size());
  for (std::size_t i = 0; i < std::min(names.size(), cells.size()); ++i)
    if (names[i] == column) return cells[i];
  return "there is no column " + column;
}

LightSample sample() {
  return {.state = FrameState::fresh,
          .revision = 7,
          .settings_state = SettingsState::settled,
          .settings = {.exposure = microseconds(10'000),
                       .analogue_gain = 2.5,
                       .digital_gain = 1.25,
                       .red_gain = 1.5,
                       .blue_gain = 1.75,
                       .frame_duration = microseconds(33'333)},
          .reading = LightReading{.luma = 0.16,
                                  .clipped_dark = 0.125,
                                  .clipped_bright = 0.25,
                                  .red = 0.1,
                                  .green = 0.2,
                                  .blue = 0.3},
          .offset = microseconds(12)};
}

LightRow row_of(std::vector<LightSample> sensors) {
  return {.batch = 3,
          .captured = std::chrono::milliseconds(1500),
          .uniform = true,
          .skew = microseconds(12),
          .sensors = std::move(sensors)};
}

TEST(LightLog, EachValueStandsUnderItsName) {
  const LightRow row = row_of({sample()});
  EXPECT_EQ(cell(row, "batch"), "3");
  EXPECT_EQ(cell(row, "time_s"), "1.500000");
  EXPECT_EQ(cell(row, "uniform"), "1");
  EXPECT_EQ(cell(row, "skew_us"), "12.000");
  EXPECT_EQ(cell(row, "s0_state"), "fresh");
  EXPECT_EQ(cell(row, "s0_revision"), "7");
  EXPECT_EQ(cell(row, "s0_settings"), "settled");
  EXPECT_EQ(cell(row, "s0_exposure_us"), "10000.000");
  EXPECT_EQ(cell(row, "s0_analogue_gain"), "2.5");
  EXPECT_EQ(cell(row, "s0_digital_gain"), "1.25");
  EXPECT_EQ(cell(row, "s0_red_gain"), "1.5");
  EXPECT_EQ(cell(row, "s0_blue_gain"), "1.75");
  EXPECT_EQ(cell(row, "s0_frame_duration_us"), "33333.000");
  EXPECT_EQ(cell(row, "s0_luma"), "0.160000");
  EXPECT_EQ(cell(row, "s0_clipped_dark"), "0.125000");
  EXPECT_EQ(cell(row, "s0_clipped_bright"), "0.250000");
  EXPECT_EQ(cell(row, "s0_red"), "0.100000");
  EXPECT_EQ(cell(row, "s0_green"), "0.200000");
  EXPECT_EQ(cell(row, "s0_blue"), "0.300000");
  EXPECT_EQ(cell(row, "s0_offset_us"), "12.000");
}

TEST(LightLog, AMissingFrameLeavesItsCellsEmptyAndTheOthersInPlace) {
  const LightRow row = row_of({LightSample{}, sample()});
  EXPECT_EQ(cell(row, "s0_state"), "missing");
  EXPECT_EQ(cell(row, "s0_revision"), "");
  EXPECT_EQ(cell(row, "s0_offset_us"), "");
  EXPECT_EQ(cell(row, "s1_state"), "fresh");
  EXPECT_EQ(cell(row, "s1_offset_us"), "12.000");
}

TEST(LightLog, WhatIsNotKnownIsEmpty) {
  LightSample untold = sample();
  untold.settings.exposure = untold.settings.frame_duration = Nanoseconds(0);
  untold.reading.reset();
  const LightRow row = row_of({untold});
  EXPECT_EQ(cell(row, "s0_exposure_us"), "");
  EXPECT_EQ(cell(row, "s0_frame_duration_us"), "");
  EXPECT_EQ(cell(row, "s0_luma"), "");
  EXPECT_EQ(cell(row, "s0_blue"), "");
  EXPECT_EQ(cell(row, "s0_offset_us"), "12.000");
}

// As in a German locale, of which a machine need not have the files.
struct CommaPoint : std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
};

TEST(LightLog, TheDecimalPointIsAPointInEveryLocale) {
  const std::string before = csv_line(row_of({sample()}));
  const std::locale old = std::locale::global(std::locale(std::locale(), new CommaPoint));
  const std::string line = csv_line(row_of({sample()}));
  std::locale::global(old);
  EXPECT_EQ(line, before);
}

TEST(LightLog, ABatchBecomesARow) {
  Batch batch;
  batch.number = 9;
  batch.captured.since_epoch = microseconds(1000);
  batch.uniform = true;
  batch.skew = microseconds(5);
  batch.frames.resize(2);
  Frame& frame = batch.frames[1];
  frame.state = FrameState::repeated;
  frame.info.captured.since_epoch = microseconds(1005);
  frame.info.settings_revision = 4;
  frame.metering.emplace().trimmed_mean = 0.5;
  const LightRow row = light_row(batch);
  EXPECT_EQ(row.batch, 9u);
  EXPECT_TRUE(row.uniform);
  ASSERT_EQ(row.sensors.size(), 2u);
  EXPECT_EQ(row.sensors[0].state, FrameState::missing);
  EXPECT_EQ(row.sensors[1].offset, microseconds(5));
  EXPECT_EQ(row.sensors[1].revision, 4u);
  EXPECT_EQ(row.sensors[1].reading->luma, 0.5);
}

TEST(LightLog, AFileHasAHeaderAndOneLineForEachBatch) {
  const Folder folder;
  const std::string path = folder.file("light.csv");
  auto log = LightLog::create(path, false);
  ASSERT_TRUE(log);
  const LightRow row = row_of({sample(), sample()});
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE((*log)->add(row));
  ASSERT_TRUE((*log)->finish());
  std::string wanted = csv_header(2);
  for (int i = 0; i < 1000; ++i) wanted += csv_line(row);
  EXPECT_EQ(content_of(path), wanted);
}

TEST(LightLog, AFileThatIsThereIsKeptUnlessItMayBeReplaced) {
  const Folder folder;
  const std::string path = folder.file("light.csv");
  std::ofstream(path) << std::string(100'000, 'x');
  const auto refused = LightLog::create(path, false);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().what, HasSubstr("--overwrite"));
  // Nor is it touched before there is something to replace it.
  ASSERT_TRUE(LightLog::create(path, true));
  EXPECT_EQ(fs::file_size(path), 100'000u);
  auto log = LightLog::create(path, true);
  ASSERT_TRUE((*log)->add(row_of({})));
  ASSERT_TRUE((*log)->finish());
  EXPECT_EQ(content_of(path), csv_header(0) + csv_line(row_of({})));
}

TEST(LightLog, AFileWithoutALineIsTakenAwayAgain) {
  const Folder folder;
  ASSERT_TRUE(LightLog::create(folder.file("light.csv"), false));
  EXPECT_FALSE(fs::exists(folder.file("light.csv")));
}

TEST(LightLog, AFolderAndAPathThatIsNotThereAreRefused) {
  const Folder folder;
  const auto at_folder = LightLog::create(folder.file("."), true);
  ASSERT_FALSE(at_folder);
  EXPECT_EQ(at_folder.error().code, Errc::invalid_argument);
  const auto nowhere = LightLog::create(folder.file("none/light.csv"), true);
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code, Errc::not_found);
  EXPECT_THAT(nowhere.error().what, HasSubstr("none/light.csv"));
}

TEST(LightLog, AWriteThatFailsIsToldOnceAndAgainAtTheEnd) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "this machine has no /dev/full";
  auto log = LightLog::create("/dev/full", false);
  ASSERT_TRUE(log);
  int failures = 0;
  for (int i = 0; i < 10'000; ++i) failures += (*log)->add(row_of({sample()})) ? 0 : 1;
  EXPECT_EQ(failures, 1);
  EXPECT_TRUE((*log)->failed());
  const auto finished = (*log)->finish();
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().os_error, ENOSPC);
}

}  // namespace
}  // namespace lockstep::tools
