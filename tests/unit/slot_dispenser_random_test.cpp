// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "lockstep/slot_dispenser.h"
#include "memory/backends.h"
#include "random_streams.h"
#include "result_testing.h"

namespace lockstep {
namespace {

using PixelsPtr = std::shared_ptr<const Pixels>;

constexpr std::chrono::seconds kPatience{30};

// Threads that drop what they are handed, in an order of their own.
class Droppers {
 public:
  explicit Droppers(std::function<void(const Pixels&)> dropped) : dropped_(std::move(dropped)) {
    for (std::uint32_t n = 0; n < 3; ++n) threads_.emplace_back([this, n] { run(n); });
  }
  ~Droppers() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  void drop(PixelsPtr pixels) {
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back(std::move(pixels));
    }
    changed_.notify_one();
  }

 private:
  void run(std::uint32_t seed) {
    Random random(seed);
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return ended_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      const std::size_t at = random.size(0, waiting_.size() - 1);
      std::swap(waiting_[at], waiting_.back());
      PixelsPtr pixels = std::move(waiting_.back());
      waiting_.pop_back();
      lock.unlock();
      dropped_(*pixels);
      pixels.reset();
      lock.lock();
    }
  }

  std::function<void(const Pixels&)> dropped_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<PixelsPtr> waiting_;
  bool ended_ = false;
  std::vector<std::thread> threads_;
};

TEST(SlotDispenserRandom, NoSlotIsEverHeldTwice) {
  constexpr std::size_t kSlots = 5;
  auto made = SlotDispenser::make({memfd_backend(), kSlots, 4096, 4});
  ASSERT_TRUE(succeeds(made));
  const auto dispenser = *std::move(made);
  std::map<std::pair<const Arena*, std::size_t>, std::atomic<int>> holders;
  std::mutex mutex;  // Of the map, not of the counts.
  const auto holders_of = [&](const Pixels& pixels) -> std::atomic<int>& {
    const std::lock_guard lock(mutex);
    return holders[{pixels.arena, pixels.slot}];
  };
  Droppers droppers([&](const Pixels& pixels) { --holders_of(pixels); });
  Random random(1);
  std::deque<PixelsPtr> in_flight[kSlots];
  std::size_t num_taken = 0;
  std::size_t num_gathered = 0;
  const auto note = [&](const PixelsPtr& pixels) { ASSERT_EQ(++holders_of(*pixels), 1); };
  for (int n = 0; n < 100'000; ++n) {
    if (random.chance(0.6)) {
      const std::size_t i = random.size(0, kSlots - 1);
      std::uint64_t seen = dispenser->returns();
      auto pixels = dispenser->take(i);
      for (; !pixels; pixels = dispenser->take(i)) {
        ASSERT_TRUE(fails(pixels, Errc::busy));
        ASSERT_TRUE(dispenser->wait(seen, kPatience));
        seen = dispenser->returns();
      }
      ASSERT_EQ((*pixels)->slot, i);
      note(*pixels);
      in_flight[i].push_back(*std::move(pixels));
      ++num_taken;
      continue;
    }
    std::vector<PixelsPtr> set(kSlots);
    std::vector<bool> wanted(kSlots);
    for (std::size_t i = 0; i < kSlots; ++i) {
      if (in_flight[i].empty() || random.chance(0.1)) continue;
      set[i] = std::move(in_flight[i].front());
      in_flight[i].pop_front();
      wanted[i] = true;
    }
    dispenser->left_together(set);
    if (random.chance(0.2)) {
      if (auto gathered = dispenser->gather(set, wanted)) {
        for (std::size_t i = 0; i < kSlots; ++i) {
          if (!gathered->to_fill[i]) continue;
          note(gathered->pixels[i]);
          droppers.drop(std::move(gathered->pixels[i]));
          ++num_gathered;
        }
      }
    }
    for (PixelsPtr& pixels : set)
      if (pixels) droppers.drop(std::move(pixels));
  }
  EXPECT_GT(num_taken, 50'000u);
  EXPECT_GT(num_gathered, 0u);
  EXPECT_LE(dispenser->num_arenas(), SlotDispenser::kMaxArenas);
  for (auto& queue : in_flight)
    for (PixelsPtr& pixels : queue) droppers.drop(std::move(pixels));
}

}  // namespace
}  // namespace lockstep
