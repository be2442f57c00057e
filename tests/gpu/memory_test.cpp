// SPDX-License-Identifier: MIT
// Arenas in the memory of a GPU: their slots, and their fds in this process and in another.
// What needs no GPU's pixels to be looked at is in tests/conformance/memory_test.cpp.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "memory_testing.h"
#include "open_fds.h"

namespace lockstep {
namespace {

constexpr const char* kGivenBytes = "LOCKSTEP_TEST_SLOT_BYTES";

// What another user of CUDA makes of a slot's fd, for as long as this lives.
class Imported {
 public:
  Imported(std::shared_ptr<CudaDevice> device, int fd, std::size_t size)
      : device_(std::move(device)), size_(size) {
    CudaScope scope(device_->context());
    imported_ = driver().cuMemImportFromShareableHandle(
                    &handle_, reinterpret_cast<void*>(static_cast<std::intptr_t>(fd)),
                    CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR) == CUDA_SUCCESS;
    if (!imported_) return;
    if (driver().cuMemAddressReserve(&base_, size_, 0, 0, 0) != CUDA_SUCCESS) base_ = 0;
    if (base_ == 0) return;
    mapped_ = driver().cuMemMap(base_, size_, 0, handle_, 0) == CUDA_SUCCESS;
    if (!mapped_) return;
    CUmemAccessDesc access{};
    access.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
    access.location.id = device_->ordinal();
    access.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
    open_ = driver().cuMemSetAccess(base_, size_, &access, 1) == CUDA_SUCCESS;
  }
  ~Imported() {
    CudaScope scope(device_->context());
    if (mapped_) driver().cuMemUnmap(base_, size_);
    if (base_ != 0) driver().cuMemAddressFree(base_, size_);
    if (imported_) driver().cuMemRelease(handle_);
  }
  Imported(const Imported&) = delete;
  Imported& operator=(const Imported&) = delete;

  bool imported() const { return imported_; }
  explicit operator bool() const { return open_; }
  CUdeviceptr base() const { return base_; }

