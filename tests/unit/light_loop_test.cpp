// SPDX-License-Identifier: MIT
// The whole loop: simulated sensors, their light, the rig, the meter and the algorithms. The figures go into
// docs/measurements.md.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <sstream>
#include <string>
#include <vector>

#include "light_testing.h"
#include "rig_testing.h"

namespace lockstep {
namespace {

using std::chrono::milliseconds;

constexpr double kOnTarget = 0.05;
const std::string kSim = "sim?realtime=false&render=scene";

// Light changes when the exposures of batch kChange are about to begin and those before it have ended.
constexpr int kChange = 75;
const std::string kChangeAt = "&light-at=2499";

// What stands still on the chart: without the painted code, and without the wheel and the running lights in the middle,
// which by themselves change its brightness by 3 %.
WeightMap still_parts() {
  return {10, 6, {1, 1, 1, 0, 0, 0, 0, 0, 0, 1,  //
                  0, 0, 0, 0, 0, 0, 0, 0, 0, 1,  //
                  0, 0, 0, 0, 0, 0, 0, 0, 0, 1,  //
                  1, 1, 1, 0, 0, 0, 0, 0, 0, 1,  //
                  1, 1, 1, 0, 0, 0, 0, 0, 0, 1,  //
                  1, 1, 1, 1, 1, 1, 1, 1, 1, 1}};
}

LightConfig light_of(LightMode mode) {
  LightConfig config;
  config.mode = mode;
  config.metering = still_parts();
  return config;
}

// One batch of a run.
struct Step {
  std::vector<double> means;  // Trimmed, by sensor; below 0 where there is none.
  std::vector<Settings> settings;
  bool uniform = false;
  std::uint32_t revision = 0;

