// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lockstep/result.h"
#include "lockstep/sensor_spec.h"
#include "lockstep/time.h"

namespace lockstep {

/// Reads the options of a sensor's name one by one, with their ranges and defaults.
///
/// Ask for every option that there is, then call finish(): what the user wrote wrong is told once,
/// at the end, and until then a wrong value reads as its default.
///
///     OptionReader options(spec);
///     config.drift_ppm = options.number("drift-ppm", -1000, 1000, 0);
///     config.realtime = options.boolean("realtime", true);
///     if (auto read = options.finish(); !read) return std::move(read).error();
class OptionReader {
 public:
  struct Size {
    std::uint32_t width = 0;
    std::uint32_t height = 0;

    friend bool operator==(const Size&, const Size&) = default;
  };

  /// `spec` must outlive the reader.
  explicit OptionReader(const SensorSpec& spec) : spec_(spec) {}

  /// A whole number from `min` to `max`, both included.
  std::int64_t integer(std::string_view name, std::int64_t min, std::int64_t max,
                       std::int64_t otherwise);

  /// A finite number from `min` to `max`, both included.
  double number(std::string_view name, double min, double max, double otherwise);

  /// `true`, `false`, `1` or `0`.
  bool boolean(std::string_view name, bool otherwise);

  /// A duration, written as a number of microseconds (fractions allowed, read to the nanosecond).
  Nanoseconds microseconds(std::string_view name, Nanoseconds min, Nanoseconds max,
                           Nanoseconds otherwise);

  /// `1920x1080`, each side from 1 to kMaxSide; nothing where the option is not given.
  std::optional<Size> size(std::string_view name);

  /// Any text.
  std::string text(std::string_view name, std::string_view otherwise);

  /// Some of `choices`, separated by commas, or `all`, or `none`; answers for each whether it is
  /// named. Where the option is not given all are.
  std::vector<bool> some_of(std::string_view name, std::span<const std::string_view> choices);

  /// One of the names; answers what stands beside it.
  template <typename T>
  T choice(std::string_view name, std::initializer_list<std::pair<std::string_view, T>> choices,
           T otherwise) {
    const std::string* value = find(name);
    if (!value) return otherwise;
    std::string names;
    for (const auto& [choice_name, meaning] : choices) {
      if (*value == choice_name) return meaning;
      names += (names.empty() ? "" : ", ") + std::string(choice_name);
    }
    refuse(name, *value, "one of " + names);
    return otherwise;
  }

  /// Success if every option was asked for and read.
  ///
  /// \errors  invalid_argument  an option that nobody asked for (the text lists those there are),
  ///          or else the first bad value (the text says what was wanted).
  Result<void> finish() const;

 private:
  const std::string* find(std::string_view name);
  void refuse(std::string_view name, std::string_view value, const std::string& wanted);
  std::string sensor() const;

  const SensorSpec& spec_;
  std::vector<std::string> known_;
  std::optional<Error> first_error_;
};

}  // namespace lockstep
