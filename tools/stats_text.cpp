// SPDX-License-Identifier: MIT
#include "stats_text.h"

#include <fmt/format.h>

#include <cstdint>

namespace lockstep::tools {
namespace {

std::uint64_t count_of(const GstStructure& structure, const std::string& field) {
  guint64 count = 0;
  gst_structure_get_uint64(&structure, field.c_str(), &count);
  return count;
}

std::string text_of(const GstStructure& structure, const char* field) {
  const char* text = gst_structure_get_string(&structure, field);
  return text ? text : "";
}

std::string spread_text(const GstStructure& stats, const std::string& name) {
  const auto milliseconds = [&](const char* which) {
    return static_cast<double>(count_of(stats, name + which)) / 1e6;
  };
  return fmt::format("  {:<9}median {:.3f} ms, 95 % {:.3f} ms, 99 % {:.3f} ms, most {:.3f} ms\n",
                     name, milliseconds("-p50"), milliseconds("-p95"), milliseconds("-p99"),
                     milliseconds("-max"));
}

// "2 late, 1 overflow"; empty where nothing was dropped.
std::string drops_text(const GstStructure& sensor) {
  const GValue* value = gst_structure_get_value(&sensor, "drops-by-reason");
  if (!value) return {};
  const GstStructure* reasons = gst_value_get_structure(value);
  std::string text;
  for (gint i = 0; i < gst_structure_n_fields(reasons); ++i) {
    const char* reason = gst_structure_nth_field_name(reasons, static_cast<guint>(i));
    const std::uint64_t count = count_of(*reasons, reason);
    if (count > 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, reason);
  }
  return text;
}

std::string sensor_text(const GstStructure& sensor, guint index) {
  gboolean lost = FALSE;
  gst_structure_get_boolean(&sensor, "lost", &lost);
  std::string text = fmt::format("  {:>6}{:>9}{:>9}{:>10}{:>9}{:>8}  {}, {}{}\n", index,
                                 count_of(sensor, "frames"), count_of(sensor, "missing"),
                                 count_of(sensor, "repeated"), count_of(sensor, "drops"),
                                 count_of(sensor, "copies"), text_of(sensor, "name"),
                                 text_of(sensor, "io"), lost ? ", lost" : "");
  const std::string drops = drops_text(sensor);
  if (!drops.empty()) text += fmt::format("  {:>6}  dropped: {}\n", "", drops);
  return text;
}

}  // namespace

std::string stats_text(const GstStructure& stats) {
  std::string text =
      fmt::format("  {:<9}{}, {} incomplete, {} by reference; {} dropped\n", "batches",
                  count_of(stats, "batches"), count_of(stats, "incomplete"),
                  count_of(stats, "by-reference"), count_of(stats, "dropped-batches"));
  text += fmt::format("  {:<9}{}\n", "copies", count_of(stats, "copies"));
  text += spread_text(stats, "skew");
  text += spread_text(stats, "latency");
  text += fmt::format("  {:>6}{:>9}{:>9}{:>10}{:>9}{:>8}\n", "sensor", "frames", "missing",
                      "repeated", "dropped", "copies");
  const GValue* sensors = gst_structure_get_value(&stats, "sensors");
  const guint num_sensors = sensors ? gst_value_array_get_size(sensors) : 0;
  for (guint i = 0; i < num_sensors; ++i)
    text += sensor_text(*gst_value_get_structure(gst_value_array_get_value(sensors, i)), i);
  return text;
}

}  // namespace lockstep::tools