  double mean() const {
    double sum = 0;
    for (const double mean : means) sum += mean;
    return sum / static_cast<double>(means.size());
  }
};

std::vector<Step> run(const std::string& sensors, const LightConfig& light, int batches) {
  RigConfig config = config_of(sensors);
  config.light = light;
  auto rig = started(std::move(config));
  std::vector<Step> steps;
  for (int i = 0; rig && i < batches; ++i) {
    const Batch batch = next(*rig);
    Step step;
    for (const Frame& frame : batch.frames) {
      step.means.push_back(frame.metering ? frame.metering->trimmed_mean : -1);
      step.settings.push_back(frame.info.settings);
      step.revision = std::max(step.revision, frame.info.settings_revision);
    }
    step.uniform = batch.uniform;
    steps.push_back(std::move(step));
  }
  return steps;
}

// Frames from the first under the new light to the first of those that are on target and stay.
int frames_to_target(const std::vector<Step>& steps) {
  int reached = 0;
  for (std::size_t i = kChange; i < steps.size(); ++i)
    if (off_target(steps[i].mean()) > kOnTarget) reached = static_cast<int>(i) - kChange + 1;
  return reached;
}

double worst_off_target(const std::vector<Step>& steps, std::size_t first) {
  double worst = 0;
  for (std::size_t i = first; i < steps.size(); ++i)
    worst = std::max(worst, off_target(steps[i].mean()));
  return worst;
}

double light_taken(const Settings& settings) {
  return static_cast<double>(settings.exposure.count()) * settings.analogue_gain *
         settings.digital_gain;
}

// How often what is exposed with turns from more to less or back, by 3 % at least.
int turns(const std::vector<Step>& steps, std::size_t first) {
  int count = 0;
  int direction = 0;
  double extreme = light_taken(steps[first].settings[0]);
  for (std::size_t i = first; i < steps.size(); ++i) {
    const double now = light_taken(steps[i].settings[0]);
    const double change = now / extreme - 1;
    if (direction * change > 0) extreme = now;
    if (std::abs(change) < 0.03) continue;
    const int way = change > 0 ? 1 : -1;
    if (way == -direction) ++count;
    direction = way;
    extreme = now;
  }
  return count;
}

class LightLoop : public ::testing::Test {
 protected:
  static void tell(const std::string& what, double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.4g", value);
    RecordProperty(what, text);
    std::printf("[  FIGURE  ] %s: %s\n", what.c_str(), text);
  }
};

TEST_F(LightLoop, StepsOfLightAreMetWithinTwelveFramesAndWithoutOscillation) {
  for (const int stops : {-4, -2, -1, 1, 2, 4}) {
    const std::string sim = kSim + kChangeAt + "&light-stops=" + std::to_string(stops);
    const auto steps = run(times(4, sim), light_of(LightMode::shared), kChange + 75);
    const std::string name = "step of " + std::to_string(stops) + " stops";
    EXPECT_LT(off_target(steps[kChange - 1].mean()), 0.03) << name;
    EXPECT_GT(off_target(steps[kChange].mean()), 0.3) << name;
    const int frames = frames_to_target(steps);
    tell(name + ": frames", frames);
    EXPECT_LE(frames, 12) << name;
    EXPECT_EQ(turns(steps, kChange + 12), 0) << name;
    EXPECT_LE(steps.back().revision - steps[kChange + 12].revision, 30u) << name;
  }
}

TEST_F(LightLoop, APaintedCodeThatStaysBrightInTheDarkIsNoMatter) {
  LightConfig config = light_of(LightMode::shared);
  config.metering = average_metering();
  const std::string sim = "sim?realtime=false&light-stops=-4" + kChangeAt;
  const auto steps = run(times(4, sim), config, kChange + 40);
  double sum = 0;
  for (std::size_t i = kChange + 12; i < kChange + 24; ++i) sum += steps[i].mean() / 12;
  tell("step of -4 stops, painted code and all: mean of frames 12 to 23 off, per cent",
       100 * off_target(sum));
  EXPECT_LT(off_target(sum), 0.05);
}

TEST_F(LightLoop, ASteadySceneIsHeldThoughItIsNoisy) {
  const auto steps = run(times(4, kSim + "&noise=3"), light_of(LightMode::shared), 360);
  const double worst = worst_off_target(steps, 60);
  tell("steady for 300 frames: worst, per cent", 100 * worst);
  tell("steady for 300 frames: revisions", steps.back().revision - steps[60].revision);
  EXPECT_LT(worst, 0.03);
  EXPECT_EQ(turns(steps, 60), 0);
}

TEST_F(LightLoop, ARampIsFollowed) {
  const std::string sim = kSim + kChangeAt + "&light-over=3000&light-stops=3";
  const auto steps = run(times(2, sim), light_of(LightMode::shared), kChange + 120);
  const double worst = worst_off_target(steps, kChange);
  tell("ramp of a stop a second: worst, per cent", 100 * worst);
  EXPECT_LT(worst, 0.2);
  EXPECT_LT(worst_off_target(steps, kChange + 100), 0.03);
}

TEST_F(LightLoop, ALampInOneViewLeavesAllSensorsTheSame) {
  const std::string sensors = kSim + ";" + kSim + "&lamp=20;" + kSim + ";" + kSim;
  LightConfig config = light_of(LightMode::shared);
  config.metering = average_metering();
  const auto shared = run(sensors, config, 120);
  EXPECT_LT(worst_off_target(shared, 60), 0.08);
  for (std::size_t i = 60; i < shared.size(); ++i)
    for (const Settings& settings : shared[i].settings)
      EXPECT_EQ(settings, shared[i].settings[0]) << i;

  config.mode = LightMode::independent;
  const auto independent = run(sensors, config, 120);
  const auto spread = [](const Step& step) {
    double low = light_taken(step.settings[0]);
    double high = low;
    for (const Settings& settings : step.settings) {
      low = std::min(low, light_taken(settings));
      high = std::max(high, light_taken(settings));
    }
    return std::log2(high / low);
  };
  tell("lamp in one view, shared: worst off target, per cent", 100 * worst_off_target(shared, 60));
  tell("lamp in one view, shared: stops between sensors", spread(shared.back()));
  tell("lamp in one view, independent: stops between sensors", spread(independent.back()));
  EXPECT_GT(spread(independent.back()), 1);
}

TEST_F(LightLoop, StepsAreMetWithinTwelveFramesWithALampInViewToo) {
  const std::vector<std::pair<std::string, std::string>> all = {
      {"one of four", "&lamp=0;&lamp=20;&lamp=0;&lamp=0"}, {"the only one", "&lamp=20"}};
  for (const auto& [name, lamps] : all) {
    for (const int stops : {-4, 4}) {
      // The middle of the range, where the rest of the picture can make up for the step.
      std::string sensors;
      std::istringstream each(lamps);
      for (std::string lamp; std::getline(each, lamp, ';');)
        sensors += (sensors.empty() ? "" : ";") + kSim + kChangeAt + lamp +
                   "&light=" + std::to_string(-stops / 2) + "&light-stops=" + std::to_string(stops);
      LightConfig config = light_of(LightMode::shared);
      config.metering = average_metering();
      const int frames = frames_to_target(run(sensors, config, kChange + 60));
      tell("lamp in view of " + name + ", step of " + std::to_string(stops) + " stops: frames",
           frames);
      EXPECT_LE(frames, 12) << name << " " << stops;
    }
  }
}

TEST_F(LightLoop, LightsGoOffAndOn) {
  const std::string off = kSim + kChangeAt + "&light-stops=-12";
  const auto dark = run(times(2, off), light_of(LightMode::shared), kChange + 40);
  const Settings& most = dark.back().settings[0];
  EXPECT_EQ(most.exposure, Nanoseconds(33'000'000));
  EXPECT_NEAR(most.analogue_gain * most.digital_gain, 16, 0.1);
  const auto most_of = [&](const Step& step) {
    return light_taken(step.settings[0]) > 0.98 * light_taken(most);
  };
  const auto first = std::find_if(dark.begin() + kChange, dark.end(), most_of);
  tell("lights off: frames to the most exposure", std::distance(dark.begin() + kChange, first));

  const std::string on = kSim + "&light=-12" + kChangeAt + "&light-stops=12";
  const auto lit = run(times(2, on), light_of(LightMode::shared), kChange + 60);
  const int frames = frames_to_target(lit);
  tell("lights on: frames", frames);
  EXPECT_LE(frames, 12);
}

TEST_F(LightLoop, FlickerIsNotSeenWithExposuresOfWholeHalfPeriods) {
  for (const auto& [mains, hz, half_ms] : {std::tuple{Antiflicker::mains_50_hz, "50", 10.0},
                                           {Antiflicker::mains_60_hz, "60", 1000.0 / 120}}) {
    LightConfig config = light_of(LightMode::shared);
    config.antiflicker = mains;
    const std::string sim = kSim + "&light=-1&flicker-depth=0.9&flicker-hz=" + hz;
    const auto steps = run(times(2, sim), config, 160);
    for (std::size_t i = 60; i < steps.size(); ++i) {
      const double halves =
          static_cast<double>(steps[i].settings[0].exposure.count()) / 1e6 / half_ms;
      EXPECT_GE(halves, 0.9999);
      EXPECT_NEAR(halves, std::round(halves), 1e-4);
    }
    const double worst = worst_off_target(steps, 60);
    tell(std::string("flicker at ") + hz + " Hz: worst, per cent", 100 * worst);
    EXPECT_LT(worst, 0.03);
  }
}

TEST_F(LightLoop, SensorsOfDifferentResponseShareOneLightOrHaveEachTheirOwn) {
  const std::string sensors = kSim + "&response=0.5;" + kSim + ";" + kSim + "&response=2";
  const auto shared = run(sensors, light_of(LightMode::shared), 120);
  EXPECT_LT(worst_off_target(shared, 60), 0.05);
  for (const Settings& settings : shared.back().settings)
    EXPECT_EQ(settings, shared.back().settings[0]);

  const auto independent = run(sensors, light_of(LightMode::independent), 120);
  double worst = 0;
  for (const double mean : independent.back().means) worst = std::max(worst, off_target(mean));
  const auto& settings = independent.back().settings;
  tell("responses of 0.5, 1 and 2, shared: worst off target, per cent",
       100 * worst_off_target(shared, 60));
  tell("responses of 0.5, 1 and 2, independent: worst of each, per cent", 100 * worst);
  tell("responses of 0.5, 1 and 2, independent: light taken, first of last",
       light_taken(settings[0]) / light_taken(settings[2]));
  EXPECT_LT(worst, 0.05);
  EXPECT_NEAR(light_taken(settings[0]) / light_taken(settings[2]), 4, 0.6);
}

TEST_F(LightLoop, UnequalDelaysAndRangesCostNoMoreThanTheLongest) {
  for (const int stops : {-4, 4}) {
    const std::string sim = kSim + kChangeAt + "&light-stops=" + std::to_string(stops);
    const std::string sensors = sim + "&control-delay=1;" + sim +
                                "&exposure-delay=3&analogue-gain-delay=1;" + sim +
                                "&exposure-step-us=30&analogue-gain-step=0.125";
    const auto steps = run(sensors, light_of(LightMode::shared), kChange + 75);
    const int frames = frames_to_target(steps);
    tell("unequal delays up to 3, step of " + std::to_string(stops) + " stops: frames", frames);
    EXPECT_LE(frames, 12);
    EXPECT_EQ(turns(steps, kChange + 12), 0);
  }
}

TEST_F(LightLoop, AllFollowTheLeaderAndHoldWhenItIsGone) {
  LightConfig config = light_of(LightMode::follow);
  config.leader = 1;
  const std::string sensors = kSim + "&response=0.5;" + kSim + "&unplug-at=2499&unplug-for=60000;" +
                              kSim + kChangeAt + "&light-stops=3";
  const auto steps = run(sensors, config, kChange + 40);
  double worst = 0;
  for (std::size_t i = 60; i < kChange - 2; ++i)
    worst = std::max(worst, off_target(steps[i].means[1]));
  tell("follow: worst of the leader off target, per cent", 100 * worst);
  EXPECT_LT(worst, 0.05);
  EXPECT_LT(steps.back().means[1], 0);
  EXPECT_EQ(steps.back().settings[0], steps[kChange + 5].settings[0]);
  EXPECT_EQ(steps.back().settings[2], steps[kChange + 5].settings[2]);
}

TEST_F(LightLoop, WhiteBalanceMakesUpForSensorsTints) {
  const std::string sim = kSim + "&red-response=0.7&blue-response=1.4";
  const auto tinted = run(times(2, sim), light_of(LightMode::shared), 120);
  const auto plain = run(times(2, kSim), light_of(LightMode::shared), 120);
  const Settings& a = tinted.back().settings[0];
  const Settings& b = plain.back().settings[0];
  tell("red response of 0.7: red gain, of a plain sensor's", a.red_gain / b.red_gain);
  tell("blue response of 1.4: blue gain, of a plain sensor's", a.blue_gain / b.blue_gain);
  EXPECT_NEAR(a.red_gain / b.red_gain, 1 / 0.7, 0.1);
  EXPECT_NEAR(a.blue_gain / b.blue_gain, 1 / 1.4, 0.07);
}

}  // namespace
}  // namespace lockstep
