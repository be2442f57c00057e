// SPDX-License-Identifier: MIT
// What moving, tiling and making tensors of frames costs on a GPU, 1080p NV12: medians of the time between two events,
// around a few times the same work, all of which waits in the stream behind a kernel that holds it up, so that what the
// host takes to ask for it is not counted; that is told apart, as host_us.
//
// The limit is a copy of the same bytes, by the driver or by a kernel, whichever is faster. For tensors it is the bytes that
// are needed, moved as fast as that: rows of frames that lie between those which are sampled are not.
//
// Each is measured twice: `again` with the same buffers each time, so that what fits into the GPU's L2 cache may stay there;
// `fresh` with buffers that were not touched for longer than L2 remembers, as frames from cameras are.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "cuda/driver.h"
#include "gpu_buffer.h"
#include "lockstep/cuda.h"
#include "lockstep/cuda_kernels.h"
#include "tensor_cases.h"

namespace lockstep::bench {

extern const char kStepsImage[];

namespace {

constexpr std::uint32_t kWidth = 1920;
constexpr std::uint32_t kHeight = 1080;
constexpr std::size_t kPitch = 2048;  // what cuMemAllocPitch() gives
constexpr std::size_t kRows = kHeight * 3 / 2;
constexpr std::size_t kFrameBytes = std::size_t{kWidth} * kRows;
constexpr std::size_t kPitchedBytes = kPitch * kRows;
constexpr std::size_t kMoreThanCaches = std::size_t{256} << 20;
constexpr int kSamples = 25;
constexpr unsigned long long kHoldNs = 500'000;
constexpr std::size_t kMaxFrames = 64;

const CudaDriver& driver() { return loaded_cuda_driver(); }

std::string attribute_text(CUdevice device, CUdevice_attribute attribute, double unit) {
  int value = 0;
  driver().cuDeviceGetAttribute(&value, attribute, device);
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value / unit);
  return text;
}

void print_gpu(const CudaDevice& gpu) {
  CUdevice device = 0;
  driver().cuDeviceGet(&device, gpu.ordinal());
  int version = 0;
  driver().cuDriverGetVersion(&version);
  const auto of = [&](CUdevice_attribute attribute, double unit) {
    return attribute_text(device, attribute, unit);
  };
  std::printf(
      "%s, driver of CUDA %d.%d, %s multiprocessors at up to %s MHz, memory %s bits at %s MHz, L2 "
      "%s MiB\n",
      gpu.name().c_str(), version / 1000, version % 1000 / 10,
      of(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 1).c_str(),
      of(CU_DEVICE_ATTRIBUTE_CLOCK_RATE, 1000).c_str(),
      of(CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH, 1).c_str(),
      of(CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE, 1000).c_str(),
      of(CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE, 1 << 20).c_str());
}

struct Figure {
  double us = 0;
  double host_us = 0;
};

// One thing to be timed: `run` does it with the buffers of a turn.
struct Work {
  std::string name;
  std::size_t calls;  // of the driver, about
  std::function<CUresult(std::size_t turn)> run;
};

CudaPicture nv12_at(CUdeviceptr address, std::size_t stride, std::uint32_t width,
                    std::uint32_t height) {
  CudaPicture picture{.pixel_format = PixelFormat::nv12, .width = width, .height = height};
  picture.planes = {static_cast<std::uintptr_t>(address),
                    static_cast<std::uintptr_t>(address + stride * height), 0};
  picture.strides = {stride, stride, 0};
  return picture;
}

CUresult result_of(const Result<void>& done) {
  return done ? CUDA_SUCCESS
              : static_cast<CUresult>(done.error().os_error ? done.error().os_error : 1);
}

// All of it, measured when the first figure is asked for.
class Measurement {
 public:
  static const Measurement& get() {
    // Never destroyed: the driver may be gone before.
    static const Measurement* const measured = [] {
      auto* made = new Measurement;
      made->run();
      return made;
    }();
    return *measured;
  }
  const std::string& error() const { return error_; }
  std::optional<Figure> figure(const std::string& name) const {
    const auto found = figures_.find(name);
    if (found == figures_.end()) return std::nullopt;
    return found->second;
  }

 private:
  Measurement() = default;