 private:
  std::shared_ptr<CudaDevice> device_;
  std::size_t size_;
  CUmemGenericAllocationHandle handle_ = 0;
  CUdeviceptr base_ = 0;
  bool imported_ = false;
  bool mapped_ = false;
  bool open_ = false;
};

TEST_F(GpuMemory, SlotsLieAWholeNumberOfGranulesApart) {
  CUmemAllocationProp properties{};
  properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  properties.requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
  std::size_t granule = 0;
  {
    CudaScope scope(device_->context());
    ASSERT_EQ(driver().cuMemGetAllocationGranularity(&granule, &properties,
                                                     CU_MEM_ALLOC_GRANULARITY_MINIMUM),
              CUDA_SUCCESS);
  }
  for (const std::size_t bytes : {std::size_t{1}, kSlotBytes, granule, granule + 1}) {
    const auto arena = arena_of(3, bytes);
    ASSERT_NE(arena, nullptr);
    EXPECT_EQ(arena->slot_stride(), (bytes + granule - 1) / granule * granule);
    EXPECT_EQ(arena->bytes().size(), 3 * arena->slot_stride());
    EXPECT_EQ(arena->space(), MemorySpace::cuda);
    EXPECT_EQ(arena->batch_fd(), -1);
    for (std::size_t i = 0; i < 3; ++i) {
      const SlotView slot = arena->slot(i);
      EXPECT_EQ(slot.data, arena->bytes().data() + i * arena->slot_stride());
      EXPECT_GE(slot.fd, 0);
      EXPECT_EQ(slot.fd_kind, FdKind::cuda);
      ASSERT_NE(slot.cuda, nullptr);
      EXPECT_EQ(slot.cuda->device, device_);
      EXPECT_EQ(slot.cuda->planes[0], reinterpret_cast<std::uintptr_t>(slot.data));
      EXPECT_NE(slot.cuda->fence, nullptr);
    }
  }
}

TEST_F(GpuMemory, IsZeroedAtFirst) {
  for (int round = 0; round < 3; ++round) {
    const auto arena = arena_of(3);
    ASSERT_NE(arena, nullptr);
    const CUdeviceptr base = address_of(arena->bytes().data());
    EXPECT_TRUE(all_are(device_, base, arena->bytes().size(), 0));
    fill(device_, base, 0xff, arena->bytes().size());
  }
}

TEST_F(GpuMemory, ASlotsFdReachesThatSlotAndNothingElse) {
  for (std::size_t written = 0; written < 4; ++written) {
    const auto arena = arena_of(4);
    ASSERT_NE(arena, nullptr);
    Imported imported(device_, arena->slot(written).fd, arena->slot_stride());
    ASSERT_TRUE(imported);
    fill(device_, imported.base(), 0x5a, arena->slot_stride());
    expect_only_slot(*arena, written, 0x5a);
  }
}

TEST_F(GpuMemory, ASlotsFdEndsWithTheSlot) {
  const auto arena = arena_of(3);
  ASSERT_NE(arena, nullptr);
  Imported imported(device_, arena->slot(1).fd, 2 * arena->slot_stride());
  EXPECT_TRUE(imported.imported());
  EXPECT_FALSE(imported);
}

TEST_F(GpuMemory, AnotherProcessWritesIntoThatSlotAndNothingElse) {
  const auto arena = arena_of(4);
  ASSERT_NE(arena, nullptr);
  setenv(kGivenBytes, std::to_string(arena->slot_stride()).c_str(), 1);
  EXPECT_EQ(run_in_child("InAChild.DISABLED_WritesIntoASlot", arena->slot(2).fd), 0);
  expect_only_slot(*arena, 2, 99);
}

// Run by the test above.
TEST(InAChild, DISABLED_WritesIntoASlot) {
  const char* bytes = std::getenv(kGivenBytes);
  if (bytes == nullptr) GTEST_SKIP() << "run by another test";
  const auto size = static_cast<std::size_t>(std::stoull(bytes));
  auto device = CudaDevice::open();
  ASSERT_TRUE(succeeds(device));
  Imported imported(*device, kGivenFd, size);
  ASSERT_TRUE(imported);
  fill(*device, imported.base(), 99, size);
}

TEST_F(GpuMemory, ASlotIsADmaBufWhereTheDriverMakesThem) {
  const auto arena = arena_of(2);
  ASSERT_NE(arena, nullptr);
  const bool makes_them = attribute(CU_DEVICE_ATTRIBUTE_DMA_BUF_SUPPORTED) != 0;
  for (std::size_t i = 0; i < 2; ++i) {
    const int dmabuf = arena->slot(i).dmabuf_fd;
    EXPECT_EQ(dmabuf >= 0, makes_them);
    if (dmabuf < 0) continue;
    EXPECT_EQ(lseek(dmabuf, 0, SEEK_END), static_cast<off_t>(arena->slot_stride()));
  }
}

TEST_F(GpuMemory, MappingsOfItsFdsStayWhenItGoes) {
  auto arena = arena_of(2);
  ASSERT_NE(arena, nullptr);
  const std::size_t stride = arena->slot_stride();
  Imported imported(device_, arena->slot(1).fd, stride);
  ASSERT_TRUE(imported);
  fill(device_, address_of(arena->slot(1).data), 42, stride);
  arena.reset();
  EXPECT_TRUE(all_are(device_, imported.base(), stride, 42));
}

TEST_F(GpuMemory, MoreThanTheGpuHasIsOutOfMemoryAndLeavesNothing) {
  const std::size_t before = device_->free_bytes();
  const std::size_t fds = num_open_fds();
  for (const std::size_t bytes : {before, std::size_t{1} << 50, static_cast<std::size_t>(-1)}) {
    const auto arena = memory_->allocate(2, bytes);
    EXPECT_TRUE(fails(arena, Errc::out_of_memory, "available")) << bytes;
    expect_free_as(before);
    EXPECT_EQ(num_open_fds(), fds);
  }
}

TEST_F(GpuMemory, AllThatIsFreeIsHadOrGivenBackWhole) {
  const std::size_t before = device_->free_bytes();
  const std::size_t fds = num_open_fds();
  constexpr std::size_t kGranule = std::size_t{2} << 20;
  {
    // The last slots may not be had, for the driver needs memory too.
    const auto arena = memory_->allocate(8, before / 8 / kGranule * kGranule);
    if (!arena) {
      EXPECT_TRUE(fails(arena, Errc::out_of_memory));
    }
  }
  expect_free_as(before);
  EXPECT_EQ(num_open_fds(), fds);
}

TEST_F(GpuMemory, ArenasThatGoLeaveNothing) {
  const std::size_t before = device_->free_bytes();
  const std::size_t fds = num_open_fds();
  for (int i = 0; i < 100; ++i) ASSERT_NE(arena_of(4), nullptr);
  expect_free_as(before);
  EXPECT_EQ(num_open_fds(), fds);
}

TEST_F(GpuMemory, IsKeptUntilWhoeverReadsItIsDone) {
  auto stream = CudaStream::make(device_);
  ASSERT_TRUE(succeeds(stream));
  auto arena = arena_of(1, std::size_t{64} << 20);
  ASSERT_NE(arena, nullptr);
  const SlotView slot = arena->slot(0);
  {
    CudaScope scope(device_->context());
    for (int i = 0; i < 200; ++i) {
      ASSERT_EQ(driver().cuMemsetD8Async(address_of(slot.data), 1, slot.size_bytes, stream->get()),
                CUDA_SUCCESS);
    }
  }
  auto written = CudaFence::record(device_, stream->get());
  ASSERT_TRUE(succeeds(written));
  slot.cuda->fence->was_written(*written);
  // Example failure: the slot is unmapped while the stream writes to it, which breaks the context.
  arena.reset();
  EXPECT_TRUE(succeeds(stream->synchronise()));
}

}  // namespace
}  // namespace lockstep
