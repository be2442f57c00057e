// SPDX-License-Identifier: MIT
// The tiler beside GStreamer's compositor at the same work: four or nine 1080p NV12 frames into a 1080p mosaic. What the
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

std::string stamped(int num_sensors) {
  return source("sim?realtime=false&render=stamp", num_sensors, kBuffers);
}

std::string source_alone(int rows) {
  return stamped(rows * rows) + "! fakesink name=end sync=false";
}

// A mosaic of rows x rows frames by the tiler.
std::string tiler(int rows) {
  const std::string number = std::to_string(rows);
  return stamped(rows * rows) + "! locksteptiler width=1920 height=1080 rows=" + number +
         " columns=" + number + " ! fakesink name=end sync=false";
}

std::string demux_alone(int rows) {
  std::string line =
      stamped(rows * rows) + "! lockstepdemux name=d d.src_0 ! fakesink name=end sync=false ";
  for (int i = 1; i < rows * rows; ++i)
    line += "d.src_" + std::to_string(i) + " ! fakesink sync=false async=false ";
  return line;
}

// The same mosaic by the compositor.
std::string compositor(int rows) {
  std::string line = stamped(rows * rows) + "! lockstepdemux name=d compositor name=c ";
  std::string links;
  const int width = 1920 / rows;
  const int height = 1080 / rows;
  for (int i = 0; i < rows * rows; ++i) {
    const std::string sink = "sink_" + std::to_string(i);
    line += sink + "::xpos=" + std::to_string(i % rows * width) + " " + sink +
            "::ypos=" + std::to_string(i / rows * height) + " " + sink +
            "::width=" + std::to_string(width) + " " + sink + "::height=" + std::to_string(height) +
            " ";
    links += "d.src_" + std::to_string(i) + " ! c." + sink + " ";
  }
  return line + links +
         "c. ! video/x-raw,format=NV12,width=1920,height=1080 ! fakesink name=end sync=false";
}

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

// Of the luma of two pictures of so many pixels. \units dB.
double psnr(const std::string& a, const std::string& b, std::size_t num_pixels) {
  if (a.size() < num_pixels || b.size() < num_pixels) return 0;
  double squares = 0;
  for (std::size_t i = 0; i < num_pixels; ++i) {
    const double difference =
        static_cast<double>(static_cast<unsigned char>(a[i])) - static_cast<unsigned char>(b[i]);
    squares += difference * difference;
  }
  return 10 * std::log10(255.0 * 255.0 * static_cast<double>(num_pixels) / std::max(squares, 1e-9));
}

// The mean of each times x times pixels of a 1920x1080 luma plane, what an ideal sensor so much smaller would see.
std::string averaged(const std::string& full, std::size_t times) {
  std::string small;
  if (full.size() < std::size_t{1920} * 1080) return small;
  const std::size_t count = times * times;
  for (std::size_t y = 0; y < 1080; y += times)
    for (std::size_t x = 0; x < 1920; x += times) {
      std::size_t sum = count / 2;
      for (std::size_t i = 0; i < count; ++i)
        sum += static_cast<unsigned char>(full[(y + i / times) * 1920 + x + i % times]);
      small += static_cast<char>(sum / count);
    }
  return small;
}

enum class Reference { lanczos, area };

// The same full picture scaled to one cell of a mosaic by both and by the reference.
void picture_quality(benchmark::State& state, int rows, Reference by) {
  const std::string width = std::to_string(1920 / rows);
  const std::string height = std::to_string(1080 / rows);
  const std::string picture = source("sim?realtime=false", 1, 1);
  const std::string frame = picture + "! lockstepdemux name=d d.src_0 ";
  const std::string end = "! fakesink name=end sync=false";
  const std::string small =
      "video/x-raw,format=NV12,width=" + width + ",height=" + height + " " + end;
  const std::size_t num_pixels = std::size_t{1920} * 1080 / static_cast<std::size_t>(rows * rows);
  for (auto _ : state) {
    const std::string reference =
        by == Reference::area
            ? averaged(last_buffer_of(frame + end), static_cast<std::size_t>(rows))
            : last_buffer_of(frame + "! videoscale method=lanczos ! " + small);
    const std::string ours =
        last_buffer_of(picture + "! locksteptiler rows=1 columns=1 width=" + width +
                       " height=" + height + " ! " + small);
    const std::string theirs =
        last_buffer_of(picture + "! lockstepdemux name=d compositor name=c sink_0::width=" + width +
                       " sink_0::height=" + height + " d.src_0 ! c.sink_0 c. ! " + small);
    const double our_psnr = psnr(ours, reference, num_pixels);
    const double their_psnr = psnr(theirs, reference, num_pixels);
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

BENCHMARK_CAPTURE(time_less, tiler, tiler(2), source_alone(2))
    ->Name("tiler/lockstep")
    ->Unit(kUnit)
    ->UseManualTime()
    ->Iterations(3);
BENCHMARK_CAPTURE(time_less, compositor, compositor(2), demux_alone(2))
    ->Name("tiler/compositor")
    ->Unit(kUnit)
    ->UseManualTime()
    ->Iterations(3);
BENCHMARK_CAPTURE(time_less, tiler_of_nine, tiler(3), source_alone(3))
    ->Name("tiler/lockstep/3x3")
    ->Unit(kUnit)
    ->UseManualTime()
    ->Iterations(3);
BENCHMARK_CAPTURE(time_less, compositor_of_nine, compositor(3), demux_alone(3))
    ->Name("tiler/compositor/3x3")
    ->Unit(kUnit)
    ->UseManualTime()
    ->Iterations(3);
BENCHMARK_CAPTURE(picture_quality, lanczos, 2, Reference::lanczos)
    ->Name("tiler/psnr-gain/lanczos")
    ->Iterations(1);
BENCHMARK_CAPTURE(picture_quality, area, 2, Reference::area)
    ->Name("tiler/psnr-gain/area")
    ->Iterations(1);
BENCHMARK_CAPTURE(picture_quality, area_of_nine, 3, Reference::area)
    ->Name("tiler/psnr-gain/area/3x3")
    ->Iterations(1);

}  // namespace
}  // namespace lockstep::bench
