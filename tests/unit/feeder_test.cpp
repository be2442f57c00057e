// SPDX-License-Identifier: MIT
#include "rig/feeder.h"

#include <gtest/gtest.h>

#include <deque>
#include <vector>

#include "memory/backends.h"

namespace lockstep {
namespace {

// Sensors that fill their slots in the order queued, as drivers do.
class FeederTest : public ::testing::Test {
 protected:
  static constexpr std::size_t kSensors = 3;
  static constexpr std::size_t kDepth = 3;
  static constexpr std::size_t kArenas = 8;

  void SetUp() override {
    auto made = SlotPool::make(*memfd_backend(), kArenas, kSensors, 4096);
    ASSERT_TRUE(made) << made.error().what;
    pool = *std::move(made);
    feeder.emplace(pool, kArenas, kDepth, [this](std::size_t sensor, std::size_t arena) {
      if (refuses[sensor]) return false;
      queues[sensor].push_back(arena);
      return true;
    });
    for (std::size_t i = 0; i < kSensors; ++i) feeder->set_fed(i, true);
    feeder->refill();
  }

  // One trigger: the sensors named fill their oldest slot and a batch of them leaves at once.
  // Answers the arenas that were filled.
  std::vector<std::size_t> trigger(const std::vector<std::size_t>& sensors) {
    std::vector<std::size_t> arenas;
    for (std::size_t i : sensors) {
      arenas.push_back(queues[i].front());
      queues[i].pop_front();
      feeder->filled(i, arenas.back());
    }
    for (std::size_t n = 0; n < sensors.size(); ++n) {
      feeder->left(sensors[n]);
      pool->give_back(arenas[n], sensors[n]);
    }
    feeder->refill();
    return arenas;
  }

  static bool all_equal(const std::vector<std::size_t>& values) {
    return std::equal(values.begin() + 1, values.end(), values.begin());
  }

  std::shared_ptr<SlotPool> pool;
  std::optional<Feeder> feeder;
  std::deque<std::size_t> queues[kSensors];
  bool refuses[kSensors] = {};
};

TEST_F(FeederTest, EverySensorHasDepthSlotsOfTheSameArenas) {
  for (const auto& queue : queues) {
    EXPECT_EQ(queue.size(), kDepth);
    EXPECT_EQ(queue, queues[0]);
  }
}

TEST_F(FeederTest, SensorsInStepStayInStep) {
  for (int k = 0; k < 100; ++k) EXPECT_TRUE(all_equal(trigger({0, 1, 2})));
}

TEST_F(FeederTest, SensorThatSkippedAFrameComesBackIntoStep) {
  trigger({0, 1, 2});
  trigger({0, 2});
  // It is one arena behind until the rounds that it was passed over in come due.
  for (std::size_t k = 0; k < kDepth; ++k) trigger({0, 1, 2});
  for (int k = 0; k < 20; ++k) EXPECT_TRUE(all_equal(trigger({0, 1, 2})));
}

TEST_F(FeederTest, SensorThatStalledForLongComesBackIntoStep) {
  for (int k = 0; k < 50; ++k) EXPECT_TRUE(all_equal(trigger({0, 2})));
  for (std::size_t k = 0; k < kDepth; ++k) trigger({0, 1, 2});
  for (int k = 0; k < 20; ++k) EXPECT_TRUE(all_equal(trigger({0, 1, 2})));
}

TEST_F(FeederTest, NoSensorIsEverGivenASlotTwice) {
  for (int k = 0; k < 200; ++k) {
    trigger(k % 7 == 0 ? std::vector<std::size_t>{1} : std::vector<std::size_t>{0, 1, 2});
    for (auto queue : queues) {
      EXPECT_LE(queue.size(), kDepth);
      std::sort(queue.begin(), queue.end());
      EXPECT_EQ(std::adjacent_find(queue.begin(), queue.end()), queue.end());
    }
  }
}

TEST_F(FeederTest, SlotsOfALostSensorAreFreeAgain) {
  feeder->lost(1);
  queues[1].clear();
  for (std::size_t k = 0; k < kArenas; ++k) EXPECT_TRUE(pool->is_free(k, 1));
  EXPECT_TRUE(all_equal(trigger({0, 2})));
  feeder->set_fed(1, true);
  feeder->refill();
  EXPECT_EQ(queues[1].size(), kDepth);
}

TEST_F(FeederTest, SensorThatRefusesASlotIsFedNoMore) {
  refuses[2] = true;
  trigger({0, 1, 2});
  EXPECT_FALSE(feeder->is_fed(2));
  for (std::size_t k = 0; k < kArenas; ++k) EXPECT_TRUE(pool->is_free(k, 2));
}

TEST_F(FeederTest, DryPipesAreRefilledOnlyWhenTheyRunLow) {
  const std::size_t arena = queues[0].front();
  queues[0].pop_front();
  feeder->filled(0, arena);
  feeder->left(0);
  pool->give_back(arena, 0);
  feeder->refill_if_dry();
  EXPECT_EQ(queues[0].size(), kDepth - 1);
  const std::size_t next = queues[0].front();
  queues[0].pop_front();
  feeder->filled(0, next);
  feeder->left(0);
  pool->give_back(next, 0);
  feeder->refill_if_dry();
  EXPECT_EQ(queues[0].size(), kDepth);
}

}  // namespace
}  // namespace lockstep
