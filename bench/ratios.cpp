// SPDX-License-Identifier: MIT
#include "ratios.h"

#include <cstdio>

namespace lockstep::bench {

const std::vector<Ratio>& ratios() {
  static const std::vector<Ratio> all = {
      {"no copy, 4 x 1080p, of one memcpy of the batch", "source/no-copy/1080p", "memcpy/1080p",
       1.0 / 30},
      {"no copy, 4 x 4K, of the same at 1080p", "source/no-copy/4k", "source/no-copy/1080p", 1.10},
      {"one copy, 4 x 1080p, of one memcpy of the batch", "source/one-copy/1080p", "", 1.15},
      {"two copies (baseline), of one memcpy of the batch", "baseline/two-copies/1080p",
       "memcpy/1080p", std::nullopt},
      {"cost per frame, 64 sensors, of the same with 4", "source/per-frame/64",
       "source/per-frame/4", 1.30},
      {"last frame ready to batch leaving, median, 4 x 1080p at 30 fps", "source/latency/p50", "",
       0.3, false, "ms"},
      {"the same, 99th percentile", "source/latency/p99", "", 2.0, false, "ms"},
      {"tiler, 4 x 1080p to 1080p, of GStreamer's compositor", "tiler/lockstep", "tiler/compositor",
       1.0 / 5},
      {"tiler's PSNR less the compositor's, against the mean of the area", "tiler/psnr-gain/area",
       "", 0, true, "dB"},
      {"tiler, 9 x 1080p to 1080p, of GStreamer's compositor", "tiler/lockstep/3x3",
       "tiler/compositor/3x3", 1.0 / 5},
      {"its PSNR less the compositor's, against the mean of the area", "tiler/psnr-gain/area/3x3",
       "", 0, true, "dB"},
      {"tiler's PSNR less the compositor's, against a lanczos filter", "tiler/psnr-gain/lanczos",
       "", 0, true, "dB"},
      {"memory after 100,000 batches, of that after 10,000", "memory/end", "memory/begin", 1.01},
      {"file descriptors after them, more than before", "memory/fds", "", 0, false, ""},
      {"mux, by reference, 4 x 1080p, of one memcpy of the batch", "mux/by-reference/4", "",
       1.0 / 8},
      {"mux, into the slots, 4 x 1080p, of one memcpy", "mux/in-slot/4", "", 1.0 / 8},
      {"mux, one copy, 4 x 1080p, of one memcpy", "mux/one-copy/4", "", std::nullopt},
      {"mux, cost per frame, 64 pads, of the same with 4, by reference", "mux/flat/by-reference",
       "", 1.5},
      {"the same into the slots", "mux/flat/in-slot", "", 1.5},
      {"mux and tiler, 4 x 1080p to 1080p, of GStreamer's compositor", "mux/tiler/4",
       "mux/compositor/4", 1.0 / 5},
      {"mux, last frame in to batch out, median, 4 x 1080p at 30 fps", "mux/latency/p50", "", 0.3,
       false, "ms"},
      {"the same, 99th percentile", "mux/latency/p99", "", 2.0, false, "ms"},
      {"mux, memory after 100,000 batches, of that after 10,000", "memory/mux/end",
       "memory/mux/begin", 1.01},
      {"mux, file descriptors after them, more than before", "memory/mux/fds", "", 0, false, ""},
      {"metering, 4 x 1080p NV12, CPU time a batch", "light/metering/4x1080p", "", 0.3, false,
       "ms"},
      {"the same, of one memcpy of the batch", "light/metering/4x1080p", "light/memcpy/4x1080p",
       std::nullopt},
      {"GPU, gather, 4 x 1080p, of a device copy", "cuda/gather/4/fresh", "cuda/limit/4/fresh",
       1.25},
      {"the same, 16 x 1080p", "cuda/gather/16/fresh", "cuda/limit/16/fresh", 1.15},
      {"the same, 64 x 1080p", "cuda/gather/64/fresh", "cuda/limit/64/fresh", 1.15},
      {"the same, 4 x 1080p, again and again in cache", "cuda/gather/4/again", "cuda/limit/4/again",
       std::nullopt},
      {"the same, 16 x 1080p, in cache", "cuda/gather/16/again", "cuda/limit/16/again",
       std::nullopt},
      {"GPU, gather, 4 x 1080p, of one 2D copy per frame", "cuda/gather/4/fresh",
       "cuda/one-copy/4/fresh", std::nullopt},
      {"the same, of two copies per frame (baseline)", "cuda/gather/4/fresh",
       "cuda/two-copies/4/fresh", std::nullopt},
      {"the same, 16 x 1080p", "cuda/gather/16/fresh", "cuda/two-copies/16/fresh", std::nullopt},
      {"the same, 64 x 1080p", "cuda/gather/64/fresh", "cuda/two-copies/64/fresh", std::nullopt},
      {"GPU, tensor, 16 x 1080p to 640 x 640, of the bytes needed moved once",
       "cuda/tensor-1080p-to-640/16/fresh", "cuda/tensor-1080p-to-640-bound/16/fresh", 1.5},
      {"the same, 16 x 720p to 640 x 640", "cuda/tensor-720p-to-640/16/fresh",
       "cuda/tensor-720p-to-640-bound/16/fresh", 1.5},
      {"the same, 16 x 1080p to 1280 x 1280", "cuda/tensor-1080p-to-1280/16/fresh",
       "cuda/tensor-1080p-to-1280-bound/16/fresh", 1.5},
      {"the same, 4 x 1080p to 640 x 640", "cuda/tensor-1080p-to-640/4/fresh",
       "cuda/tensor-1080p-to-640-bound/4/fresh", std::nullopt},
      {"the same, 4 x 720p to 640 x 640", "cuda/tensor-720p-to-640/4/fresh",
       "cuda/tensor-720p-to-640-bound/4/fresh", std::nullopt},
      {"the same, 4 x 1080p to 1280 x 1280", "cuda/tensor-1080p-to-1280/4/fresh",
       "cuda/tensor-1080p-to-1280-bound/4/fresh", std::nullopt},
      {"GPU, tensor, 16 x 1080p to 640 x 640, of separate steps",
       "cuda/tensor-1080p-to-640/16/fresh", "cuda/tensor-steps/16/fresh", 0.5},
      {"the same, 4 x 1080p", "cuda/tensor-1080p-to-640/4/fresh", "cuda/tensor-steps/4/fresh", 0.5},
      {"the same, 64 x 1080p", "cuda/tensor-1080p-to-640/64/fresh", "cuda/tensor-steps/64/fresh",
       0.5},
  };
  return all;
}

void print_ratios(const Figures& figures) {
  std::printf("\n%-66s %10s %12s\n", "ratio (within this run)", "measured", "wanted");
  for (const Ratio& ratio : ratios()) {
    const auto figure = figures.find(ratio.figure);
    const auto baseline = figures.find(ratio.baseline);
    if (figure == figures.end() || (!ratio.baseline.empty() && baseline == figures.end())) continue;
    const double value =
        ratio.baseline.empty() ? figure->second : figure->second / baseline->second;
    std::string wanted = "-";
    if (ratio.bound) {
      char text[32];
      std::snprintf(text, sizeof text, "%s %.4g %s", ratio.at_least ? ">=" : "<=", *ratio.bound,
                    ratio.unit.c_str());
      wanted = text;
    }
    const bool kept =
        !ratio.bound || (ratio.at_least ? value >= *ratio.bound : value <= *ratio.bound);
    std::printf("%-66s %7.4f %-2s %12s%s\n", ratio.what.c_str(), value, ratio.unit.c_str(),
                wanted.c_str(), kept ? "" : "  MISSED");
  }
}

}  // namespace lockstep::bench
