// SPDX-License-Identifier: MIT
// lockstepsrc on simulated sensors: states, caps, buffers, metadata, and what it says when it cannot.
#include <gst/allocators/gstfdmemory.h>
#include <gst/gst.h>
#include <gst/lockstep/gstlockstepbatchmeta.h>
#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "lockstep/format.h"
#include "lockstep/painted_code.h"
#include "lockstep/rig.h"
#include "lockstep/time.h"
#include "pipeline.h"

namespace lockstep {
namespace {

TEST(Source, BatchCarriesOneFramePerSensorInOneMemory) {
  int checked = 0;
  Pipeline pipeline(virtual_source("&render=code", 3, 10) + kSmall, [&](GstBuffer* buffer) {
    auto* meta = gst_buffer_get_lockstep_batch_meta(buffer);
    ASSERT_NE(meta, nullptr);
    ASSERT_EQ(meta->n_frames, 3u);
    EXPECT_TRUE(meta->contiguous);
    ASSERT_EQ(gst_buffer_n_memory(buffer), 1u);
    GstMapInfo whole;
    ASSERT_TRUE(gst_buffer_map(buffer, &whole, GST_MAP_READ));
    for (guint i = 0; i < 3; ++i) {
      GstLockstepFrame* frame = gst_lockstep_batch_meta_get_frame(meta, i);
      EXPECT_EQ(frame->state, GST_LOCKSTEP_FRAME_FRESH);
      EXPECT_EQ(frame->sensor, i);
      EXPECT_EQ(frame->copies, 0u);
      GstVideoMeta* video = gst_buffer_get_video_meta_id(buffer, static_cast<gint>(i));
      ASSERT_NE(video, nullptr);
      GstMapInfo slot;
      ASSERT_TRUE(gst_buffer_map(frame->buffer, &slot, GST_MAP_READ));
      // One map gives the whole batch: the frame lies in it where its GstVideoMeta says.
      EXPECT_EQ(slot.data, whole.data + video->offset[0]);
      const Format format{PixelFormat::nv12, 160, 96, {}};
      auto code = read_code(luma_of(format, *default_layout(PixelFormat::nv12, 160, 96),
                                    {reinterpret_cast<const std::byte*>(slot.data), slot.size}));
      ASSERT_TRUE(code);
      EXPECT_EQ(code->sensor, i);
      EXPECT_EQ(code->sequence, frame->sequence);
      gst_buffer_unmap(frame->buffer, &slot);
      ++checked;
    }
    gst_buffer_unmap(buffer, &whole);
  });
  ASSERT_TRUE(pipeline.play_to_end());
  EXPECT_EQ(checked, 30);
}

TEST(Source, FramesAreFdMemoriesThatReachTheirSlotOnly) {
  Pipeline pipeline(virtual_source("", 2, 3) + kSmall, [&](GstBuffer* buffer) {
    auto* meta = gst_buffer_get_lockstep_batch_meta(buffer);
    int fds[2];
    for (guint i = 0; i < 2; ++i) {
      GstMemory* memory = gst_buffer_peek_memory(meta->frames[i].buffer, 0);
      ASSERT_TRUE(gst_is_fd_memory(memory));
      fds[i] = gst_fd_memory_get_fd(memory);
      EXPECT_EQ(memory->offset, 0u);
    }
    EXPECT_NE(fds[0], fds[1]);
  });
  ASSERT_TRUE(pipeline.play_to_end());
}

TEST(Source, SlotIsNotReusedWhileAnythingSharesItsMemory) {
  GstMemory* shared = nullptr;
  std::vector<guint8> before;
  Pipeline pipeline(virtual_source("&render=code", 2, 60) + kSmall, [&](GstBuffer* buffer) {
    if (shared) return;
    auto* meta = gst_buffer_get_lockstep_batch_meta(buffer);
    // A part of a memory, taken from a copy of the buffer: both buffers are gone soon.
    BufferPtr copy(gst_buffer_copy(meta->frames[1].buffer));
    shared = gst_memory_share(gst_buffer_peek_memory(copy.get(), 0), 0, 4000);
    GstMapInfo map;
    ASSERT_TRUE(gst_memory_map(shared, &map, GST_MAP_READ));
    before.assign(map.data, map.data + map.size);
    gst_memory_unmap(shared, &map);
  });
  ASSERT_TRUE(pipeline.play_to_end());
  ASSERT_NE(shared, nullptr);
  GstMapInfo map;
  ASSERT_TRUE(gst_memory_map(shared, &map, GST_MAP_READ));
  EXPECT_EQ(std::memcmp(map.data, before.data(), before.size()), 0);
  gst_memory_unmap(shared, &map);
  gst_memory_unref(shared);
}

TEST(Source, LentFramesMakeABatchWithoutMemory) {
  Pipeline pipeline(virtual_source("&delivery=lend", 2, 5) + kSmall, [&](GstBuffer* buffer) {
    EXPECT_EQ(gst_buffer_n_memory(buffer), 0u);
    auto* meta = gst_buffer_get_lockstep_batch_meta(buffer);
    EXPECT_FALSE(meta->contiguous);
    EXPECT_EQ(gst_buffer_get_size(meta->frames[1].buffer), 160u * 96 * 3 / 2);
  });
  ASSERT_TRUE(pipeline.play_to_end());
}

TEST(Source, ContiguousLayoutCopiesLentFramesOnce) {
  Pipeline pipeline(virtual_source("&delivery=lend", 2, 5, "layout=contiguous") + kSmall,
                    [&](GstBuffer* buffer) {
                      auto* meta = gst_buffer_get_lockstep_batch_meta(buffer);
                      EXPECT_TRUE(meta->contiguous);
                      EXPECT_EQ(meta->frames[0].copies, 1u);
                    });
  ASSERT_TRUE(pipeline.play_to_end());
  guint64 copies = 0;
  ASSERT_TRUE(gst_structure_get_uint64(pipeline.stats().get(), "copies", &copies));
  EXPECT_EQ(copies, 10u);
}

TEST(Source, VirtualTimeIsRunningTimeAndThePtsIsTheStartOfExposure) {
  std::vector<GstClockTime> times;
  Pipeline pipeline(virtual_source("", 2, 5) + kSmall, [&](GstBuffer* buffer) {
    auto* meta = gst_buffer_get_lockstep_batch_meta(buffer);
    EXPECT_EQ(GST_BUFFER_PTS(buffer), meta->frames[0].capture_time);
    EXPECT_EQ(meta->frames[0].clock, GST_LOCKSTEP_CLOCK_SIMULATED);
    EXPECT_EQ(meta->frames[0].reference_point, GST_LOCKSTEP_REFERENCE_POINT_START_OF_EXPOSURE);
    auto* reference = gst_buffer_get_reference_timestamp_meta(meta->frames[0].buffer, nullptr);
    ASSERT_NE(reference, nullptr);
    EXPECT_EQ(reference->timestamp, meta->frames[0].capture_time);
    times.push_back(GST_BUFFER_PTS(buffer));
  });
  ASSERT_TRUE(pipeline.play_to_end());
  ASSERT_EQ(times.size(), 5u);
  for (std::size_t i = 1; i < times.size(); ++i)
    EXPECT_NEAR(static_cast<double>(times[i] - times[i - 1]), 1e9 / 30, 2);
}

TEST(Source, NegotiatesEveryFormatSizeAndRateWithDownstream) {
  for (PixelFormat format : kPixelFormats) {
    const std::string caps = std::string("video/x-raw(ANY),format=") + to_string(format) +
                             ",width=101,height=51,framerate=25/1";
    Pipeline pipeline(virtual_source("", 2, 2) + " ! " + caps);
    ASSERT_TRUE(pipeline.play_to_end()) << caps;
    const std::string negotiated = pipeline.caps();
    EXPECT_NE(negotiated.find("width=(int)101"), std::string::npos) << negotiated;
    EXPECT_NE(negotiated.find("batch-size=(int)2"), std::string::npos) << negotiated;
  }
}

TEST(Source, PrefersFullHdAtThirtyFrames) {
  Pipeline pipeline(virtual_source("&render=stamp", 1, 1));
  ASSERT_TRUE(pipeline.play_to_end());
  EXPECT_NE(pipeline.caps().find("width=(int)1920, height=(int)1080, framerate=(fraction)30/1"),
            std::string::npos)
      << pipeline.caps();
}

TEST(Source, WhatKnowsNoBatchesDoesNotLink) {
  // videoconvert lets anything through unconverted; what comes after it does not.
  for (const char* next :
       {"video/x-raw", "videoconvert ! video/x-raw", "videoscale ! video/x-raw"}) {
    Pipeline pipeline(std::string("lockstepsrc name=src ! ") + next);
    EXPECT_NE(pipeline.parse_error.find("could not link"), std::string::npos)
        << next << ": " << pipeline.parse_error;
  }
}

TEST(Source, EndsAfterNumBuffers) {
  Pipeline pipeline(virtual_source("&render=stamp", 2, 7) + kSmall);
  ASSERT_TRUE(pipeline.play_to_end());
  EXPECT_EQ(pipeline.num_buffers, 7);
}

TEST(Source, RefusesToSeek) {
  Pipeline pipeline(std::string("lockstepsrc name=src sensors=sim?render=stamp") + kSmall);
  pipeline.set_state(GST_STATE_PLAYING);
  ASSERT_TRUE(pipeline.wait_for_buffers(1));
  EXPECT_FALSE(gst_element_seek_simple(pipeline.get(), GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, 0));
}

// Pauses shorter than an exposure, and changes of state that overtake each other.
// A consumer that holds a batch until ten newer ones have come.
TEST(Source, DropsAreToldOnTheBusAndCounted) {
  Pipeline pipeline(virtual_source("&render=stamp&drop=0.2", 2, 100) + kSmall);
  ASSERT_TRUE(pipeline.play_to_end());
  // The rest of the drops is told when the source stops.
  pipeline.set_state(GST_STATE_READY);
  StructurePtr stats = pipeline.stats();
  const GValue* sensors = gst_structure_get_value(stats.get(), "sensors");
  ASSERT_EQ(gst_value_array_get_size(sensors), 2u);
  const GstStructure* sensor = gst_value_get_structure(gst_value_array_get_value(sensors, 0));
  guint64 drops = 0;
  guint64 missing = 0;
  guint64 frames = 0;
  ASSERT_TRUE(gst_structure_get_uint64(sensor, "drops", &drops));
  ASSERT_TRUE(gst_structure_get_uint64(sensor, "missing", &missing));
  ASSERT_TRUE(gst_structure_get_uint64(sensor, "frames", &frames));
  EXPECT_GT(drops, 0u);
  EXPECT_GT(missing, 0u);
  EXPECT_EQ(frames + missing, 100u);
  EXPECT_TRUE(pipeline.wait_for(GST_MESSAGE_ELEMENT, 0));
}

TEST(Source, LostSensorAndItsReturnAreToldOnTheBus) {
  Pipeline pipeline(
      "lockstepsrc name=src num-buffers=90 sensors=\"sim?realtime=false&render=stamp&unplug-at=500&"
      "unplug-for=500;sim?realtime=false&render=stamp\"" +
      std::string(kSmall));
  pipeline.set_state(GST_STATE_PLAYING);
  std::vector<std::string> told;
  std::string warning;
  while (auto message = pipeline.wait_for(static_cast<GstMessageType>(
             GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_ELEMENT | GST_MESSAGE_WARNING))) {
    if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_WARNING)
      warning = Pipeline::error_text(message.get());
    if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_ELEMENT)
      told.push_back(gst_structure_get_name(gst_message_get_structure(message.get())));
    if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_EOS) break;
    ASSERT_NE(GST_MESSAGE_TYPE(message.get()), GST_MESSAGE_ERROR);
  }
  EXPECT_NE(std::find(told.begin(), told.end(), "lockstep-sensor-lost"), told.end());
  EXPECT_NE(std::find(told.begin(), told.end(), "lockstep-sensor-back"), told.end());
  EXPECT_NE(warning.find("sensor 0"), std::string::npos) << warning;
  EXPECT_EQ(pipeline.num_buffers, 90);
}

