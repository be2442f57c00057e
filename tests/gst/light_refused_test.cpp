// SPDX-License-Identifier: MIT
// What lockstepsrc refuses of its properties: it is said once, nothing else is undone, and what is read back is in force.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "light_pipeline.h"

namespace lockstep {
namespace {

constexpr const char* kSettingsRefused = "lockstep-settings-refused";
constexpr guint64 kBeyondTheFrame = 500 * GST_MSECOND;  // at 30 fps

auto num_refused_messages(const LightPipeline& light) {
  return std::count(light.told.begin(), light.told.end(), kSettingsRefused);
}

bool one_names(const std::vector<std::string>& warnings, const std::string& text) {
  return warnings.size() == 1 && warnings[0].find(text) != std::string::npos;
}

guint64 time_property(GstElement* source, const char* name) {
  guint64 value = 0;
  g_object_get(source, name, &value, nullptr);
  return value;
}

TEST(LightRefused, ExposureLongerThanTheFrameIsOneMessageThatNamesIt) {
  for (const char* report : {"&report=true", "&report=false"}) {
    LightPipeline light(
        virtual_source(std::string("&render=stamp") + report, 2, 20, "exposure-time=4000000"),
        [](GstElement* source, std::size_t n) {
          if (n == 5) g_object_set(source, "exposure-time", kBeyondTheFrame, nullptr);
        });
    const auto warnings = light.play_to_end();
    EXPECT_TRUE(one_names(warnings, "frame-duration")) << report;
    EXPECT_EQ(num_refused_messages(light), 1) << report;
    EXPECT_EQ(light.count("refused-settings"), 1u) << report;
    EXPECT_EQ(time_property(light.source(), "exposure-time"), kOther);
    EXPECT_EQ(light.batches.back().frames[1].exposure, kOther);
    EXPECT_TRUE(light.batches.back().uniform);
  }
}

TEST(LightRefused, ExposureLongerThanTheFrameIsTakenWithALongerFrame) {
  LightPipeline light(virtual_source("&render=stamp&report=false", 2, 20),
                      [](GstElement* source, std::size_t n) {
                        if (n == 5)
                          g_object_set(source, "exposure-time", kBeyondTheFrame, "frame-duration",
                                       guint64{600 * GST_MSECOND}, nullptr);
                      });
  EXPECT_TRUE(light.play_to_end().empty());
  EXPECT_EQ(light.batches.back().frames[1].exposure, kBeyondTheFrame);
  EXPECT_TRUE(light.batches.back().uniform);
}

TEST(LightRefused, ExposureLongerThanTheFrameKeepsNothingElseFromBeingTakenAtTheStart) {
  LightPipeline light(virtual_source("&render=stamp", 2, 5,
                                     "exposure-time=500000000 analogue-gain=2 "
                                     "sensor_1::digital-gain=3 sensor_0::exposure-time=600000000"));
  const auto warnings = light.play_to_end();
  EXPECT_EQ(warnings.size(), 2u);
  EXPECT_EQ(num_refused_messages(light), 2);
  EXPECT_EQ(light.count("refused-settings"), 2u);
  EXPECT_EQ(time_property(light.source(), "exposure-time"), 0u);
  const SeenBatch& first = light.batches.front();
  EXPECT_EQ(first.frames[0].analogue_gain, 2);
  EXPECT_EQ(first.frames[1].digital_gain, 3);
  EXPECT_EQ(first.frames[0].exposure, kFirst);
}

TEST(LightRefused, OverrideLongerThanTheFrameIsOneMessageThatNamesIt) {
  LightPipeline light(virtual_source("&render=stamp", 2, 20),
                      [](GstElement* source, std::size_t n) {
                        if (n == 5)
                          gst_child_proxy_set(GST_CHILD_PROXY(source), "sensor_1::exposure-time",
                                              kBeyondTheFrame, nullptr);
                      });
  EXPECT_TRUE(
      one_names(light.play_to_end(), "sensor 1: exposure 500 ms, longer than frame-duration"));
  EXPECT_EQ(num_refused_messages(light), 1);
  EXPECT_EQ(light.count("refused-settings"), 1u);
  guint64 kept = 1;
  gst_child_proxy_get(GST_CHILD_PROXY(light.source()), "sensor_1::exposure-time", &kept, nullptr);
  EXPECT_EQ(kept, 0u);
}

TEST(LightRefused, EveryChangeThatIsRefusedIsCounted) {
  LightPipeline light(virtual_source("&render=stamp", 2, 20),
                      [](GstElement* source, std::size_t n) {
                        if (n < 10) g_object_set(source, "analogue-gain", 99.0, nullptr);
                      });
  light.play_to_end();
  EXPECT_EQ(light.count("refused-settings"), 10u);
  EXPECT_EQ(light.count("revisions"), 0u);
}

TEST(LightRefused, NonsenseAnswersAreCounted) {
  LightPipeline light(virtual_source("", 2, 10, "light-mode=application"));
  g_signal_connect(light.source(), "light", G_CALLBACK(+[](GstElement*, GstStructure*, gpointer) {
                     return gst_structure_new("settings", "exposure", G_TYPE_INT, 1, nullptr);
                   }),
                   nullptr);
  light.play_to_end();
  EXPECT_EQ(light.count("refused-settings"), 10u);
}

// Sets a property to one good value after another while another thread sets what is refused: how often another value was
// read back.
int num_undone(const std::function<bool(int)>& set_and_compare,
               const std::function<void()>& nonsense) {
  std::atomic<bool> done{false};
  std::thread other([&] {
    while (!done) nonsense();
  });
  int undone = 0;
  for (int n = 0; n < 400; ++n) undone += !set_and_compare(n);
  done = true;
  other.join();
  return undone;
}

// A live source, whose messages nobody wants.
struct RefusingSource {
  RefusingSource()
      : pipeline("lockstepsrc name=src num-sensors=2 sensors=sim?render=stamp" +
                 std::string(kSmall)) {
    pipeline.set_state(GST_STATE_PLAYING);
    EXPECT_TRUE(pipeline.wait_for_buffers(1));
    std::unique_ptr<GstBus, Unref> bus(gst_element_get_bus(pipeline.get()));
    gst_bus_set_flushing(bus.get(), TRUE);
  }
  GstElement* source() const { return pipeline.source(); }