  void run() {
    auto device = CudaDevice::open();
    if (!device) return fail(device.error().what);
    device_ = *device;
    auto kernels = CudaKernels::load(device_);
    if (!kernels) return fail(kernels.error().what);
    kernels_ = *kernels;
    auto stream = CudaStream::make(device_);
    if (!stream) return fail(stream.error().what);
    stream_.emplace(*std::move(stream));
    print_gpu(*device_);
    CudaScope scope(device_->context());
    if (!prepare()) return;
    for (const std::size_t frames : {4, 16, 64}) measure(frames);
  }

  void fail(const std::string& why) {
    if (error_.empty()) error_ = why;
  }
  bool check(CUresult result, const char* act) {
    if (result != CUDA_SUCCESS) fail(cuda_error(result, act).what);
    return error_.empty();
  }

  bool prepare();
  bool fill_sources();
  void measure(std::size_t frames);
  std::vector<Work> copies(std::size_t frames);
  Work tensor(const TensorCase& tensor, std::size_t frames);
  Work tensor_in_steps(std::size_t frames);
  Work tiles(std::size_t frames);
  void time(const std::string& suffix, const std::vector<Work>& works, std::size_t num_sets);
  bool sample(const Work& work, std::size_t num_sets, std::size_t repetitions,
              std::vector<Figure>& samples);
  CUresult copy_rows(CUdeviceptr from, std::size_t from_pitch, CUdeviceptr to, std::size_t to_pitch,
                     std::size_t rows) const;
  CUresult launch(CUfunction function, unsigned x, unsigned y, unsigned z,
                  std::vector<void*> parameters) const;

  // Where the buffers of a turn begin.
  CUdeviceptr frames_of(std::size_t turn, std::size_t frames) const {
    return frames_.at(turn % num_sets_ * frames * kPitchedBytes);
  }
  CUdeviceptr batch_of(std::size_t turn, std::size_t frames) const {
    return batches_.at(turn % num_sets_ * frames * kFrameBytes);
  }
  CUdeviceptr tensor_of(std::size_t turn, std::size_t frames, const TensorSpec& spec) const {
    return tensors_.at(turn % num_sets_ * tensor_bytes(spec, frames));
  }

