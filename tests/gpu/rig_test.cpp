// SPDX-License-Identifier: MIT
// Rigs whose batches are in the memory of a GPU.
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "lockstep/painted_code.h"
#include "lockstep/rig.h"
#include "memory_testing.h"
#include "open_fds.h"
#include "rig_testing.h"

namespace lockstep {
namespace {

constexpr int kCannotBeTried = 77;

std::optional<PaintedCode> code_of(const Frame& frame) {
  const std::vector<std::byte> bytes = download(frame, kSmall);
  return read_code(
      luma_of(kSmall, *default_layout(kSmall.pixel_format, kSmall.width, kSmall.height), bytes));
}

RigConfig gpu_config(const std::string& sensors, BatchLayout layout) {
  RigConfig config = config_of(sensors);
  config.memory = "cuda";
  config.layout = layout;
  return config;
}

void expect_whole(const Batch& batch) {
  for (std::size_t i = 0; i < batch.frames.size(); ++i) {
    const Frame& frame = batch.frames[i];
    ASSERT_NE(frame.pixels, nullptr);
    const auto code = code_of(frame);
    ASSERT_TRUE(code) << "batch " << batch.number << ", frame " << i;
    EXPECT_EQ(code->sensor, i);
    EXPECT_EQ(code->sequence, frame.info.sequence);
  }
}

class GpuRig : public GpuMemory {};

TEST_F(GpuRig, EveryFrameIsUploadedOnceIntoItsSlot) {
  for (const BatchLayout layout : {BatchLayout::automatic, BatchLayout::contiguous}) {
    auto rig = started(gpu_config(times(4, "sim?realtime=false&render=code"), layout));
    ASSERT_NE(rig, nullptr);
    EXPECT_EQ(rig->frame_space(), MemorySpace::cuda);
    EXPECT_FALSE(rig->delivers_dmabufs());
    // Some are held, so that a slot that is filled too early shows.
    std::deque<Batch> held;
    for (int n = 0; n < 100; ++n) {
      held.push_back(next(*rig));
      const Batch& batch = held.back();
      ASSERT_TRUE(batch.contiguous());
      ASSERT_EQ(batch.frames.size(), 4u);
      for (std::size_t i = 0; i < 4; ++i) {
        const Frame& frame = batch.frames[i];
        ASSERT_EQ(frame.state, FrameState::fresh);
        EXPECT_EQ(frame.info.copies, 1u);
        EXPECT_EQ(frame.pixels->space(), MemorySpace::cuda);
        EXPECT_EQ(frame.pixels->fd_kind, FdKind::cuda);
        EXPECT_EQ(frame.pixels->data, batch.arena->slot(i).data);
      }
      if (held.size() < 3) continue;
      expect_whole(held.front());
      held.pop_front();
    }
    const RigStats stats = rig->stats();
    EXPECT_EQ(stats.batches, 100u);
    EXPECT_EQ(stats.by_reference, 0u);
    for (const auto& sensor : stats.sensors) {
      EXPECT_EQ(sensor.copies, 100u);
      EXPECT_NE(sensor.io.find("GPU memory"), std::string::npos) << sensor.io;
    }
    rig.reset();
    for (const Batch& batch : held) expect_whole(batch);
  }
}

TEST_F(GpuRig, ByReferenceFramesStayWhereTheirSensorHasThem) {
  auto rig =
      started(gpu_config(times(2, "sim?realtime=false&render=code"), BatchLayout::reference));
  ASSERT_NE(rig, nullptr);
  EXPECT_EQ(rig->frame_space(), MemorySpace::host);
  for (int n = 0; n < 10; ++n) {
    const Batch batch = next(*rig);
    EXPECT_FALSE(batch.contiguous());
    for (const Frame& frame : batch.frames) {
      EXPECT_EQ(frame.pixels->space(), MemorySpace::host);
      EXPECT_EQ(frame.info.copies, 0u);
    }
    expect_whole(batch);
  }
}

TEST_F(GpuRig, FramesAreMeteredBeforeTheyGoToTheGpu) {
  RigConfig config = gpu_config(times(2, "sim?realtime=false&render=code"), BatchLayout::automatic);
  config.light.always_meter = true;
  auto rig = started(std::move(config));
  ASSERT_NE(rig, nullptr);
  for (const Frame& frame : next(*rig).frames) EXPECT_TRUE(frame.metering);
}

TEST_F(GpuRig, MissingAndRepeatedFramesKeepTheirPlaces) {
  RigConfig config =
      gpu_config("sim?realtime=false&render=code&drop=0.3;sim?realtime=false&render=code",
                 BatchLayout::automatic);
  config.grouping.on_missing = OnMissing::repeat;
  auto rig = started(std::move(config));
  ASSERT_NE(rig, nullptr);
  int repeated = 0;
  for (int n = 0; n < 100; ++n) {
    const Batch batch = next(*rig);
    EXPECT_TRUE(batch.contiguous());
    for (std::size_t i = 0; i < 2; ++i) {
      const Frame& frame = batch.frames[i];
      if (!frame.pixels) continue;
      repeated += frame.state == FrameState::repeated;
      const auto code = code_of(frame);
      ASSERT_TRUE(code);
      EXPECT_EQ(code->sensor, i);
      EXPECT_EQ(code->sequence, frame.info.sequence);
    }
  }
  EXPECT_GT(repeated, 0);
}

TEST_F(GpuRig, StartsAgainAndAgainAndLeavesNothing) {
  auto rig = Rig::open(gpu_config(times(3, "sim?render=code"), BatchLayout::automatic));
  ASSERT_TRUE(succeeds(rig));
  Format fast = kSmall;
  fast.framerate = {100, 1};
  std::size_t fds = 0;
  std::size_t free = 0;
  for (int round = 0; round < 4; ++round) {
    ASSERT_TRUE(succeeds((*rig)->configure(fast)));
    ASSERT_TRUE(succeeds((*rig)->start()));
    for (int n = 0; n < 20; ++n) {
      const Batch batch = next(**rig);
      EXPECT_TRUE(batch.contiguous());
      for (std::size_t i = 0; i < batch.frames.size(); ++i) {
        if (!batch.frames[i].pixels) continue;
        const auto code = code_of(batch.frames[i]);
        ASSERT_TRUE(code);
        EXPECT_EQ(code->sensor, i);
      }
    }
    (*rig)->stop();
    if (round == 0) fds = num_open_fds();
    if (round == 0) free = device_->free_bytes();
  }
  EXPECT_EQ(num_open_fds(), fds);
  expect_free_as(free);
}

TEST_F(GpuRig, MoreBatchesThanTheGpuHoldsAreRefusedBeforeAnyIsTaken) {
  RigConfig config =
      gpu_config(times(64, "sim?realtime=false&render=stamp"), BatchLayout::automatic);
  config.max_batches = 64;
  auto rig = Rig::open(std::move(config));
  ASSERT_TRUE(succeeds(rig));
  // 64 batches of 64 frames of 64 MiB.
  const auto configured = (*rig)->configure({PixelFormat::bgrx, 4096, 4096, {30, 1}});
  EXPECT_TRUE(fails(configured, Errc::out_of_memory, "memory=cuda"));
}

TEST_F(GpuRig, ABrokenGpuIsToldAndLetGo) {
  const int status = run_in_child("InAChild.DISABLED_BreaksTheGpu");
  if (status == kCannotBeTried) GTEST_SKIP() << "this driver compiles no PTX";
  EXPECT_EQ(status, 0);
}

// A kernel that the GPU cannot go on from: the context is broken for good.
void break_context(const std::shared_ptr<CudaDevice>& device) {
  constexpr const char* kTrap =
      ".version 7.0\n.target sm_80\n.address_size 64\n"
      ".visible .entry break_it()\n{\n  trap;\n  ret;\n}\n";
  auto stream = CudaStream::make(device);
  ASSERT_TRUE(succeeds(stream));
  CudaScope scope(device->context());
  CUmodule module = nullptr;
  CUfunction function = nullptr;
  if (driver().cuModuleLoadDataEx(&module, kTrap, 0, nullptr, nullptr) != CUDA_SUCCESS ||
      driver().cuModuleGetFunction(&function, module, "break_it") != CUDA_SUCCESS)
    std::_Exit(kCannotBeTried);
  ASSERT_EQ(driver().cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, stream->get(), nullptr, nullptr),
            CUDA_SUCCESS);
  EXPECT_TRUE(fails(stream->synchronise(), Errc::device_lost));
}

// Run by the test above, for it leaves the process without a GPU.
TEST(InAChild, DISABLED_BreaksTheGpu) {
  auto device = CudaDevice::open();
  ASSERT_TRUE(succeeds(device));
  auto rig =
      started(gpu_config(times(3, "sim?realtime=false&render=code"), BatchLayout::automatic));
  ASSERT_NE(rig, nullptr);
  for (int n = 0; n < 5; ++n) expect_whole(next(*rig));
  Batch held = next(*rig);
  break_context(*device);
  for (int n = 0; n < 3; ++n) EXPECT_TRUE(fails(rig->next_batch(kLong), Errc::device_lost));
  const RigStats stats = rig->stats();
  EXPECT_EQ(stats.batches, 6u);
  EXPECT_EQ(stats.dropped_batches, 3u);
  for (const auto& sensor : stats.sensors) {
    EXPECT_EQ(sensor.frames, 6u);
    EXPECT_EQ(sensor.copies, 6u);
    EXPECT_EQ(sensor.drops[static_cast<std::size_t>(DropReason::flushed)], 3u);
  }
  rig->stop();
  held = {};
  rig.reset();
}

}  // namespace
}  // namespace lockstep
