// SPDX-License-Identifier: MIT
// Frames of EGLStreams in pipelines. EGL maps the planes of a frame apart, in any order: our own elements read them where they
// lie, and for others they are copied into one range of memory.
#include <gst/cuda/gstcuda.h>
#include <gst/video/video.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gst_cuda_testing.h"
#include "lockstep/eglstream.h"

namespace lockstep {
namespace {

constexpr int kNumCameras = 2;
constexpr Format kCameraFrame{PixelFormat::nv12, 640, 360, {60, 1}};

class GstEglStream : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("lockstep-gst-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
    for (int i = 0; i < kNumCameras; ++i) {
      EglCamera::Config config;
      config.socket = folder_ / (std::to_string(i) + ".sock");
      config.sensor = *parse_sensor_spec("sim?render=code");
      config.format = kCameraFrame;
      config.index = static_cast<std::uint32_t>(i);
      config.arrays = i == 1;  // of planes that are no memory at all
      auto camera = EglCamera::open(config);
      if (!camera) GTEST_SKIP() << camera.error().what;
      cameras_.push_back(*std::move(camera));
      threads_.emplace_back([running = cameras_.back().get()] {
        auto ran = running->run();
        EXPECT_TRUE(ran) << ran.error().what;
      });
    }
  }
  void TearDown() override {
    for (auto& camera : cameras_) camera->interrupt();
    for (auto& thread : threads_) thread.join();
    std::filesystem::remove_all(folder_);
  }

  std::string source(int num_buffers) const {
    std::string sensors;
    for (int i = 0; i < kNumCameras; ++i)
      sensors +=
          (i ? ";eglstream:" : "eglstream:") + (folder_ / std::to_string(i)).string() + ".sock";
    return "lockstepsrc name=src layout=reference sensors=\"" + sensors +
           "\" num-buffers=" + std::to_string(num_buffers) + " ";
  }

