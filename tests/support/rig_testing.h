// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "lockstep/rig.h"
#include "result_testing.h"

namespace lockstep {

inline constexpr Format kSmall{PixelFormat::nv12, 160, 96, {30, 1}};
inline constexpr Nanoseconds kLong = std::chrono::seconds(10);

/// A rig of the sensors that the list names.
inline RigConfig config_of(std::string_view sensors) {
  RigConfig config;
  auto specs = parse_sensor_list(sensors);
  EXPECT_TRUE(succeeds(specs));
  if (specs) config.sensors = *specs;
  return config;
}

/// A list of the same name so many times.
inline std::string times(std::size_t count, const std::string& spec) {
  std::string list;
  for (std::size_t i = 0; i < count; ++i) list += (i > 0 ? ";" : "") + spec;
  return list;
}

/// Opened, configured and started. EXPECTs that it works; null if it does not.
inline std::unique_ptr<Rig> started(RigConfig config, const Format& format = kSmall) {
  auto rig = Rig::open(std::move(config));
  EXPECT_TRUE(succeeds(rig));
  if (!rig) return nullptr;
  EXPECT_TRUE(succeeds((*rig)->configure(format)));
  EXPECT_TRUE(succeeds((*rig)->start()));
  return *std::move(rig);
}

/// The next batch. EXPECTs that there is one.
inline Batch next(Rig& rig) {
  auto batch = rig.next_batch(kLong);
  EXPECT_TRUE(succeeds(batch));
  return batch ? *std::move(batch) : Batch{};
}

}  // namespace lockstep
