// SPDX-License-Identifier: MIT
// The signal `light` of lockstepsrc: an application that decides on the light, well or badly.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "light_pipeline.h"

namespace lockstep {
namespace {

// Answers each report with what `decide` makes of it.
class Handler {
 public:
  using Decide = std::function<GstStructure*(const GstStructure*)>;

  Handler(GstElement* source, Decide decide) : decide_(std::move(decide)) {
    g_signal_connect(source, "light", G_CALLBACK(&Handler::call), this);
  }
  Handler(const Handler&) = delete;
  Handler& operator=(const Handler&) = delete;

  std::atomic<int> num_calls{0};

 private:
  static GstStructure* call(GstElement*, GstStructure* report, gpointer data) {
    auto* self = static_cast<Handler*>(data);
    ++self->num_calls;
    return self->decide_(report);
  }

  Decide decide_;
};

GstStructure* nothing(const GstStructure*) { return nullptr; }

GstStructure* parsed(const char* text) { return gst_structure_from_string(text, nullptr); }

guint64 batch_of(const GstStructure* report) {
  guint64 batch = 0;
  gst_structure_get_uint64(report, "batch", &batch);
  return batch;
}

const GstStructure* sensor_of(const GstStructure* report, guint index) {
  const GValue* sensors = gst_structure_get_value(report, "sensors");
  return gst_value_get_structure(gst_value_array_get_value(sensors, index));
}

double number(const GstStructure* structure, const char* field) {
  double value = -1;
  EXPECT_TRUE(gst_structure_get_double(structure, field, &value)) << field;
  return value;
}

guint64 whole(const GstStructure* structure, const char* field) {
  guint64 value = 0;
  EXPECT_TRUE(gst_structure_get_uint64(structure, field, &value)) << field;
  return value;
}

std::string word(const GstStructure* structure, const char* field) {
  const char* text = gst_structure_get_string(structure, field);
  return text ? text : "";
}

TEST(LightSignal, TellsOfEachBatchBeforeItLeaves) {
  LightPipeline light(virtual_source("", 3, 10, "light-mode=application"));
  std::vector<guint64> told;
  Handler handler(light.source(), [&](const GstStructure* report) -> GstStructure* {
    EXPECT_EQ(batch_of(report), light.batches.size());
    told.push_back(batch_of(report));
    return nullptr;
  });
  light.play_to_end();
  ASSERT_EQ(told.size(), 10u);
  for (std::size_t n = 0; n < told.size(); ++n) EXPECT_EQ(told[n], light.batches[n].number);
}

TEST(LightSignal, ReportSaysWhatTheMetaSaysAndMore) {
  LightPipeline light(virtual_source("", 2, 5, "light-mode=application"));
  std::map<guint64, StructurePtr> reports;
  Handler handler(light.source(), [&](const GstStructure* report) -> GstStructure* {
    reports[batch_of(report)].reset(gst_structure_copy(report));
    return nullptr;
  });
  light.play_to_end();
  ASSERT_EQ(light.batches.size(), 5u);
  for (const SeenBatch& batch : light.batches) {
    const GstStructure* report = reports.at(batch.number).get();
    EXPECT_EQ(whole(report, "capture-time"), batch.frames[0].capture_time);
    EXPECT_EQ(whole(report, "running-time"), batch.frames[0].capture_time);
    EXPECT_NEAR(static_cast<double>(whole(report, "frame-period")), 1e9 / 30, 1);
    for (guint i = 0; i < 2; ++i) {
      const GstStructure* sensor = sensor_of(report, i);
      const GstLockstepFrame& frame = batch.frames[i];
      EXPECT_EQ(word(sensor, "state"), "fresh");
      EXPECT_EQ(whole(sensor, "sequence"), frame.sequence);
      EXPECT_EQ(whole(sensor, "exposure-time"), frame.exposure);
      EXPECT_EQ(number(sensor, "analogue-gain"), frame.analogue_gain);
      EXPECT_EQ(number(sensor, "luma"), frame.luma);
      EXPECT_EQ(number(sensor, "clipped-bright"), frame.clipped_bright);
      EXPECT_EQ(number(sensor, "analogue-gain-min"), 1);
      EXPECT_EQ(number(sensor, "analogue-gain-max"), 16);
      EXPECT_GT(whole(sensor, "exposure-time-max"), kFirst);
      const GValue* histogram = gst_structure_get_value(sensor, "histogram");
      ASSERT_TRUE(histogram && G_VALUE_HOLDS(histogram, G_TYPE_BYTES));
      auto* bytes = static_cast<GBytes*>(g_value_get_boxed(histogram));
      ASSERT_EQ(g_bytes_get_size(bytes), 256 * sizeof(float));
      const auto* bins = static_cast<const float*>(g_bytes_get_data(bytes, nullptr));
      double sum = 0;
      for (int bin = 0; bin < 256; ++bin) sum += double{bins[bin]};
      EXPECT_NEAR(sum, 1, 1e-3);
    }
  }
}

TEST(LightSignal, MissingFrameIsSaidToBe) {
  LightPipeline light(virtual_source("&drop=0.3", 2, 60, "light-mode=application"));
  int num_missing = 0;
  Handler handler(light.source(), [&](const GstStructure* report) -> GstStructure* {
    for (guint i = 0; i < 2; ++i) {
      const GstStructure* sensor = sensor_of(report, i);
      if (word(sensor, "state") != "missing") continue;
      ++num_missing;
      EXPECT_FALSE(gst_structure_has_field(sensor, "luma"));
      EXPECT_FALSE(gst_structure_has_field(sensor, "sequence"));
    }
    return nullptr;
  });
  light.play_to_end();
  EXPECT_GT(num_missing, 0);
}

TEST(LightSignal, AnswerTakesEffectOnOneBatchForAll) {
  LightPipeline light(
      "lockstepsrc name=src num-buffers=30 light-mode=application sensors=\"sim?realtime=false&"
      "control-delay=1;sim?realtime=false&control-delay=3\"");
  Handler handler(light.source(), [](const GstStructure* report) {
    return batch_of(report) < 10 ? nullptr
                                 : parsed("settings, exposure-time=4000000, analogue-gain=2");
  });
  EXPECT_TRUE(light.play_to_end().empty());
  const std::size_t changed = light.first_with_exposure(kOther);
  EXPECT_GT(changed, 10u);
  EXPECT_LE(changed, 15u);
  for (std::size_t n = 0; n < light.batches.size(); ++n) {
    EXPECT_TRUE(light.batches[n].has_one_light()) << n;
    EXPECT_TRUE(light.batches[n].uniform) << n;
  }
  // The same answer again is no other revision.
  EXPECT_EQ(light.count("revisions"), 1u);
}

TEST(LightSignal, AnswerMayNameEachSensor) {
  LightPipeline light(virtual_source("", 2, 20, "light-mode=application"));
  Handler handler(light.source(), [](const GstStructure*) {
    return parsed(
        "settings, exposure-time=4000000, sensors=<(GstStructure)[a, analogue-gain=2.0], "
        "(GstStructure)[b, exposure-time=(guint64)5000000]>");
  });
  EXPECT_TRUE(light.play_to_end().empty());
  const SeenBatch& last = light.batches.back();
  EXPECT_EQ(last.frames[0].exposure, kOther);
  EXPECT_EQ(last.frames[0].analogue_gain, 2);
  EXPECT_EQ(last.frames[1].exposure, 5 * GST_MSECOND);
  EXPECT_EQ(last.frames[1].analogue_gain, 1);
}

TEST(LightSignal, FirstHandlerThatAnswersDecides) {
  LightPipeline light(virtual_source("", 1, 20, "light-mode=application"));
  Handler silent(light.source(), nothing);
  Handler first(light.source(),
                [](const GstStructure*) { return parsed("settings, exposure-time=4000000"); });
  Handler second(light.source(),
                 [](const GstStructure*) { return parsed("settings, exposure-time=6000000"); });
  EXPECT_TRUE(light.play_to_end().empty());
  EXPECT_EQ(light.batches.back().frames[0].exposure, kOther);
  EXPECT_EQ(silent.num_calls, 20);
  EXPECT_EQ(first.num_calls, 20);
  EXPECT_EQ(second.num_calls, 0);
}

TEST(LightSignal, NobodyIsAskedInOtherModes) {
  for (const char* mode : {"manual", "shared"}) {
    LightPipeline light(virtual_source("", 1, 5, std::string("light-mode=") + mode));
    Handler handler(light.source(), nothing);
    light.play_to_end();
    EXPECT_EQ(handler.num_calls, 0) << mode;
  }
}

TEST(LightSignal, HandlerMaySetProperties) {
  LightPipeline light(virtual_source("", 2, 20, "light-mode=application"));
  Handler handler(light.source(), [&](const GstStructure* report) -> GstStructure* {
    if (batch_of(report) == 5)
      g_object_set(light.source(), "exposure-time", guint64{kOther}, "light-mode", 0, nullptr);
    return nullptr;
  });
  EXPECT_TRUE(light.play_to_end().empty());
  EXPECT_EQ(light.batches.back().frames[1].exposure, kOther);
  EXPECT_EQ(handler.num_calls, 6);
}

// An answer, and a part of the text that it is refused with.
class NonsenseAnswer : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(NonsenseAnswer, IsToldOnceASecondAndTheLastSettingsHold) {
  const auto& [answer, text] = GetParam();
  LightPipeline light(virtual_source("&render=stamp", 2, 30, "light-mode=application"));
  Handler handler(light.source(), [answer = answer](const GstStructure* report) {
    return parsed(batch_of(report) < 5 ? "settings, exposure-time=4000000" : answer);
  });
  const gint64 begin = g_get_monotonic_time();
  const auto warnings = light.play_to_end();
  const gint64 seconds = (g_get_monotonic_time() - begin) / G_USEC_PER_SEC;
  ASSERT_FALSE(warnings.empty());
  EXPECT_LE(warnings.size(), static_cast<std::size_t>(seconds + 1));
  EXPECT_NE(warnings[0].find(text), std::string::npos) << warnings[0];
  EXPECT_EQ(light.batches.size(), 30u);
  EXPECT_EQ(handler.num_calls, 30);
  EXPECT_TRUE(light.batches.back().uniform);
  EXPECT_EQ(light.batches.back().frames[1].exposure, kOther);
  EXPECT_EQ(light.count("revisions"), 1u);
}

INSTANTIATE_TEST_SUITE_P(
    Answers, NonsenseAnswer,
    testing::Values(
        std::pair("s, exposure=4000000", "unknown field exposure, wanted exposure-time"),
        std::pair("s, exposure-time=\"long\"", "exposure-time is a gchararray, wanted a number"),
        std::pair("s, analogue-gain=-1", "analogue-gain of -1, wanted a number above 0"),
        std::pair("s, analogue-gain=0", "analogue-gain of 0, wanted a number above 0"),
        std::pair("s, analogue-gain=(double)nan", "analogue-gain of nan, wanted a number"),
        std::pair("s, digital-gain=(double)inf", "digital-gain of inf, wanted a number"),
        std::pair("s, exposure-time=(guint64)5000000000", "sensor 0: exposure of 5000 ms"),
        std::pair("s, exposure-time=(guint64)18446744073709551615", "exposure of"),
        std::pair("s, sensors=<(GstStructure)[a, analogue-gain=2]>",
                  "sensors has 1 entries, wanted 2"),
        std::pair("s, sensors=2", "sensors is a gint, wanted a GstValueArray"),
        std::pair("s, sensors=<1, 2>", "an entry of sensors is a gint, wanted a GstStructure"),
        std::pair("s, sensors=<(GstStructure)[a], (GstStructure)[b, gain=2]>",
                  "unknown field gain"),
        std::pair("s, sensors=<(GstStructure)[a], (GstStructure)[b, blue-gain=99]>",
                  "sensor 1: blue-gain of 99")));

TEST(LightSignal, AnswerForAllLeavesOutSensorsThatCannot) {
  LightPipeline light(
      "lockstepsrc name=src num-buffers=20 light-mode=application sensors=\"sim?realtime=false;"
      "sim?realtime=false&controls=none\"");
  Handler handler(light.source(),
                  [](const GstStructure*) { return parsed("settings, exposure-time=4000000"); });
  light.play_to_end();
  EXPECT_EQ(light.batches.back().frames[0].exposure, kOther);
  EXPECT_EQ(light.batches.back().frames[1].exposure, kFirst);
}

TEST(LightSignal, WhatNoSensorCanDoIsSaid) {
  LightPipeline light(virtual_source("&controls=analogue-gain", 2, 5, "light-mode=application"));
  Handler handler(light.source(),
                  [](const GstStructure*) { return parsed("settings, exposure-time=4000000"); });
  const auto warnings = light.play_to_end();
  ASSERT_FALSE(warnings.empty());
  EXPECT_NE(warnings[0].find("no sensor has such a control"), std::string::npos) << warnings[0];
}

// Sensors on the real clock, and a handler that works until it is woken.
struct Live {
  Live()
      : pipeline(
            "lockstepsrc name=src num-sensors=2 sensors=sim?render=stamp "
            "light-mode=application" +
            std::string(kSmall)),
        handler(pipeline.source(), [this](const GstStructure* report) {
          // It is always told of the newest batch, whatever has been skipped.
          const auto batch = static_cast<gint64>(batch_of(report));
          EXPECT_GT(batch, last);
          last = batch;
          at_work = true;
          while (!wake) std::this_thread::sleep_for(std::chrono::milliseconds(1));
          at_work = false;
          return parsed("settings, exposure-time=4000000");
        }) {}
  ~Live() {
    wake = true;
    pipeline.set_state(GST_STATE_NULL);
  }