  std::string error_;
  std::map<std::string, Figure> figures_;
  std::shared_ptr<CudaDevice> device_;
  std::shared_ptr<CudaKernels> kernels_;
  std::optional<CudaStream> stream_;
  CUmodule steps_ = nullptr;
  CUfunction hold_ = nullptr;
  CUfunction copy_ = nullptr;
  CUfunction convert_ = nullptr;
  CUfunction resize_ = nullptr;
  CUfunction normalise_ = nullptr;
  CUevent begin_ = nullptr;
  CUevent end_ = nullptr;
  std::size_t num_sets_ = 1;
  std::size_t turn_ = 0;
  // Of all sets, one after the other. Between steps there is one set only.
  Buffer frames_;
  Buffer between_;
  Buffer batches_;
  Buffer tensors_;
  Buffer rgb_;
  Buffer small_;
  Buffer mosaic_;
};

std::size_t most_tensor_bytes(std::size_t frames) {
  std::size_t most = 0;
  for (const TensorCase& tensor : kTensorCases)
    most = std::max(most, tensor_bytes(tensor.spec(), frames));
  return most;
}

std::size_t num_fresh_sets(std::size_t frames) {
  return kMoreThanCaches / (frames * kFrameBytes) + 2;
}

bool Measurement::prepare() {
  if (!check(driver().cuModuleLoadDataEx(&steps_, kStepsImage, 0, nullptr, nullptr),
             "load the kernels of the steps"))
    return false;
  for (const auto& [function, name] : {std::pair{&hold_, "hold"},
                                       {&copy_, "copy"},
                                       {&convert_, "convert"},
                                       {&resize_, "resize"},
                                       {&normalise_, "normalise"}})
    if (!check(driver().cuModuleGetFunction(function, steps_, name), name)) return false;
  if (!driver().cuEventElapsedTime) {
    fail("the driver has no cuEventElapsedTime");
    return false;
  }
  std::size_t most = 0;
  for (const std::size_t frames : {4, 16, 64})
    most = std::max(most, num_fresh_sets(frames) * frames);
  const auto allocate = [&](Buffer& buffer, std::size_t size) {
    return check(buffer.allocate(device_, size), "allocate");
  };
  if (!check(driver().cuEventCreate(&begin_, CU_EVENT_DEFAULT), "make an event") ||
      !check(driver().cuEventCreate(&end_, CU_EVENT_DEFAULT), "make an event") ||
      !allocate(frames_, most * kPitchedBytes) || !allocate(between_, kMaxFrames * kPitchedBytes) ||
      !allocate(batches_, most * kFrameBytes) || !allocate(tensors_, most_tensor_bytes(most)) ||
      !allocate(rgb_, kMaxFrames * kWidth * kHeight * 3) ||
      !allocate(small_, kMaxFrames * 640 * 360 * 3) || !allocate(mosaic_, kFrameBytes))
    return false;
  return fill_sources();
}

// With noise: zeros may go faster than pictures do.
bool Measurement::fill_sources() {
  std::vector<std::uint32_t> noise(std::size_t{4} << 20);
  std::mt19937 random(1);
  for (std::uint32_t& word : noise) word = static_cast<std::uint32_t>(random());
  const std::size_t bytes = noise.size() * sizeof noise[0];
  for (std::size_t done = 0; done < frames_.size(); done += bytes)
    if (!check(driver().cuMemcpyHtoD(frames_.at(done), noise.data(),
                                     std::min(bytes, frames_.size() - done)),
               "upload"))
      return false;
  return true;
}

CUresult Measurement::copy_rows(CUdeviceptr from, std::size_t from_pitch, CUdeviceptr to,
                                std::size_t to_pitch, std::size_t rows) const {
  CUDA_MEMCPY2D copy{};
  copy.srcMemoryType = copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
  copy.srcDevice = from;
  copy.srcPitch = from_pitch;
  copy.dstDevice = to;
  copy.dstPitch = to_pitch;
  copy.WidthInBytes = kWidth;
  copy.Height = rows;
  return driver().cuMemcpy2DAsync(&copy, stream_->get());
}

CUresult Measurement::launch(CUfunction function, unsigned x, unsigned y, unsigned z,
                             std::vector<void*> parameters) const {
  return driver().cuLaunchKernel(function, x, y, z, 256, 1, 1, 0, stream_->get(), parameters.data(),
                                 nullptr);
}

// Fills the batch, whose frames adjoin without padding, from frames that have some.
std::vector<Work> Measurement::copies(std::size_t frames) {
  const auto gather = [this, frames](std::size_t turn, std::size_t from_pitch) {
    std::vector<CudaPicture> from;
    std::vector<CudaPicture> to;
    for (std::size_t i = 0; i < frames; ++i) {
      from.push_back(
          nv12_at(frames_of(turn, frames) + i * from_pitch * kRows, from_pitch, kWidth, kHeight));
      to.push_back(nv12_at(batch_of(turn, frames) + i * kFrameBytes, kWidth, kWidth, kHeight));
    }
    return result_of(kernels_->gather(from, to, stream_->get()));
  };
  const auto each = [frames](const std::function<CUresult(std::size_t i)>& copy) {
    CUresult result = CUDA_SUCCESS;
    for (std::size_t i = 0; i < frames && result == CUDA_SUCCESS; ++i) result = copy(i);
    return result;
  };
  const auto per_frame = [this, frames, each](std::size_t turn) {
    return each([&](std::size_t i) {
      return copy_rows(frames_of(turn, frames) + i * kPitchedBytes, kPitch,
                       batch_of(turn, frames) + i * kFrameBytes, kWidth, kRows);
    });
  };
  const auto per_plane = [this, frames, each](std::size_t turn) {
    return each([&](std::size_t i) {
      const CUdeviceptr from = frames_of(turn, frames) + i * kPitchedBytes;
      const CUdeviceptr to = batch_of(turn, frames) + i * kFrameBytes;
      const CUresult luma = copy_rows(from, kPitch, to, kWidth, kHeight);
      if (luma != CUDA_SUCCESS) return luma;
      return copy_rows(from + kPitch * kHeight, kPitch, to + kFrameBytes / 3 * 2, kWidth,
                       kHeight / 2);
    });
  };
  // As the plugin of the origin story does: all into frames of its own, and these into the batch.
  const auto two_copies = [this, frames, each](std::size_t turn) {
    const CUresult first = each([&](std::size_t i) {
      return copy_rows(frames_of(turn, frames) + i * kPitchedBytes, kPitch,
                       between_.at(i * kPitchedBytes), kPitch, kRows);
    });
    if (first != CUDA_SUCCESS) return first;
    return each([&](std::size_t i) {
      return copy_rows(between_.at(i * kPitchedBytes), kPitch,
                       batch_of(turn, frames) + i * kFrameBytes, kWidth, kRows);
    });
  };
  return {
      {"plain", 1,
       [this, frames](std::size_t turn) {
         return driver().cuMemcpyDtoDAsync(batch_of(turn, frames), frames_of(turn, frames),
                                           frames * kFrameBytes, stream_->get());
       }},
      {"plain-kernel", 1,
       [this, frames](std::size_t turn) {
         CUdeviceptr from = frames_of(turn, frames);
         CUdeviceptr to = batch_of(turn, frames);
         unsigned long long words = frames * kFrameBytes / 16;
         return launch(copy_, static_cast<unsigned>((words + 1023) / 1024), 1, 1,
                       {&from, &to, &words});
       }},
      {"gather", 1, [gather](std::size_t turn) { return gather(turn, kPitch); }},
      {"gather-tight", 1, [gather](std::size_t turn) { return gather(turn, kWidth); }},
      {"one-copy", frames, per_frame},
      {"one-copy-per-plane", 2 * frames, per_plane},
      {"two-copies", 2 * frames, two_copies},
  };
}

std::vector<CudaPicture> pictures_at(CUdeviceptr first, std::size_t pitch, std::uint32_t width,
                                     std::uint32_t height, std::size_t frames) {
  std::vector<CudaPicture> all;
  for (std::size_t i = 0; i < frames; ++i)
    all.push_back(nv12_at(first + i * pitch * (height * 3 / 2), pitch, width, height));
  return all;
}

// From the frames as they lie.
Work Measurement::tensor(const TensorCase& tensor, std::size_t frames) {
  return {std::string("tensor-") + tensor.name, 1, [this, tensor, frames](std::size_t turn) {
            const auto from =
                pictures_at(frames_of(turn, frames), kPitch, tensor.width, tensor.height, frames);
            return result_of(kernels_->to_tensor(
                from, tensor.spec(), tensor_of(turn, frames, tensor.spec()), stream_->get()));
          }};
}

// The first of the cases, whose frames must be gathered first.
Work Measurement::tensor_in_steps(std::size_t frames) {
  return {"tensor-steps", 4, [this, frames](std::size_t turn) {
            CUdeviceptr batch = batch_of(turn, frames);
            CUdeviceptr rgb = rgb_.at();
            CUdeviceptr small = small_.at();
            CUdeviceptr tensor = tensor_of(turn, frames, kTensorCases[0].spec());
            unsigned width = kWidth;
            unsigned height = kHeight;
            unsigned side = 640;
            unsigned content = 360;
            float scale = 1;
            float bar = 114;
            const auto count = static_cast<unsigned>(frames);
            const auto from = pictures_at(frames_of(turn, frames), kPitch, kWidth, kHeight, frames);
            const auto to = pictures_at(batch, kWidth, kWidth, kHeight, frames);
            if (const CUresult failed = result_of(kernels_->gather(from, to, stream_->get())))
              return failed;
            if (const CUresult failed = launch(convert_, (kWidth / 4 * kHeight + 255) / 256, count,
                                               1, {&batch, &rgb, &width, &height}))
              return failed;
            if (const CUresult failed = launch(resize_, side / 32, content / 8, count,
                                               {&rgb, &small, &width, &height, &side, &content}))
              return failed;
            return launch(normalise_, (side / 2 * side + 255) / 256, count, 1,
                          {&small, &tensor, &side, &content, &scale, &bar});
          }};
}

Work Measurement::tiles(std::size_t frames) {
  return {"tile", 1, [this, frames](std::size_t turn) {
            const Grid grid = *grid_for(frames);
            std::vector<CudaKernels::Tile> tiles;
            for (std::size_t i = 0; i < frames; ++i)
              tiles.push_back(
                  {nv12_at(frames_of(turn, frames) + i * kPitchedBytes, kPitch, kWidth, kHeight),
                   tile_of(i, grid, kWidth, kHeight)});
            return result_of(kernels_->tile(tiles, nv12_at(mosaic_.at(), kWidth, kWidth, kHeight),
                                            stream_->get()));
          }};
}

bool Measurement::sample(const Work& work, std::size_t num_sets, std::size_t repetitions,
                         std::vector<Figure>& samples) {
  num_sets_ = num_sets;
  unsigned long long hold = kHoldNs;
  void* parameters[] = {&hold};
  const CUstream stream = stream_->get();
  if (!check(driver().cuLaunchKernel(hold_, 1, 1, 1, 1, 1, 1, 0, stream, parameters, nullptr),
             "hold") ||
      !check(driver().cuEventRecord(begin_, stream), "mark the begin"))
    return false;
  const auto asked = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < repetitions; ++i)
    if (!check(work.run(turn_++), work.name.c_str())) return false;
  const std::chrono::duration<double, std::micro> host = std::chrono::steady_clock::now() - asked;
  float ms = 0;
  if (!check(driver().cuEventRecord(end_, stream), "mark the end") ||
      !check(driver().cuEventSynchronize(end_), work.name.c_str()) ||
      !check(driver().cuEventElapsedTime(&ms, begin_, end_), "tell the time"))
    return false;
  const auto times = static_cast<double>(repetitions);
  samples.push_back({ms * 1e3 / times, host.count() / times});
  return true;
}

