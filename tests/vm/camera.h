// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lockstep/memory.h"
#include "lockstep/sensor.h"
#include "result_testing.h"

namespace lockstep {

/// Sets a control of a simulated camera by its name, as `v4l2-ctl --list-ctrls` shows it.
/// Buttons take any value. EXPECTs that it works.
void set_control(const std::string& device, const std::string& name, int value);

/// The value of a control of a simulated camera. EXPECTs that there is one.
int get_control(const std::string& device, const std::string& name);

/// All simulated cameras are one device to the kernel: they go together, and come back together, as they are at first.
void unplug_all();
void plug_in_all();

/// One sensor with arenas of its own, as a rig would run it.
class Camera {
 public:
  static constexpr std::size_t kArenas = 4;

  struct Config {
    Format format{PixelFormat::nv12, 640, 360, {30, 1}};
    std::string memory = "udmabuf";
    std::size_t more_stride_bytes = 0;  ///< Beyond the least that the format takes.
    std::size_t num_arenas = kArenas;
  };

  /// Opens, configures, attaches, starts and queues everything.
  static Result<std::unique_ptr<Camera>> start(const std::string& name, const Config& config);
  static Result<std::unique_ptr<Camera>> start(const std::string& name) { return start(name, {}); }
  ~Camera() { sensor().stop(); }

  Sensor& sensor() { return *sensor_; }
  const SensorStream& stream() const { return stream_; }
  const Format& format() const { return config_.format; }
  Arena& arena(std::size_t index) { return *arenas_[index]; }

  /// Waits for the next frame that is whole, at most 10 s. Does not queue its slot again.
  Result<Delivered> next();
  /// The same, whole or not.
  Result<Delivered> next_of_any_kind();
  /// Gives every slot that is not the driver's to the driver.
  Result<void> queue_all();
  /// Gives the frame's slot or buffer back to the driver.
  Result<void> give_back(Delivered frame);
  /// Where the frame's first byte is.
  const std::byte* pixels(const Delivered& frame);

 private:
  explicit Camera(Config config) : config_(std::move(config)) {}

  Config config_;
  std::unique_ptr<Sensor> sensor_;
  SensorStream stream_;
  std::vector<std::shared_ptr<Arena>> arenas_;
  std::vector<bool> queued_;
};

/// Red, green and blue of a pixel, 0..255; where the format has no colours all are the brightness.
struct Rgb {
  int red = 0, green = 0, blue = 0;
};
Rgb rgb_at(PixelFormat format, const Layout& layout, const std::byte* pixels, std::size_t x,
           std::size_t y);

/// Holds if the picture is vivid's default one: eight bars, white, yellow, cyan, green, magenta,
/// red, blue, black at 75 %, down to the last row.
testing::AssertionResult shows_colour_bars(const Format& format, const Layout& layout,
                                           const std::byte* pixels);

}  // namespace lockstep
