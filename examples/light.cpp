// SPDX-License-Identifier: MIT
// An algorithm of one's own for the light of all sensors: what the brightest of them sees may just not clip, but for the
// brightest twentieth, which is a lamp, a reflection, or the code that simulated sensors paint, and stays white whatever
// the exposure. Exits with 1 if that is not reached.
#include <lockstep/lockstep.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <vector>

namespace {

using lockstep::Setting;

// The share of a picture that may clip.
constexpr double kMayClip = 0.05;
// What the brightest of the rest is to come out as. \units share of full scale, linear
constexpr double kHighlights = 0.7;
// Nearer than this nothing is changed: noise alone moves it by less.
constexpr double kCloseEnough = 0.05;

// The linear light that all samples stay below but those that may clip.
double highlights_of(const lockstep::Metering& metering) {
  double share = 0;
  std::size_t bin = metering.histogram.size();
  while (bin > 1 && share < kMayClip) share += double{metering.histogram[--bin]};
  return std::pow(static_cast<double>(bin) / 255, 2.2);
}

class KeepHighlights : public lockstep::LightAlgorithm {
 public:
  // Each frame carries what it was exposed with, so each is a measurement of the scene by itself, whatever settings are
  // under way. The sensor that has most light decides for all.
  std::vector<lockstep::SettingsChange> decide(const lockstep::LightReport& report) override {
    double factor = std::numeric_limits<double>::max();
    double light = 0;
    std::vector<lockstep::SettingsCaps> caps;
    for (const auto& sensor : report.sensors) {
      caps.push_back(*sensor.caps);
      if (!sensor.metering) continue;
      // How far above the scale it is cannot be seen of what is clipped.
      const bool clipped = sensor.metering->clipped_bright > kMayClip;
      const double its = clipped ? 0.25 : kHighlights / highlights_of(*sensor.metering);
      if (its >= factor) continue;
      const lockstep::Settings& had = sensor.info.settings;
      factor = its;
      light = static_cast<double>(had.exposure.count()) * had.analogue_gain;
    }
    if (light == 0 || std::abs(factor - 1) < kCloseEnough) return {};
    return {split(light * factor, report, caps)};
  }

 private:
  // As much exposure as the frame rate leaves room for, and gain for the rest.
  static lockstep::SettingsChange split(double light, const lockstep::LightReport& report,
                                        const std::vector<lockstep::SettingsCaps>& caps) {
    lockstep::SettingsChange change;
    auto exposure = common_range(caps, Setting::exposure);
    if (!exposure) return change;
    const double longest = static_cast<double>(report.frame_period.count()) * 0.75;
    exposure->max = std::clamp(longest, exposure->min, exposure->max);
    change.set(Setting::exposure, nearest(*exposure, light));
    if (const auto gain = common_range(caps, Setting::analogue_gain))
      change.set(Setting::analogue_gain, nearest(*gain, light / *change[Setting::exposure]));
    return change;
  }
};

void print(const lockstep::Batch& batch) {
  std::printf("batch %3llu %s", static_cast<unsigned long long>(batch.number),
              batch.uniform ? "uniform " : "changing");
  for (const lockstep::Frame& frame : batch.frames) {
    const lockstep::Settings& had = frame.info.settings;
    std::printf(" | %6.2f ms x %5.2f", static_cast<double>(had.exposure.count()) / 1e6,
                had.analogue_gain);
    if (frame.metering)
      std::printf(", top %4.1f %%, clipped %4.1f %%", highlights_of(*frame.metering) * 100,
                  frame.metering->clipped_bright * 100);
  }
  std::printf("\n");
}

// What the brightest of the sensors came out as.
double highlights_of(const lockstep::Batch& batch) {
  double most = 0;
  for (const lockstep::Frame& frame : batch.frames)
    if (frame.metering) most = std::max(most, highlights_of(*frame.metering));
  return most;
}

int fail(const lockstep::Error& error) {
  std::fprintf(stderr, "%s\n", error.what.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  auto sensors = lockstep::parse_sensor_list(argc > 1 ? argv[1] : "sim;sim?response=2");
  if (!sensors) return fail(sensors.error());
  lockstep::RigConfig config;
  config.sensors = *sensors;
  config.light.mode = lockstep::LightMode::application;
  config.algorithm = std::make_shared<KeepHighlights>();
  auto rig = lockstep::Rig::open(config);
  if (!rig) return fail(rig.error());
  auto ready = (*rig)->configure({lockstep::PixelFormat::nv12, 640, 360, {30, 1}});
  if (ready) ready = (*rig)->start();
  if (!ready) return fail(ready.error());
  double highlights = 0;
  for (int n = 0; n < 60; ++n) {
    auto batch = (*rig)->next_batch(std::chrono::seconds(1));
    if (!batch) return fail(batch.error());
    print(*batch);
    highlights = highlights_of(*batch);
  }
  if (std::abs(highlights / kHighlights - 1) < 2 * kCloseEnough) return 0;
  std::fprintf(stderr, "the light did not settle: highlights at %.1f %%, wanted %.1f %%\n",
               highlights * 100, kHighlights * 100);
  return 1;
}