  Pipeline pipeline;
};

TEST(LightRefused, SettingsThatAreRefusedUndoNothingThatAnotherThreadSets) {
  RefusingSource live;
  const int undone = num_undone(
      [&](int n) {
        const guint64 exposure = 1'000'000 + static_cast<guint64>(n);
        g_object_set(live.source(), "exposure-time", exposure, nullptr);
        return time_property(live.source(), "exposure-time") == exposure;
      },
      [&] { g_object_set(live.source(), "analogue-gain", 99.0, nullptr); });
  EXPECT_EQ(undone, 0);
  double gain = 1;
  g_object_get(live.source(), "analogue-gain", &gain, nullptr);
  EXPECT_EQ(gain, 0);
  // The rig has what is read back.
  StructurePtr stats = live.pipeline.stats();
  const GValue* sensors = gst_structure_get_value(stats.get(), "sensors");
  const GstStructure* sensor = gst_value_get_structure(gst_value_array_get_value(sensors, 1));
  GstStructure* wanted = nullptr;
  ASSERT_TRUE(gst_structure_get(sensor, "wanted", GST_TYPE_STRUCTURE, &wanted, nullptr));
  StructurePtr wanted_owner(wanted);
  guint64 exposure = 0;
  EXPECT_TRUE(gst_structure_get_uint64(wanted, "exposure-time", &exposure));
  EXPECT_EQ(exposure, time_property(live.source(), "exposure-time"));
}

TEST(LightRefused, PlansThatAreRefusedUndoNothingThatAnotherThreadSets) {
  RefusingSource live;
  const int undone = num_undone(
      [&](int n) {
        const double target = 0.1 + n * 1e-3;
        double read = 0;
        g_object_set(live.source(), "light-target", target, nullptr);
        g_object_get(live.source(), "light-target", &read, nullptr);
        return read == target;
      },
      [&] { g_object_set(live.source(), "light-leader", 7u, nullptr); });
  EXPECT_EQ(undone, 0);
  guint leader = 1;
  g_object_get(live.source(), "light-leader", &leader, nullptr);
  EXPECT_EQ(leader, 0u);
}

}  // namespace
}  // namespace lockstep
