// SPDX-License-Identifier: MIT
#include "gstlockstepstats.h"

#include <numeric>
#include <string>

#include "gstlocksteplightreport.h"
#include "gstlockstepmessages.h"

namespace lockstep {
namespace {

void set_count(GstStructure* structure, const char* field, std::uint64_t count) {
  gst_structure_set(structure, field, G_TYPE_UINT64, guint64{count}, nullptr);
}

void set_percentiles(GstStructure* structure, const std::string& name, const Histogram& histogram) {
  const auto set = [&](const char* suffix, Nanoseconds value) {
    set_count(structure, (name + suffix).c_str(), static_cast<std::uint64_t>(value.count()));
  };
  set("-p50", histogram.percentile(0.50));
  set("-p95", histogram.percentile(0.95));
  set("-p99", histogram.percentile(0.99));
  set("-max", histogram.max());
}

GstStructure* sensor_structure(const RigStats::PerSensor& sensor) {
  GstStructure* reasons = gst_structure_new_empty("drops-by-reason");
  for (std::size_t r = 0; r < kNumDropReasons; ++r)
    set_count(reasons, to_string(static_cast<DropReason>(r)), sensor.drops[r]);
  GstStructure* structure =
      gst_structure_new("sensor", "lost", G_TYPE_BOOLEAN, sensor.lost, nullptr);
  set_text(structure, "name", sensor.name);
  set_text(structure, "io", sensor.io);
  set_count(structure, "frames", sensor.frames);
  set_count(structure, "missing", sensor.missing);
  set_count(structure, "repeated", sensor.repeated);
  set_count(structure, "copies", sensor.copies);
  set_count(structure, "drops",
            std::accumulate(sensor.drops.begin(), sensor.drops.end(), std::uint64_t{0}));
  gst_structure_set(structure, "drops-by-reason", GST_TYPE_STRUCTURE, reasons, nullptr);
  gst_structure_free(reasons);
  return structure;
}

void add_light(GstStructure* sensor, const LightStats& light, std::size_t index) {
  if (index < light.wanted.size()) {
    StructurePtr wanted = structure_of(light.wanted[index], "wanted");
    gst_structure_set(sensor, "wanted", GST_TYPE_STRUCTURE, wanted.get(), nullptr);
  }
  if (index < light.caps.size()) {
    StructurePtr settings = structure_of(light.caps[index]);
    gst_structure_set(sensor, "settings", GST_TYPE_STRUCTURE, settings.get(), nullptr);
  }
}

}  // namespace

StructurePtr structure_of(const RigStats& stats, const LightStats* light) {
  StructurePtr structure(gst_structure_new_empty("lockstep-stats"));
  set_count(structure.get(), "batches", stats.batches);
  set_count(structure.get(), "incomplete", stats.incomplete);
  set_count(structure.get(), "by-reference", stats.by_reference);
  set_count(structure.get(), "dropped-batches", stats.dropped_batches);
  std::uint64_t copies = 0;
  GValue sensors = G_VALUE_INIT;
  g_value_init(&sensors, GST_TYPE_ARRAY);
  for (std::size_t i = 0; i < stats.sensors.size(); ++i) {
    const RigStats::PerSensor& sensor = stats.sensors[i];
    copies += sensor.copies;
    GstStructure* told = sensor_structure(sensor);
    if (light) add_light(told, *light, i);
    GValue value = G_VALUE_INIT;
    g_value_init(&value, GST_TYPE_STRUCTURE);
    g_value_take_boxed(&value, told);
    gst_value_array_append_and_take_value(&sensors, &value);
  }
  set_count(structure.get(), "copies", copies);
  set_percentiles(structure.get(), "skew", stats.skew);
  set_percentiles(structure.get(), "latency", stats.latency);
  if (light) {
    set_count(structure.get(), "uniform", stats.uniform);
    set_count(structure.get(), "revisions", stats.revisions);
    set_count(structure.get(), "superseded", stats.superseded);
    set_count(structure.get(), "late-writes", stats.late_writes);
    set_count(structure.get(), "refused-settings", stats.refused_settings + light->answers_refused);
    set_count(structure.get(), "light-reports-skipped", light->reports_skipped);
  }
  gst_structure_take_value(structure.get(), "sensors", &sensors);
  return structure;
}

}  // namespace lockstep
