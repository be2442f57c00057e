// SPDX-License-Identifier: MIT
#include "lockstep/slot_dispenser.h"

#include <gtest/gtest.h>

#include <deque>
#include <set>
#include <thread>

#include "memory/backends.h"
#include "result_testing.h"

namespace lockstep {
namespace {

using PixelsPtr = std::shared_ptr<const Pixels>;

constexpr std::size_t kWriters = 4;
constexpr std::chrono::seconds kForever{30};

// Memory that runs out after so many arenas.
class ScarceMemory final : public MemoryBackend {
 public:
  explicit ScarceMemory(std::size_t arenas) : left(arenas) {}
  std::string_view name() const override { return "scarce"; }
  std::string_view description() const override { return "runs out"; }
  FdKind fd_kind() const override { return FdKind::memfd; }
  Result<void> available() const override { return {}; }
  Result<std::shared_ptr<Arena>> allocate(std::size_t num_slots,
                                          std::size_t slot_bytes) const override {
    if (left == 0) return Error{Errc::out_of_memory, 12, "scarce"};
    --left;
    return memfd_backend()->allocate(num_slots, slot_bytes);
  }
  mutable std::size_t left;
};

std::shared_ptr<SlotDispenser> dispenser_of(std::size_t num_slots, std::size_t wanted_arenas = 6,
                                            const MemoryBackend* memory = memfd_backend()) {
  auto made = SlotDispenser::make({memory, num_slots, 4096, wanted_arenas});
  EXPECT_TRUE(succeeds(made));
  return made ? *std::move(made) : nullptr;
}

PixelsPtr taken(SlotDispenser& dispenser, std::size_t slot) {
  auto pixels = dispenser.take(slot);
  EXPECT_TRUE(succeeds(pixels));
  return pixels ? *std::move(pixels) : nullptr;
}

// Writers that each have some frames in flight between taking a slot and their set's leaving, and a muxer that makes
// sets of what they wrote for the same instant.
class SlotDispenserTest : public ::testing::Test {
 protected:
  using Frame = std::pair<int, PixelsPtr>;  // instant, and the slot it was written to

  // Each of `writers` writes its frame of the next instant.
  void write(const std::vector<std::size_t>& writers) {
    for (std::size_t i : writers) in_flight[i].emplace_back(next_to_write, taken(*dispenser, i));
    ++next_to_write;
  }

  // The set of the oldest instant leaves, and downstream lets go of it. True: it was in one arena.
  bool leave() {
    const int instant = next_to_leave++;
    std::vector<PixelsPtr> pixels(kWriters);
    std::vector<bool> wanted(kWriters);
    for (std::size_t i = 0; i < kWriters; ++i) {
      if (in_flight[i].empty() || in_flight[i].front().first != instant) continue;
      pixels[i] = std::move(in_flight[i].front().second);
      in_flight[i].pop_front();
      wanted[i] = true;
    }
    dispenser->left_together(pixels);
    return dispenser->common_arena(pixels, wanted) != nullptr;
  }

  static std::vector<std::size_t> all_but(std::set<std::size_t> skipping) {
    std::vector<std::size_t> writers;
    for (std::size_t i = 0; i < kWriters; ++i)
      if (!skipping.contains(i)) writers.push_back(i);
    return writers;
  }

