// SPDX-License-Identifier: MIT
// The light of lockstepsrc by its properties and by those of its children, on simulated sensors.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "light_pipeline.h"

namespace lockstep {
namespace {

template <typename T>
T property_of(GstElement* source, const char* name) {
  T value{};
  g_object_get(source, name, &value, nullptr);
  return value;
}

template <typename T>
T child_property_of(GstElement* source, const char* name) {
  T value{};
  gst_child_proxy_get(GST_CHILD_PROXY(source), name, &value, nullptr);
  return value;
}

bool has_text(const std::vector<std::string>& warnings, const std::string& text) {
  return std::any_of(warnings.begin(), warnings.end(), [&](const std::string& warning) {
    return warning.find(text) != std::string::npos;
  });
}

std::string all_of(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += text + "\n";
  return all;
}

TEST(Light, WhatIsSetBeforeTheStartHoldsFromTheFirstFrame) {
  LightPipeline light(
      virtual_source("&render=stamp", 3, 5, "exposure-time=4000000 analogue-gain=2 red-gain=1.5"));
  EXPECT_EQ(all_of(light.play_to_end()), "");
  ASSERT_EQ(light.batches.size(), 5u);
  for (const SeenBatch& batch : light.batches) {
    EXPECT_TRUE(batch.uniform);
    for (const GstLockstepFrame& frame : batch.frames) {
      EXPECT_EQ(frame.exposure, kOther);
      EXPECT_EQ(frame.analogue_gain, 2);
      EXPECT_EQ(frame.red_gain, 1.5);
      EXPECT_EQ(frame.settings_state, GST_LOCKSTEP_SETTINGS_SETTLED);
      EXPECT_EQ(frame.settings_revision, 1u);
    }
  }
}

TEST(Light, WhatOneCallSetsIsOneRevisionThatTakesEffectOnOneBatch) {
  // Exposures take a frame longer than gains in one, and settings four frames in the other.
  LightPipeline light(
      "lockstepsrc name=src num-buffers=30 sensors=\"sim?realtime=false&render=stamp&"
      "exposure-delay=3&analogue-gain-delay=2;sim?realtime=false&render=stamp&control-delay=4\"",
      [](GstElement* source, std::size_t n) {
        if (n == 10)
          g_object_set(source, "exposure-time", guint64{kOther}, "analogue-gain", 2.0, "blue-gain",
                       1.25, nullptr);
      });
  EXPECT_EQ(all_of(light.play_to_end()), "");
  EXPECT_EQ(light.count("revisions"), 1u);
  const std::size_t changed = light.first_with_exposure(kOther);
  ASSERT_LE(changed, 16u);
  EXPECT_GT(changed, 10u);
  for (std::size_t n = 0; n < light.batches.size(); ++n) {
    EXPECT_TRUE(light.batches[n].has_one_light()) << n;
    EXPECT_TRUE(light.batches[n].uniform) << n;
    for (const GstLockstepFrame& frame : light.batches[n].frames) {
      EXPECT_EQ(frame.exposure, n < changed ? kFirst : kOther) << n;
      EXPECT_EQ(frame.analogue_gain, n < changed ? 1 : 2) << n;
      EXPECT_EQ(frame.blue_gain, n < changed ? 1 : 1.25) << n;
      EXPECT_EQ(frame.settings_revision, n < changed ? 0u : 1u) << n;
    }
  }
}

TEST(Light, ZeroAsksForNothing) {
  LightPipeline light(virtual_source("&render=stamp", 2, 20, "exposure-time=4000000"),
                      [](GstElement* source, std::size_t n) {
                        if (n == 5) g_object_set(source, "exposure-time", guint64{0}, nullptr);
                      });
  EXPECT_EQ(all_of(light.play_to_end()), "");
  EXPECT_EQ(light.batches.back().frames[0].exposure, kOther);
  EXPECT_EQ(light.count("revisions"), 1u);
  EXPECT_EQ(property_of<guint64>(light.source(), "exposure-time"), 0u);
}

TEST(Light, HoldsAgainAfterARestart) {
  LightPipeline light(virtual_source("&render=stamp", 2, 5, "exposure-time=4000000"));
  for (GstState between : {GST_STATE_READY, GST_STATE_NULL}) {
    EXPECT_EQ(all_of(light.play_to_end()), "");
    light.pipeline.set_state(between);
    ASSERT_FALSE(light.batches.empty());
    EXPECT_EQ(light.batches.front().frames[1].exposure, kOther);
    light.batches.clear();
  }
}

// What is set, and a part of the text that it is refused with.
class RefusedLight
    : public testing::TestWithParam<std::tuple<const char*, const char*, const char*>> {};

TEST_P(RefusedLight, WarnsAndIsNotKeptWhilePlaying) {
  const auto& [name, value, text] = GetParam();
  LightPipeline light(virtual_source("&render=stamp", 2, 20, "exposure-time=4000000"),
                      [name = name, value = value](GstElement* source, std::size_t n) {
                        if (n == 5) gst_util_set_object_arg(G_OBJECT(source), name, value);
                      });
  GValue before = G_VALUE_INIT;
  GParamSpec* spec = g_object_class_find_property(G_OBJECT_GET_CLASS(light.source()), name);
  ASSERT_NE(spec, nullptr);
  g_value_init(&before, spec->value_type);
  g_object_get_property(G_OBJECT(light.source()), name, &before);
  const auto warnings = light.play_to_end();
  EXPECT_TRUE(has_text(warnings, text)) << all_of(warnings);
  EXPECT_EQ(light.batches.size(), 20u);
  EXPECT_EQ(light.batches.back().frames[0].exposure, kOther);
  EXPECT_EQ(light.count("revisions"), 1u);
  GValue after = G_VALUE_INIT;
  g_value_init(&after, spec->value_type);
  g_object_get_property(G_OBJECT(light.source()), name, &after);
  EXPECT_EQ(gst_value_compare(&before, &after), GST_VALUE_EQUAL);
  g_value_unset(&before);
  g_value_unset(&after);
}

TEST_P(RefusedLight, WarnsAndIsNotKeptBeforeTheStart) {
  const auto& [name, value, text] = GetParam();
  LightPipeline light(
      virtual_source("&render=stamp", 2, 5, std::string(name) + "=\"" + value + "\""));
  const auto warnings = light.play_to_end();
  EXPECT_TRUE(has_text(warnings, text)) << all_of(warnings);
  EXPECT_EQ(light.batches.size(), 5u);
  EXPECT_EQ(light.batches.front().frames[0].exposure, kFirst);
}

INSTANTIATE_TEST_SUITE_P(
    Values, RefusedLight,
    testing::Values(std::tuple("exposure-time", "5000000000", "the sensor has"),
                    std::tuple("analogue-gain", "1000", "the sensor has 1 to 16"),
                    std::tuple("red-gain", "0.001", "red-gain"),
                    std::tuple("frame-duration", "1", "frame-duration"),
                    std::tuple("metering-weights", "<<1.0,2.0>,<1.0>>", "row 1 has 1 weights"),
                    std::tuple("metering-weights", "<<0.0>>", "weight")));

// Example failure: gst-inspect says that light-target goes to 1.8e308.
TEST(Light, TheRangesThatGObjectKnowsAreThoseThatAreTaken) {
  for (const char* line :
       {"light-target=0.01", "light-target=0.9", "max-gain=1", "max-gain=1e300", "max-exposure=0",
        "max-exposure=9223372036854775807", "num-sensors=64 light-leader=63"}) {
    Pipeline pipeline(std::string("lockstepsrc name=src sensors=sim?realtime=false ") + line +
                      kSmall);
    EXPECT_EQ(pipeline.set_state(GST_STATE_READY), GST_STATE_CHANGE_SUCCESS) << line;
    EXPECT_FALSE(pipeline.wait_for(GST_MESSAGE_WARNING, 0)) << line;
  }
  Pipeline pipeline(std::string("lockstepsrc name=src") + kSmall);
  GObjectClass* of = G_OBJECT_GET_CLASS(pipeline.source());
  const auto number = [of](const char* name) {
    const auto* spec = G_PARAM_SPEC_DOUBLE(g_object_class_find_property(of, name));
    return std::pair(spec->minimum, spec->maximum);
  };
  EXPECT_EQ(number("light-target"), std::pair(0.01, 0.9));
  EXPECT_EQ(number("max-gain").first, 1);
  for (const char* name : {"analogue-gain", "digital-gain", "red-gain", "blue-gain"})
    EXPECT_EQ(number(name).first, 0) << name;
  EXPECT_EQ(G_PARAM_SPEC_UINT(g_object_class_find_property(of, "light-leader"))->maximum, 63u);
}

TEST(Light, WhatIsNoNumberIsRefusedByGObject) {
  LightPipeline light(virtual_source("&render=stamp", 2, 20, "analogue-gain=2"),
                      [](GstElement* source, std::size_t n) {
                        if (n == 5) g_object_set(source, "analogue-gain", std::nan(""), nullptr);
                      });
  EXPECT_EQ(all_of(light.play_to_end()), "");
  EXPECT_EQ(light.batches.back().frames[0].analogue_gain, 2);
  EXPECT_EQ(property_of<double>(light.source(), "analogue-gain"), 2);
}

TEST(Light, LeaderThatThereIsNotIsRefused) {
  LightPipeline light(virtual_source("&render=stamp", 2, 10),
                      [](GstElement* source, std::size_t n) {
                        if (n == 5) g_object_set(source, "light-leader", 2u, nullptr);
                      });
  EXPECT_TRUE(has_text(light.play_to_end(), "light-leader 2, there are 2 sensors"));
  EXPECT_EQ(property_of<guint>(light.source(), "light-leader"), 0u);
  g_object_set(light.source(), "light-leader", 1u, nullptr);
  EXPECT_EQ(property_of<guint>(light.source(), "light-leader"), 1u);
}

TEST(Light, LeaderThatThereIsNotIsAnErrorAtTheStart) {
  LightPipeline light(virtual_source("&render=stamp", 2, 10, "light-leader=7"));
  EXPECT_EQ(light.pipeline.set_state(GST_STATE_READY), GST_STATE_CHANGE_FAILURE);
  auto error = light.pipeline.wait_for(GST_MESSAGE_ERROR, 0);
  ASSERT_TRUE(error);
  EXPECT_NE(Pipeline::error_text(error.get()).find("light-leader 7"), std::string::npos);
}

TEST(Light, ModeChangesWhilePlaying) {
  LightPipeline light(virtual_source("", 2, 60), [](GstElement* source, std::size_t n) {
    const char* const modes[] = {"shared", "independent", "follow", "application", "manual"};
    if (n % 10 == 9 && n < 59)
      gst_util_set_object_arg(G_OBJECT(source), "light-mode", modes[n / 10]);
  });
  EXPECT_EQ(all_of(light.play_to_end()), "");
  ASSERT_EQ(light.batches.size(), 60u);
  EXPECT_FALSE(light.batches[5].frames[0].metered);
  for (std::size_t n : {15, 25, 35, 45}) {
    EXPECT_TRUE(light.batches[n].frames[1].metered) << n;
    EXPECT_GT(light.batches[n].frames[1].luma, 0) << n;
  }
  EXPECT_FALSE(light.batches[59].frames[0].metered);
}

TEST(Light, AlwaysMeterTellsTheLightOfEachFrame) {
  LightPipeline light(virtual_source("", 2, 5, "always-meter=true"));
  EXPECT_EQ(all_of(light.play_to_end()), "");
  for (const SeenBatch& batch : light.batches)
    for (const GstLockstepFrame& frame : batch.frames) {
      EXPECT_TRUE(frame.metered);
      EXPECT_GT(frame.luma, 0);
      EXPECT_LT(frame.luma, 1);
      EXPECT_GT(frame.green, 0);
    }
}

TEST(Light, MeteringWeightsAreReadAsTheyWereSet) {
  LightPipeline light(virtual_source("", 2, 2, "metering-weights=\"<<1.0,2.0>,<0.5,0.0>>\""));
  GValue weights = G_VALUE_INIT;
  g_value_init(&weights, GST_TYPE_ARRAY);
  g_object_get_property(G_OBJECT(light.source()), "metering-weights", &weights);
  std::vector<double> read;
  for (guint row = 0; row < gst_value_array_get_size(&weights); ++row) {
    const GValue* columns = gst_value_array_get_value(&weights, row);
    for (guint column = 0; column < gst_value_array_get_size(columns); ++column)
      read.push_back(g_value_get_double(gst_value_array_get_value(columns, column)));
  }
  EXPECT_EQ(gst_value_array_get_size(&weights), 2u);
  EXPECT_EQ(read, (std::vector<double>{1, 2, 0.5, 0}));
  g_value_unset(&weights);
  EXPECT_EQ(all_of(light.play_to_end()), "");
}

TEST(Light, ChildSetsOneSensorWhateverIsAskedOfAll) {
  LightPipeline light(
      virtual_source("&render=stamp", 3, 20, "sensor_1::analogue-gain=4 analogue-gain=2"),
      [](GstElement* source, std::size_t n) {
        if (n == 5) g_object_set(source, "analogue-gain", 3.0, nullptr);
      });
  EXPECT_EQ(all_of(light.play_to_end()), "");
  const auto gains = [&](std::size_t n) {
    std::vector<double> all;
    for (const GstLockstepFrame& frame : light.batches[n].frames)
      all.push_back(frame.analogue_gain);
    return all;
  };
  EXPECT_EQ(gains(0), (std::vector<double>{2, 4, 2}));
  EXPECT_EQ(gains(19), (std::vector<double>{3, 4, 3}));
}

TEST(Light, ChildTakesEffectWhilePlaying) {
  LightPipeline light(virtual_source("&render=stamp", 3, 20),
                      [](GstElement* source, std::size_t n) {
                        if (n == 5)
                          gst_child_proxy_set(GST_CHILD_PROXY(source), "sensor_2::exposure-time",
                                              guint64{kOther}, nullptr);
                      });
  EXPECT_EQ(all_of(light.play_to_end()), "");
  EXPECT_EQ(light.batches.back().frames[1].exposure, kFirst);
  EXPECT_EQ(light.batches.back().frames[2].exposure, kOther);
}

TEST(Light, ChildBeyondItsRangeIsRefusedAndTheOthersGoOn) {
  for (const char* value : {"0.5", "99"}) {
    LightPipeline early(
        virtual_source("&render=stamp", 3, 5,
                       std::string("sensor_1::analogue-gain=") + value + " analogue-gain=2"));
    const auto warnings = early.play_to_end();
    EXPECT_TRUE(has_text(warnings, "sensor 1: analogue-gain of")) << all_of(warnings);
    EXPECT_EQ(early.batches.front().frames[1].analogue_gain, 2);
    EXPECT_EQ(child_property_of<double>(early.source(), "sensor_1::analogue-gain"), 0);

    LightPipeline late(virtual_source("&render=stamp", 3, 20, "sensor_1::analogue-gain=4"),
                       [value](GstElement* source, std::size_t n) {
                         if (n == 5)
                           gst_child_proxy_set(GST_CHILD_PROXY(source), "sensor_1::analogue-gain",
                                               std::atof(value), nullptr);
                       });
    EXPECT_TRUE(has_text(late.play_to_end(), "sensor 1: analogue-gain of"));
    EXPECT_EQ(late.batches.back().frames[1].analogue_gain, 4);
    EXPECT_EQ(child_property_of<double>(late.source(), "sensor_1::analogue-gain"), 4);
  }
}

TEST(Light, ThereIsAChildForEachSensorBeforeTheyAreOpened) {
  Pipeline pipeline(virtual_source("&seed=3", 3, 1) + kSmall);
  auto* proxy = GST_CHILD_PROXY(pipeline.source());
  EXPECT_EQ(gst_child_proxy_get_children_count(proxy), 3u);
  for (guint i = 0; i < 3; ++i) {
    std::unique_ptr<GObject, Unref> child(gst_child_proxy_get_child_by_index(proxy, i));
    ASSERT_TRUE(child);
    EXPECT_EQ(std::string(GST_OBJECT_NAME(child.get())), "sensor_" + std::to_string(i));
  }
  EXPECT_EQ(gst_child_proxy_get_child_by_index(proxy, 3), nullptr);
  // The number of sensors may be set later, up to the most there can be.
  std::unique_ptr<GObject, Unref> last(gst_child_proxy_get_child_by_name(proxy, "sensor_63"));
  EXPECT_TRUE(last);
  for (const char* none : {"sensor_64", "sensor_", "sensor_-1", "sensor_1x", "sensor", "pad_0"})
    EXPECT_EQ(gst_child_proxy_get_child_by_name(proxy, none), nullptr) << none;
  CharsPtr spec(child_property_of<gchar*>(pipeline.source(), "sensor_2::spec"));
  EXPECT_EQ(std::string(spec.get()).find("sim?"), 0u) << spec.get();
}

TEST(Light, ChildOfASensorThatThereIsNotIsAnError) {
  LightPipeline light(virtual_source("", 3, 5, "sensor_3::weight=2"));
  EXPECT_EQ(light.pipeline.set_state(GST_STATE_READY), GST_STATE_CHANGE_FAILURE);
  auto error = light.pipeline.wait_for(GST_MESSAGE_ERROR, 0);
  ASSERT_TRUE(error);
  EXPECT_NE(Pipeline::error_text(error.get()).find("sensor_3"), std::string::npos);
}

TEST(Light, ChildOutlivesItsSource) {
  GObject* child = nullptr;
  {
    Pipeline pipeline(virtual_source("", 2, 1) + kSmall);
    child = gst_child_proxy_get_child_by_name(GST_CHILD_PROXY(pipeline.source()), "sensor_0");
  }
  ASSERT_NE(child, nullptr);
  g_object_set(child, "analogue-gain", 2.0, nullptr);
  double gain = 0;
  g_object_get(child, "analogue-gain", &gain, nullptr);
  EXPECT_EQ(gain, 2);
  gst_object_unref(child);
}

TEST(Light, WeightOfASensorIsCheckedToo) {
  LightPipeline light(
      virtual_source("", 2, 10, "light-mode=shared sensor_0::weight=0.25 sensor_1::weight=0"),
      [](GstElement* source, std::size_t n) {
        if (n == 5) gst_child_proxy_set(GST_CHILD_PROXY(source), "sensor_0::weight", 0.0, nullptr);
      });
  EXPECT_TRUE(has_text(light.play_to_end(), "sum of the light weights"));
  EXPECT_EQ(child_property_of<double>(light.source(), "sensor_0::weight"), 0.25);
}

TEST(Light, SensorWithoutControlsStaysAndIsToldOnce) {
  LightPipeline light(
      "lockstepsrc name=src num-buffers=30 exposure-time=4000000 sensors=\"sim?realtime=false&"
      "render=stamp;sim?realtime=false&render=stamp&controls=none\"",
      [](GstElement* source, std::size_t n) {
        if (n == 10 || n == 20)
          g_object_set(source, "exposure-time", guint64{(3 + n) * GST_MSECOND}, nullptr);
      });
  const auto warnings = light.play_to_end();
  EXPECT_EQ(std::count(light.told.begin(), light.told.end(), "lockstep-no-settings"), 1)
      << all_of(warnings);
  ASSERT_EQ(light.batches.size(), 30u);
  const SeenBatch& last = light.batches.back();
  EXPECT_EQ(last.frames[0].exposure, 23 * GST_MSECOND);
  EXPECT_EQ(last.frames[0].settings_state, GST_LOCKSTEP_SETTINGS_SETTLED);
  EXPECT_NE(last.frames[1].settings_state, GST_LOCKSTEP_SETTINGS_SETTLED);
  EXPECT_FALSE(last.uniform);
}

TEST(Light, DriverThatRefusesIsToldAndItsLastSettingsStay) {
  LightPipeline light(
      "lockstepsrc name=src num-buffers=40 sensors=\"sim?realtime=false&render=stamp;"
      "sim?realtime=false&render=stamp&refuse-at=300\"",
      [](GstElement* source, std::size_t n) {
        if (n == 15) g_object_set(source, "exposure-time", guint64{kOther}, nullptr);
      });
  const auto warnings = light.play_to_end();
  EXPECT_TRUE(has_text(warnings, "sensor 1")) << all_of(warnings);
  EXPECT_NE(std::find(light.told.begin(), light.told.end(), "lockstep-settings-refused"),
            light.told.end());
  ASSERT_EQ(light.batches.size(), 40u);
  const SeenBatch& last = light.batches.back();
  EXPECT_EQ(last.frames[0].exposure, kOther);
  EXPECT_EQ(last.frames[1].exposure, kFirst);
  EXPECT_EQ(last.frames[1].settings_state, GST_LOCKSTEP_SETTINGS_REFUSED);
  EXPECT_FALSE(last.uniform);
  EXPECT_GE(light.count("refused-settings"), 1u);
}

TEST(Light, StatsTellWhatSensorsCanAndWhatIsWanted) {
  LightPipeline light(virtual_source("&render=stamp", 2, 5, "exposure-time=4000000"));
  EXPECT_EQ(all_of(light.play_to_end()), "");
  EXPECT_EQ(light.count("uniform"), 5u);
  EXPECT_EQ(light.count("late-writes"), 0u);
  StructurePtr stats = light.pipeline.stats();
  const GValue* sensors = gst_structure_get_value(stats.get(), "sensors");
  const GstStructure* sensor = gst_value_get_structure(gst_value_array_get_value(sensors, 1));
  GstStructure* wanted = nullptr;
  GstStructure* settings = nullptr;
  ASSERT_TRUE(gst_structure_get(sensor, "wanted", GST_TYPE_STRUCTURE, &wanted, "settings",
                                GST_TYPE_STRUCTURE, &settings, nullptr));
  StructurePtr wanted_owner(wanted);
  StructurePtr settings_owner(settings);
  guint64 exposure = 0;
  EXPECT_TRUE(gst_structure_get_uint64(wanted, "exposure-time", &exposure));
  EXPECT_EQ(exposure, kOther);
  GstStructure* gain = nullptr;
  ASSERT_TRUE(gst_structure_get(settings, "analogue-gain", GST_TYPE_STRUCTURE, &gain, nullptr));
  StructurePtr gain_owner(gain);
  double max = 0;
  int delay = 0;
  EXPECT_TRUE(
      gst_structure_get(gain, "max", G_TYPE_DOUBLE, &max, "delay", G_TYPE_INT, &delay, nullptr));
  EXPECT_EQ(max, 16);
  EXPECT_EQ(delay, 2);
}

}  // namespace
}  // namespace lockstep
