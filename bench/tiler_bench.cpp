// SPDX-License-Identifier: MIT
// The tiler beside GStreamer's compositor at the same work: four 1080p NV12 frames into a 1080p mosaic. What the
// source costs is measured apart and taken off both.
#include <benchmark/benchmark.h>

#include <cmath>
#include <string>

#include "pipeline.h"

namespace lockstep::bench {
namespace {

constexpr int kBuffers = 400;
constexpr int kSkip = 40;

std::string source(const std::string& sensors, int num_sensors, int num_buffers) {
  return "lockstepsrc sensors=\"" + sensors + "\" num-sensors=" + std::to_string(num_sensors) +
         " num-buffers=" + std::to_string(num_buffers) +
         " ! video/x-raw(ANY),format=NV12,width=1920,height=1080,framerate=30/1 ";
}

const std::string kStamped = source("sim?realtime=false&render=stamp", 4, kBuffers);

const std::string kSourceAlone = kStamped + "! fakesink name=end sync=false";

const std::string kTiler =
    kStamped +
    "! locksteptiler width=1920 height=1080 rows=2 columns=2 ! fakesink name=end sync=false";

const std::string kDemuxAlone =
    kStamped +
    "! lockstepdemux name=d d.src_0 ! fakesink name=end sync=false "
    "d.src_1 ! fakesink sync=false async=false d.src_2 ! fakesink sync=false async=false "
    "d.src_3 ! fakesink sync=false async=false";

const std::string kCompositor =
    kStamped +
    "! lockstepdemux name=d compositor name=c "
    "sink_0::width=960 sink_0::height=540 "
    "sink_1::xpos=960 sink_1::width=960 sink_1::height=540 "
    "sink_2::ypos=540 sink_2::width=960 sink_2::height=540 "
    "sink_3::xpos=960 sink_3::ypos=540 sink_3::width=960 sink_3::height=540 "
    "d.src_0 ! c.sink_0 d.src_1 ! c.sink_1 d.src_2 ! c.sink_2 d.src_3 ! c.sink_3 "
    "c. ! video/x-raw,format=NV12,width=1920,height=1080 ! fakesink name=end sync=false";

void time_less(benchmark::State& state, const std::string& line, const std::string& without) {
  for (auto _ : state) {
    const PipelineCost with = run_pipeline(line, kSkip);
    const PipelineCost alone = run_pipeline(without, kSkip);
    if (!with.ok || !alone.ok) {
      state.SkipWithError((with.error + alone.error).c_str());
      return;
    }
    state.SetIterationTime(with.cpu_seconds_per_buffer - alone.cpu_seconds_per_buffer);
  }
}

// Of the luma of two 960x540 pictures. \units dB.
double psnr(const std::string& a, const std::string& b) {
  constexpr std::size_t kPixels = 960 * 540;
  if (a.size() < kPixels || b.size() < kPixels) return 0;
  double squares = 0;
  for (std::size_t i = 0; i < kPixels; ++i) {
    const double difference =
        static_cast<double>(static_cast<unsigned char>(a[i])) - static_cast<unsigned char>(b[i]);
    squares += difference * difference;
  }
  return 10 * std::log10(255.0 * 255.0 * kPixels / std::max(squares, 1e-9));
}

// The mean of each four pixels of a 1920x1080 luma plane, what an ideal sensor of half the size would see.
std::string quartered(const std::string& full) {
  std::string small;
  if (full.size() < std::size_t{1920} * 1080) return small;
  const auto at = [&](std::size_t x, std::size_t y) {
    return unsigned{static_cast<unsigned char>(full[y * 1920 + x])};
  };
  for (std::size_t y = 0; y < 1080; y += 2)
    for (std::size_t x = 0; x < 1920; x += 2)
      small +=
          static_cast<char>((at(x, y) + at(x + 1, y) + at(x, y + 1) + at(x + 1, y + 1) + 2) / 4);
  return small;
}

enum class Reference { lanczos, area };

// The same full picture scaled to a quarter by both and by the reference.
void picture_quality(benchmark::State& state, Reference by) {
  const std::string picture = source("sim?realtime=false", 1, 1);
  const std::string frame = picture + "! lockstepdemux name=d d.src_0 ";
  const std::string end = "! fakesink name=end sync=false";
  const std::string small = "video/x-raw,format=NV12,width=960,height=540 " + end;
  for (auto _ : state) {
    const std::string reference =
        by == Reference::area ? quartered(last_buffer_of(frame + end))
                              : last_buffer_of(frame + "! videoscale method=lanczos ! " + small);
    const std::string ours = last_buffer_of(
        picture + "! locksteptiler rows=1 columns=1 width=960 height=540 ! " + small);
    const std::string theirs = last_buffer_of(
        picture +
        "! lockstepdemux name=d compositor name=c sink_0::width=960 sink_0::height=540 "
        "d.src_0 ! c.sink_0 c. ! " +
        small);
    const double our_psnr = psnr(ours, reference);
    const double their_psnr = psnr(theirs, reference);
    if (our_psnr == 0 || their_psnr == 0) {
      state.SkipWithError("a pipeline gave no picture");
      return;
    }
    state.counters["value"] = our_psnr - their_psnr;
    state.counters["lockstep_dB"] = our_psnr;
    state.counters["compositor_dB"] = their_psnr;
  }
}

constexpr auto kUnit = benchmark::kMicrosecond;

BENCHMARK_CAPTURE(time_less, tiler, kTiler, kSourceAlone)
    ->Name("tiler/lockstep")
    ->Unit(kUnit)
    ->UseManualTime()
    ->Iterations(3);
BENCHMARK_CAPTURE(time_less, compositor, kCompositor, kDemuxAlone)
    ->Name("tiler/compositor")
    ->Unit(kUnit)
    ->UseManualTime()
    ->Iterations(3);
BENCHMARK_CAPTURE(picture_quality, lanczos, Reference::lanczos)
    ->Name("tiler/psnr-gain/lanczos")
    ->Iterations(1);
BENCHMARK_CAPTURE(picture_quality, area, Reference::area)
    ->Name("tiler/psnr-gain/area")
    ->Iterations(1);

}  // namespace
}  // namespace lockstep::bench
