// SPDX-License-Identifier: MIT
// Four cameras in processes of their own deliver 1080p NV12 at 60 fps by EGLStream to a rig of this process, live: what is
// lost, how far apart the frames of a batch are, and what CPU time a batch costs here, all of it counted: the driver's and
// EGL's calls, the threads that wait for frames, the rig. 5 s each, or LOCKSTEP_BENCH_LIVE_SECONDS.
#include "eglstream_bench.h"

#include <benchmark/benchmark.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "lockstep/eglstream.h"
#include "lockstep/rig.h"
#ifdef LOCKSTEP_HAVE_EGLSTREAM
#include "sensor/eglstream/consumer.h"
#include "sensor/eglstream/producer.h"
#endif

namespace lockstep::bench {
namespace {

constexpr int kCameras = 4;
constexpr Format kFormat{PixelFormat::nv12, 1920, 1080, {60, 1}};

double cpu_us(int who) {
  rusage usage{};
  getrusage(who, &usage);
  const auto us = [](const timeval& time) {
    return time.tv_sec * 1e6 + static_cast<double>(time.tv_usec);
  };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

// Cameras that run until this goes.
class Cameras {
 public:
  Cameras() {
    folder_ =
        std::filesystem::temp_directory_path() / ("lockstep-bench-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
    for (int i = 0; i < kCameras; ++i) start(i);
  }
  ~Cameras() {
    for (const pid_t pid : pids_) kill(pid, SIGTERM);
    for (const pid_t pid : pids_) waitpid(pid, nullptr, 0);
    std::filesystem::remove_all(folder_);
  }
  Cameras(const Cameras&) = delete;
  Cameras& operator=(const Cameras&) = delete;

  std::string sensors() const {
    std::string list;
    for (int i = 0; i < kCameras; ++i) list += (i ? ";" : "") + ("eglstream:" + socket(i));
    return list;
  }
  // False where one of them cannot run.
  bool wait() const {
    for (int i = 0; i < kCameras; ++i)
      for (int k = 0; !std::filesystem::exists(socket(i)); ++k) {
        if (k > 1000 || waitpid(pids_[static_cast<std::size_t>(i)], nullptr, WNOHANG) != 0)
          return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      }
    return true;
  }

 private:
  std::string socket(int index) const { return folder_ / (std::to_string(index) + ".sock"); }
  void start(int index) {
    const std::string path = socket(index);
    const std::string number = std::to_string(index);
    const pid_t pid = fork();
    if (pid != 0) {
      pids_.push_back(pid);
      return;
    }
    execl("/proc/self/exe", "lockstep-bench", "--camera", path.c_str(), number.c_str(), nullptr);
    _exit(127);
  }

  std::filesystem::path folder_;
  std::vector<pid_t> pids_;
};

Nanoseconds duration() {
  const char* seconds = std::getenv("LOCKSTEP_BENCH_LIVE_SECONDS");
  return std::chrono::seconds(seconds ? std::max(std::atoi(seconds), 1) : 5);
}

void live(benchmark::State& state, BatchLayout layout) {
  if (auto device = CudaDevice::open(); !device)
    return state.SkipWithError(device.error().what.c_str());
  const Cameras cameras;
  if (!cameras.wait()) return state.SkipWithError("a camera does not run; its error is above");
  RigConfig config;
  config.sensors = *parse_sensor_list(cameras.sensors());
  config.layout = layout;
  if (layout == BatchLayout::contiguous) config.memory = "cuda";
  auto rig = Rig::open(config);
  if (!rig) return state.SkipWithError(rig.error().what.c_str());
  if (auto configured = (*rig)->configure(kFormat); !configured)
    return state.SkipWithError(configured.error().what.c_str());
  if (auto started = (*rig)->start(); !started)
    return state.SkipWithError(started.error().what.c_str());
  const auto run = [&](Nanoseconds time) {
    const Nanoseconds end = monotonic_now() + time;
    while (monotonic_now() < end)
      benchmark::DoNotOptimize((*rig)->next_batch(std::chrono::seconds(5)));
  };
  for (auto _ : state) {
    run(std::chrono::seconds(2));  // until all have begun
    const RigStats before = (*rig)->stats();
    const double cpu_before = cpu_us(RUSAGE_SELF);
    run(duration());
    const double cpu = cpu_us(RUSAGE_SELF) - cpu_before;
    const RigStats after = (*rig)->stats();
    double drops = 0;
    double missing = 0;
    double copies = 0;
    for (std::size_t i = 0; i < after.sensors.size(); ++i) {
      for (std::size_t reason = 0; reason < kNumDropReasons; ++reason)
        drops +=
            static_cast<double>(after.sensors[i].drops[reason] - before.sensors[i].drops[reason]);
      missing += static_cast<double>(after.sensors[i].missing - before.sensors[i].missing);
      copies += static_cast<double>(after.sensors[i].copies - before.sensors[i].copies);
    }
    const auto batches = static_cast<double>(after.batches - before.batches);
    state.counters["batches"] = batches;
    state.counters["drops"] = drops;
    state.counters["missing"] = missing;
    state.counters["copies/batch"] = copies / std::max(batches, 1.0);
    state.counters["max_skew_us"] = static_cast<double>(after.skew.max().count()) / 1e3;
    state.counters["cpu_us/batch"] = cpu / std::max(batches, 1.0);
    state.counters["cpu_percent"] = 100 * cpu / (static_cast<double>(duration().count()) / 1e3);
  }
}

#ifdef LOCKSTEP_HAVE_EGLSTREAM
// What the calls cost the host: four frames acquired, fenced and held as a rig has them, dropped again, released. They were
// presented before, so that nothing waits. Within one process, as on Jetson, or through an fd, as to another process.
void host_cost(benchmark::State& state, bool by_fd) {
  auto device = CudaDevice::open();
  if (!device) return state.SkipWithError(device.error().what.c_str());
  auto egl = Egl::open(*device);
  if (!egl) return state.SkipWithError(egl.error().what.c_str());
  const EglGreeting greeting{kFormat,
                             {kFormat.pixel_format, ColourMatrix::bt709, ColourRange::video}};
  auto layout = default_layout(kFormat.pixel_format, kFormat.width, kFormat.height);
  const std::vector<std::byte> picture(layout->size_bytes);
  std::vector<std::shared_ptr<EglConsumer>> consumers;
  std::vector<std::unique_ptr<EglProducer>> producers;
  for (int i = 0; i < kCameras; ++i) {
    Result<std::shared_ptr<EglConsumer>> consumer = Error{};
    Result<std::unique_ptr<EglProducer>> producer = Error{};
    if (by_fd) {
      auto made = EglConsumer::make(*egl, 8);
      if (!made) return state.SkipWithError(made.error().what.c_str());
      consumer = made->consumer;
      producer = EglProducer::make(*egl, made->handle, greeting, false);
    } else {
      const EGLint attributes[] = {EGL_STREAM_FIFO_LENGTH_KHR, 8, EGL_NONE};
      const EGLStreamKHR stream = (*egl)->eglCreateStreamKHR((*egl)->display(), attributes);
      consumer = EglConsumer::connect(*egl, (*egl)->display(), stream);
      producer = EglProducer::connect(*egl, stream, greeting, false);
    }
    if (!consumer) return state.SkipWithError(consumer.error().what.c_str());
    if (!producer) return state.SkipWithError(producer.error().what.c_str());
    consumers.push_back(*std::move(consumer));
    producers.push_back(*std::move(producer));
  }
  for (auto _ : state) {
    for (auto& producer : producers)
      if (!producer->present(picture.data(), *layout, EglFrameMetadata{}))
        return state.SkipWithError("a frame cannot be presented");
    const Nanoseconds begin = monotonic_now();
    {
      std::vector<std::optional<EglConsumer::Acquired>> held;
      for (auto& consumer : consumers) {
        auto acquired = consumer->acquire(std::chrono::milliseconds(20));
        if (!acquired || !*acquired) return state.SkipWithError("no frame came");
        held.push_back(std::move(*acquired));
      }
    }
    state.SetIterationTime(static_cast<double>((monotonic_now() - begin).count()) / 1e9);
  }
}
#endif

void by_reference(benchmark::State& state) { live(state, BatchLayout::reference); }
void contiguous(benchmark::State& state) { live(state, BatchLayout::contiguous); }

#ifdef LOCKSTEP_HAVE_EGLSTREAM
BENCHMARK_CAPTURE(host_cost, within, false)
    ->Name("eglstream/host-cost-of-four/one-process")
    ->UseManualTime()
    ->Iterations(1000)
    ->Repetitions(5)
    ->ReportAggregatesOnly()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(host_cost, by_fd, true)
    ->Name("eglstream/host-cost-of-four/by-fd")
    ->UseManualTime()
    ->Iterations(1000)
    ->Repetitions(5)
    ->ReportAggregatesOnly()
    ->Unit(benchmark::kMicrosecond);
#endif
BENCHMARK(by_reference)->Name("eglstream/live/reference")->Iterations(1)->Unit(benchmark::kSecond);
BENCHMARK(contiguous)->Name("eglstream/live/contiguous")->Iterations(1)->Unit(benchmark::kSecond);

EglCamera* running = nullptr;

}  // namespace

int be_camera(char** arguments) {
  EglCamera::Config config;
  config.socket = arguments[0];
  config.index = static_cast<std::uint32_t>(std::atoi(arguments[1]));
  config.sensor.options["render"] = "stamp";
  config.format = kFormat;
  config.on_trouble = [](const Error& error) {
    std::fprintf(stderr, "camera: %s\n", error.what.c_str());
  };
  auto camera = EglCamera::open(config);
  if (!camera) {
    std::fprintf(stderr, "camera: %s\n", camera.error().what.c_str());
    return 1;
  }
  running = camera->get();
  std::signal(SIGTERM, [](int) { running->interrupt(); });
  return (*camera)->run() ? 0 : 1;
}

}  // namespace lockstep::bench
