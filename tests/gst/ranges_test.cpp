// SPDX-License-Identifier: MIT
#include "gstlockstepranges.h"

#include <gmock/gmock.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gstlockstephandles.h"
#include "lockstep/cuda.h"
#include "pipeline.h"
#include "result_testing.h"

namespace lockstep {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr Format kFormat{PixelFormat::nv12, 64, 48, {30, 1}};

// Memory of the CPU that stands for a GPU's, and notes what is copied into it.
class FakeGpu final : public MemoryBackend {
 public:
  std::string_view name() const override { return "fake"; }
  std::string_view description() const override { return "stands for a GPU"; }
  FdKind fd_kind() const override { return FdKind::memfd; }
  Result<void> available() const override { return {}; }
  Result<std::shared_ptr<Arena>> allocate(std::size_t num_slots,
                                          std::size_t slot_bytes) const override {
    ++num_arenas;
    return (*find_memory_backend("memfd"))->allocate(num_slots, slot_bytes);
  }
  Result<std::unique_ptr<FrameCopier>> make_copier() const override {
    class Copier final : public FrameCopier {
     public:
      explicit Copier(const FakeGpu& gpu) : gpu_(gpu) {}
      Result<void> copy(std::span<const Job> jobs) override {
        gpu_.calls.emplace_back(jobs.begin(), jobs.end());
        return {};
      }

     private:
      const FakeGpu& gpu_;
    };
    return std::unique_ptr<FrameCopier>(std::make_unique<Copier>(*this));
  }

  mutable std::vector<std::vector<FrameCopier::Job>> calls;
  mutable int num_arenas = 0;
};

// A frame on a GPU: only its addresses are looked at.
struct Lent {
  CudaPixels cuda;
  Pixels pixels;
};

Frame on_gpu(std::uintptr_t luma, std::uintptr_t chroma, bool is_range) {
  auto lent = std::make_shared<Lent>();
  lent->cuda.planes = {luma, chroma, 0};
  lent->pixels.cuda = &lent->cuda;
  if (is_range) lent->pixels.data = reinterpret_cast<std::byte*>(luma);
  Frame frame;
  frame.state = FrameState::fresh;
  frame.layout = *layout_with_stride(PixelFormat::nv12, 64, 48, 256);
  frame.pixels = {lent, &lent->pixels};
  return frame;
}

Frame apart() { return on_gpu(0x7f6b25c00000, 0x7f6ade01c000, false); }

Batch batch_of(std::vector<Frame> frames) {
  Batch batch;
  batch.frames = std::move(frames);
  return batch;
}

class Ranges : public testing::Test {
 protected:
  std::vector<std::size_t> gather(Batch& batch) {
    auto gathered = copies.gather(batch, kFormat);
    EXPECT_TRUE(succeeds(gathered));
    return gathered ? *gathered : std::vector<std::size_t>{};
  }

