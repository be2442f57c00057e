// SPDX-License-Identifier: MIT
// A program of someone else's: two simulated sensors, one batch.
#include <lockstep/lockstep.h>

#include <cstdio>

int main() {
  auto sensors = lockstep::parse_sensor_list("sim?realtime=false;sim?realtime=false");
  lockstep::RigConfig config;
  config.sensors = *sensors;
  auto rig = lockstep::Rig::open(std::move(config));
  if (!rig) return 1;
  if (!(*rig)->configure({lockstep::PixelFormat::nv12, 320, 240, {30, 1}})) return 1;
  if (!(*rig)->start()) return 1;
  auto batch = (*rig)->next_batch(std::chrono::seconds(10));
  if (!batch) return 1;
  std::printf("%zu frames of one instant\n", batch->frames.size());
  return 0;
}