// In turns, so that what else happens on the machine hits all of them alike.
void Measurement::time(const std::string& suffix, const std::vector<Work>& works,
                       std::size_t num_sets) {
  std::vector<std::vector<Figure>> samples(works.size());
  constexpr int kWarmUp = 3;
  for (int s = 0; s < kWarmUp + kSamples; ++s) {
    for (std::size_t w = 0; w < works.size(); ++w) {
      if (s == kWarmUp) samples[w].clear();
      // As many as the host can ask for while the stream is held up.
      const std::size_t repetitions = std::clamp<std::size_t>(48 / works[w].calls, 1, 8);
      if (!sample(works[w], num_sets, repetitions, samples[w])) return;
    }
  }
  for (std::size_t w = 0; w < works.size(); ++w) {
    const auto median = [&](double Figure::*of) {
      std::vector<double> values;
      for (const Figure& figure : samples[w]) values.push_back(figure.*of);
      std::nth_element(values.begin(), values.begin() + kSamples / 2, values.end());
      return values[kSamples / 2];
    };
    figures_[works[w].name + suffix] = {median(&Figure::us), median(&Figure::host_us)};
  }
}

void Measurement::measure(std::size_t frames) {
  std::vector<Work> works = copies(frames);
  for (const TensorCase& of : kTensorCases) works.push_back(tensor(of, frames));
  works.push_back(tensor_in_steps(frames));
  works.push_back(tiles(frames));
  const std::string count = "/" + std::to_string(frames);
  time(count + "/again", works, 1);
  time(count + "/fresh", works, num_fresh_sets(frames));
  for (const std::string mode : {"/again", "/fresh"}) {
    const auto plain = figure("plain" + count + mode);
    const auto by_kernel = figure("plain-kernel" + count + mode);
    if (!plain || !by_kernel) return;
    const double limit = std::min(plain->us, by_kernel->us);
    figures_["limit" + count + mode] = {limit, 0};
    const double us_per_byte = limit / static_cast<double>(2 * frames * kFrameBytes);
    for (const TensorCase& of : kTensorCases)
      figures_[std::string("tensor-") + of.name + "-bound" + count + mode] = {
          us_per_byte * static_cast<double>(bytes_needed(of, frames)), 0};
  }
}

