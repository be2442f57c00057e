// SPDX-License-Identifier: MIT
#include "json.h"

#include <nlohmann/json.hpp>

namespace lockstep::tools {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const SizeRange& range) {
  return {{"min", range.min}, {"max", range.max}, {"step", range.step}};
}

std::string text_of(const Fraction& rate) {
  return std::to_string(rate.numerator) + "/" + std::to_string(rate.denominator);
}

Json json_of(const FormatOffer& offer) {
  Json rates = Json::array();
  for (const RateRange& rate : offer.rates)
    rates.push_back({{"min", text_of(rate.min)}, {"max", text_of(rate.max)}});
  return {{"format", to_string(offer.pixel_format)},
          {"width", json_of(offer.width)},
          {"height", json_of(offer.height)},
          {"rates", rates}};
}

Json json_of(const SettingsCaps& caps) {
  Json ranges = Json::object();
  for (const Setting setting : kSettings) {
    const auto& range = caps[setting];
    if (!range) continue;
    ranges[to_string(setting)] = {
        {"min", range->min}, {"max", range->max}, {"step", range->step}, {"delay", range->delay}};
  }
  return {{"ranges", ranges}, {"reports", caps.reports}, {"missing", caps.missing}};
}

Json json_of(const SensorListing& listing) {
  Json json = {{"name", listing.name}};
  if (!listing.info) {
    json["error"] = {{"code", to_string(listing.info.error().code)},
                     {"what", listing.info.error().what}};
    return json;
  }
  const SensorInfo& info = *listing.info;
  json["description"] = info.description;
  json["formats"] = Json::array();
  for (const FormatOffer& offer : info.formats) json["formats"].push_back(json_of(offer));
  json["io"] = Json::array();
  for (const IoInfo& io : info.io)
    json["io"].push_back({{"name", io.name}, {"works", io.works}, {"detail", io.detail}});
  json["controls"] = Json::array();
  for (const ControlInfo& control : info.controls)
    json["controls"].push_back({{"name", control.name},
                                {"min", control.min},
                                {"max", control.max},
                                {"step", control.step},
                                {"value", control.value}});
  json["settings"] = json_of(info.settings);
  return json;
}

Json json_of(const std::vector<BackendListing>& listings) {
  Json json = Json::array();
  for (const BackendListing& listing : listings) {
    Json one = {{"name", listing.name}, {"description", listing.description}};
    one["works"] = static_cast<bool>(listing.available);
    if (!listing.available) one["error"] = listing.available.error().what;
    json.push_back(one);
  }
  return json;
}

// Names from devices and files may hold bytes that are no text, and what a terminal would obey: all but ASCII is escaped.
std::string dump(const Json& json) {
  return json.dump(2, ' ', true, Json::error_handler_t::replace);
}

}  // namespace

std::string to_json(const Inventory& inventory) {
  Json json = {{"sensors", Json::array()}};
  for (const SensorListing& listing : inventory.sensors)
    json["sensors"].push_back(json_of(listing));
  json["sensor_backends"] = json_of(inventory.sensor_backends);
  json["memory_backends"] = json_of(inventory.memory_backends);
  return dump(json);
}

std::string to_json(const Report& report) {
  Json sensors = Json::array();
  for (const Report::PerSensor& sensor : report.sensors)
    sensors.push_back({{"sensor", sensor.sensor},
                       {"readable", sensor.readable},
                       {"unreadable", sensor.unreadable},
                       {"missing", sensor.missing},
                       {"repeated", sensor.repeated},
                       {"backward", sensor.backward},
                       {"wrong_place", sensor.wrong_place}});
  return dump({{"ok", report.faults.empty()},
               {"pictures", report.pictures},
               {"sensors", sensors},
               {"skew_max_ns", report.skew_max.count()},
               {"beyond_tolerance", report.beyond_tolerance},
               {"extra_tiles", report.extra_tiles},
               {"wrong_pts", report.wrong_pts},
               {"faults", report.faults},
               {"findings", report.findings}});
}

}  // namespace lockstep::tools
