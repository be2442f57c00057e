// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <deque>
#include <vector>

#include "lockstep/light.h"
#include "sensor/sim/response.h"

namespace lockstep {

/// Cameras of a few lines, to close a loop around a light algorithm without a rig: they look at a grey wedge of five
/// stops, clip, are noisy, and do what they are told some frames later.
class ModelCameras {
 public:
  struct Camera {
    double response = 1;  ///< Of its lens and silicon, as a factor.
    double lamp = 0;      ///< Share of its picture that a lamp fills.
    int delay = 2;  ///< Frames from a decision to the first that is exposed with it, less one.
    std::array<double, 3> tint{1, 1, 1};  ///< Of the light, red, green, blue.
    SettingsCaps caps = usual_caps();
    Settings settings = usual_settings();  ///< In force.
    Settings wanted = usual_settings();
    FrameState state = FrameState::fresh;
    SettingsState settings_state = SettingsState::settled;
    bool deaf = false;  ///< Does nothing of what it is told.
    std::deque<Settings> coming{};
    Metering metering{};
    double mean = 0;  ///< Trimmed, of its last frame.
  };

  static SettingsCaps usual_caps() {
    SettingsCaps caps;
    caps[Setting::exposure] = SettingRange{20e3, 1e9, 0, 2};
    caps[Setting::analogue_gain] = SettingRange{1, 8, 1.0 / 16, 2};
    caps[Setting::digital_gain] = SettingRange{1, 4, 1.0 / 256, 2};
    caps[Setting::red_gain] = SettingRange{0.25, 4, 1.0 / 64, 2};
    caps[Setting::blue_gain] = SettingRange{0.25, 4, 1.0 / 64, 2};
    caps.reports = true;
    return caps;
  }

  static Settings usual_settings() {
    Settings settings;
    settings.exposure = std::chrono::milliseconds(10);
    return settings;
  }

  ModelCameras(const LightConfig& config, std::size_t count)
      : cameras(count), algorithm_(make_light_algorithm(config)) {}

  /// One frame of each, under so much light (1: white fills a pixel in 12.5 ms), and what is decided on it.
  void batch(double light) {
    std::vector<LightReport::PerSensor> sensors(cameras.size());
    for (std::size_t i = 0; i < cameras.size(); ++i) {
      Camera& camera = cameras[i];
      if (!camera.coming.empty() && camera.coming.size() > static_cast<std::size_t>(camera.delay)) {
        camera.settings = camera.coming.front();
        camera.coming.pop_front();
      }
      expose(camera, light);
      sensors[i].caps = &camera.caps;
      sensors[i].state = camera.state;
      sensors[i].info.settings = camera.settings;
      sensors[i].info.settings_state = camera.settings_state;
      sensors[i].metering = camera.state == FrameState::fresh ? &camera.metering : nullptr;
      sensors[i].wanted = camera.wanted;
    }
    LightReport report;
    report.batch = number_++;
    report.frame_period = frame_period;
    report.latest_revision = revision;
    report.sensors = sensors;
    changes = algorithm_->decide(report);
    if (!changes.empty()) ++revision;
    for (std::size_t i = 0; i < cameras.size(); ++i) take(cameras[i], i);
  }

  /// Batches under one light until those that are under way are done.
  void settle(double light, int batches = 40) {
    for (int i = 0; i < batches; ++i) batch(light);
  }

  double mean() const {
    double sum = 0;
    for (const Camera& camera : cameras) sum += camera.mean;
    return sum / static_cast<double>(cameras.size());
  }

  std::vector<Camera> cameras;
  Nanoseconds frame_period{33'333'333};
  double noise = 1;  ///< Standard deviation. \units 1/255 of full scale at a gain of 1
  std::vector<SettingsChange> changes;
  std::uint32_t revision = 0;

 private:
  static constexpr std::uint32_t kWidth = 96;
  static constexpr std::uint32_t kHeight = 54;

  double random() {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<double>(state_ >> 40) / (1 << 24);
  }

  void expose(Camera& camera, double light) {
    const Settings& with = camera.settings;
    const double gain = with.analogue_gain * with.digital_gain;
    const double signal =
        light * camera.response * gain * static_cast<double>(with.exposure.count()) / 12.5e6;
    const std::array<double, 3> balance{with.red_gain, 1, with.blue_gain};
    const SimCodes<std::uint8_t>& codes = sim_full_codes();
    const auto lit_columns = static_cast<std::uint32_t>(camera.lamp * kWidth);
    for (std::uint32_t x = 0; x < kWidth; ++x) {
      const double radiance = x < lit_columns ? 50 : 0.6 * std::exp2(-5.0 * x / kWidth);
      for (std::uint32_t y = 0; y < kHeight; ++y) {
        for (std::size_t c = 0; c < 3; ++c) {
          const double noisy = random() + random() + random() - 1.5;  // Standard deviation 0.5.
          const double value =
              signal * radiance * camera.tint[c] * balance[c] + noisy * 2 * noise / 255 * gain;
          const int whole = static_cast<int>(std::clamp(value, -0.9, 2.9) * kSimFullScale);
          pixels_[(y * kWidth + x) * 3 + c] = std::byte{codes.zero()[whole]};
        }
      }
    }
    camera.metering = meter_.measure(pixels_.data());
    camera.mean = camera.metering.trimmed_mean;
  }

  void take(Camera& camera, std::size_t i) {
    if (!changes.empty() && !camera.deaf) {
      const SettingsChange& change = changes[changes.size() == 1 ? 0 : i];
      SettingsChange taken;
      for (const Setting setting : kSettings)
        if (change[setting] && camera.caps[setting])
          taken[setting] = nearest(*camera.caps[setting], *change[setting]);
      apply_to(camera.wanted, taken);
    }
    camera.coming.push_back(camera.wanted);
  }

  static Meter make_meter() {
    const Format format{PixelFormat::rgb, kWidth, kHeight, {}};
    return *Meter::make(format, *default_layout(format.pixel_format, kWidth, kHeight), {});
  }

  std::unique_ptr<LightAlgorithm> algorithm_;
  Meter meter_ = make_meter();
  std::vector<std::byte> pixels_ = std::vector<std::byte>(kWidth * kHeight * 3);
  std::uint64_t state_ = 1;
  std::uint64_t number_ = 0;
};

}  // namespace lockstep