TEST(Source, GroupingChangesWhileRunning) {
  Pipeline pipeline(std::string("lockstepsrc name=src sensors=sim?render=stamp") + kSmall);
  pipeline.set_state(GST_STATE_PLAYING);
  ASSERT_TRUE(pipeline.wait_for_buffers(1));
  g_object_set(pipeline.source(), "max-wait", gint64{7000000}, "sync-tolerance", gint64{1000},
               nullptr);
  gst_util_set_object_arg(G_OBJECT(pipeline.source()), "on-missing", "drop");
  gint64 kept = 0;
  g_object_get(pipeline.source(), "max-wait", &kept, nullptr);
  EXPECT_EQ(kept, 7000000);
  const int before = pipeline.num_buffers;
  EXPECT_TRUE(pipeline.wait_for_buffers(before + 2));
  EXPECT_FALSE(pipeline.wait_for(GST_MESSAGE_WARNING, 0));
}

TEST(Source, WhatOpensTheSensorsIsFixedWhileTheyAreOpen) {
  const std::vector<std::pair<const char*, const char*>> others = {
      {"sensors", "sim?seed=2"}, {"num-sensors", "3"}, {"memory", "udmabuf"},
      {"layout", "reference"},   {"max-batches", "7"}, {"leaky", "downstream"}};
  Pipeline pipeline(std::string("lockstepsrc name=src sensors=sim num-sensors=2") + kSmall);
  GObject* source = G_OBJECT(pipeline.source());
  const auto value = [&](const char* name) {
    GValue held = G_VALUE_INIT;
    g_object_get_property(source, name, &held);
    const std::string text = CharsPtr(gst_value_serialize(&held)).get();
    g_value_unset(&held);
    return text;
  };
  for (const GstState state : {GST_STATE_READY, GST_STATE_PLAYING}) {
    pipeline.set_state(state);
    for (const auto& [name, other] : others) {
      const std::string before = value(name);
      gst_util_set_object_arg(source, name, other);
      EXPECT_EQ(value(name), before) << name;
      auto warning = pipeline.wait_for(GST_MESSAGE_WARNING);
      ASSERT_TRUE(warning);
      EXPECT_NE(Pipeline::error_text(warning.get()).find(std::string("set ") + name),
                std::string::npos);
    }
  }
  pipeline.set_state(GST_STATE_NULL);
  for (const auto& [name, other] : others) {
    const std::string before = value(name);
    gst_util_set_object_arg(source, name, other);
    EXPECT_NE(value(name), before) << name;
  }
}

