// SPDX-License-Identifier: MIT
// What metering costs. Each batch lies elsewhere in memory than the one before, and together they are more than any
// cache holds: a camera's frames come from memory too.
#include <benchmark/benchmark.h>

#include <cstring>
#include <memory>
#include <vector>

#include "copies.h"
#include "lockstep/memory.h"
#include "lockstep/metering.h"

namespace lockstep::bench {
namespace {

constexpr std::size_t kSensors = 4;

// Something of everything, so that no branch is always the same.
void paint(const SlotView& slot, std::uint32_t& state) {
  for (std::size_t i = 0; i + 4 <= slot.size_bytes; i += 4) {
    state = state * 1'664'525 + 1'013'904'223;
    // 64 bytes that differ by little, as neighbouring pixels do.
    const std::uint32_t around = (i / 64 % 192) * 0x01010101 + (state >> 7 & 0x0f0f0f0f);
    std::memcpy(slot.data + i, &around, sizeof around);
  }
}

// One iteration meters one batch.
void metering(benchmark::State& state, PixelFormat pixel_format) {
  const Format format{pixel_format, 1920, 1080, {}};
  const Layout layout = *default_layout(pixel_format, format.width, format.height);
  const MemoryBackend* memfd = *find_memory_backend("memfd");
  std::vector<std::shared_ptr<Arena>> batches(batches_beyond_cache(kSensors));
  std::uint32_t random = 1;
  for (auto& batch : batches) {
    batch = *memfd->allocate(kSensors, layout.size_bytes);
    for (std::size_t i = 0; i < kSensors; ++i) paint(batch->slot(i), random);
  }
  std::vector<Meter> meters;
  for (std::size_t i = 0; i < kSensors; ++i)
    meters.push_back(*Meter::make(format, layout, average_metering()));
  std::size_t turn = 0;
  for (auto _ : state) {
    const Arena& batch = *batches[turn++ % batches.size()];
    for (std::size_t i = 0; i < kSensors; ++i)
      benchmark::DoNotOptimize(meters[i].measure(batch.slot(i).data).trimmed_mean);
  }
}

// As many bytes copied, from and to memory that no cache holds either.
void one_memcpy(benchmark::State& state) {
  const std::size_t num_batches = batches_beyond_cache(kSensors);
  Copies copies(kSensors, num_batches, num_batches);
  for (auto _ : state) copies.once();
}

constexpr auto kUnit = benchmark::kMillisecond;

BENCHMARK(one_memcpy)->Name("light/memcpy/4x1080p")->Unit(kUnit)->MinTime(1);
BENCHMARK_CAPTURE(metering, nv12, PixelFormat::nv12)
    ->Name("light/metering/4x1080p")
    ->Unit(kUnit)
    ->MinTime(1);
BENCHMARK_CAPTURE(metering, yuy2, PixelFormat::yuy2)
    ->Name("light/metering/yuy2/4x1080p")
    ->Unit(kUnit);
BENCHMARK_CAPTURE(metering, bgrx, PixelFormat::bgrx)
    ->Name("light/metering/bgrx/4x1080p")
    ->Unit(kUnit);
BENCHMARK_CAPTURE(metering, p010, PixelFormat::p010_10le)
    ->Name("light/metering/p010/4x1080p")
    ->Unit(kUnit);

}  // namespace
}  // namespace lockstep::bench