  FakeGpu gpu;
  RangeCopies copies{[this](const CudaPixels&) -> Result<const MemoryBackend*> { return &gpu; }};
};

TEST_F(Ranges, FramesWhosePlanesLieApartAreCopiedByOneCallAndCounted) {
  Batch batch = batch_of({on_gpu(0x10000, 0x13000, true), apart(), Frame{}, apart()});
  const std::vector<Frame> before = batch.frames;
  EXPECT_THAT(gather(batch), ElementsAre(1, 3));
  ASSERT_EQ(gpu.calls.size(), 1u);
  ASSERT_EQ(gpu.calls[0].size(), 2u);
  const Layout tight = *default_layout(PixelFormat::nv12, 64, 48);
  for (std::size_t i = 0; i < 2; ++i) {
    const std::size_t slot = 2 * i + 1;
    const FrameCopier::Job& job = gpu.calls[0][i];
    EXPECT_EQ(job.from, before[slot].pixels);
    EXPECT_EQ(job.from_layout, before[slot].layout);
    EXPECT_EQ(job.to_layout, tight);
    EXPECT_EQ(job.to.data, batch.frames[slot].pixels->data);
    EXPECT_EQ(batch.frames[slot].layout, tight);
    EXPECT_EQ(batch.frames[slot].info.copies, 1u);
    EXPECT_NE(batch.frames[slot].pixels->data, nullptr);
  }
  EXPECT_EQ(batch.frames[0].pixels, before[0].pixels);
  EXPECT_EQ(batch.frames[0].info.copies, 0u);
  EXPECT_EQ(batch.frames[2].pixels, nullptr);
}

TEST_F(Ranges, AnOrderOfPlanesMakesNoRange) {
  Batch batch = batch_of({on_gpu(0x10000, 0x13000, false)});
  EXPECT_THAT(gather(batch), ElementsAre(0));
}

TEST_F(Ranges, ABatchOfRangesIsLeftAlone) {
  Batch batch = batch_of({on_gpu(0x10000, 0x13000, true), Frame{}});
  EXPECT_THAT(gather(batch), IsEmpty());
  EXPECT_EQ(gpu.num_arenas, 0);
  EXPECT_THAT(gpu.calls, IsEmpty());
}

TEST_F(Ranges, ACopyKeepsTheFrameThatItIsOf) {
  Batch batch = batch_of({apart()});
  const std::weak_ptr<const Pixels> original = batch.frames[0].pixels;
  gather(batch);
  gpu.calls.clear();
  EXPECT_FALSE(original.expired());
  batch = {};
  EXPECT_TRUE(original.expired());
}

TEST_F(Ranges, MemoryIsUsedAgainOnceNobodyHasTheCopies) {
  Batch held = batch_of({apart(), apart()});
  gather(held);
  EXPECT_EQ(gpu.num_arenas, 1);
  Batch second = batch_of({apart(), apart()});
  gather(second);
  EXPECT_EQ(gpu.num_arenas, 2);
  EXPECT_NE(second.frames[0].pixels->data, held.frames[0].pixels->data);
  // One slot of it will do to keep an arena.
  const std::byte* first = held.frames[0].pixels->data;
  auto kept = held.frames[1].pixels;
  held = {};
  Batch third = batch_of({apart(), apart()});
  gather(third);
  EXPECT_EQ(gpu.num_arenas, 3);
  kept.reset();
  Batch fourth = batch_of({apart(), apart()});
  gather(fourth);
  EXPECT_EQ(gpu.num_arenas, 3);
  EXPECT_EQ(fourth.frames[0].pixels->data, first);
}

// What a source is answered about frames that lie apart.
bool are_planes_taken_by(const std::string& downstream) {
  Pipeline pipeline(virtual_source("", 2, -1) + kSmall + "! " + downstream);
  EXPECT_EQ(pipeline.parse_error, "");
  pipeline.set_state(GST_STATE_PLAYING);
  EXPECT_TRUE(pipeline.wait_for_buffers(1));
  std::unique_ptr<GstPad, Unref> pad(gst_element_get_static_pad(pipeline.source(), "src"));
  CapsPtr caps(gst_pad_get_current_caps(pad.get()));
  GstQuery* query = gst_query_new_allocation(caps.get(), FALSE);
  gst_pad_peer_query(pad.get(), query);
  const bool takes = takes_planes(query);
  gst_query_unref(query);
  return takes;
}

TEST(Planes, AreTakenByTheTilerAlsoBehindAQueueAndByNobodyElse) {
  EXPECT_TRUE(are_planes_taken_by("locksteptiler"));
  EXPECT_TRUE(are_planes_taken_by("queue ! locksteptiler"));
  EXPECT_FALSE(are_planes_taken_by("lockstepdemux name=d d.src_1"));
  EXPECT_FALSE(are_planes_taken_by("identity"));
}

}  // namespace
}  // namespace lockstep