// Example failure: gst-inspect says 0 - 4294967295, and what is beyond 64 is refused.
TEST(Source, TakesTheWholeRangeThatItsPropertiesShow) {
  for (const char* line :
       {"num-sensors=1", "num-sensors=64", "max-batches=1", "max-batches=64",
        "sync-tolerance=-1 max-wait=-1", "sync-tolerance=10000000000 max-wait=10000000000"}) {
    Pipeline pipeline(std::string("lockstepsrc name=src sensors=sim?realtime=false ") + line +
                      kSmall);
    EXPECT_EQ(pipeline.set_state(GST_STATE_READY), GST_STATE_CHANGE_SUCCESS) << line;
  }
  Pipeline pipeline(std::string("lockstepsrc name=src") + kSmall);
  GObjectClass* of = G_OBJECT_GET_CLASS(pipeline.source());
  for (const char* name : {"num-sensors", "max-batches"}) {
    const auto* spec = G_PARAM_SPEC_UINT(g_object_class_find_property(of, name));
    EXPECT_EQ(spec->minimum, 1u) << name;
    EXPECT_EQ(spec->maximum, 64u) << name;
  }
  for (const char* name : {"sync-tolerance", "max-wait"}) {
    const auto* spec = G_PARAM_SPEC_INT64(g_object_class_find_property(of, name));
    EXPECT_EQ(spec->minimum, -1) << name;
    EXPECT_EQ(spec->maximum, kMaxWait.count()) << name;
  }
}

