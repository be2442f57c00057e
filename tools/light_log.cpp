// SPDX-License-Identifier: MIT
#include "light_log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>
#include <utility>

namespace lockstep::tools {
namespace {

constexpr std::size_t kBlockBytes = 64 * 1024;

constexpr const char* kSensorColumns[] = {"state",       "revision",      "settings",
                                          "exposure_us", "analogue_gain", "digital_gain",
                                          "red_gain",    "blue_gain",     "frame_duration_us",
                                          "luma",        "clipped_dark",  "clipped_bright",
                                          "red",         "green",         "blue",
                                          "offset_us"};

// Times that are 0 are not told.
void add_time(std::string& line, Nanoseconds time) {
  if (time.count() == 0) {
    line += ',';
  } else {
    fmt::format_to(std::back_inserter(line), ",{:.3f}", microseconds(time));
  }
}

void add_reading(std::string& line, const std::optional<LightReading>& reading) {
  if (!reading) {
    line += ",,,,,,";
    return;
  }
  fmt::format_to(std::back_inserter(line), ",{:.6f},{:.6f},{:.6f},{:.6f},{:.6f},{:.6f}",
                 reading->luma, reading->clipped_dark, reading->clipped_bright, reading->red,
                 reading->green, reading->blue);
}

void add_sample(std::string& line, const LightSample& sample) {
  fmt::format_to(std::back_inserter(line), ",{}", to_string(sample.state));
  if (sample.state == FrameState::missing) {
    line.append(std::size(kSensorColumns) - 1, ',');
    return;
  }
  fmt::format_to(std::back_inserter(line), ",{},{}", sample.revision,
                 to_string(sample.settings_state));
  const Settings& settings = sample.settings;
  add_time(line, settings.exposure);
  fmt::format_to(std::back_inserter(line), ",{:.6g},{:.6g},{:.6g},{:.6g}", settings.analogue_gain,
                 settings.digital_gain, settings.red_gain, settings.blue_gain);
  add_time(line, settings.frame_duration);
  add_reading(line, sample.reading);
  fmt::format_to(std::back_inserter(line), ",{:.3f}", microseconds(sample.offset));
}

}  // namespace

LightRow light_row(const Batch& batch) {
  LightRow row{.batch = batch.number,
               .captured = batch.captured.since_epoch,
               .uniform = batch.uniform,
               .skew = batch.skew,
               .sensors = {}};
  row.sensors.reserve(batch.frames.size());
  for (const Frame& frame : batch.frames) {
    LightSample& sample = row.sensors.emplace_back();
    sample.state = frame.state;
    if (frame.state == FrameState::missing) continue;
    sample.revision = frame.info.settings_revision;
    sample.settings_state = frame.info.settings_state;
    sample.settings = frame.info.settings;
    sample.offset = frame.info.captured.since_epoch - batch.captured.since_epoch;
    if (const auto& metering = frame.metering)
      sample.reading = LightReading{.luma = metering->trimmed_mean,
                                    .clipped_dark = metering->clipped_dark,
                                    .clipped_bright = metering->clipped_bright,
                                    .red = metering->red,
                                    .green = metering->green,
                                    .blue = metering->blue};
  }
  return row;
}

std::string csv_header(std::size_t num_sensors) {
  std::string header = "batch,time_s,uniform,skew_us";
  for (std::size_t sensor = 0; sensor < num_sensors; ++sensor)
    for (const char* column : kSensorColumns)
      fmt::format_to(std::back_inserter(header), ",s{}_{}", sensor, column);
  return header + '\n';
}

std::string csv_line(const LightRow& row) {
  std::string line = fmt::format("{},{:.6f},{:d},{:.3f}", row.batch,
                                 static_cast<double>(row.captured.count()) / 1e9, row.uniform,
                                 microseconds(row.skew));
  for (const LightSample& sample : row.sensors) add_sample(line, sample);
  return line + '\n';
}

Result<std::unique_ptr<LightLog>> LightLog::create(const std::string& path, bool overwrite) {
  auto file = OutputFile::open(path, overwrite, "write the light log " + path);
  if (!file) return std::move(file).error();
  return std::unique_ptr<LightLog>(new LightLog(*std::move(file)));
}

Result<void> LightLog::add(const LightRow& row) {
  if (failed()) return {};
  if (lines_ == 0) {
    // Devices and pipes cannot be cut, and need not be.
    if (ftruncate(file_.fd(), 0) != 0 && errno != EINVAL) return fail(errno, 0);
    pending_ = csv_header(row.sensors.size());
  }
  pending_ += csv_line(row);
  ++lines_;
  return pending_.size() < kBlockBytes ? Result<void>() : write_out();
}

Result<void> LightLog::finish() {
  if (!failed()) return write_out();
  return *failure_;
}

Result<void> LightLog::write_out() {
  std::size_t done = 0;
  while (done < pending_.size()) {
    const ssize_t written = write(file_.fd(), pending_.data() + done, pending_.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail(errno, done);
    done += static_cast<std::size_t>(written);
  }
  pending_.clear();
  return {};
}

// Takes back the part of a line that was written last: `done` bytes of what was pending are in the
// file.
Result<void> LightLog::fail(int errno_value, std::size_t done) {
  const std::size_t line_end = pending_.substr(0, done).rfind('\n') + 1;  // 0 where there is none.
  if (const off_t end = lseek(file_.fd(), 0, SEEK_CUR); end >= 0)
    (void)!ftruncate(file_.fd(), end - static_cast<off_t>(done - line_end));
  pending_.clear();
  failure_ = system_error(errno_value, "write the light log " + path());
  return *failure_;
}

}  // namespace lockstep::tools
