// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "gst_handles.h"
#include "lockstep/result.h"

namespace lockstep::tools {

/// A video encoder of GStreamer's that recordings can be made with.
struct Encoder {
  const char* element;
  const char* parser;           ///< Gives the stream the form that the file wants.
  const char* package;          ///< Debian's name of the package that it is in.
  const char* preset_property;  ///< How fast against how small.
  const char* preset;           ///< Fast enough to keep up with cameras.
  std::uint32_t bitrate_unit;   ///< \units bit/s that 1 stands for in the property `bitrate`.
};

/// Those there are, the preferred first.
std::span<const Encoder> encoders();

/// The encoder of that element name; the first that is installed for "auto".
///
/// \errors  not_found      no such name; the text lists them.
///          not_supported  it is not installed; the text names its package.
Result<const Encoder*> find_encoder(std::string_view name);

/// Makes the element and sets it.
///
/// \errors  invalid_argument  no such preset, the text lists them; a bit rate that it does not take.
Result<Owned<GstElement>> make_encoder(const Encoder& encoder, std::uint32_t bitrate_kbit,
                                       const std::string& preset);

}  // namespace lockstep::tools