// Keeps which categories of ours log, from where.
class LogOfOurs {
 public:
  LogOfOurs() {
    gst_debug_add_log_function(log, this, nullptr);
    gst_debug_set_threshold_for_name("lockstep*", GST_LEVEL_LOG);
  }
  ~LogOfOurs() {
    gst_debug_unset_threshold_for_name("lockstep*");
    gst_debug_remove_log_function_by_data(this);
  }
  bool has(const std::string& category, const std::string& text) {
    const std::lock_guard lock(mutex_);
    return std::any_of(lines_.begin(), lines_.end(), [&](const auto& line) {
      return line.first == category && line.second.find(text) != std::string::npos;
    });
  }

 private:
  static void log(GstDebugCategory* category, GstDebugLevel, const gchar*, const gchar*, gint,
                  GObject*, GstDebugMessage* message, gpointer data) {
    const std::string name = gst_debug_category_get_name(category);
    if (name.rfind("lockstep", 0) != 0) return;
    auto* self = static_cast<LogOfOurs*>(data);
    const std::lock_guard lock(self->mutex_);
    self->lines_.emplace_back(name, gst_debug_message_get(message));
  }
  std::mutex mutex_;
  std::vector<std::pair<std::string, std::string>> lines_;
};

TEST(Source, LogsWhatItDoes) {
  LogOfOurs log;
  Pipeline pipeline(virtual_source("&render=stamp&drop=0.2", 2, 20) + kSmall + " ! locksteptiler");
  ASSERT_TRUE(pipeline.play_to_end());
  pipeline.set_state(GST_STATE_NULL);
  for (const char* text : {"opened 2 sensors", "streams video/x-raw", "passes on batch 19",
                           "frames dropped, sensor", "stopped after 20 batches"})
    EXPECT_TRUE(log.has("lockstepsrc", text)) << text;
  for (const char* text : {"draws video/x-raw", "drew batch 19"})
    EXPECT_TRUE(log.has("locksteptiler", text)) << text;
}