void report(benchmark::State& state, const std::string& name) {
  const Measurement& measured = Measurement::get();
  const auto figure = measured.figure(name);
  for (auto _ : state) state.SetIterationTime(figure ? figure->us * 1e-6 : 0);
  if (!figure)
    return state.SkipWithError(measured.error().empty() ? "it was not measured"
                                                        : measured.error().c_str());
  state.counters["host_us"] = figure->host_us;
}

// In the order in which they are to be read.
bool register_all() {
  std::vector<std::string> works = {
      "plain",    "plain-kernel",       "limit",     "gather", "gather-tight",
      "one-copy", "one-copy-per-plane", "two-copies"};
  for (const TensorCase& of : kTensorCases) {
    works.push_back(std::string("tensor-") + of.name + "-bound");
    works.push_back(std::string("tensor-") + of.name);
  }
  works.insert(works.end(), {"tensor-steps", "tile"});
  for (const char* count : {"/4", "/16", "/64"})
    for (const char* mode : {"/again", "/fresh"})
      for (const std::string& work : works) {
        const std::string name = work + count + mode;
        benchmark::RegisterBenchmark(("cuda/" + name).c_str(), report, name)
            ->Unit(benchmark::kMicrosecond)
            ->UseManualTime()
            ->Iterations(1);
      }
  return true;
}

const bool registered = register_all();

}  // namespace
}  // namespace lockstep::bench
