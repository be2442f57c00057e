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
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "lockstep/format.h"
#include "lockstep/painted_code.h"
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

TEST(Source, LivePtsIsTheCaptureTimeOnThePipelinesClock) {
  std::vector<std::pair<GstClockTime, GstClockTime>> times;
  Pipeline pipeline(
      std::string("lockstepsrc name=src num-buffers=5 sensors=sim?render=stamp") + kSmall,
      [&](GstBuffer* buffer) {
        auto* meta = gst_buffer_get_lockstep_batch_meta(buffer);
        times.emplace_back(GST_BUFFER_PTS(buffer), meta->frames[0].capture_time);
      });
  ASSERT_TRUE(pipeline.play_to_end());
  const GstClockTime base_time = gst_element_get_base_time(pipeline.get());
  for (const auto& [pts, captured] : times)
    EXPECT_EQ(pts + base_time, captured);  // both on CLOCK_MONOTONIC
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

TEST(Source, TellsItsLatency) {
  Pipeline pipeline(
      std::string("lockstepsrc name=src sensors=sim?render=stamp max-wait=5000000 max-batches=3") +
      kSmall);
  pipeline.set_state(GST_STATE_PLAYING);
  ASSERT_TRUE(pipeline.wait_for_buffers(1));
  GstQuery* query = gst_query_new_latency();
  ASSERT_TRUE(gst_element_query(pipeline.source(), query));
  gboolean live = FALSE;
  GstClockTime min = 0;
  GstClockTime max = 0;
  gst_query_parse_latency(query, &live, &min, &max);
  gst_query_unref(query);
  const GstClockTime period = GST_SECOND / 30;
  EXPECT_TRUE(live);
  EXPECT_EQ(min, period + 5 * GST_MSECOND);
  EXPECT_EQ(max, min + 3 * period);
}

TEST(Source, ShowsNothingFromAPause) {
  std::vector<std::pair<GstClockTime, GstClockTime>> shown;   // PTS, capture time
  std::vector<std::pair<GstClockTime, GstClockTime>> pauses;  // begin, end
  // Long exposures: when the pause ends, one has nearly always begun.
  Pipeline pipeline(
      "lockstepsrc name=src sensors=sim?render=stamp&exposure-us=30000" + std::string(kSmall),
      [&](GstBuffer* buffer) {
        const auto* meta = gst_buffer_get_lockstep_batch_meta(buffer);
        shown.emplace_back(GST_BUFFER_PTS(buffer), meta->frames[0].capture_time);
      });
  for (int cycle = 0; cycle < 4; ++cycle) {
    pipeline.set_state(GST_STATE_PLAYING);
    const int wanted = pipeline.num_buffers + 3;
    ASSERT_TRUE(pipeline.wait_for_buffers(wanted));
    pipeline.set_state(GST_STATE_PAUSED);
    const auto begin = static_cast<GstClockTime>(monotonic_now().count());
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    pauses.emplace_back(begin, monotonic_now().count());
  }
  pipeline.set_state(GST_STATE_NULL);
  for (std::size_t i = 1; i < shown.size(); ++i) EXPECT_GT(shown[i].first, shown[i - 1].first);
  for (const auto& [begin, end] : pauses)
    for (const auto& [pts, captured] : shown) EXPECT_TRUE(captured <= begin || captured >= end);
}

TEST(Source, GoesOnAfterAFlush) {
  Pipeline pipeline(std::string("lockstepsrc name=src sensors=sim?render=stamp") + kSmall);
  pipeline.set_state(GST_STATE_PLAYING);
  ASSERT_TRUE(pipeline.wait_for_buffers(2));
  gst_element_send_event(pipeline.source(), gst_event_new_flush_start());
  gst_element_send_event(pipeline.source(), gst_event_new_flush_stop(FALSE));
  const int before = pipeline.num_buffers;
  EXPECT_TRUE(pipeline.wait_for_buffers(before + 3));
}

TEST(Source, CyclesThroughItsStates) {
  Pipeline pipeline(std::string("lockstepsrc name=src sensors=sim?render=stamp") + kSmall);
  for (int cycle = 0; cycle < 4; ++cycle) {
    pipeline.set_state(GST_STATE_PLAYING);
    const int wanted = pipeline.num_buffers + 2;
    ASSERT_TRUE(pipeline.wait_for_buffers(wanted));
    ASSERT_EQ(pipeline.set_state(cycle % 2 ? GST_STATE_NULL : GST_STATE_READY),
              GST_STATE_CHANGE_SUCCESS);
  }
}

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

TEST(Source, GroupingChangesWhileRunningAndRefusesNonsense) {
  Pipeline pipeline(std::string("lockstepsrc name=src sensors=sim?render=stamp") + kSmall);
  pipeline.set_state(GST_STATE_PLAYING);
  ASSERT_TRUE(pipeline.wait_for_buffers(1));
  g_object_set(pipeline.source(), "max-wait", guint64{7000000}, "sync-tolerance", guint64{1000},
               nullptr);
  gst_util_set_object_arg(G_OBJECT(pipeline.source()), "on-missing", "drop");
  g_object_set(pipeline.source(), "max-wait", guint64{11} * GST_SECOND, nullptr);
  auto warning = pipeline.wait_for(GST_MESSAGE_WARNING);
  ASSERT_TRUE(warning);
  EXPECT_NE(Pipeline::error_text(warning.get()).find("max-wait"), std::string::npos);
  guint64 kept = 0;
  g_object_get(pipeline.source(), "max-wait", &kept, nullptr);
  EXPECT_EQ(kept, 7000000u);
  const int before = pipeline.num_buffers;
  EXPECT_TRUE(pipeline.wait_for_buffers(before + 2));
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

GQuark resource() { return GST_RESOURCE_ERROR; }
GQuark core() { return GST_CORE_ERROR; }

INSTANTIATE_TEST_SUITE_P(
    BadInput, SourceRefuses,
    ::testing::Values(
        Refusal{"ZeroSensors", "num-sensors=0", resource, GST_RESOURCE_ERROR_SETTINGS, "1 to 64"},
        Refusal{"SixtyFiveSensors", "num-sensors=65", resource, GST_RESOURCE_ERROR_SETTINGS,
                "1 to 64"},
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
        Refusal{"UnknownMemory", "memory=nosuch", resource, GST_RESOURCE_ERROR_NOT_FOUND, "memfd"},
        Refusal{"NoBatches", "max-batches=0", resource, GST_RESOURCE_ERROR_SETTINGS, "1 to 64"},
        Refusal{"EndlessWait", "max-wait=99000000000", resource, GST_RESOURCE_ERROR_SETTINGS,
                "max-wait"}),
    [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace lockstep
