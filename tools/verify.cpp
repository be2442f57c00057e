// SPDX-License-Identifier: MIT
// A recording is read twice: its first pictures to find out how it is divided, then all of it.
#include "verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "exit_status.h"
#include "json.h"
#include "output.h"
#include "recording_check.h"
#include "recording_reader.h"
#include "tiles.h"

namespace lockstep::tools {
namespace {

constexpr std::size_t kSurveyed = 10;
constexpr const char* kRow = "  {:>6}{:>10}{:>12}{:>9}{:>10}{:>10}{:>13}";
constexpr Nanoseconds kUsualPeriod{33'333'333};

// What the first pictures tell.
struct Survey {
  Grid grid;
  std::size_t num_sensors = 0;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  Nanoseconds period{0};
};

using Pictures = std::vector<std::unique_ptr<DecodedPicture>>;

Result<Pictures> first_pictures(const std::string& path) {
  auto reader = RecordingReader::open(path);
  if (!reader) return reader.error();
  Pictures pictures;
  while (pictures.size() < kSurveyed) {
    auto picture = reader->next();
    if (!picture) return picture.error();
    if (!*picture) break;
    pictures.push_back(*std::move(picture));
  }
  if (pictures.empty()) return Error{Errc::io, 0, "read " + path + ": it holds no picture"};
  return pictures;
}

Nanoseconds period_of(const Pictures& pictures) {
  const Fraction rate = pictures.front()->framerate();
  if (rate.numerator > 0) return Nanoseconds(1'000'000'000LL * rate.denominator / rate.numerator);
  const auto first = pictures.front()->pts();
  const auto last = pictures.back()->pts();
  if (first && last && *last > *first)
    return (*last - *first) / static_cast<Nanoseconds::rep>(pictures.size() - 1);
  return kUsualPeriod;
}

Grid grid_of(const VerifyOptions& options, const Pictures& pictures) {
  if (options.stream) return {1, 1};
  if (options.rows && options.columns) return {*options.rows, *options.columns};
  Grid grid{1, 1};
  std::size_t most = 0;
  for (const auto& picture : pictures) {
    const auto found = find_grid(picture->luma());
    if (!found || found->rows * found->columns <= most) continue;
    grid = *found;
    most = found->rows * found->columns;
  }
  return grid;
}

// As many as the last tile says in which a code can be read.
std::size_t count_sensors(const Grid& grid, const Pictures& pictures) {
  std::size_t count = 0;
  for (const auto& picture : pictures) {
    const auto codes = read_tiles(picture->luma(), grid);
    for (std::size_t tile = 0; tile < codes.size(); ++tile)
      if (codes[tile]) count = std::max(count, tile + 1);
  }
  return count;
}

Result<Survey> survey(const VerifyOptions& options) {
  auto pictures = first_pictures(options.file);
  if (!pictures) return pictures.error();
  const LumaView luma = pictures->front()->luma();
  Survey survey{.grid = grid_of(options, *pictures),
                .width = luma.width,
                .height = luma.height,
                .period = period_of(*pictures)};
  const std::size_t readable = count_sensors(survey.grid, *pictures);
  if (readable == 0)
    return Error{
        Errc::invalid_argument, 0,
        fmt::format("read the painted codes of {}: wanted pictures of simulated sensors, which "
                    "carry a code each, found none in the first {} pictures of {}x{} {}; give "
                    "--rows and --columns as they were recorded, with tiles of 120x68 pixels or "
                    "more",
                    options.file, pictures->size(), luma.width, luma.height,
                    options.rows || options.stream
                        ? fmt::format("in {} x {} tiles", survey.grid.rows, survey.grid.columns)
                        : std::string("in up to 8 x 8 tiles"))};
  survey.num_sensors = options.stream ? 1 : options.sensors.value_or(readable);
  return survey;
}

Expectation expectation_of(const VerifyOptions& options, const Survey& survey) {
  return {.num_sensors = survey.num_sensors,
          .any_sensor = options.stream || (survey.grid == Grid{1, 1} && !options.rows),
          .tolerance = options.tolerance_us ? std::chrono::microseconds(*options.tolerance_us)
                                            : survey.period / 2,
          .num_pictures = options.batches,
          .allow_missing = options.allow_missing};
}

Result<Report> check(const VerifyOptions& options, const Grid& grid,
                     const Expectation& expectation) {
  auto reader = RecordingReader::open(options.file);
  if (!reader) return reader.error();
  RecordingCheck check(expectation);
  std::unique_ptr<DecodedPicture> png;
  for (std::uint64_t number = 0;; ++number) {
    auto picture = reader->next();
    if (!picture) return picture.error();
    if (!*picture) break;
    check.add({.pts = (*picture)->pts(), .tiles = read_tiles((*picture)->luma(), grid)});
    if (!options.png.empty() && number <= options.png_number.value_or(number))
      png = *std::move(picture);
  }
  Report report = check.report();
  if (!png) return report;
  if (options.png_number.value_or(0) >= report.pictures)
    return Error{Errc::invalid_argument, 0,
                 fmt::format("write picture {} of {}: it has {}, counted from 0",
                             *options.png_number, options.file, report.pictures)};
  if (auto written = png->write_png(options.png); !written) return written.error();
  return report;
}

double milliseconds(Nanoseconds time) { return static_cast<double>(time.count()) / 1e6; }

void print_report(const VerifyOptions& options, const Survey& survey,
                  const Expectation& expectation, const Report& report) {
  print_line(fmt::format("{}: {} pictures of {}x{}, {} x {} tiles, {} sensor{}", options.file,
                         report.pictures, survey.width, survey.height, survey.grid.rows,
                         survey.grid.columns, survey.num_sensors,
                         survey.num_sensors == 1 ? "" : "s"));
  print_line(fmt::format(kRow, "sensor", "readable", "unreadable", "missing", "repeated",
                         "backward", "wrong place"));
  for (const Report::PerSensor& sensor : report.sensors)
    print_line(fmt::format(kRow, sensor.sensor, sensor.readable, sensor.unreadable, sensor.missing,
                           sensor.repeated, sensor.backward, sensor.wrong_place));
  print_line(
      fmt::format("  widest spread of capture times in a picture: {:.3f} ms (allowed: {:.3f} ms)",
                  milliseconds(report.skew_max), milliseconds(expectation.tolerance)));
  for (const std::string& finding : report.findings) print_line("  " + finding);
  if (report.faults.empty()) {
    print_line("ok");
    return;
  }
  std::string faults;
  for (const std::string& fault : report.faults) faults += (faults.empty() ? "" : ", ") + fault;
  print_line("wrong: " + faults);
}

int cannot(const Error& error) {
  report("verify", error.what);
  return kCannot;
}

}  // namespace

int run_verify(const VerifyOptions& options) {
  gst_init(nullptr, nullptr);
  const auto found = survey(options);
  if (!found) return cannot(found.error());
  const Expectation expectation = expectation_of(options, *found);
  const auto result = check(options, found->grid, expectation);
  if (!result) return cannot(result.error());
  if (options.json) {
    print_text(to_json(*result) + '\n');
  } else {
    print_report(options, *found, expectation, *result);
  }
  return result->faults.empty() ? kDone : kFailed;
}

}  // namespace lockstep::tools
