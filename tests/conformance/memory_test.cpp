// SPDX-License-Identifier: MIT
// The promises of lockstep/memory.h, kept by every backend that works here.
#include "lockstep/memory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <vector>

#include "lockstep/sensor_spec.h"
#include "open_fds.h"
#include "result_testing.h"

namespace lockstep {
namespace {

constexpr std::size_t kSlotBytes = 10'000;  // No whole number of pages.

bool all_are(std::span<const std::byte> bytes, int value) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [&](std::byte b) { return b == std::byte(value); });
}

// The bytes behind an fd, mapped for as long as this lives.
class Mapped {
 public:
  Mapped(int fd, std::size_t size) : size_(size) {
    data_ = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  }
  ~Mapped() {
    if (*this) munmap(data_, size_);
  }
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;

  explicit operator bool() const { return data_ != MAP_FAILED; }
  std::span<std::byte> bytes() { return {static_cast<std::byte*>(data_), size_}; }

 private:
  void* data_;
  std::size_t size_;
};

// Lets the process open no more than `more` files beyond those it has, while it lives.
class FewFds {
 public:
  explicit FewFds(std::size_t more) {
    getrlimit(RLIMIT_NOFILE, &before_);
    // The lowest numbers are taken first, so that the next free one counts, not how many are open.
    const int next = dup(0);
    close(next);
    rlimit now = before_;
    now.rlim_cur = static_cast<rlim_t>(next) + more;
    setrlimit(RLIMIT_NOFILE, &now);
  }
  ~FewFds() { setrlimit(RLIMIT_NOFILE, &before_); }
  FewFds(const FewFds&) = delete;
  FewFds& operator=(const FewFds&) = delete;

 private:
  rlimit before_{};
};

class MemoryContract : public testing::TestWithParam<const MemoryBackend*> {
 protected:
  void SetUp() override {
    if (auto available = backend().available(); !available) GTEST_SKIP() << available.error().what;
    // What a driver opens when it is first used counts for no test.
    ASSERT_NE(arena_of(1), nullptr);
  }

  // Why a test that looks at the bytes cannot be run, if it cannot.
  bool is_out_of_reach() { return backend().space() != MemorySpace::host; }
  static constexpr const char* kOutOfReach =
      "the CPU cannot look at it; tests/gpu/memory_test.cpp does";

  const MemoryBackend& backend() { return *GetParam(); }

  std::shared_ptr<Arena> arena_of(std::size_t num_slots, std::size_t slot_bytes = kSlotBytes) {
    auto arena = backend().allocate(num_slots, slot_bytes);
    EXPECT_TRUE(succeeds(arena));
    return arena ? *std::move(arena) : nullptr;
  }
};

TEST_P(MemoryContract, SlotsAdjoinInOneMappingOfWholePages) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  for (std::size_t num_slots : {1, 2, 3, 5, 8, 64}) {
    const auto arena = arena_of(num_slots);
    ASSERT_NE(arena, nullptr);
    EXPECT_EQ(arena->num_slots(), num_slots);
    EXPECT_EQ(arena->space(), backend().space());
    EXPECT_GE(arena->slot_stride(), kSlotBytes);
    EXPECT_EQ(arena->slot_stride() % page, 0u);
    EXPECT_EQ(arena->bytes().size(), num_slots * arena->slot_stride());
    for (std::size_t i = 0; i < num_slots; ++i) {
      EXPECT_EQ(arena->slot(i).data, arena->bytes().data() + i * arena->slot_stride());
      EXPECT_EQ(arena->slot(i).size_bytes, arena->slot_stride());
      EXPECT_EQ(arena->slot(i).fd_kind, backend().fd_kind());
      EXPECT_EQ(arena->slot(i).cuda != nullptr, backend().space() == MemorySpace::cuda);
    }
  }
}

TEST_P(MemoryContract, IsZeroedAtFirst) {
  if (is_out_of_reach()) GTEST_SKIP() << kOutOfReach;
  for (int round = 0; round < 3; ++round) {
    const auto arena = arena_of(3);
    ASSERT_NE(arena, nullptr);
    EXPECT_TRUE(all_are(arena->bytes(), 0));
    std::ranges::fill(arena->bytes(), std::byte{0xff});
  }
}

