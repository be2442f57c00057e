// SPDX-License-Identifier: MIT
#include "sensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "exit_status.h"
#include "json.h"
#include "lockstep/format.h"
#include "lockstep/memory.h"
#include "lockstep/sensor_spec.h"
#include "lockstep/settings.h"
#include "output.h"

namespace lockstep::tools {
namespace {

Result<SensorInfo> ask(const std::string& name) {
  auto spec = parse_sensor_spec(name);
  if (!spec) return spec.error();
  auto backend = find_sensor_backend(spec->backend);
  if (!backend) return backend.error();
  auto sensor = (*backend)->open(*spec);
  if (!sensor) return sensor.error();
  return (*sensor)->describe();
}

// Everything there is, or only what was named.
Inventory take_inventory(std::vector<std::string> names) {
  Inventory inventory;
  if (names.empty()) {
    for (const SensorBackend* backend : sensor_backends()) {
      inventory.sensor_backends.push_back(
          {std::string(backend->name()), std::string(backend->description()), {}});
      for (std::string& name : backend->list()) names.push_back(std::move(name));
    }
    for (const MemoryBackend* backend : memory_backends())
      inventory.memory_backends.push_back({std::string(backend->name()),
                                           std::string(backend->description()),
                                           backend->available()});
  }
  for (std::string& name : names) {
    auto info = ask(name);
    inventory.sensors.push_back({std::move(name), std::move(info)});
  }
  return inventory;
}

// Formats that are offered in the same sizes and rates share a line.
std::vector<std::string> format_lines(const std::vector<FormatOffer>& offers) {
  std::vector<std::pair<std::string, std::string>> lines;  // Sizes and rates; the formats.
  for (const FormatOffer& offer : offers) {
    const std::string format = to_string(offer.pixel_format);
    const std::string sizes = to_string(offer).substr(format.size() + 1);
    auto line = std::find_if(lines.begin(), lines.end(),
                             [&sizes](const auto& known) { return known.first == sizes; });
    if (line == lines.end()) {
      lines.emplace_back(sizes, format);
    } else {
      line->second += " " + format;
    }
  }
  std::vector<std::string> text;
  for (const auto& [sizes, formats] : lines) text.push_back(sizes + " fps  " + formats);
  return text;
}

void print_lines(const char* label, const std::vector<std::string>& lines) {
  for (const std::string& line : lines) {
    print_line(fmt::format("    {:<10}{}", label, line));
    label = "";
  }
}

// "10 ms", "2.5".
std::string value_text(Setting setting, double value) {
  const std::string text = to_string(SettingsChange().set(setting, value));
  return text.substr(std::string(to_string(setting)).size() + 1);
}

std::vector<std::string> settings_lines(const SettingsCaps& caps) {
  std::vector<std::string> lines;
  for (const Setting setting : kSettings) {
    const auto& range = caps[setting];
    if (!range) continue;
    const std::string step =
        range->step > 0 ? " in steps of " + value_text(setting, range->step) : "";
    lines.push_back(fmt::format("{:<15}{} to {}{}, delay {}", to_string(setting),
                                value_text(setting, range->min), value_text(setting, range->max),
                                step, range->delay));
  }
  if (!caps.missing.empty()) lines.push_back("no " + caps.missing);
  return lines;
}

void print_sensor(const SensorListing& listing) {
  if (!listing.info) {
    print_line(fmt::format("  {}  does not open: {}", listing.name, listing.info.error().what));
    return;
  }
  const SensorInfo& info = *listing.info;
  print_line(fmt::format("  {}  {}", listing.name, info.description));
  print_lines("formats", format_lines(info.formats));
  std::vector<std::string> lines;
  for (const IoInfo& io : info.io)
    lines.push_back(fmt::format("{:<9}{}", io.name, io.works ? "works" : "no: " + io.detail));
  print_lines("I/O", lines);
  lines.clear();
  for (const ControlInfo& control : info.controls)
    lines.push_back(fmt::format("{} = {} ({}..{}, step {})", control.name, control.value,
                                control.min, control.max, control.step));
  print_lines("controls", lines);
  print_lines("light", settings_lines(info.settings));
}

void print_backends(const char* title, const std::vector<BackendListing>& listings) {
  print_line(title);
  for (const BackendListing& listing : listings) {
    print_line(fmt::format("  {:<10}{}", listing.name, listing.description));
    if (!listing.available)
      print_line(fmt::format("  {:<10}no: {}", "", listing.available.error().what));
  }
}

void print_inventory(const Inventory& inventory) {
  print_line("Sensors");
  for (const SensorListing& listing : inventory.sensors) print_sensor(listing);
  if (inventory.memory_backends.empty()) return;
  print_backends("Kinds of sensors", inventory.sensor_backends);
  print_backends("Kinds of memory", inventory.memory_backends);
}

}  // namespace

int run_sensors(const SensorsOptions& options) {
  const Inventory inventory = take_inventory(options.names);
  if (options.json) {
    print_text(to_json(inventory) + '\n');
  } else {
    print_inventory(inventory);
  }
  int status = kDone;
  if (options.names.empty()) return status;
  for (const SensorListing& listing : inventory.sensors) {
    if (listing.info) continue;
    report("sensors", listing.info.error().what);
    status = kFailed;
  }
  return status;
}

}  // namespace lockstep::tools
