// SPDX-License-Identifier: MIT
// What tests of GPU memory share.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "children.h"
#include "cuda/driver.h"
#include "gpu_testing.h"
#include "lockstep/cuda.h"
#include "lockstep/memory.h"
#include "result_testing.h"

namespace lockstep {

inline constexpr std::size_t kSlotBytes = 10'000;
// What others on the machine may take or give back meanwhile.
inline constexpr std::size_t kTolerance = std::size_t{64} << 20;

inline const CudaDriver& driver() { return loaded_cuda_driver(); }

inline CUdeviceptr address_of(const std::byte* data) { return reinterpret_cast<CUdeviceptr>(data); }

inline void fill(const std::shared_ptr<CudaDevice>& device, CUdeviceptr to, int value,
                 std::size_t size) {
  auto stream = CudaStream::make(device);
  ASSERT_TRUE(succeeds(stream));
  CudaScope scope(device->context());
  ASSERT_EQ(driver().cuMemsetD8Async(to, static_cast<unsigned char>(value), size, stream->get()),
            CUDA_SUCCESS);
  ASSERT_TRUE(succeeds(stream->synchronise()));
}

inline bool all_are(const std::shared_ptr<CudaDevice>& device, CUdeviceptr from, std::size_t size,
                    int value) {
  std::vector<std::byte> bytes(size);
  CudaScope scope(device->context());
  if (driver().cuMemcpyDtoH(bytes.data(), from, size) != CUDA_SUCCESS) return false;
  for (const std::byte byte : bytes)
    if (byte != std::byte(value)) return false;
  return true;
}

class GpuMemory : public testing::Test {
 protected:
  void SetUp() override {
    auto memory = find_memory_backend("cuda");
    ASSERT_TRUE(succeeds(memory));
    memory_ = *memory;
    if (auto available = memory_->available(); !available) GTEST_SKIP() << available.error().what;
    auto device = CudaDevice::open();
    ASSERT_TRUE(succeeds(device));
    device_ = *device;
    // What the driver loads and opens when it is first used counts for no test.
    auto first = memory_->allocate(1, 1);
    ASSERT_TRUE(succeeds(first));
    fill(device_, address_of((*first)->slot(0).data), 1, 1);
  }

  std::shared_ptr<Arena> arena_of(std::size_t num_slots, std::size_t slot_bytes = kSlotBytes) {
    auto arena = memory_->allocate(num_slots, slot_bytes);
    EXPECT_TRUE(succeeds(arena));
    return arena ? *std::move(arena) : nullptr;
  }

  int attribute(CUdevice_attribute which) const {
    CUdevice of = 0;
    int value = 0;
    EXPECT_EQ(driver().cuDeviceGet(&of, 0), CUDA_SUCCESS);
    EXPECT_EQ(driver().cuDeviceGetAttribute(&value, which, of), CUDA_SUCCESS);
    return value;
  }

  void expect_only_slot(const Arena& arena, std::size_t written, int value) {
    for (std::size_t i = 0; i < arena.num_slots(); ++i) {
      const SlotView slot = arena.slot(i);
      EXPECT_TRUE(
          all_are(device_, address_of(slot.data), slot.size_bytes, i == written ? value : 0))
          << "slot " << i << " after writing slot " << written;
    }
  }

  void expect_free_as(std::size_t before) const {
    EXPECT_GE(device_->free_bytes() + kTolerance, before);
  }

  const MemoryBackend* memory_ = nullptr;
  std::shared_ptr<CudaDevice> device_;
};

}  // namespace lockstep
