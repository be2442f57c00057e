// SPDX-License-Identifier: MIT
// Feeds any bytes to everything that reads text of users: names of sensors, their options, pixel
// formats. What is read must be written back so that it reads the same; what is refused must be
// told in a short printable line.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "lockstep/format.h"
#include "lockstep/printable.h"
#include "lockstep/sensor_spec.h"
#include "sensor/options.h"

namespace lockstep {
namespace {

constexpr std::size_t kMaxBytes = 512;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

void check_error(const Error& error, std::size_t most_characters) {
  require(error.code == Errc::invalid_argument, "refused text is an invalid argument");
  require(!error.what.empty() && error.what.size() <= most_characters, "the message is short");
  require(printable(error.what, most_characters) == error.what, "the message is printable");
}

// Reads every option as every kind there is.
void check_options(const SensorSpec& spec) {
  OptionReader options(spec);
  for (const auto& [name, value] : spec.options) {
    const auto integer = options.integer(name, -5, 5, 0);
    require(integer >= -5 && integer <= 5, "integers are in range");
    const double number = options.number(name, -0.5, 0.5, 0);
    require(number >= -0.5 && number <= 0.5, "numbers are in range");
    const auto duration = options.microseconds(name, Nanoseconds(0), Nanoseconds(5000), {});
    require(duration >= Nanoseconds(0) && duration <= Nanoseconds(5000), "durations are in range");
    const auto size = options.size(name);
    require(!size || (size->width >= 1 && size->width <= kMaxSide && size->height >= 1 &&
                      size->height <= kMaxSide),
            "sizes are in range");
    options.boolean(name, true);
    require(options.text(name, "") == value, "text is the value");
  }
  // The names, which here are not the backend's own, stand in the text as they are.
  if (const auto read = options.finish(); !read) check_error(read.error(), 400 + kMaxBytes);
  const auto unknown = OptionReader(spec).finish();
  require(unknown ? spec.options.empty() : !spec.options.empty(), "unknown options are refused");
  if (!unknown) check_error(unknown.error(), 400);
}

void check_spec(std::string_view text) {
  const auto spec = parse_sensor_spec(text);
  if (!spec) return check_error(spec.error(), 400);
  const auto again = parse_sensor_spec(to_string(*spec));
  require(again && *again == *spec, "a name reads back the same");
  check_options(*spec);
}

void check_list(std::string_view text) {
  const auto list = parse_sensor_list(text);
  if (!list) return check_error(list.error(), 450);
  require(!list->empty() && list->size() <= kMaxSensors, "a list has 1 to 64 sensors");
  std::string written;
  for (const SensorSpec& spec : *list) written += (written.empty() ? "" : ";") + to_string(spec);
  const auto again = parse_sensor_list(written);
  require(again && *again == *list, "a list reads back the same");
}

void check_pixel_format(std::string_view text) {
  if (const auto format = pixel_format_from(text))
    require(to_string(*format) == text, "a pixel format reads back the same");
}

}  // namespace
}  // namespace lockstep

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > lockstep::kMaxBytes) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  lockstep::check_spec(text);
  lockstep::check_list(text);
  lockstep::check_pixel_format(text);
  return 0;
}