  std::filesystem::path folder_;
  std::vector<std::unique_ptr<EglCamera>> cameras_;
  std::vector<std::thread> threads_;
};

guint64 copies_in(const StructurePtr& stats) {
  guint64 copies = 0;
  gst_structure_get_uint64(stats.get(), "copies", &copies);
  return copies;
}

TEST_F(GstEglStream, MosaicsAreDrawnOfFramesWhereTheyLie) {
  const Format mosaic{PixelFormat::nv12, 1280, 360, {60, 1}};
  int num_read = 0;
  Pipeline pipeline(source(40) + "! locksteptiler rows=1 width=1280 height=360 ! cudadownload",
                    [&](GstBuffer* buffer) {
                      const auto* meta = meta_of(buffer);
                      ASSERT_NE(meta, nullptr);
                      const Bytes pixels = pixels_of(buffer, mosaic);
                      for (guint slot = 0; slot < kNumCameras; ++slot) {
                        if (meta->frames[slot].state != GST_LOCKSTEP_FRAME_FRESH) continue;
                        EXPECT_EQ(meta->frames[slot].copies, 0u);
                        const auto code = code_in(pixels, mosaic, {640 * slot, 0, 640, 360});
                        ASSERT_TRUE(code) << "tile " << slot;
                        EXPECT_EQ(code->sensor, slot);
                        ++num_read;
                      }
                    });
  ASSERT_EQ(pipeline.parse_error, "");
  ASSERT_TRUE(pipeline.play_to_end());
  EXPECT_GE(num_read, 60);
  EXPECT_EQ(copies_in(pipeline.stats()), 0u);
}

TEST_F(GstEglStream, FramesForOtherElementsAreRangesAndTheCopyIsCounted) {
  for (int wanted = 0; wanted < kNumCameras; ++wanted) {
    SCOPED_TRACE("camera " + std::to_string(wanted));
    const std::string other = std::to_string(1 - wanted);
    int num_read = 0;
    Pipeline pipeline(
        source(40) + "! lockstepdemux name=d d.src_" + other +
            " ! queue ! fakesink sync=false d.src_" + std::to_string(wanted) + " ! queue",
        [&](GstBuffer* buffer) {
          ASSERT_TRUE(is_on_gpu(buffer));
          const auto* meta = meta_of(buffer);
          ASSERT_NE(meta, nullptr);
          EXPECT_EQ(meta->frames[0].copies, 1u);
          EXPECT_EQ(all_of(buffer).size(), default_layout(PixelFormat::nv12, 640, 360)->size_bytes);
          const auto code = code_in(pixels_of(buffer, kCameraFrame), kCameraFrame);
          ASSERT_TRUE(code);
          EXPECT_EQ(code->sensor, wanted);
          EXPECT_EQ(code->sequence, static_cast<std::uint32_t>(meta->frames[0].sequence));
          ++num_read;
        });
    ASSERT_EQ(pipeline.parse_error, "");
    ASSERT_TRUE(pipeline.play_to_end());
    EXPECT_GE(num_read, 30);
    EXPECT_GE(copies_in(pipeline.stats()), static_cast<guint64>(num_read));
  }
}

// Between the source and an element of ours frames lie apart, whoever looks at them there.
void look_at(const GstLockstepBatchMeta* meta, int* num_seen) {
  for (guint slot = 0; slot < kNumCameras; ++slot) {
    if (meta->frames[slot].state != GST_LOCKSTEP_FRAME_FRESH) continue;
    GstBuffer* frame = meta->frames[slot].buffer;
    const auto code = code_in(pixels_of(frame, kCameraFrame), kCameraFrame);
    EXPECT_TRUE(code && code->sensor == slot) << "slot " << slot;
    BufferPtr copy(gst_buffer_copy_deep(frame));
    EXPECT_TRUE(pixels_of(copy.get(), kCameraFrame) == pixels_of(frame, kCameraFrame));
    // GStreamer maps a copy of a memory that does not let itself be mapped.
    std::unique_ptr<GstMemory, decltype(&gst_memory_unref)> lying_apart(
        gst_memory_ref(gst_buffer_peek_memory(frame, 0)), gst_memory_unref);
    GstMapInfo map;
    ASSERT_TRUE(gst_buffer_map(frame, &map,
                               static_cast<GstMapFlags>(int{GST_MAP_READ} | int{GST_MAP_CUDA})));
    EXPECT_NE(map.memory, lying_apart.get());
    EXPECT_TRUE(gst_is_cuda_memory(map.memory));
    gst_buffer_unmap(frame, &map);
    ++*num_seen;
  }
}

GstPadProbeReturn look(GstPad*, GstPadProbeInfo* info, gpointer num_seen) {
  look_at(meta_of(GST_PAD_PROBE_INFO_BUFFER(info)), static_cast<int*>(num_seen));
  return GST_PAD_PROBE_OK;
}

TEST_F(GstEglStream, TheCpuMapsAndCopiesFramesThatLieApart) {
  int num_seen = 0;
  Pipeline pipeline(source(30) + "! locksteptiler ! cudadownload");
  ASSERT_EQ(pipeline.parse_error, "");
  std::unique_ptr<GstPad, Unref> pad(gst_element_get_static_pad(pipeline.source(), "src"));
  gst_pad_add_probe(pad.get(), GST_PAD_PROBE_TYPE_BUFFER, look, &num_seen, nullptr);
  ASSERT_TRUE(pipeline.play_to_end());
  EXPECT_GE(num_seen, 30);
}

TEST_F(GstEglStream, AFileHoldsTheBytesOfEveryFrame) {
  const std::string file = folder_ / "frames.nv12";
  {
    Pipeline pipeline(source(20) + "! lockstepdemux name=d d.src_0 ! queue ! filesink location=" +
                      file + " d.src_1 ! queue");
    ASSERT_EQ(pipeline.parse_error, "");
    ASSERT_TRUE(pipeline.play_to_end());
  }
  const auto size = std::filesystem::file_size(file);
  const std::size_t frame = default_layout(PixelFormat::nv12, 640, 360)->size_bytes;
  EXPECT_EQ(size % frame, 0u);
  EXPECT_GE(size / frame, 15u);
}

}  // namespace
}  // namespace lockstep
