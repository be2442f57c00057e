// SPDX-License-Identifier: MIT
// Four cameras deliver 1080p NV12 at 60 fps by EGLStream to a rig of this process, live, from processes of their own or from
// threads of this one: what is lost, how far apart the frames of a batch are, and what CPU time a batch costs here, all of it
// counted, by threads. 5 s each, or LOCKSTEP_BENCH_LIVE_SECONDS.
#include "eglstream_bench.h"

#include <benchmark/benchmark.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "lockstep/eglstream.h"
#include "lockstep/rig.h"
#include "sensor/eglstream/egl.h"
#include "sensor/eglstream/producer.h"
#include "thread_times.h"

namespace lockstep::bench {
namespace {

constexpr int kCameras = 4;
constexpr Format kFormat{PixelFormat::nv12, 1920, 1080, {60, 1}};

// Names of threads, by which their CPU time is counted.
constexpr const char* kEglSensorThread = "lockstep-egl";  // of EglSensor
constexpr const char* kProducer = "bench-producer";

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

// Runs a rig, and counts CPU time by threads: the one in next_batch(), those that wait for frames, producers if they are
// here, and all others, which are the driver's.
void measure(benchmark::State& state, const std::string& sensors, BatchLayout layout,
             const std::function<Result<void>()>& started) {
  RigConfig config;
  config.sensors = *parse_sensor_list(sensors);
  config.layout = layout;
  if (layout == BatchLayout::contiguous) config.memory = "cuda";
  auto rig = Rig::open(config);
  if (!rig) return state.SkipWithError(rig.error().what.c_str());
  if (auto configured = (*rig)->configure(kFormat); !configured)
    return state.SkipWithError(configured.error().what.c_str());
  if (auto begun = (*rig)->start(); !begun) return state.SkipWithError(begun.error().what.c_str());
  if (auto producing = started(); !producing)
    return state.SkipWithError(producing.error().what.c_str());
  const auto run = [&](Nanoseconds time) {
    const Nanoseconds end = monotonic_now() + time;
    while (monotonic_now() < end)
      benchmark::DoNotOptimize((*rig)->next_batch(std::chrono::seconds(5)));
  };
  for (auto _ : state) {
    run(std::chrono::seconds(2));  // until all have begun
    const RigStats before = (*rig)->stats();
    const ThreadTimes cpu_before = ThreadTimes::now();
    run(duration());
    const ThreadTimes cpu = ThreadTimes::now() - cpu_before;
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
    const double each = 1 / std::max(batches, 1.0);
    state.counters["batches"] = batches;
    state.counters["drops"] = drops;
    state.counters["missing"] = missing;
    state.counters["copies/batch"] = copies * each;
    state.counters["max_skew_us"] = static_cast<double>(after.skew.max().count()) / 1e3;
    state.counters["rig_us/batch"] = cpu.calling_us * each;
    state.counters["waiting_us/batch"] = cpu.named_us(kEglSensorThread) * each;
    state.counters["driver_us/batch"] = cpu.others_us({kEglSensorThread, kProducer}) * each;
    state.counters["producers_us/batch"] = cpu.named_us(kProducer) * each;
  }
}

void live(benchmark::State& state, BatchLayout layout) {
  if (auto device = CudaDevice::open(); !device)
    return state.SkipWithError(device.error().what.c_str());
  const Cameras cameras;
  if (!cameras.wait()) return state.SkipWithError("a camera does not run; its error is above");
  measure(state, cameras.sensors(), layout, [] { return Result<void>(); });
}

// Four streams of this process, each with a producer in a thread of its own, as on Jetson.
class Producers {
 public:
  // What a rig is to consume, once this has worked.
  Result<std::string> offer() {
    auto device = CudaDevice::open();
    if (!device) return std::move(device).error();
    auto egl = Egl::open(*device);
    if (!egl) return std::move(egl).error();
    egl_ = *egl;
    std::string sensors;
    for (int i = 0; i < kCameras; ++i) {
      const EGLint attributes[] = {EGL_STREAM_FIFO_LENGTH_KHR, 8, EGL_NONE};
      streams_.push_back(egl_->eglCreateStreamKHR(egl_->display(), attributes));
      const std::string name = "bench" + std::to_string(i);
      OfferedEglStream offered;
      offered.display = egl_->display();
      offered.stream = streams_.back();
      offered.format = kFormat;
      if (auto done = offer_egl_stream(name, offered); !done) return std::move(done).error();
      sensors += (i ? ";eglstream:@" : "eglstream:@") + name;
    }
    return sensors;
  }
  // Once CUDA is connected as the consumer.
  Result<void> start() {
    const EglGreeting greeting{kFormat,
                               {kFormat.pixel_format, ColourMatrix::bt709, ColourRange::video}};
    for (const EGLStreamKHR stream : streams_) {
      auto made = EglProducer::connect(egl_, stream, greeting, false);
      if (!made) return std::move(made).error();
      threads_.emplace_back([this, producer = std::shared_ptr(*std::move(made))] {
        pthread_setname_np(pthread_self(), kProducer);
        present(*producer);
      });
    }
    return {};
  }
  ~Producers() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  void present(EglProducer& producer) {
    const Layout layout = *default_layout(kFormat.pixel_format, kFormat.width, kFormat.height);
    const std::vector<std::byte> picture(layout.size_bytes);
    for (int i = 0; !stop_; ++i) {
      std::this_thread::sleep_until(began_ + i * std::chrono::nanoseconds(16'666'667));
      if (!producer.present(picture.data(), layout, EglFrameMetadata{})) return;
    }
  }

  std::shared_ptr<const Egl> egl_;
  std::vector<EGLStreamKHR> streams_;  // until the process ends: frames may be out
  std::vector<std::thread> threads_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::atomic<bool> stop_{false};
};

void in_process(benchmark::State& state, BatchLayout layout) {
  Producers producers;
  auto sensors = producers.offer();
  if (!sensors) return state.SkipWithError(sensors.error().what.c_str());
  measure(state, *sensors, layout, [&] { return producers.start(); });
}

void by_reference(benchmark::State& state) { live(state, BatchLayout::reference); }
void contiguous(benchmark::State& state) { live(state, BatchLayout::contiguous); }

BENCHMARK_CAPTURE(in_process, by_reference, BatchLayout::reference)
    ->Name("eglstream/in-process/reference")
    ->Iterations(1)
    ->Unit(benchmark::kSecond);
BENCHMARK_CAPTURE(in_process, contiguous, BatchLayout::contiguous)
    ->Name("eglstream/in-process/contiguous")
    ->Iterations(1)
    ->Unit(benchmark::kSecond);
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