  std::shared_ptr<SlotDispenser> dispenser = dispenser_of(kWriters);
  std::deque<Frame> in_flight[kWriters];
  int next_to_write = 0;
  int next_to_leave = 0;
};

TEST_F(SlotDispenserTest, NothingIsAllocatedBeforeTheFirstSlotIsTaken) {
  EXPECT_EQ(dispenser->num_arenas(), 0u);
  taken(*dispenser, 2);
  EXPECT_EQ(dispenser->num_arenas(), 1u);
}

TEST_F(SlotDispenserTest, WriterGetsItsOwnSlot) {
  for (std::size_t i = 0; i < kWriters; ++i) {
    const PixelsPtr pixels = taken(*dispenser, i);
    EXPECT_EQ(pixels->slot, i);
    EXPECT_EQ(pixels->fd_kind, FdKind::memfd);
    EXPECT_GE(pixels->size_bytes, 4096u);
    EXPECT_EQ(pixels->data - pixels->arena->bytes().data(),
              static_cast<std::ptrdiff_t>(i * pixels->arena->slot_stride()));
  }
}

TEST_F(SlotDispenserTest, WritersThatStartOneAfterTheOtherBeginWithTheSameArena) {
  std::vector<PixelsPtr> first;
  std::vector<PixelsPtr> later;
  for (std::size_t i = 0; i < kWriters; ++i) {
    first.push_back(taken(*dispenser, i));
    // It runs on before the next one starts.
    for (int n = 0; n < 3; ++n) later.push_back(taken(*dispenser, i));
  }
  EXPECT_NE(dispenser->common_arena(first, std::vector<bool>(kWriters, true)), nullptr);
  EXPECT_EQ(dispenser->num_arenas(), 4u);
}

TEST_F(SlotDispenserTest, WritersOfOneRateStayInStepInOneArenaPerInstantInFlight) {
  constexpr std::size_t kInFlight = 3;
  for (std::size_t n = 0; n < kInFlight; ++n) write(all_but({}));
  for (int n = 0; n < 100; ++n) {
    EXPECT_TRUE(leave());
    write(all_but({}));
    EXPECT_EQ(dispenser->num_arenas(), kInFlight);
  }
}

TEST_F(SlotDispenserTest, WriterThatSkippedAFrameIsBackInStepAfterTheFramesInFlight) {
  for (std::size_t num_in_flight = 1; num_in_flight <= 5; ++num_in_flight) {
    for (int n = 0; n < 10; ++n) {
      write(all_but({}));
      EXPECT_TRUE(leave());
    }
    write(all_but({1}));
    for (std::size_t n = 1; n < num_in_flight; ++n) write(all_but({}));
    EXPECT_TRUE(leave());  // Without writer 1.
    write(all_but({}));
    for (std::size_t n = 0; n < num_in_flight; ++n) {
      EXPECT_FALSE(leave()) << num_in_flight;
      write(all_but({}));
    }
    for (int n = 0; n < 20; ++n) {
      EXPECT_TRUE(leave()) << num_in_flight;
      write(all_but({}));
    }
    while (next_to_leave < next_to_write) EXPECT_TRUE(leave());
  }
}

TEST_F(SlotDispenserTest, WriterWhoseFrameWasDroppedIsWaitedForByTheOthers) {
  write(all_but({}));
  write(all_but({}));
  in_flight[2].pop_front();  // It never reaches a set.
  taken(*dispenser, 2);      // Nor does this one.
  EXPECT_TRUE(leave());
  EXPECT_TRUE(leave());
  write(all_but({}));
  write(all_but({}));
  EXPECT_FALSE(leave());
  write(all_but({}));
  EXPECT_FALSE(leave());
  for (int n = 0; n < 10; ++n) {
    EXPECT_TRUE(leave());
    write(all_but({}));
  }
}

TEST_F(SlotDispenserTest, TwoWritersThatSkipDifferentInstantsComeBackIntoStep) {
  write(all_but({}));
  write(all_but({0}));
  write(all_but({3}));
  for (int n = 0; n < 8; ++n) {
    write(all_but({}));
    leave();
  }
  for (int n = 0; n < 20; ++n) {
    EXPECT_TRUE(leave());
    write(all_but({}));
  }
}

TEST_F(SlotDispenserTest, WriterThatStallsNeitherTakesMemoryNorHoldsUpTheOthers) {
  for (int n = 0; n < 3; ++n) {
    write(all_but({}));
    EXPECT_TRUE(leave());
  }
  for (int n = 0; n < 1000; ++n) {
    write(all_but({1}));
    EXPECT_TRUE(leave());
  }
  EXPECT_EQ(dispenser->num_arenas(), 6u);
  // It may be out of step at first, which the first set with it in corrects.
  for (int n = 0; n < 2; ++n) {
    write(all_but({}));
    leave();
  }
  for (int n = 0; n < 20; ++n) {
    write(all_but({}));
    EXPECT_TRUE(leave());
  }
  EXPECT_EQ(dispenser->num_arenas(), 6u);
}

TEST_F(SlotDispenserTest, WriterThatNeverTakesHoldsUpNobody) {
  for (int n = 0; n < 100; ++n) {
    write(all_but({3}));
    EXPECT_TRUE(leave());
  }
  EXPECT_EQ(dispenser->num_arenas(), 1u);
}

TEST_F(SlotDispenserTest, WriterThatJoinsLateJoinsTheInstantThatIsBeingWritten) {
  for (int n = 0; n < 50; ++n) {
    write(all_but({2}));
    EXPECT_TRUE(leave());
  }
  // A frame waits for its partners while the next is written: the newcomer writes last.
  for (int n = 0; n < 3; ++n) write(all_but({2}));
  write({0, 1, 3, 2});
  for (int n = 0; n < 20; ++n) {
    EXPECT_TRUE(leave());
    write(all_but({}));
  }
}

TEST_F(SlotDispenserTest, ArenaIsReusedOnlyWhenAllOfItIsBack) {
  PixelsPtr kept = taken(*dispenser, 0);
  const Arena* arena = kept->arena;
  taken(*dispenser, 1);  // Comes back at once; the slot of writer 0 does not.
  for (int n = 0; n < 10; ++n)
    for (std::size_t i = 0; i < 2; ++i) EXPECT_NE(taken(*dispenser, i)->arena, arena);
  kept.reset();
  std::set<const Arena*> seen;
  std::vector<PixelsPtr> held;
  for (int n = 0; n < 2; ++n) {
    held.push_back(taken(*dispenser, 0));
    seen.insert(held.back()->arena);
  }
  EXPECT_TRUE(seen.contains(arena));
}

TEST_F(SlotDispenserTest, FramesOfOtherMemoryAndOtherDispensersAreLeftAlone) {
  const auto other = dispenser_of(kWriters);
  write(all_but({}));
  EXPECT_TRUE(leave());
  for (int n = 0; n < 5; ++n) taken(*other, 1);
  std::vector<PixelsPtr> pixels(kWriters);
  pixels[0] = taken(*dispenser, 0);
  pixels[1] = taken(*other, 1);
  pixels[2] = std::make_shared<const Pixels>();
  dispenser->left_together(pixels);
  for (std::size_t i = 1; i < kWriters; ++i) pixels[i] = taken(*dispenser, i);
  EXPECT_NE(dispenser->common_arena(pixels, std::vector<bool>(kWriters, true)), nullptr);
}

TEST(SlotDispenser, SlotsOutliveTheDispenser) {
  auto dispenser = dispenser_of(2);
  PixelsPtr pixels = taken(*dispenser, 1);
  dispenser.reset();
  pixels->data[0] = std::byte{7};
  pixels->data[pixels->size_bytes - 1] = std::byte{8};
  EXPECT_EQ(pixels->arena->slot(1).data, pixels->data);
  EXPECT_EQ(pixels->arena->slot(1).data[0], std::byte{7});
}

TEST(SlotDispenser, WithoutSlotsOrBytesOrMemoryItIsAnInvalidArgument) {
  const MemoryBackend* memfd = memfd_backend();
  EXPECT_TRUE(fails(SlotDispenser::make({nullptr, 1, 1, 1}), Errc::invalid_argument));
  EXPECT_TRUE(fails(SlotDispenser::make({memfd, 0, 1, 1}), Errc::invalid_argument));
  EXPECT_TRUE(fails(SlotDispenser::make({memfd, 65, 1, 1}), Errc::invalid_argument));
  EXPECT_TRUE(fails(SlotDispenser::make({memfd, 1, 0, 1}), Errc::invalid_argument));
  EXPECT_TRUE(fails(SlotDispenser::make({memfd, 1, 1, 0}), Errc::invalid_argument));
  EXPECT_TRUE(fails(SlotDispenser::make({memfd, 1, 1, 65}), Errc::invalid_argument));
  EXPECT_TRUE(succeeds(SlotDispenser::make({memfd, 64, 1, 64})));
  EXPECT_TRUE(fails(dispenser_of(2)->take(2), Errc::invalid_argument, "slot 2 of 2"));
}

TEST(SlotDispenser, IsBusyWhenEveryArenaThereMayBeIsInUse) {
  const auto dispenser = dispenser_of(2);
  std::vector<PixelsPtr> held;
  for (std::size_t n = 0; n < SlotDispenser::kMaxArenas; ++n) held.push_back(taken(*dispenser, 0));
  EXPECT_EQ(dispenser->num_arenas(), SlotDispenser::kMaxArenas);
  EXPECT_TRUE(fails(dispenser->take(0), Errc::busy, "all 64"));
  EXPECT_TRUE(fails(dispenser->gather(std::vector<PixelsPtr>(2), {true, true}), Errc::busy));
  // The other writer's slots of the same arenas are free.
  EXPECT_EQ(taken(*dispenser, 1)->arena, held[0]->arena);
  const Arena* arena = held[5]->arena;
  held.erase(held.begin() + 5);
  EXPECT_EQ(taken(*dispenser, 0)->arena, arena);
}

TEST(SlotDispenser, SlotThatComesBackWakesWhoWaits) {
  const auto dispenser = dispenser_of(1);
  const std::uint64_t seen = dispenser->returns();
  PixelsPtr pixels = taken(*dispenser, 0);
  EXPECT_FALSE(dispenser->wait(seen, Nanoseconds(1)));
  std::thread giver([&] { pixels.reset(); });
  EXPECT_TRUE(dispenser->wait(seen, kForever));
  giver.join();
  EXPECT_EQ(dispenser->returns(), seen + 1);
}

TEST(SlotDispenser, ReturnBeforeTheWaitIsNotMissed) {
  const auto dispenser = dispenser_of(1);
  const std::uint64_t seen = dispenser->returns();
  taken(*dispenser, 0);
  EXPECT_TRUE(dispenser->wait(seen, kForever));
  EXPECT_FALSE(dispenser->wait(dispenser->returns(), Nanoseconds(0)));
}

TEST(SlotDispenser, WakeWakesWhoWaits) {
  const auto dispenser = dispenser_of(1);
  const std::uint64_t seen = dispenser->returns();
  std::thread waker([&] { dispenser->wake(); });
  EXPECT_TRUE(dispenser->wait(seen, Nanoseconds::max()));
  waker.join();
}

TEST(SlotDispenser, ErrorsOfTheMemoryComeThroughAndNothingIsLost) {
  ScarceMemory memory(1);
  const auto dispenser = dispenser_of(2, 6, &memory);
  std::vector<PixelsPtr> held(2);
  held[0] = taken(*dispenser, 0);
  const auto refused = dispenser->take(0);
  ASSERT_TRUE(fails(refused, Errc::out_of_memory, "scarce"));
  EXPECT_EQ(refused.error().os_error, 12);
  EXPECT_EQ(dispenser->num_arenas(), 1u);
  // The refused one counts for nothing: both are in step as soon as there is memory.
  held[1] = taken(*dispenser, 1);
  EXPECT_NE(dispenser->common_arena(held, {true, true}), nullptr);
  memory.left = 1;
  std::vector<PixelsPtr> next = {taken(*dispenser, 0), taken(*dispenser, 1)};
  EXPECT_NE(dispenser->common_arena(next, {true, true}), nullptr);
}

TEST(SlotDispenser, WithoutMemoryForMoreALaggardsArenaIsReused) {
  ScarceMemory memory(1);
  const auto dispenser = dispenser_of(2, 6, &memory);
  taken(*dispenser, 1);
  for (int n = 0; n < 5; ++n) EXPECT_NE(taken(*dispenser, 0), nullptr);
  EXPECT_EQ(dispenser->num_arenas(), 1u);
}

TEST(SlotDispenser, CommonArenaIsOfWantedFramesOnly) {
  const auto dispenser = dispenser_of(3);
  std::vector<PixelsPtr> pixels = {taken(*dispenser, 0), taken(*dispenser, 1), nullptr};
  const auto arena = dispenser->common_arena(pixels, {true, true, false});
  ASSERT_NE(arena, nullptr);
  EXPECT_EQ(arena.get(), pixels[0]->arena);
  EXPECT_EQ(dispenser->common_arena(pixels, {true, true, true}), nullptr);
  EXPECT_EQ(dispenser->common_arena(pixels, {false, false, true}), nullptr);
  EXPECT_EQ(dispenser->common_arena(pixels, {false, false, false}), nullptr);
  std::swap(pixels[0], pixels[1]);  // In the arena, at each other's place.
  EXPECT_EQ(dispenser->common_arena(pixels, {true, true, false}), nullptr);
}

TEST(SlotDispenser, GatherKeepsWhatIsInPlace) {
  const auto dispenser = dispenser_of(4);
  std::vector<PixelsPtr> pixels = {taken(*dispenser, 0), taken(*dispenser, 1), nullptr, nullptr};
  const auto gathered = dispenser->gather(pixels, {true, true, true, false});
  ASSERT_TRUE(succeeds(gathered));
  EXPECT_EQ(gathered->arena.get(), pixels[0]->arena);
  EXPECT_EQ(gathered->to_fill, (std::vector<bool>{false, false, true, false}));
  EXPECT_EQ(gathered->pixels[0], pixels[0]);
  EXPECT_EQ(gathered->pixels[1], pixels[1]);
  EXPECT_EQ(gathered->pixels[2]->data, gathered->arena->slot(2).data);
  EXPECT_EQ(gathered->pixels[3], nullptr);
  EXPECT_EQ(dispenser->common_arena(gathered->pixels, {true, true, true, false}), gathered->arena);
  // The writer that was helped out goes on with the next arena, as the others do.
  EXPECT_EQ(taken(*dispenser, 2)->arena, taken(*dispenser, 0)->arena);
}

TEST(SlotDispenser, GatherGoesWhereTheMostFramesAre) {
  const auto dispenser = dispenser_of(3);
  std::vector<PixelsPtr> pixels(3);
  pixels[0] = taken(*dispenser, 0);
  taken(*dispenser, 1);
  taken(*dispenser, 2);
  pixels[1] = taken(*dispenser, 1);
  pixels[2] = taken(*dispenser, 2);
  ASSERT_NE(pixels[0]->arena, pixels[1]->arena);
  const auto gathered = dispenser->gather(pixels, {true, true, true});
  ASSERT_TRUE(succeeds(gathered));
  EXPECT_EQ(gathered->arena.get(), pixels[1]->arena);
  EXPECT_EQ(gathered->to_fill, (std::vector<bool>{true, false, false}));
}

TEST(SlotDispenser, GatherTakesAFreeArenaWhenTheSlotIsTaken) {
  const auto dispenser = dispenser_of(2);
  const PixelsPtr before = taken(*dispenser, 1);
  const PixelsPtr writes = taken(*dispenser, 1);
  taken(*dispenser, 0);
  std::vector<PixelsPtr> pixels = {taken(*dispenser, 0), before};
  ASSERT_EQ(pixels[0]->arena, writes->arena);
  PixelsPtr blocks = taken(*dispenser, 0);  // Of the arena after.
  auto gathered = dispenser->gather({{pixels[0], nullptr}}, {true, true});
  ASSERT_TRUE(succeeds(gathered));
  EXPECT_NE(gathered->arena.get(), writes->arena);
  EXPECT_NE(gathered->arena.get(), before->arena);
  EXPECT_NE(gathered->arena.get(), blocks->arena);
  EXPECT_EQ(gathered->to_fill, (std::vector<bool>{true, true}));
  // No writer is led into that arena while frames lie there.
  for (int n = 0; n < 10; ++n)
    for (std::size_t i = 0; i < 2; ++i)
      EXPECT_NE(taken(*dispenser, i)->arena, gathered->arena.get());
}

TEST(SlotDispenser, GatheringNothingIsAnInvalidArgument) {
  const auto dispenser = dispenser_of(2);
  EXPECT_TRUE(
      fails(dispenser->gather(std::vector<PixelsPtr>(2), {false, false}), Errc::invalid_argument));
  EXPECT_TRUE(
      fails(dispenser->gather(std::vector<PixelsPtr>(1), {true, true}), Errc::invalid_argument));
  EXPECT_TRUE(fails(dispenser->gather(std::vector<PixelsPtr>(2), {true}), Errc::invalid_argument));
}

}  // namespace
}  // namespace lockstep
