// SPDX-License-Identifier: MIT
#include "rig/placement.h"

#include <gtest/gtest.h>

#include <vector>

#include "result_testing.h"

namespace lockstep {
namespace {

constexpr FrameSource kFills{Delivery::fill, MemorySpace::host};
constexpr FrameSource kLends{Delivery::lend, MemorySpace::host};
constexpr FrameSource kLendsOnGpu{Delivery::lend, MemorySpace::cuda};

constexpr BatchLayout kLayouts[] = {BatchLayout::automatic, BatchLayout::contiguous,
                                    BatchLayout::reference};

Wanted memfd(BatchLayout layout) { return {layout, "memfd", MemorySpace::host, FdKind::memfd}; }
Wanted udmabuf(BatchLayout layout) {
  return {layout, "udmabuf", MemorySpace::host, FdKind::dmabuf};
}
Wanted cuda(BatchLayout layout) { return {layout, "cuda", MemorySpace::cuda, FdKind::cuda}; }

TEST(Placement, FramesOfTheCpuGoAnywhere) {
  const std::vector<FrameSource> sources = {kFills, kLends};
  for (const BatchLayout layout : kLayouts)
    for (const Wanted& wanted : {memfd(layout), udmabuf(layout), cuda(layout)})
      EXPECT_TRUE(succeeds(check_placement(wanted, sources))) << wanted.memory;
}

TEST(Placement, OnlyAskedForMemoryIsCopiedTo) {
  const std::vector<FrameSource> lent = {kFills, kLends};
  const std::vector<FrameSource> filled = {kFills, kFills};
  for (const auto& sources : {lent, filled}) {
    EXPECT_FALSE(may_copy(memfd(BatchLayout::automatic), sources));
    EXPECT_TRUE(may_copy(memfd(BatchLayout::contiguous), sources));
    EXPECT_FALSE(may_copy(udmabuf(BatchLayout::reference), sources));
    EXPECT_FALSE(may_copy(cuda(BatchLayout::reference), sources));
  }
  EXPECT_TRUE(may_copy(udmabuf(BatchLayout::automatic), lent));
  EXPECT_TRUE(may_copy(cuda(BatchLayout::automatic), lent));
  EXPECT_FALSE(may_copy(udmabuf(BatchLayout::automatic), filled));
}

TEST(Placement, WhatAGpuLendsIsThereAlready) {
  const std::vector<FrameSource> sources = {kLendsOnGpu, kLendsOnGpu};
  for (const BatchLayout layout : kLayouts)
    EXPECT_TRUE(succeeds(check_placement(cuda(layout), sources)));
  EXPECT_FALSE(may_copy(cuda(BatchLayout::automatic), sources));
  EXPECT_TRUE(may_copy(cuda(BatchLayout::contiguous), sources));
}

TEST(Placement, WhatAGpuLendsIsNotCopiedToTheCpu) {
  const std::vector<FrameSource> sources = {kLendsOnGpu, kLendsOnGpu};
  for (const BatchLayout layout : {BatchLayout::automatic, BatchLayout::reference})
    EXPECT_TRUE(succeeds(check_placement(memfd(layout), sources)));
  EXPECT_TRUE(succeeds(check_placement(udmabuf(BatchLayout::reference), sources)));
  EXPECT_TRUE(fails(check_placement(memfd(BatchLayout::contiguous), sources), Errc::not_supported,
                    "use memory=cuda"));
  // Who asks for dma-bufs gets them or hears why not.
  EXPECT_TRUE(fails(check_placement(udmabuf(BatchLayout::automatic), sources), Errc::not_supported,
                    "memory=udmabuf; use memory=cuda"));
}

TEST(Placement, FramesOfBothKindsGoToTheGpuByCopyOnly) {
  for (const FrameSource& other : {kFills, kLends}) {
    const std::vector<FrameSource> sources = {kLendsOnGpu, other};
    for (const BatchLayout layout : kLayouts)
      for (const Wanted& wanted : {memfd(layout), udmabuf(layout)})
        EXPECT_TRUE(fails(check_placement(wanted, sources), Errc::not_supported, "memory=cuda"));
    EXPECT_TRUE(succeeds(check_placement(cuda(BatchLayout::automatic), sources)));
    EXPECT_TRUE(succeeds(check_placement(cuda(BatchLayout::contiguous), sources)));
    EXPECT_TRUE(fails(check_placement(cuda(BatchLayout::reference), sources), Errc::not_supported,
                      "layout=auto"));
  }
}

}  // namespace
}  // namespace lockstep