  bool wait_until_at_work() const {
    for (int tries = 0; tries < 4000 && !at_work; ++tries)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return at_work;
  }
  bool wait_for_more_buffers(int num) {
    return pipeline.wait_for_buffers(pipeline.num_buffers + num);
  }
  guint64 count(const char* field) const {
    guint64 value = 0;
    EXPECT_TRUE(gst_structure_get_uint64(pipeline.stats().get(), field, &value)) << field;
    return value;
  }

  gint64 last = -1;  // of the handler's thread
  std::atomic<bool> at_work{false};
  std::atomic<bool> wake{false};
  Pipeline pipeline;
  Handler handler;
};

TEST(LightSignal, SlowHandlerDoesNotHoldUpTheStream) {
  Live live;
  live.pipeline.set_state(GST_STATE_PLAYING);
  ASSERT_TRUE(live.wait_until_at_work());
  ASSERT_TRUE(live.wait_for_more_buffers(20));
  EXPECT_TRUE(live.at_work);
  EXPECT_EQ(live.handler.num_calls, 1);
  EXPECT_GE(live.count("light-reports-skipped"), 15u);
  live.wake = true;
  ASSERT_TRUE(live.wait_for_more_buffers(5));
  EXPECT_GT(live.handler.num_calls, 1);
  EXPECT_EQ(live.count("revisions"), 1u);
}

TEST(LightSignal, StoppingWaitsForAHandlerAtWork) {
  for (GstState state : {GST_STATE_READY, GST_STATE_NULL}) {
    Live live;
    live.pipeline.set_state(GST_STATE_PLAYING);
    ASSERT_TRUE(live.wait_until_at_work());
    std::thread waker([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      live.wake = true;
    });
    live.pipeline.set_state(state);
    EXPECT_TRUE(live.wake);
    EXPECT_FALSE(live.at_work);
    waker.join();
    const int calls = live.handler.num_calls;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_EQ(live.handler.num_calls, calls);
  }
}

TEST(LightSignal, AnswerThatComesWhenTheModeHasChangedIsNotApplied) {
  Live live;
  live.pipeline.set_state(GST_STATE_PLAYING);
  ASSERT_TRUE(live.wait_until_at_work());
  gst_util_set_object_arg(G_OBJECT(live.pipeline.source()), "light-mode", "manual");
  live.wake = true;
  ASSERT_TRUE(live.wait_for_more_buffers(5));
  EXPECT_EQ(live.count("revisions"), 0u);
}

}  // namespace
}  // namespace lockstep
