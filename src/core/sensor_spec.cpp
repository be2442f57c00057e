// SPDX-License-Identifier: MIT
#include "lockstep/sensor_spec.h"

#include <algorithm>

#include "core/printable.h"

namespace lockstep {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";
constexpr std::string_view kExample = "a name as sim?seed=1 or v4l2:/dev/video0";

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// Letters, digits, - and _: what kinds of sensors and options are called.
bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

std::string quoted(std::string_view text) { return "\"" + quotable(text) + "\""; }

Error invalid_spec(std::string what) { return {Errc::invalid_argument, 0, std::move(what)}; }

// Reads one name; knows the whole text so as to say where something stands in it.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<SensorSpec> parse() const {
    if (text_.empty()) return invalid_spec("empty sensor name, wanted " + std::string(kExample));
    for (std::size_t at = 0; at < text_.size(); ++at) {
      if (is_control(text_[at])) return wrong(at, "a printable character; write it as %XX");
      if (text_[at] == ';') return wrong(at, "one sensor; write %3B for the character itself");
    }
    SensorSpec spec;
    const std::size_t kind_end = std::min(text_.find_first_of(":?"), text_.size());
    const std::size_t options_at = std::min(text_.find('?'), text_.size());
    if (auto read = parse_kind(kind_end, spec); !read) return std::move(read).error();
    if (auto read = parse_device(kind_end, options_at, spec); !read) return std::move(read).error();
    if (auto read = parse_options(options_at, spec); !read) return std::move(read).error();
    if (const std::size_t bytes = bytes_of(spec); bytes > kMaxSensorName)
      return invalid_spec("sensor name " + quoted(text_) + " has " + std::to_string(bytes) +
                          " bytes, wanted no more than " + std::to_string(kMaxSensorName));
    return spec;
  }

 private:
  Result<void> parse_kind(std::size_t end, SensorSpec& spec) const {
    if (end == 0) return wrong(0, "a kind of sensor first, as sim or v4l2");
    for (std::size_t at = 0; at < end; ++at)
      if (!is_name_character(text_[at]))
        return wrong(at, at == 0 ? "a kind of sensor first, as in v4l2:/dev/video0"
                                 : "a colon or question mark after the kind of sensor");
    spec.backend = text_.substr(0, end);
    return {};
  }

  Result<void> parse_device(std::size_t colon, std::size_t end, SensorSpec& spec) const {
    if (colon == end) return {};
    if (colon + 1 == end) return wrong(end, "a device after the colon");
    auto device = unescape(colon + 1, end);
    if (!device) return std::move(device).error();
    spec.device = *std::move(device);
    return {};
  }

  Result<void> parse_options(std::size_t question_mark, SensorSpec& spec) const {
    // Each turn starts at the ? or & that comes before an option.
    for (std::size_t at = question_mark; at < text_.size();) {
      const std::size_t end = std::min(text_.find('&', at + 1), text_.size());
      if (auto read = parse_option(at + 1, end, spec); !read) return read;
      at = end;
    }
    return {};
  }

  Result<void> parse_option(std::size_t begin, std::size_t end, SensorSpec& spec) const {
    std::size_t name_end = begin;
    while (name_end < end && is_name_character(text_[name_end])) ++name_end;
    if (name_end == begin) return wrong(begin, "an option as name=value");
    if (name_end == end || text_[name_end] != '=')
      return wrong(name_end, "= and a value after the option's name");
    auto value = unescape(name_end + 1, end);
    if (!value) return std::move(value).error();
    const std::string name(text_.substr(begin, name_end - begin));
    if (!spec.options.emplace(name, *std::move(value)).second)
      return wrong(begin, "each option once, " + quotable(name) + " is there twice");
    return {};
  }

  Result<std::string> unescape(std::size_t begin, std::size_t end) const {
    std::string bytes;
    for (std::size_t at = begin; at < end; ++at) {
      if (text_[at] != '%') {
        bytes += text_[at];
        continue;
      }
      const int high = at + 1 < end ? hex_value(text_[at + 1]) : -1;
      const int low = at + 2 < end ? hex_value(text_[at + 2]) : -1;
      if (high < 0 || low < 0) return wrong(at, "two hexadecimal digits after %; write %25 for %");
      // It would end the text early for every call of the system.
      if (high == 0 && low == 0) return wrong(at, "any byte but 0");
      bytes += static_cast<char>(high * 16 + low);
      at += 2;
    }
    return bytes;
  }

  // Without separators and escapes, so that what is written back is no longer.
  static std::size_t bytes_of(const SensorSpec& spec) {
    std::size_t bytes = spec.backend.size() + spec.device.size();
    for (const auto& [name, value] : spec.options) bytes += name.size() + value.size();
    return bytes;
  }

  static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  }

  Error wrong(std::size_t at, const std::string& wanted) const {
    const std::string found =
        at < text_.size() ? quoted(text_.substr(at, 1)) + " at character " + std::to_string(at + 1)
                          : std::string("the end");
    return invalid_spec("sensor name " + quoted(text_) + " has " + found + ", wanted " + wanted);
  }

  std::string_view text_;
};

std::string_view without_blanks(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// Escapes what would end the part early, blanks, which a list would strip, and what is not printable.
std::string escape(std::string_view bytes, std::string_view separators) {
  std::string text;
  while (!bytes.empty()) {
    const bool special = separators.find(bytes.front()) != separators.npos;
    const std::size_t kept = special ? 0 : printable_bytes(bytes);
    if (kept > 0) {
      text += bytes.substr(0, kept);
    } else {
      text += percent_escaped(bytes.front());
    }
    bytes.remove_prefix(kept > 0 ? kept : 1);
  }
  return text;
}

}  // namespace

Result<SensorSpec> parse_sensor_spec(std::string_view text) { return Parser(text).parse(); }

Result<std::vector<SensorSpec>> parse_sensor_list(std::string_view text) {
  if (without_blanks(text).empty())
    return invalid_spec("no sensor named, wanted " + std::string(kExample) +
                        ", several separated by ;");
  const auto num_sensors = static_cast<std::size_t>(std::count(text.begin(), text.end(), ';')) + 1;
  if (num_sensors > kMaxSensors)
    return invalid_spec(std::to_string(num_sensors) + " sensors named, wanted 1 to " +
                        std::to_string(kMaxSensors));
  std::vector<SensorSpec> specs;
  for (std::size_t begin = 0; specs.size() < num_sensors;) {
    const std::size_t end = std::min(text.find(';', begin), text.size());
    auto spec = parse_sensor_spec(without_blanks(text.substr(begin, end - begin)));
    if (!spec) {
      return invalid_spec("sensor " + std::to_string(specs.size() + 1) + " of " +
                          std::to_string(num_sensors) + ": " + spec.error().what);
    }
    specs.push_back(*std::move(spec));
    begin = end + 1;
  }
  return specs;
}

std::string to_string(const SensorSpec& spec) {
  std::string text = spec.backend;
  if (!spec.device.empty()) text += ":" + escape(spec.device, " %;?");
  char separator = '?';
  for (const auto& [name, value] : spec.options) {
    text += separator + name + "=" + escape(value, " %;&");
    separator = '&';
  }
  return text;
}

}  // namespace lockstep
