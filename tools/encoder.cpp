// SPDX-License-Identifier: MIT
#include "encoder.h"

#include <fmt/format.h>

#include <array>

namespace lockstep::tools {
namespace {

constexpr std::array kEncoders = {
    Encoder{"x265enc", "h265parse", "gstreamer1.0-plugins-bad", "speed-preset", "superfast", 1000},
    Encoder{"x264enc", "h264parse", "gstreamer1.0-plugins-ugly", "speed-preset", "superfast", 1000},
    Encoder{"openh264enc", "h264parse", "gstreamer1.0-plugins-bad", "complexity", "low", 1},
};

bool is_installed(const Encoder& encoder) {
  const Owned<GstElementFactory> factory(gst_element_factory_find(encoder.element));
  return factory != nullptr;
}

std::string names_of(const GEnumClass* values) {
  std::string names;
  for (guint i = 0; i < values->n_values; ++i) {
    if (i > 0) names += ", ";
    names += values->values[i].value_nick;
  }
  return names;
}

Result<void> set_preset(GstElement* element, const Encoder& encoder, const std::string& preset) {
  GParamSpec* property =
      g_object_class_find_property(G_OBJECT_GET_CLASS(element), encoder.preset_property);
  GEnumClass* values = G_PARAM_SPEC_ENUM(property)->enum_class;
  const GEnumValue* value = g_enum_get_value_by_nick(values, preset.c_str());
  if (!value)
    return Error{Errc::invalid_argument, 0,
                 fmt::format("set preset {} of {}, wanted one of: {}", preset, encoder.element,
                             names_of(values))};
  g_object_set(element, encoder.preset_property, value->value, nullptr);
  return {};
}

Result<void> set_bitrate(GstElement* element, const Encoder& encoder, std::uint32_t kbit) {
  const auto* range =
      G_PARAM_SPEC_UINT(g_object_class_find_property(G_OBJECT_GET_CLASS(element), "bitrate"));
  const std::uint64_t value = std::uint64_t{kbit} * 1000 / encoder.bitrate_unit;
  const auto kbit_of = [&](guint bound) {
    return std::uint64_t{bound} * encoder.bitrate_unit / 1000;
  };
  if (value < range->minimum || value > range->maximum)
    return Error{Errc::invalid_argument, 0,
                 fmt::format("set a bit rate of {} kbit/s of {}, wanted {} to {}", kbit,
                             encoder.element, kbit_of(range->minimum), kbit_of(range->maximum))};
  g_object_set(element, "bitrate", static_cast<guint>(value), nullptr);
  return {};
}

}  // namespace

std::span<const Encoder> encoders() { return kEncoders; }

Result<const Encoder*> find_encoder(std::string_view name) {
  std::string names;
  for (const Encoder& encoder : kEncoders) {
    if (name == "auto" && is_installed(encoder)) return &encoder;
    if (name == encoder.element) {
      if (is_installed(encoder)) return &encoder;
      return Error{Errc::not_supported, 0,
                   fmt::format("encode with {}: GStreamer has no such element here; install {}",
                               encoder.element, encoder.package)};
    }
    names += fmt::format("{}{} ({})", names.empty() ? "" : ", ", encoder.element, encoder.package);
  }
  if (name == "auto")
    return Error{Errc::not_supported, 0,
                 "encode: GStreamer has no encoder here; install one of: " + names};
  return Error{Errc::not_found, 0,
               fmt::format("encode with {}, wanted auto or one of: {}", name, names)};
}

Result<Owned<GstElement>> make_encoder(const Encoder& encoder, std::uint32_t bitrate_kbit,
                                       const std::string& preset) {
  Owned<GstElement> element(gst_element_factory_make(encoder.element, nullptr));
  gst_object_ref_sink(element.get());  // It comes floating.
  if (auto set = set_preset(element.get(), encoder, preset.empty() ? encoder.preset : preset); !set)
    return set.error();
  if (auto set = set_bitrate(element.get(), encoder, bitrate_kbit); !set) return set.error();
  return element;
}

}  // namespace lockstep::tools