TEST_P(MemoryContract, ASlotsFdReachesThatSlotAndNothingElse) {
  if (is_out_of_reach()) GTEST_SKIP() << kOutOfReach;
  for (std::size_t num_slots : {1, 2, 3, 5, 8, 64}) {
    const auto arena = arena_of(num_slots);
    ASSERT_NE(arena, nullptr);
    for (std::size_t written = 0; written < num_slots; ++written) {
      std::ranges::fill(arena->bytes(), std::byte{0});
      Mapped mapped(arena->slot(written).fd, arena->slot_stride());
      ASSERT_TRUE(mapped);
      std::ranges::fill(mapped.bytes(), std::byte{0x5a});
      for (std::size_t i = 0; i < num_slots; ++i) {
        const SlotView slot = arena->slot(i);
        EXPECT_TRUE(all_are({slot.data, slot.size_bytes}, i == written ? 0x5a : 0))
            << "slot " << i << " after writing slot " << written << " of " << num_slots;
      }
    }
  }
}

TEST_P(MemoryContract, ASlotsFdEndsWithTheSlot) {
  if (is_out_of_reach()) GTEST_SKIP() << kOutOfReach;
  const auto arena = arena_of(3);
  ASSERT_NE(arena, nullptr);
  const auto stride = static_cast<off_t>(arena->slot_stride());
  const int fd = arena->slot(1).fd;
  EXPECT_EQ(lseek(fd, 0, SEEK_END), stride);
  if (arena->slot(1).fd_kind == FdKind::memfd) {
    const char byte = 1;
    EXPECT_EQ(pwrite(fd, &byte, 1, stride - 1), 1);
    EXPECT_LT(pwrite(fd, &byte, 1, stride), 0);
    EXPECT_LT(pwrite(fd, &byte, 1, 3 * stride), 0);
    EXPECT_EQ(arena->slot(1).data[stride - 1], std::byte{1});
  } else {
    EXPECT_FALSE(Mapped(fd, arena->slot_stride() + 1));
  }
  EXPECT_EQ(arena->slot(2).data[0], std::byte{0});
}

TEST_P(MemoryContract, ASlotsFdCannotBeCutOff) {
  if (is_out_of_reach()) GTEST_SKIP() << kOutOfReach;
  const auto arena = arena_of(2);
  ASSERT_NE(arena, nullptr);
  EXPECT_LT(ftruncate(arena->slot(0).fd, 0), 0);
  EXPECT_LT(ftruncate(arena->slot(0).fd, static_cast<off_t>(arena->slot_stride()) - 4096), 0);
  EXPECT_TRUE(all_are(arena->bytes(), 0));
}

TEST_P(MemoryContract, TheBatchsFdReachesEverySlot) {
  const auto arena = arena_of(4);
  ASSERT_NE(arena, nullptr);
  if (arena->batch_fd() < 0) {
    EXPECT_EQ(arena->batch_fd_kind(), FdKind::none);
    return;
  }
  for (std::size_t i = 0; i < 4; ++i) {
    const SlotView slot = arena->slot(i);
    std::fill_n(slot.data, slot.size_bytes, std::byte(i + 1));
  }
  Mapped mapped(arena->batch_fd(), arena->bytes().size());
  ASSERT_TRUE(mapped);
  EXPECT_TRUE(std::ranges::equal(mapped.bytes(), arena->bytes()));
  mapped.bytes()[2 * arena->slot_stride()] = std::byte{99};
  EXPECT_EQ(arena->slot(2).data[0], std::byte{99});
}

TEST_P(MemoryContract, FdsAreNotInheritedByOtherPrograms) {
  const auto arena = arena_of(2);
  ASSERT_NE(arena, nullptr);
  EXPECT_TRUE(fcntl(arena->slot(1).fd, F_GETFD) & FD_CLOEXEC);
}

TEST_P(MemoryContract, GoesWithItsLastUserAndMappingsOfItsFdsStay) {
  if (is_out_of_reach()) GTEST_SKIP() << kOutOfReach;
  const std::size_t before = num_open_fds();
  auto arena = arena_of(3);
  ASSERT_NE(arena, nullptr);
  arena->slot(1).data[7] = std::byte{42};
  Mapped mapped(arena->slot(1).fd, arena->slot_stride());
  auto second_user = arena;
  arena.reset();
  EXPECT_EQ(second_user->slot(1).data[7], std::byte{42});
  EXPECT_GT(num_open_fds(), before);
  second_user.reset();
  EXPECT_EQ(num_open_fds(), before);
  EXPECT_EQ(mapped.bytes()[7], std::byte{42});
}

TEST_P(MemoryContract, LeavesNothingOpenWhenItGoes) {
  const std::size_t before = num_open_fds();
  for (int i = 0; i < 50; ++i) ASSERT_NE(arena_of(4), nullptr);
  EXPECT_EQ(num_open_fds(), before);
}