TEST(Source, KeepsItsStatisticsAfterItHasStopped) {
  Pipeline pipeline(virtual_source("&render=stamp", 2, 9) + kSmall);
  ASSERT_TRUE(pipeline.play_to_end());
  pipeline.set_state(GST_STATE_NULL);
  guint64 batches = 0;
  ASSERT_TRUE(gst_structure_get_uint64(pipeline.stats().get(), "batches", &batches));
  EXPECT_EQ(batches, 9u);
}

struct Refusal {
  const char* name;
  const char* properties;
  GQuark (*domain)();
  int code;
  const char* says;
};

class SourceRefuses : public ::testing::TestWithParam<Refusal> {};

TEST_P(SourceRefuses, WithOneClearError) {
  Pipeline pipeline(std::string("lockstepsrc name=src ") + GetParam().properties + kSmall);
  ASSERT_EQ(pipeline.parse_error, "");
  pipeline.set_state(GST_STATE_PLAYING);
  auto message = pipeline.wait_for(GST_MESSAGE_ERROR);
  ASSERT_TRUE(message);
  GError* error = nullptr;
  gst_message_parse_error(message.get(), &error, nullptr);
  EXPECT_TRUE(g_error_matches(error, GetParam().domain(), GetParam().code)) << error->message;
  EXPECT_NE(std::string(error->message).find(GetParam().says), std::string::npos) << error->message;
  g_error_free(error);
}

TEST(Source, MessagesAreBoundedWhateverTheNames) {
  const std::string endless(10'000'000, 'x');
  for (const auto& [property, text] :
       {std::pair{"sensors", "v4l2:/dev/" + endless}, std::pair{"sensors", endless + ":1"},
        std::pair{"sensors", "sim?" + endless + "=1"}, std::pair{"memory", endless}}) {
    Pipeline pipeline("lockstepsrc name=src");
    g_object_set(pipeline.source(), property, text.c_str(), nullptr);
    pipeline.set_state(GST_STATE_PLAYING);
    auto message = pipeline.wait_for(GST_MESSAGE_ERROR);
    ASSERT_TRUE(message) << property;
    EXPECT_LT(Pipeline::error_text(message.get()).size(), 1000u) << property;
  }
}

GQuark resource() { return GST_RESOURCE_ERROR; }
GQuark core() { return GST_CORE_ERROR; }

INSTANTIATE_TEST_SUITE_P(
    BadInput, SourceRefuses,
    ::testing::Values(
        Refusal{"CountThatDoesNotFit", "num-sensors=3 sensors=sim;sim", resource,
                GST_RESOURCE_ERROR_SETTINGS, "names 2"},
        Refusal{"UnknownKind", "sensors=nosuch:/dev/x", resource, GST_RESOURCE_ERROR_NOT_FOUND,
                "there is: sim"},
        Refusal{"UnknownOption", "sensors=sim?nosuch=1", resource, GST_RESOURCE_ERROR_SETTINGS,
                "nosuch"},
        Refusal{"OptionOutOfRange", "sensors=sim?drop=2", resource, GST_RESOURCE_ERROR_SETTINGS,
                "drop"},
        Refusal{"NoSuchDevice", "sensors=v4l2:/dev/video-nosuch", resource,
                GST_RESOURCE_ERROR_NOT_FOUND, "/dev/video-nosuch"},
        Refusal{"NoCaptureDevice", "sensors=v4l2:/dev/null", resource, GST_RESOURCE_ERROR_SETTINGS,
                "/dev/null"},
        Refusal{"SameDeviceTwice", "sensors=v4l2:/dev/null;v4l2:/dev/null", resource,
                GST_RESOURCE_ERROR_SETTINGS, "same device"},
        Refusal{"NoCommonFormat", "sensors=sim?format=RGB;sim?format=NV12", core,
                GST_CORE_ERROR_NEGOTIATION, "they offer"},
        Refusal{"SizeThatNoSensorHas", "sensors=sim?size=640x480", core, GST_CORE_ERROR_NEGOTIATION,
                "width=(int)160, height=(int)96, framerate=(fraction)30/1); they all offer"},
        Refusal{"ControlCharacters", "sensors=v4l2:/dev/x%1b[31m%0aFAKE", resource,
                GST_RESOURCE_ERROR_NOT_FOUND, "/dev/x%1B[31m%0AFAKE"},
        Refusal{"NoUtf8", "sensors=v4l2:/dev/%ff%c3", resource, GST_RESOURCE_ERROR_NOT_FOUND,
                "/dev/%FF%C3"},
        Refusal{"UnknownMemory", "memory=nosuch", resource, GST_RESOURCE_ERROR_NOT_FOUND, "memfd"}),
    [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace lockstep
