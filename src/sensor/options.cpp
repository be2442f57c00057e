// SPDX-License-Identifier: MIT
#include "sensor/options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "core/printable.h"
#include "lockstep/format.h"

namespace lockstep {
namespace {

// Reads the whole text as one number; nothing if anything is left over or it does not fit.
template <typename T>
std::optional<T> parse(std::string_view text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, value);
  if (failure != std::errc() || stop != end) return std::nullopt;
  return value;
}

// Shortest form: 0.5 and not 0.500000, 1000000 and not 1e+06.
std::string number_text(double value) {
  std::array<char, 32> text{};
  const auto [end, failure] =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  return failure == std::errc() ? std::string(text.data(), end) : std::to_string(value);
}

std::optional<double> parse_within(std::string_view text, double min, double max) {
  const auto value = parse<double>(text);
  // A NaN is in no range.
  return value && *value >= min && *value <= max ? value : std::nullopt;
}

std::string range_text(double min, double max) {
  return "a number from " + number_text(min) + " to " + number_text(max);
}

}  // namespace

std::int64_t OptionReader::integer(std::string_view name, std::int64_t min, std::int64_t max,
                                   std::int64_t otherwise) {
  const std::string* text = find(name);
  if (!text) return otherwise;
  const auto value = parse<std::int64_t>(*text);
  if (value && *value >= min && *value <= max) return *value;
  refuse(name, *text, "a whole number from " + std::to_string(min) + " to " + std::to_string(max));
  return otherwise;
}

double OptionReader::number(std::string_view name, double min, double max, double otherwise) {
  const std::string* text = find(name);
  if (!text) return otherwise;
  if (const auto value = parse_within(*text, min, max)) return *value;
  refuse(name, *text, range_text(min, max));
  return otherwise;
}

bool OptionReader::boolean(std::string_view name, bool otherwise) {
  return choice<bool>(name, {{"true", true}, {"false", false}, {"1", true}, {"0", false}},
                      otherwise);
}

Nanoseconds OptionReader::microseconds(std::string_view name, Nanoseconds min, Nanoseconds max,
                                       Nanoseconds otherwise) {
  const std::string* text = find(name);
  if (!text) return otherwise;
  const double min_us = static_cast<double>(min.count()) / 1000;
  const double max_us = static_cast<double>(max.count()) / 1000;
  if (const auto value = parse_within(*text, min_us, max_us))
    return Nanoseconds(std::llround(*value * 1000));
  refuse(name, *text, range_text(min_us, max_us) + " (microseconds)");
  return otherwise;
}

std::optional<OptionReader::Size> OptionReader::size(std::string_view name) {
  const std::string* text = find(name);
  if (!text) return std::nullopt;
  const std::string_view value = *text;
  if (const auto cross = value.find('x'); cross != value.npos) {
    const auto width = parse<std::uint32_t>(value.substr(0, cross));
    const auto height = parse<std::uint32_t>(value.substr(cross + 1));
    const auto fits = [](auto side) { return side && *side >= 1 && *side <= kMaxSide; };
    if (fits(width) && fits(height)) return Size{*width, *height};
  }
  refuse(name, value,
         "a size from 1x1 to " + std::to_string(kMaxSide) + "x" + std::to_string(kMaxSide) +
             ", as 1920x1080");
  return std::nullopt;
}

std::string OptionReader::text(std::string_view name, std::string_view otherwise) {
  const std::string* value = find(name);
  return value ? *value : std::string(otherwise);
}

std::vector<bool> OptionReader::some_of(std::string_view name,
                                        std::span<const std::string_view> choices) {
  const std::vector<bool> all(choices.size(), true);
  const std::string* text = find(name);
  if (!text || *text == "all") return all;
  std::vector<bool> named(choices.size(), false);
  if (*text == "none") return named;
  std::string_view rest = *text;
  for (bool more = true; more;) {
    const std::size_t end = std::min(rest.find(','), rest.size());
    const auto choice = std::find(choices.begin(), choices.end(), rest.substr(0, end));
    if (choice == choices.end()) {
      std::string names;
      for (const std::string_view one : choices) names += ", " + std::string(one);
      refuse(name, *text, "all, none, or some, separated by commas, of" + names.substr(1));
      return all;
    }
    named[static_cast<std::size_t>(choice - choices.begin())] = true;
    more = end < rest.size();
    rest.remove_prefix(more ? end + 1 : end);
  }
  return named;
}

Result<void> OptionReader::finish() const {
  for (const auto& [name, value] : spec_.options) {
    if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
    std::string names;
    for (const std::string& known : known_) names += (names.empty() ? "" : ", ") + known;
    return Error{Errc::invalid_argument, 0,
                 sensor() + " has no option \"" + quotable(name) + "\"; " +
                     (names.empty() ? "it takes none" : "there is: " + names)};
  }
  if (first_error_) return *first_error_;
  return {};
}

const std::string* OptionReader::find(std::string_view name) {
  known_.emplace_back(name);
  const auto option = spec_.options.find(known_.back());
  return option == spec_.options.end() ? nullptr : &option->second;
}

void OptionReader::refuse(std::string_view name, std::string_view value,
                          const std::string& wanted) {
  if (first_error_) return;
  first_error_ =
      Error{Errc::invalid_argument, 0,
            std::string(name) + "=" + quotable(value) + " of " + sensor() + ", wanted " + wanted};
}

std::string OptionReader::sensor() const {
  return quotable(spec_.device.empty() ? spec_.backend : spec_.backend + ":" + spec_.device);
}

}  // namespace lockstep
