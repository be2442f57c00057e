// SPDX-License-Identifier: MIT
// The elements on a GPU, alone and beside GStreamer's own CUDA elements. What comes out is compared with what the same
// simulated sensors give by way of the CPU: on the virtual clock they repeat themselves to the bit.
#include <gst/cuda/gstcuda.h>
#include <gst/lockstep/gstlockstepbatchmeta.h>
#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gst_cuda_testing.h"
#include "lockstep/cuda.h"

namespace lockstep {
namespace {

// What others on the machine, and the driver's own pools, may take or give back meanwhile.
constexpr std::size_t kTolerance = std::size_t{64} << 20;

class GstCuda : public testing::Test {
 protected:
  void SetUp() override {
    auto device = CudaDevice::open();
    if (!device) GTEST_SKIP() << device.error().what;
    device_ = *device;
  }

  static bool has(const char* element) {
    GstElementFactory* factory = gst_element_factory_find(element);
    if (!factory) return false;
    gst_object_unref(factory);
    return true;
  }

  std::shared_ptr<CudaDevice> device_;
};

#define SKIP_WITHOUT(element) \
  if (!has(element)) GTEST_SKIP() << "this machine has no " << (element)

// --- lockstepsrc ---

TEST_F(GstCuda, EveryFrameIsACudaMemoryThatTheCpuCanMap) {
  int num_frames = 0;
  Pipeline pipeline(source("cuda", 20), [&](GstBuffer* batch) {
    const auto* meta = meta_of(batch);
    ASSERT_NE(meta, nullptr);
    ASSERT_EQ(meta->n_frames, guint{kNumSensors});
    for (guint slot = 0; slot < meta->n_frames; ++slot) {
      ASSERT_TRUE(is_on_gpu(meta->frames[slot].buffer));
      EXPECT_EQ(meta->frames[slot].copies, 1u);
      const auto code = code_in(pixels_of(meta->frames[slot].buffer, kFrame), kFrame);
      ASSERT_TRUE(code) << "slot " << slot << " of batch " << meta->batch_number;
      EXPECT_EQ(code->sensor, slot);
      EXPECT_EQ(code->sequence, meta->frames[slot].sequence);
      ++num_frames;
    }
  });
  ASSERT_EQ(pipeline.parse_error, "");
  ASSERT_TRUE(pipeline.play_to_end());
  EXPECT_EQ(num_frames, 20 * kNumSensors);
}

TEST_F(GstCuda, CapsSayThatFramesAreCudaMemory) {
  Pipeline pipeline(source("cuda", -1));
  ASSERT_EQ(pipeline.parse_error, "");
  pipeline.set_state(GST_STATE_PLAYING);
  ASSERT_TRUE(pipeline.wait_for_buffers(1));
  EXPECT_NE(pipeline.caps().find("memory:CUDAMemory"), std::string::npos) << pipeline.caps();
  EXPECT_NE(pipeline.caps().find("meta:GstLockstepBatchMeta"), std::string::npos);
}

TEST_F(GstCuda, OneMapOfABatchGivesTheBytesOfEveryFrame) {
  Pipeline pipeline(source("cuda", 10), [&](GstBuffer* batch) {
    const auto* meta = meta_of(batch);
    ASSERT_TRUE(meta && meta->contiguous);
    ASSERT_TRUE(is_on_gpu(batch));
    const Bytes whole = all_of(batch);
    for (guint slot = 0; slot < meta->n_frames; ++slot) {
      const auto* where = gst_buffer_get_video_meta_id(batch, static_cast<gint>(slot));
      ASSERT_NE(where, nullptr);
      const Bytes frame = all_of(meta->frames[slot].buffer);
      ASSERT_LE(where->offset[0] + frame.size(), whole.size());
      EXPECT_EQ(std::memcmp(whole.data() + where->offset[0], frame.data(), frame.size()), 0)
          << "slot " << slot << " of batch " << meta->batch_number;
    }
  });
  ASSERT_EQ(pipeline.parse_error, "");
  ASSERT_TRUE(pipeline.play_to_end());
}

TEST_F(GstCuda, FramesAreTheSameAsInMemoryOfTheCpu) {
  const auto frames_in = [](const std::string& memory) {
    std::vector<Bytes> frames;
    Pipeline pipeline(source(memory, 5), [&](GstBuffer* batch) {
      const auto* meta = meta_of(batch);
      for (guint slot = 0; slot < meta->n_frames; ++slot)
        frames.push_back(pixels_of(meta->frames[slot].buffer, kFrame));
    });
    EXPECT_TRUE(pipeline.play_to_end());
    return frames;
  };
  EXPECT_TRUE(frames_in("cuda") == frames_in("memfd"));
}

TEST_F(GstCuda, ACopyOfAFrameOrABatchHoldsTheSameBytes) {
  Pipeline pipeline(source("cuda", 2), [&](GstBuffer* batch) {
    GstBuffer* frame = meta_of(batch)->frames[1].buffer;
    for (GstBuffer* original : {frame, batch}) {
      BufferPtr copy(gst_buffer_copy_deep(original));
      ASSERT_TRUE(copy);
      ASSERT_TRUE(is_on_gpu(copy.get()));
      EXPECT_NE(gst_buffer_peek_memory(copy.get(), 0), gst_buffer_peek_memory(original, 0));
      EXPECT_TRUE(all_of(copy.get()) == all_of(original));
    }
    BufferPtr copy(gst_buffer_copy_deep(frame));
    EXPECT_TRUE(pixels_of(copy.get(), kFrame) == pixels_of(frame, kFrame));
  });
  ASSERT_TRUE(pipeline.play_to_end());
}

TEST_F(GstCuda, AFrameOutlivesItsPipeline) {
  BufferPtr kept;
  {
    Pipeline pipeline(source("cuda", 3), [&](GstBuffer* batch) {
      if (!kept) kept.reset(gst_buffer_ref(meta_of(batch)->frames[2].buffer));
    });
    ASSERT_TRUE(pipeline.play_to_end());
  }
  const auto code = code_in(pixels_of(kept.get(), kFrame), kFrame);
  ASSERT_TRUE(code);
  EXPECT_EQ(code->sensor, 2);
}

TEST_F(GstCuda, AGpuThatThereIsNotIsAnErrorThatSaysHowManyThereAre) {
  Pipeline pipeline(source("cuda:99", 1));
  EXPECT_EQ(pipeline.set_state(GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
  auto message = pipeline.wait_for(GST_MESSAGE_ERROR);
  ASSERT_TRUE(message);
  EXPECT_NE(Pipeline::error_text(message.get()).find("no GPU 99"), std::string::npos)
      << Pipeline::error_text(message.get());
}

// --- locksteptiler ---

class GstCudaMosaic : public GstCuda, public testing::WithParamInterface<PixelFormat> {};

// Tiles as large as the frames: there bilinear samples lie on pixels, so that the GPU copies them, as the CPU does. What is
// left is the rounding of floating-point numbers, at most 1.
TEST_P(GstCudaMosaic, IsTheSameAsTheCpus) {
  SKIP_WITHOUT("cudadownload");
  Format frame = kFrame;
  frame.pixel_format = GetParam();
  const Format mosaic = mosaic_of(frame);
  const Shown gpu =
      play(source("cuda", 5, "", "", frame) + "! locksteptiler ! cudadownload", mosaic);
  const Shown cpu = play(source("memfd", 5, "", "", frame) + "! locksteptiler", mosaic);
  ASSERT_EQ(gpu.mosaics.size(), 5u);
  ASSERT_EQ(cpu.mosaics.size(), 5u);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_LE(largest_difference(gpu.mosaics[i], cpu.mosaics[i], frame.pixel_format), 1)
        << "mosaic " << i;
    for (guint slot = 0; slot < kNumSensors; ++slot) {
      const auto code =
          code_in(gpu.mosaics[i], mosaic, tile_of(slot, {2, 2}, mosaic.width, mosaic.height));
      ASSERT_TRUE(code) << "tile " << slot << " of mosaic " << i;
      EXPECT_EQ(code->sensor, slot);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, GstCudaMosaic,
                         testing::Values(PixelFormat::nv12, PixelFormat::p010_10le,
                                         PixelFormat::bgrx, PixelFormat::rgba),
                         [](const auto& tried) { return std::string(to_string(tried.param)); });

TEST_F(GstCuda, ScaledTilesShowEachSensorInItsOwnTile) {
  SKIP_WITHOUT("cudadownload");
  const Format mosaic{PixelFormat::nv12, 480, 360, {30, 1}};
  const Shown shown =
      play(source("cuda", 10) + "! locksteptiler width=480 height=360 ! cudadownload", mosaic);
  ASSERT_EQ(shown.mosaics.size(), 10u);
  for (const Bytes& pixels : shown.mosaics) {
    for (guint slot = 0; slot < kNumSensors; ++slot) {
      const auto code = code_in(pixels, mosaic, tile_of(slot, {2, 2}, mosaic.width, mosaic.height));
      ASSERT_TRUE(code) << "tile " << slot;
      EXPECT_EQ(code->sensor, slot);
    }
  }
}

// Old frames and marks included.
TEST_F(GstCuda, MissingAndRepeatedSlotsLookAsTheyDoOnTheCpu) {
  SKIP_WITHOUT("cudadownload");
  const Format mosaic = mosaic_of(kFrame);
  for (const auto& [on_missing, state] : {std::pair{"partial", 'm'}, std::pair{"repeat", 'r'}}) {
    const std::string more = std::string("on-missing=") + on_missing;
    const Shown gpu =
        play(source("cuda", 40, "&drop=0.2", more) + "! locksteptiler ! cudadownload", mosaic);
    const Shown cpu = play(source("memfd", 40, "&drop=0.2", more) + "! locksteptiler", mosaic);
    ASSERT_EQ(gpu.mosaics.size(), 40u);
    ASSERT_EQ(gpu.states, cpu.states);
    EXPECT_TRUE(std::any_of(
        gpu.states.begin(), gpu.states.end(),
        [state = state](const auto& text) { return text.find(state) != std::string::npos; }))
        << "no slot lacked a frame with on-missing=" << on_missing;
    for (std::size_t i = 0; i < 40; ++i)
      EXPECT_LE(largest_difference(gpu.mosaics[i], cpu.mosaics[i], PixelFormat::nv12), 1)
          << "mosaic " << i << ", slots " << gpu.states[i] << ", on-missing=" << on_missing;
  }
}

TEST_F(GstCuda, TilesThatNoSlotIsDrawnInAreBlack) {
  SKIP_WITHOUT("cudadownload");
  const Format mosaic{PixelFormat::nv12, 960, 480, {30, 1}};
  const std::string tiler = "! locksteptiler rows=2 columns=3";
  const Shown gpu = play(source("cuda", 3) + tiler + " ! cudadownload", mosaic);
  const Shown cpu = play(source("memfd", 3) + tiler, mosaic);
  ASSERT_EQ(gpu.mosaics.size(), 3u);
  ASSERT_EQ(cpu.mosaics.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_LE(largest_difference(gpu.mosaics[i], cpu.mosaics[i], PixelFormat::nv12), 1);
}

// --- lockstepdemux, lockstepmux, and elements of GStreamer's ---

TEST_F(GstCuda, DemuxedFramesAreConvertedByGStreamersElements) {
  SKIP_WITHOUT("cudaconvert");
  const Format rgba{PixelFormat::rgba, kFrame.width, kFrame.height, {30, 1}};
  int num_read = 0;
  Pipeline pipeline(source("cuda", 30) +
                        "! lockstepdemux name=d d.src_0 ! queue ! fakesink sync=false d.src_1 ! "
                        "queue ! cudaconvert "
                        "! video/x-raw(memory:CUDAMemory),format=RGBA ! cudadownload",
                    [&](GstBuffer* buffer) {
                      const auto code = code_in(pixels_of(buffer, rgba), rgba);
                      ASSERT_TRUE(code) << "frame " << num_read;
                      EXPECT_EQ(code->sensor, 1);
                      EXPECT_EQ(code->sequence,
                                static_cast<std::uint32_t>(meta_of(buffer)->frames[0].sequence));
                      ++num_read;
                    });
  ASSERT_EQ(pipeline.parse_error, "");
  ASSERT_TRUE(pipeline.play_to_end());
  EXPECT_EQ(num_read, 30);
}

TEST_F(GstCuda, GStreamersElementsShareOurContext) {
  SKIP_WITHOUT("cudaconvert");
  Pipeline pipeline(source("cuda", 5) +
                        "! lockstepdemux name=d d.src_0 ! cudaconvert ! "
                        "video/x-raw(memory:CUDAMemory),format=RGBA",
                    [&](GstBuffer* buffer) {
                      ASSERT_TRUE(is_on_gpu(buffer));
                      auto* memory = GST_CUDA_MEMORY_CAST(gst_buffer_peek_memory(buffer, 0));
                      EXPECT_EQ(gst_cuda_context_get_handle(memory->context),
                                static_cast<gpointer>(device_->context()));
                    });
  ASSERT_EQ(pipeline.parse_error, "");
  ASSERT_TRUE(pipeline.play_to_end());
  EXPECT_EQ(pipeline.num_buffers, 5);
}

TEST_F(GstCuda, FramesTakenApartAndPutTogetherAgainKeepTheirSlots) {
  SKIP_WITHOUT("cudadownload");
  const Format mosaic{PixelFormat::nv12, 640, 240, {30, 1}};
  int num_read = 0;
  Pipeline pipeline(
      source("cuda", 20) +
          "! lockstepdemux name=d d.src_0 ! queue ! m.sink_0 d.src_1 ! queue ! m.sink_1 "
          "lockstepmux name=m ! locksteptiler rows=1 ! cudadownload",
      [&](GstBuffer* buffer) {
        const Bytes pixels = pixels_of(buffer, mosaic);
        for (guint slot = 0; slot < 2; ++slot) {
          const auto code =
              code_in(pixels, mosaic, tile_of(slot, {1, 2}, mosaic.width, mosaic.height));
          ASSERT_TRUE(code) << "tile " << slot;
          EXPECT_EQ(code->sensor, slot);
        }
        ++num_read;
      });
  ASSERT_EQ(pipeline.parse_error, "");
  ASSERT_TRUE(pipeline.play_to_end());
  EXPECT_EQ(num_read, 20);
}

constexpr const char* kDecoded =
    "videotestsrc num-buffers=30 ! video/x-raw,width=320,height=240,framerate=30/1 ! openh264enc ! "
    "h264parse ! nvh264dec ! video/x-raw(memory:CUDAMemory) ! m. ";

#define SKIP_WITHOUT_DECODER() \
  SKIP_WITHOUT("openh264enc"); \
  SKIP_WITHOUT("h264parse");   \
  SKIP_WITHOUT("nvh264dec");   \
  SKIP_WITHOUT("cudadownload")

TEST_F(GstCuda, DecodersFramesAreBatchedByReference) {
  SKIP_WITHOUT_DECODER();
  Pipeline pipeline(std::string(kDecoded) + kDecoded + "lockstepmux name=m", [&](GstBuffer* batch) {
    const auto* meta = meta_of(batch);
    ASSERT_TRUE(meta);
    EXPECT_FALSE(meta->contiguous);
    for (guint slot = 0; slot < meta->n_frames; ++slot) {
      if (meta->frames[slot].state == GST_LOCKSTEP_FRAME_MISSING) continue;
      EXPECT_TRUE(is_on_gpu(meta->frames[slot].buffer));
    }
  });
  ASSERT_EQ(pipeline.parse_error, "");
  ASSERT_TRUE(pipeline.play_to_end());
  EXPECT_GE(pipeline.num_buffers, 25);
}

TEST_F(GstCuda, DecodersFramesAreDrawn) {
  SKIP_WITHOUT_DECODER();
  const Format mosaic{PixelFormat::nv12, 640, 240, {30, 1}};
  const Shown shown = play(
      std::string(kDecoded) + kDecoded + "lockstepmux name=m ! locksteptiler rows=1 ! cudadownload",
      mosaic);
  ASSERT_GE(shown.mosaics.size(), 25u);
  // Both tiles are the same test picture, whose first bar is of a light grey.
  for (std::size_t i = 0; i < shown.mosaics.size(); ++i) {
    if (shown.states[i] != "ff") continue;
    const auto luma = [&](std::size_t x, std::size_t y) {
      return std::to_integer<int>(shown.mosaics[i][y * mosaic.width + x]);
    };
    for (std::size_t y = 0; y < mosaic.height; y += 10) {
      int difference = 0;
      for (std::size_t x = 0; x < mosaic.width / 2; ++x)
        difference += std::abs(luma(x, y) - luma(x + mosaic.width / 2, y));
      EXPECT_LE(difference, static_cast<int>(mosaic.width / 2) * 8) << "row " << y;
    }
    EXPECT_GT(luma(10, 10), 150) << "mosaic " << i;
  }
}

TEST_F(GstCuda, MosaicsAreEncodedWhereTheyLie) {
  SKIP_WITHOUT("nvh264enc");
  Pipeline pipeline(source("cuda", 30) + "! locksteptiler ! nvh264enc");
  ASSERT_EQ(pipeline.parse_error, "");
  if (pipeline.set_state(GST_STATE_PAUSED) == GST_STATE_CHANGE_FAILURE)
    GTEST_SKIP() << "nvh264enc does not start on this GPU";
  ASSERT_TRUE(pipeline.play_to_end());
  EXPECT_EQ(pipeline.num_buffers, 30);
}

// --- Over and over ---

class GstCudaAgain : public GstCuda, public testing::WithParamInterface<std::string> {};

TEST_P(GstCudaAgain, StopsInMidStreamAndStartsAgain) {
  for (const char* element : {"cudaconvert", "cudadownload"})
    if (GetParam().find(element) != std::string::npos) SKIP_WITHOUT(element);
  Pipeline pipeline(source("cuda", -1) + GetParam());
  ASSERT_EQ(pipeline.parse_error, "");
  for (int times = 0; times < 3; ++times) {
    const int before = pipeline.num_buffers;
    ASSERT_NE(pipeline.set_state(GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    ASSERT_TRUE(pipeline.wait_for_buffers(before + 10)) << "start " << times + 1;
    ASSERT_NE(pipeline.set_state(GST_STATE_NULL), GST_STATE_CHANGE_FAILURE);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Pipelines, GstCudaAgain,
    testing::Values("", "! locksteptiler", "! locksteptiler ! cudadownload",
                    "! queue ! locksteptiler ! queue ! cudadownload",
                    "! lockstepdemux name=d d.src_0 ! queue ! cudaconvert ! "
                    "video/x-raw(memory:CUDAMemory),format=RGBA ! cudadownload",
                    "! lockstepdemux name=d d.src_0 ! queue ! m. d.src_1 ! queue ! m. "
                    "lockstepmux name=m ! locksteptiler ! cudadownload"));

TEST_F(GstCuda, StopsInMidStreamWithADecoder) {
  SKIP_WITHOUT_DECODER();
  std::string endless(kDecoded);
  endless.replace(endless.find("num-buffers=30"), std::strlen("num-buffers=30"), "");
  Pipeline pipeline(endless + endless + "lockstepmux name=m ! locksteptiler ! cudadownload");
  ASSERT_EQ(pipeline.parse_error, "");
  pipeline.set_state(GST_STATE_PLAYING);
  ASSERT_TRUE(pipeline.wait_for_buffers(10));
  EXPECT_NE(pipeline.set_state(GST_STATE_NULL), GST_STATE_CHANGE_FAILURE);
}

TEST_F(GstCuda, AThousandBatchesLeaveTheGpusMemoryAsItWas) {
  SKIP_WITHOUT("cudadownload");
  const std::string tail = "! locksteptiler ! cudadownload";
  // What the driver and the kernels take at first stays.
  { ASSERT_TRUE(Pipeline(source("cuda", 50) + tail).play_to_end()); }
  const std::size_t before = device_->free_bytes();
  {
    Pipeline pipeline(source("cuda", 1000) + tail);
    ASSERT_TRUE(pipeline.play_to_end());
    EXPECT_EQ(pipeline.num_buffers, 1000);
  }
  EXPECT_GE(device_->free_bytes() + kTolerance, before);
}

}  // namespace
}  // namespace lockstep
