// SPDX-License-Identifier: MIT
#include "gstlockstepmemory.h"

#include <gst/gst.h>
#include <gtest/gtest.h>

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "gstlockstephandles.h"
#include "lockstep/slot_dispenser.h"

namespace lockstep {
namespace {

class PixelsOf : public testing::Test {
 protected:
  std::shared_ptr<SlotDispenser> dispenser =
      *SlotDispenser::make({*find_memory_backend("memfd"), 1, 8192});
  std::shared_ptr<const Pixels> pixels = *dispenser->take(0);
  BufferPtr buffer{gst_buffer_new()};
};

TEST_F(PixelsOf, IsWhatTheMemoryWasMadeOf) {
  gst_buffer_append_memory(buffer.get(), memory_of(pixels, 8192));
  EXPECT_EQ(pixels_of(buffer.get()), pixels);
}

TEST_F(PixelsOf, IsTheSameForMemoryThatIsShared) {
  GstMemory* memory = memory_of(pixels, 8192);
  gst_buffer_append_memory(buffer.get(), gst_memory_share(memory, 0, 4096));
  gst_memory_unref(memory);
  EXPECT_EQ(pixels_of(buffer.get()), pixels);
}

TEST_F(PixelsOf, IsNullForMemoryThatBeginsFurtherOn) {
  GstMemory* memory = memory_of(pixels, 8192);
  gst_buffer_append_memory(buffer.get(), gst_memory_share(memory, 1, 4096));
  gst_memory_unref(memory);
  EXPECT_EQ(pixels_of(buffer.get()), nullptr);
  gst_buffer_replace_all_memory(buffer.get(), memory_of(pixels, 8192));
  gst_buffer_resize(buffer.get(), 1, -1);
  EXPECT_EQ(pixels_of(buffer.get()), nullptr);
}

TEST_F(PixelsOf, IsNullForNoneOrTwoOrOtherMemories) {
  EXPECT_EQ(pixels_of(buffer.get()), nullptr);
  gst_buffer_append_memory(buffer.get(), memory_of(pixels, 8192));
  gst_buffer_append_memory(buffer.get(), memory_of(pixels, 8192));
  EXPECT_EQ(pixels_of(buffer.get()), nullptr);
  gst_buffer_replace_all_memory(buffer.get(), gst_allocator_alloc(nullptr, 8192, nullptr));
  EXPECT_EQ(pixels_of(buffer.get()), nullptr);
}

// An arena with an fd over all of it, as of dma-bufs.
class ArenaWithFd final : public Arena {
 public:
  explicit ArenaWithFd(std::shared_ptr<Arena> arena) : arena_(std::move(arena)) {}
  std::size_t num_slots() const override { return arena_->num_slots(); }
  std::size_t slot_stride() const override { return arena_->slot_stride(); }
  std::span<std::byte> bytes() const override { return arena_->bytes(); }
  SlotView slot(std::size_t index) const override { return arena_->slot(index); }
  int batch_fd() const override { return arena_->slot(0).fd; }
  FdKind batch_fd_kind() const override { return FdKind::dmabuf; }

 private:
  std::shared_ptr<Arena> arena_;
};

TEST_F(PixelsOf, IsNullForAWholeArena) {
  const auto arena = dispenser->common_arena({{pixels}}, {true});
  ASSERT_NE(arena, nullptr);
  for (const auto& whole : {arena, std::shared_ptr<Arena>(std::make_shared<ArenaWithFd>(arena))}) {
    gst_buffer_replace_all_memory(buffer.get(), memory_of(whole, {pixels}));
    EXPECT_EQ(pixels_of(buffer.get()), nullptr);
    EXPECT_EQ(gst_buffer_get_size(buffer.get()), arena->bytes().size());
  }
}

}  // namespace
}  // namespace lockstep
