// SPDX-License-Identifier: MIT
// Cameras in processes of their own (`lockstep camera`), and streams of this process.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "gpu_testing.h"
#include "lockstep/cuda.h"
#include "lockstep/eglstream.h"
#include "lockstep/painted_code.h"
#include "lockstep/rig.h"
#include "open_fds.h"
#include "own_stream.h"
#include "rig_testing.h"
#include "sensor/eglstream/egl.h"
#include "sensor/eglstream/link.h"

namespace lockstep {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Simulated cameras have common triggers; a period of 1/60 s is no whole number of nanoseconds.
constexpr Nanoseconds kRounding{2};

constexpr Format kPicture{PixelFormat::nv12, 640, 360, {60, 1}};

// The test program itself is started as a camera or a consumer; see main().
class Process {
 public:
  Process(const std::vector<std::string>& arguments) {
    pid_ = fork();
    if (pid_ != 0) return;
    std::vector<char*> argv{const_cast<char*>("/proc/self/exe")};
    for (const std::string& argument : arguments)
      argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    execv("/proc/self/exe", argv.data());
    _exit(127);
  }
  Process(Process&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  Process& operator=(Process&&) = delete;
  ~Process() { end(SIGTERM); }

  void signal(int number) const { kill(pid_, number); }
  // Its exit status, or minus the signal that ended it.
  int end(int number) {
    if (pid_ <= 0) return 0;
    kill(pid_, number);
    return wait();
  }
  int wait() {
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

class EglStream : public testing::Test {
 protected:
  void SetUp() override {
    auto device = CudaDevice::open();
    if (!device) GTEST_SKIP() << device.error().what;
    device_ = *device;
    auto egl = Egl::open(device_);
    if (!egl) GTEST_SKIP() << egl.error().what;
    egl_ = *egl;
    folder_ = std::filesystem::temp_directory_path() / ("lockstep-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  std::string socket(int number) const { return folder_ / (std::to_string(number) + ".sock"); }
  std::string sensor(int number) const { return "eglstream:" + socket(number); }
  std::string sensors(int count) const {
    std::string list;
    for (int i = 0; i < count; ++i) list += (i ? ";" : "") + sensor(i);
    return list;
  }

  // A camera that has begun to listen.
  Process camera(int number, const Format& format = kPicture,
                 const std::string& spec = "sim?render=code", bool arrays = false) {
    std::filesystem::remove(socket(number));
    Process process({"camera", socket(number), spec, to_string(format.pixel_format),
                     std::to_string(format.width), std::to_string(format.height),
                     std::to_string(format.framerate.numerator), std::to_string(number),
                     arrays ? "arrays" : "pitch"});
    for (int i = 0; i < 1000 && !std::filesystem::exists(socket(number)); ++i)
      std::this_thread::sleep_for(milliseconds(10));
    EXPECT_TRUE(std::filesystem::exists(socket(number)));
    return process;
  }

  void expect_code(const Frame& frame, const Format& format = kPicture) const {
    ASSERT_NE(frame.pixels, nullptr);
    const std::vector<std::byte> bytes = download(frame, format);
    auto layout = default_layout(format.pixel_format, format.width, format.height);
    const auto code = read_code(luma_of(format, *layout, bytes));
    ASSERT_TRUE(code.has_value());
    EXPECT_EQ(code->sensor, frame.info.sensor);
    EXPECT_EQ(code->sequence, frame.info.sequence);
    EXPECT_EQ(code->captured_us,
              static_cast<std::uint64_t>(frame.info.captured.since_epoch.count() / 1000));
  }

  std::shared_ptr<CudaDevice> device_;
  std::shared_ptr<const Egl> egl_;
  std::filesystem::path folder_;
};

// Batches until one has every frame fresh; the first few after the start lack some.
Batch whole_batch(Rig& rig) {
  for (int i = 0; i < 600; ++i) {
    Batch batch = next(rig);
    if (batch.frames.empty()) return {};  // next() has told
    bool whole = true;
    for (const Frame& frame : batch.frames) whole = whole && frame.state == FrameState::fresh;
    if (whole) return batch;
  }
  ADD_FAILURE() << "no whole batch";
  return {};
}

TEST_F(EglStream, FramesOfAnotherProcessArriveUncopiedWithTimeSequenceAndPixels) {
  Process producer = camera(0);
  RigConfig config = config_of(sensors(1));
  config.layout = BatchLayout::reference;
  auto rig = started(config, kPicture);
  ASSERT_NE(rig, nullptr);
  std::optional<std::uint64_t> last;
  for (int i = 0; i < 60; ++i) {
    const Batch batch = whole_batch(*rig);
    ASSERT_FALSE(batch.frames.empty());
    const Frame& frame = batch.frames[0];
    EXPECT_EQ(frame.pixels->space(), MemorySpace::cuda);
    EXPECT_EQ(frame.pixels->data, nullptr);  // planes that EGL maps apart
    EXPECT_EQ(frame.info.copies, 0u);
    EXPECT_EQ(frame.info.reference, ReferencePoint::start_of_exposure);
    EXPECT_GT(frame.info.settings.exposure.count(), 0);
    EXPECT_FALSE(batch.contiguous());
    expect_code(frame);
    if (last) {
      EXPECT_EQ(frame.info.sequence, *last + 1);
    }
    last = frame.info.sequence;
  }
}

TEST_F(EglStream, FourProcessesMakeBatchesOfOneInstantByReference) {
  std::vector<Process> cameras;
  for (int i = 0; i < 4; ++i) cameras.push_back(camera(i));
  RigConfig config = config_of(sensors(4));
  config.layout = BatchLayout::reference;
  auto rig = started(config, kPicture);
  ASSERT_NE(rig, nullptr);
  EXPECT_EQ(rig->frame_space(), MemorySpace::cuda);
  for (int i = 0; i < 60; ++i) {
    const Batch batch = whole_batch(*rig);
    ASSERT_EQ(batch.frames.size(), 4u);
    EXPECT_LE(batch.skew, kRounding);
    for (const Frame& frame : batch.frames) expect_code(frame);
  }
  for (const auto& sensor : rig->stats().sensors) EXPECT_EQ(sensor.copies, 0u);
}

TEST_F(EglStream, ContiguousBatchesAreGatheredByOneCopyOfMemoryAndArrays) {
  std::vector<Process> cameras;
  for (int i = 0; i < 4; ++i) cameras.push_back(camera(i, kPicture, "sim?render=code", i % 2 == 1));
  RigConfig config = config_of(sensors(4));
  config.layout = BatchLayout::contiguous;
  config.memory = "cuda";
  auto rig = started(config, kPicture);
  ASSERT_NE(rig, nullptr);
  for (int i = 0; i < 60; ++i) {
    const Batch batch = whole_batch(*rig);
    ASSERT_EQ(batch.frames.size(), 4u);
    ASSERT_TRUE(batch.contiguous());
    EXPECT_EQ(batch.arena->space(), MemorySpace::cuda);
    for (std::size_t slot = 0; slot < 4; ++slot) {
      const Frame& frame = batch.frames[slot];
      EXPECT_EQ(frame.info.copies, 1u);
      EXPECT_EQ(frame.pixels->data,
                batch.arena->bytes().data() + slot * batch.arena->slot_stride());
      expect_code(frame);
    }
  }
}

TEST_F(EglStream, EveryFormatArrivesAsItWas) {
  for (const PixelFormat pixel_format :
       {PixelFormat::nv12, PixelFormat::p010_10le, PixelFormat::gray8, PixelFormat::bgrx,
        PixelFormat::rgba}) {
    for (const bool arrays : {false, true}) {
      SCOPED_TRACE(std::string(to_string(pixel_format)) + (arrays ? " in arrays" : ""));
      const Format format{pixel_format, 638, 362, {60, 1}};
      Process producer = camera(0, format, "sim?render=full&noise=0", arrays);
      RigConfig config = config_of(sensors(1));
      config.memory = "cuda";
      config.layout = BatchLayout::contiguous;
      auto rig = started(config, format);
      ASSERT_NE(rig, nullptr);
      const Batch batch = whole_batch(*rig);
      ASSERT_FALSE(batch.frames.empty());
      expect_code(batch.frames[0], format);
      if (HasFailure()) return;
    }
  }
}

TEST_F(EglStream, ACameraThatIsKilledLeavesTheOthersAndComesBack) {
  Process first = camera(0);
  auto second = std::make_unique<Process>(camera(1));
  RigConfig config = config_of(sensors(2));
  config.layout = BatchLayout::reference;
  std::vector<RigEvent> events;
  config.on_event = [&](const RigEvent& event) { events.push_back(event); };
  auto rig = started(config, kPicture);
  ASSERT_NE(rig, nullptr);
  whole_batch(*rig);
  const Batch held = whole_batch(*rig);
  second->end(SIGKILL);
  int alone = 0;
  for (int i = 0; i < 60; ++i) {
    const Batch batch = next(*rig);
    ASSERT_EQ(batch.frames.size(), 2u);
    EXPECT_EQ(batch.frames[0].state, FrameState::fresh);
    alone += batch.frames[1].state == FrameState::missing;
  }
  EXPECT_GT(alone, 40);
  expect_code(held.frames[1]);  // what is held stays, whoever made it
  second = std::make_unique<Process>(camera(1));
  const Batch again = whole_batch(*rig);
  ASSERT_EQ(again.frames.size(), 2u);
  expect_code(again.frames[1]);
  int lost = 0;
  int back = 0;
  for (const RigEvent& event : events) {
    lost += event.kind == RigEvent::Kind::sensor_lost && event.sensor == 1;
    back += event.kind == RigEvent::Kind::sensor_back && event.sensor == 1;
  }
  EXPECT_EQ(lost, 1);
  EXPECT_EQ(back, 1);
}

TEST_F(EglStream, ACameraThatStallsIsMissingAndGoesOn) {
  Process first = camera(0);
  Process second = camera(1);
  RigConfig config = config_of(sensors(2));
  config.layout = BatchLayout::reference;
  auto rig = started(config, kPicture);
  ASSERT_NE(rig, nullptr);
  whole_batch(*rig);
  second.signal(SIGSTOP);
  int alone = 0;
  for (int i = 0; i < 60; ++i) {
    const Batch batch = next(*rig);
    EXPECT_EQ(batch.frames[0].state, FrameState::fresh);
    alone += batch.frames[1].state == FrameState::missing;
  }
  EXPECT_GT(alone, 40);
  second.signal(SIGCONT);
  const Batch again = whole_batch(*rig);
  ASSERT_EQ(again.frames.size(), 2u);
  EXPECT_LE(again.skew, kRounding);
  expect_code(again.frames[1]);
}

TEST_F(EglStream, ACameraThatComesBackWithAnotherSizeStaysLostUntilItHasTheRightOne) {
  Process first = camera(0);
  auto second = std::make_unique<Process>(camera(1));
  RigConfig config = config_of(sensors(2));
  config.layout = BatchLayout::reference;
  auto rig = started(config, kPicture);
  ASSERT_NE(rig, nullptr);
  whole_batch(*rig);
  second->end(SIGKILL);
  Format other = kPicture;
  other.width = 320;
  second = std::make_unique<Process>(camera(1, other));
  for (int i = 0; i < 90; ++i) next(*rig);
  EXPECT_EQ(next(*rig).frames[1].state, FrameState::missing);
  EXPECT_TRUE(rig->stats().sensors[1].lost);
  second->end(SIGKILL);
  second = std::make_unique<Process>(camera(1));
  whole_batch(*rig);
}

TEST_F(EglStream, AConsumerThatDiesWithFramesHeldLeavesTheCameraToTheNext) {
  Process producer = camera(0);
  for (int i = 0; i < 3; ++i) {
    Process consumer({"hold", sensor(0)});
    EXPECT_EQ(consumer.wait(), -SIGKILL);
  }
  auto rig = started(config_of(sensors(1)), kPicture);
  ASSERT_NE(rig, nullptr);
  for (int i = 0; i < 30; ++i) expect_code(whole_batch(*rig).frames[0]);
  rig.reset();
  EXPECT_EQ(producer.end(SIGTERM), 0);
}

TEST_F(EglStream, ASecondConsumerIsToldThatTheCameraIsBusy) {
  Process producer = camera(0);
  auto rig = Rig::open(config_of(sensors(1)));
  ASSERT_TRUE(succeeds(rig));
  EXPECT_TRUE(fails(Rig::open(config_of(sensors(1))), Errc::busy, "has a consumer already"));
}

TEST_F(EglStream, BadSocketsAreToldApart) {
  EXPECT_TRUE(fails(Rig::open(config_of(sensor(7))), Errc::not_found, "nobody serves it"));
  std::filesystem::path file = folder_ / "file";
  fclose(fopen(file.c_str(), "w"));
  EXPECT_TRUE(fails(Rig::open(config_of("eglstream:" + file.string())), Errc::not_found));
  EXPECT_TRUE(fails(Rig::open(config_of("eglstream")), Errc::invalid_argument, "lockstep camera"));
  EXPECT_TRUE(fails(Rig::open(config_of("eglstream:@nothing")), Errc::not_found, "none"));
  EXPECT_TRUE(
      fails(Rig::open(config_of(sensor(7) + "?fifo=0")), Errc::invalid_argument, "1 to 32"));
  EXPECT_TRUE(fails(Rig::open(config_of("eglstream:/" + std::string(200, 'x'))),
                    Errc::invalid_argument, "bytes"));
}

TEST_F(EglStream, GarbageForAGreetingIsRefused) {
  for (const char* text : {"hello", "lockstep-eglstream 2 format=NV12",
                           "lockstep-eglstream 1 format=NV12 width=x height=1",
                           "lockstep-eglstream 1 width=1 height=99999999", "\x01\x02\xff"}) {
    std::filesystem::remove(socket(0));
    auto listener = listen_at(socket(0));
    ASSERT_TRUE(succeeds(listener));
    std::thread server([&] {
      for (int i = 0; i < 500; ++i) {
        UniqueFd come(accept(listener->get(), nullptr, nullptr));
        if (come) {
          EXPECT_TRUE(succeeds(send_packet(come.get(), text, -1)));
          return;
        }
        std::this_thread::sleep_for(milliseconds(10));
      }
    });
    EXPECT_TRUE(fails(Rig::open(config_of(sensor(0))), Errc::not_supported, "understand")) << text;
    server.join();
  }
}

TEST_F(EglStream, ACameraThatSaysNothingTimesOut) {
  auto listener = listen_at(socket(0));
  ASSERT_TRUE(succeeds(listener));
  EXPECT_TRUE(fails(Rig::open(config_of(sensor(0))), Errc::timed_out, "no word"));
}

TEST_F(EglStream, AnFdThatIsNoStreamIsHungUpOnAndTheCameraServesTheNext) {
  Process producer = camera(0);
  for (const bool with_fd : {true, false}) {
    auto link = connect_to(socket(0));
    ASSERT_TRUE(succeeds(link));
    ASSERT_TRUE(succeeds(receive_packet(link->get(), seconds(2))));
    UniqueFd file(memfd_create("no stream", MFD_CLOEXEC));
    ASSERT_TRUE(succeeds(send_packet(link->get(), kEglStream, with_fd ? file.get() : -1)));
    auto answer = receive_packet(link->get(), seconds(5));
    ASSERT_TRUE(succeeds(answer));
    EXPECT_EQ(answer->text, "");
    EXPECT_TRUE(has_hung_up(link->get()));
  }
  auto rig = started(config_of(sensors(1)), kPicture);
  ASSERT_NE(rig, nullptr);
  expect_code(whole_batch(*rig).frames[0]);
}

TEST_F(EglStream, TheFifoBoundsHowManyFramesCanBeHeldAndTheRestIsCounted) {
  Process producer = camera(0);
  RigConfig config = config_of(sensors(1) + "?fifo=4");
  config.layout = BatchLayout::reference;
  config.max_batches = 4;
  auto rig = started(config, kPicture);
  ASSERT_NE(rig, nullptr);
  std::vector<Batch> held;
  for (int i = 0; i < 4; ++i) held.push_back(whole_batch(*rig));
  for (const Batch& batch : held) expect_code(batch.frames[0]);
  EXPECT_TRUE(fails(rig->next_batch(milliseconds(500)), Errc::timed_out));
  for (const Batch& batch : held)
    expect_code(batch.frames[0]);  // nobody has written to what is held
  held.clear();
  expect_code(whole_batch(*rig).frames[0]);
  const auto& drops = rig->stats().sensors[0].drops;
  EXPECT_GT(drops[static_cast<std::size_t>(DropReason::downstream_full)] +
                drops[static_cast<std::size_t>(DropReason::sensor)],
            0u);
}

TEST_F(EglStream, RigsThatComeAndGoLeaveNoGpuMemoryAndNoFdsBehind) {
  Process producer = camera(0);
  const auto round = [&] {
    RigConfig config = config_of(sensors(1));
    config.memory = "cuda";
    config.layout = BatchLayout::contiguous;
    auto rig = started(config, kPicture);
    ASSERT_NE(rig, nullptr);
    whole_batch(*rig);
  };
  for (int i = 0; i < 3; ++i) round();
  const std::size_t free_before = device_->free_bytes();
  const auto fds_before = num_open_fds();
  for (int i = 0; i < 10; ++i) round();
  // Of other processes' too: allow a granule each way.
  EXPECT_NEAR(static_cast<double>(device_->free_bytes()), static_cast<double>(free_before),
              8 << 20);
  EXPECT_LE(num_open_fds(), fds_before + 1);
}

TEST_F(EglStream, AStreamOfThisProcessIsConsumedWithArrivalTimesWhereItHasNone) {
  OwnStream own(egl_, kPicture, "own");
  RigConfig config = config_of("eglstream:@own");
  config.layout = BatchLayout::reference;
  auto rig = started(config, kPicture);
  ASSERT_NE(rig, nullptr);
  ASSERT_TRUE(own.connect());
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(own.present(static_cast<std::uint8_t>(50 + i), kPicture.width, kPicture.height));
    const Batch batch = whole_batch(*rig);
    ASSERT_EQ(batch.frames.size(), 1u);
    const Frame& frame = batch.frames[0];
    EXPECT_EQ(frame.info.sequence, static_cast<std::uint64_t>(i));
    EXPECT_EQ(frame.info.reference, ReferencePoint::arrival);
    EXPECT_EQ(frame.info.captured.clock, Clock::monotonic);
    const auto bytes = download(frame, kPicture);
    for (const std::size_t at : {std::size_t{0}, bytes.size() / 2, bytes.size() - 1})
      EXPECT_EQ(static_cast<int>(bytes[at]), 50 + i);
    std::this_thread::sleep_for(milliseconds(17));
  }
}

// Whatever EGL_SUPPORT_REUSE_NV says: with EGL's default acquire gives the last frame again, or CUDA error 999 while it is held.
TEST_F(EglStream, AFrameIsDeliveredOnceHoweverLongTheNextTakes) {
  for (const bool reuse : {true, false}) {
    SCOPED_TRACE(reuse ? "EGL's default" : "no reuse");
    OwnStream own(egl_, kPicture, "slow", reuse);
    RigConfig config = config_of("eglstream:@slow");
    config.layout = BatchLayout::reference;
    std::vector<std::string> lost;
    config.on_event = [&](const RigEvent& event) {
      if (event.kind == RigEvent::Kind::sensor_lost) lost.push_back(event.error.what);
    };
    auto rig = started(config, kPicture);
    ASSERT_NE(rig, nullptr);
    ASSERT_TRUE(own.connect());
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE(own.present(static_cast<std::uint8_t>(50 + i), kPicture.width, kPicture.height));
      Batch held = whole_batch(*rig);
      ASSERT_EQ(held.frames.size(), 1u);
      EXPECT_EQ(held.frames[0].info.sequence, static_cast<std::uint64_t>(i));
      EXPECT_EQ(static_cast<int>(download(held.frames[0], kPicture)[0]), 50 + i);
      if (i % 2 == 1) held = {};  // released before the next comes; else held until then
      EXPECT_TRUE(fails(rig->next_batch(milliseconds(150)), Errc::timed_out)) << "frame " << i;
    }
    EXPECT_EQ(rig->stats().sensors[0].frames, 5u);
    EXPECT_THAT(lost, testing::IsEmpty());
  }
}

TEST_F(EglStream, TheFirstFrameMayTakeItsTime) {
  for (const bool reuse : {true, false}) {
    SCOPED_TRACE(reuse ? "EGL's default" : "no reuse");
    OwnStream own(egl_, kPicture, "late", reuse);
    RigConfig config = config_of("eglstream:@late");
    config.layout = BatchLayout::reference;
    auto rig = started(config, kPicture);
    ASSERT_NE(rig, nullptr);
    EXPECT_TRUE(fails(rig->next_batch(milliseconds(100)), Errc::timed_out));  // no producer yet
    ASSERT_TRUE(own.connect());
    EXPECT_TRUE(fails(rig->next_batch(milliseconds(300)), Errc::timed_out));  // no frame yet
    ASSERT_TRUE(own.present(77, kPicture.width, kPicture.height));
    const Batch batch = whole_batch(*rig);
    ASSERT_EQ(batch.frames.size(), 1u);
    EXPECT_EQ(static_cast<int>(download(batch.frames[0], kPicture)[0]), 77);
    EXPECT_FALSE(rig->stats().sensors[0].lost);
  }
}

TEST_F(EglStream, AProducerThatChangesItsSizeIsLostWithAClearWordAndTheOthersGoOn) {
  Process producer = camera(0);
  OwnStream own(egl_, kPicture, "changing");
  RigConfig config = config_of(sensor(0) + ";eglstream:@changing");
  config.layout = BatchLayout::reference;
  std::string text;
  config.on_event = [&](const RigEvent& event) {
    if (event.kind == RigEvent::Kind::sensor_lost) text = event.error.what;
  };
  auto rig = started(config, kPicture);
  ASSERT_NE(rig, nullptr);
  ASSERT_TRUE(own.connect());
  ASSERT_TRUE(own.present(1, kPicture.width, kPicture.height));
  next(*rig);
  ASSERT_TRUE(own.present(1, 320, 180));
  for (int i = 0; i < 30; ++i) EXPECT_EQ(next(*rig).frames[0].state, FrameState::fresh);
  EXPECT_NE(text.find("the producer now sends 320x180 NV12 bt709 video, agreed was 640x360"),
            std::string::npos)
      << text;
}

TEST_F(EglStream, HostMemoryAndEglStreamsInOneRigWantGpuMemory) {
  Process producer = camera(0);
  auto rig = Rig::open(config_of(sensor(0) + ";sim"));
  ASSERT_TRUE(succeeds(rig));
  EXPECT_TRUE(fails((*rig)->configure(kPicture), Errc::not_supported, "memory=cuda"));
}

TEST_F(EglStream, SimsAndEglStreamsShareABatchInGpuMemory) {
  Process producer = camera(0);
  RigConfig config = config_of(sensor(0) + ";sim?render=code");
  config.memory = "cuda";
  auto rig = started(config, kPicture);
  ASSERT_NE(rig, nullptr);
  for (int i = 0; i < 30; ++i) {
    const Batch batch = whole_batch(*rig);
    ASSERT_EQ(batch.frames.size(), 2u);
    EXPECT_TRUE(batch.contiguous());
    for (const Frame& frame : batch.frames) expect_code(frame);
  }
}

// What this program does as a process of its own.

int be_camera(char** arguments) {
  EglCamera::Config config;
  config.socket = arguments[0];
  config.sensor = *parse_sensor_spec(arguments[1]);
  config.format.pixel_format = *pixel_format_from(arguments[2]);
  config.format.width = static_cast<std::uint32_t>(std::atoi(arguments[3]));
  config.format.height = static_cast<std::uint32_t>(std::atoi(arguments[4]));
  config.format.framerate = {static_cast<std::uint32_t>(std::atoi(arguments[5])), 1};
  config.index = static_cast<std::uint32_t>(std::atoi(arguments[6]));
  config.arrays = std::strcmp(arguments[7], "arrays") == 0;
  config.on_trouble = [](const Error& error) {
    std::fprintf(stderr, "camera: let a consumer go: %s\n", error.what.c_str());
  };
  auto camera = EglCamera::open(config);
  if (!camera) {
    std::fprintf(stderr, "camera: %s\n", camera.error().what.c_str());
    return 1;
  }
  static EglCamera* running = nullptr;
  running = camera->get();
  std::signal(SIGTERM, [](int) { running->interrupt(); });
  auto ran = (*camera)->run();
  if (!ran) std::fprintf(stderr, "camera: %s\n", ran.error().what.c_str());
  return ran ? 0 : 1;
}

// Takes frames and dies with them in hand.
int be_dying_consumer(const char* sensor) {
  RigConfig config;
  config.sensors = *parse_sensor_list(sensor);
  config.layout = BatchLayout::reference;
  auto rig = Rig::open(config);
  if (!rig || !(*rig)->configure(kPicture) || !(*rig)->start()) return 1;
  std::vector<Batch> held;
  for (int i = 0; i < 3; ++i) {
    auto batch = (*rig)->next_batch(seconds(10));
    if (!batch) return 2;
    held.push_back(*std::move(batch));
  }
  raise(SIGKILL);
  return 3;
}

}  // namespace
}  // namespace lockstep

int main(int count, char** arguments) {
  if (count == 10 && std::strcmp(arguments[1], "camera") == 0)
    return lockstep::be_camera(arguments + 2);
  if (count == 3 && std::strcmp(arguments[1], "hold") == 0)
    return lockstep::be_dying_consumer(arguments[2]);
  testing::InitGoogleTest(&count, arguments);
  return RUN_ALL_TESTS();
}