TEST_P(MemoryContract, NeedsAtLeastOneSlotAndOneByte) {
  EXPECT_TRUE(fails(backend().allocate(0, kSlotBytes), Errc::invalid_argument));
  EXPECT_TRUE(fails(backend().allocate(1, 0), Errc::invalid_argument));
  EXPECT_NE(arena_of(1, 1), nullptr);
}

TEST_P(MemoryContract, HasAtMostAsManySlotsAsThereMayBeSensors) {
  EXPECT_NE(arena_of(kMaxSensors), nullptr);
  EXPECT_TRUE(fails(backend().allocate(kMaxSensors + 1, kSlotBytes), Errc::invalid_argument));
  EXPECT_TRUE(
      fails(backend().allocate(static_cast<std::size_t>(-1), kSlotBytes), Errc::invalid_argument));
}

TEST_P(MemoryContract, MoreThanThereIsIsOutOfMemoryAndLeavesNothingOpen) {
  std::ifstream meminfo("/proc/meminfo");
  std::string word;
  std::size_t total_kib = 0;
  meminfo >> word >> total_kib;
  ASSERT_EQ(word, "MemTotal:");
  const std::size_t before = num_open_fds();
  // Two slots of it are more than there is.
  const std::size_t most = std::max(total_kib * 1024, backend().available_bytes());
  for (std::size_t bytes : {most, std::size_t{1} << 50, static_cast<std::size_t>(-1)}) {
    const auto arena = backend().allocate(2, bytes);
    ASSERT_FALSE(arena) << bytes;
    // A slot may also be larger than the kernel takes.
    if (arena.error().code != Errc::not_supported) {
      EXPECT_TRUE(fails(arena, Errc::out_of_memory)) << bytes;
    }
    EXPECT_EQ(num_open_fds(), before);
  }
}

TEST_P(MemoryContract, WithoutFdsItIsOutOfFdsAndLeavesNothingOpen) {
  for (std::size_t available = 0; available < 8; ++available) {
    const std::size_t before = num_open_fds();
    Result<std::shared_ptr<Arena>> arena = Error{};
    {
      FewFds limit(available);
      arena = backend().allocate(8, kSlotBytes);
    }
    EXPECT_TRUE(fails(arena, Errc::out_of_fds, "ulimit -n")) << available;
    EXPECT_EQ(num_open_fds(), before) << available;
  }
}

INSTANTIATE_TEST_SUITE_P(Every, MemoryContract,
                         testing::ValuesIn(memory_backends().begin(), memory_backends().end()),
                         [](const auto& tested) { return std::string(tested.param->name()); });

TEST(MemoryBackends, AreFoundByName) {
  ASSERT_FALSE(memory_backends().empty());
  for (const MemoryBackend* backend : memory_backends()) {
    const auto found = find_memory_backend(backend->name());
    ASSERT_TRUE(succeeds(found));
    EXPECT_EQ(*found, backend);
    EXPECT_FALSE(backend->description().empty());
  }
}

TEST(MemoryBackends, GpusAreNamedByTheirNumbers) {
  const auto first = find_memory_backend("cuda");
  if (!first) {
    EXPECT_TRUE(fails(first, Errc::not_found, "this build has no CUDA part"));
    GTEST_SKIP() << first.error().what;
  }
  EXPECT_EQ(*find_memory_backend("cuda:0"), *first);
  const auto second = find_memory_backend("cuda:1");
  ASSERT_TRUE(succeeds(second));
  EXPECT_NE(*second, *first);
  EXPECT_EQ((*second)->name(), "cuda:1");
  EXPECT_EQ(*find_memory_backend("cuda:1"), *second);
  EXPECT_FALSE((*find_memory_backend("cuda:255"))->available());
  for (const char* wrong : {"cuda:", "cuda:-1", "cuda:1x", "cuda:256", "cuda1"})
    EXPECT_TRUE(fails(find_memory_backend(wrong), Errc::not_found, wrong));
}

// Example failure: "no 0 MiB".
TEST(MemoryBackends, SayHowMuchIsMissing) {
  const auto memfd = find_memory_backend("memfd");
  ASSERT_TRUE(succeeds(memfd));
  EXPECT_TRUE(
      fails((*memfd)->allocate(64, SIZE_MAX), Errc::out_of_memory, "no 17592186044416 MiB"));
}

TEST(MemoryBackends, UnknownOnesAreToldWithThoseThereAre) {
  const auto found = find_memory_backend("paper");
  ASSERT_TRUE(fails(found, Errc::not_found, "paper"));
  for (const MemoryBackend* backend : memory_backends())
    EXPECT_NE(found.error().what.find(backend->name()), std::string::npos);
}

}  // namespace
}  // namespace lockstep
