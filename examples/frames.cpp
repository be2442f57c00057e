// SPDX-License-Identifier: MIT
// Prints what each batch of a rig holds: the whole use of the library in one page.
#include <lockstep/lockstep.h>

#include <cstdio>

int main(int argc, char** argv) {
  auto sensors = lockstep::parse_sensor_list(argc > 1 ? argv[1] : "sim;sim;sim;sim");
  if (!sensors) {
    std::fprintf(stderr, "%s\n", sensors.error().what.c_str());
    return 2;
  }
  lockstep::RigConfig config;
  config.sensors = *sensors;
  auto rig = lockstep::Rig::open(config);
  if (!rig) {
    std::fprintf(stderr, "%s\n", rig.error().what.c_str());
    return 1;
  }
  auto ready = (*rig)->configure({lockstep::PixelFormat::nv12, 640, 360, {30, 1}});
  if (ready) ready = (*rig)->start();
  if (!ready) {
    std::fprintf(stderr, "%s\n", ready.error().what.c_str());
    return 1;
  }
  for (int n = 0; n < 30; ++n) {
    auto batch = (*rig)->next_batch(std::chrono::seconds(1));
    if (!batch) {
      std::fprintf(stderr, "%s\n", batch.error().what.c_str());
      return 1;
    }
    std::printf("batch %llu, skew %lld ns, %s:", static_cast<unsigned long long>(batch->number),
                static_cast<long long>(batch->skew.count()),
                batch->contiguous() ? "contiguous" : "by reference");
    for (const lockstep::Frame& frame : batch->frames)
      std::printf(" %s #%llu", to_string(frame.state),
                  static_cast<unsigned long long>(frame.info.sequence));
    std::printf("\n");
  }
  return 0;
}
