// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/format.h"
#include "lockstep/light.h"
#include "lockstep/result.h"
#include "lockstep/sensor_spec.h"

namespace lockstep::tools {

/// Which sensors, set to what, batched in which memory. What is not given is left to the default.
struct CaptureOptions {
  std::string sensors;  ///< As lockstepsrc takes them; empty: simulated ones.
  std::optional<std::uint32_t> num_sensors;
  std::string pixel_format;                    ///< Of the sensors; empty: negotiated.
  std::optional<std::uint32_t> sensor_width;   ///< With `sensor_height`.
  std::optional<std::uint32_t> sensor_height;  ///< With `sensor_width`.
  std::optional<Fraction> framerate;
  std::string memory;
  std::string layout;
};

/// Who decides on the light, and what it is to begin with. What is not given is left to the
/// default.
struct LightOptions {
  std::string mode;  ///< As to_string(LightMode).
  std::optional<double> target;
  std::optional<double> max_exposure_ms;
  std::optional<double> max_gain;
  std::string antiflicker;  ///< "off", "50" or "60".
  bool no_white_balance = false;
  std::optional<std::uint32_t> leader;
  std::string metering;  ///< "average", "centre" or "spot".
  bool align = false;

  std::optional<double> exposure_ms;
  std::optional<double> analogue_gain;
  std::optional<double> digital_gain;
  std::optional<double> red_gain;
  std::optional<double> blue_gain;

  std::string log;  ///< File for the light of each batch; empty: none.
};

/// "30" or "30000/1001" as a rate; nothing where it is none. \units frames per second, 1/(2^31 - 1) to 2^31 - 1
std::optional<Fraction> rate_from(std::string_view text);

/// The sensors that are meant, in slot order. One simulated one stands for as many as are wanted.
///
/// \errors  invalid_argument  a name that cannot be read, or another number than was asked for.
Result<std::vector<SensorSpec>> wanted_sensors(const CaptureOptions& options);

/// What to set sensors to: what the options say, else NV12, about 1280x720 and 30 frames a second,
/// as near as the sensors come.
///
/// \errors  no_common_format  no offer is as the options say; the text lists them.
Result<Format> wanted_format(const CaptureOptions& options, const std::vector<FormatOffer>& offers);

/// What a mosaic of so many tiles is encoded with if nothing else is asked for. \units kbit/s
///
/// As encoders have it by themselves up to 16 tiles, and then by tiles, so that what is in each stays as readable.
/// \source  64 tiles of painted codes, x265enc superfast, 1920 tiles: 15 unreadable at 32 kbit/s a tile, none at 64.
std::uint32_t default_bitrate_kbit(std::size_t num_tiles);

/// Options that are given, over the defaults of LightConfig.
LightConfig light_config(const LightOptions& options);

/// The settings that are given.
SettingsChange wanted_settings(const LightOptions& options);

}  // namespace lockstep::tools
