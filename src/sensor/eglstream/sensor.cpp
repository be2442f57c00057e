// SPDX-License-Identifier: MIT
// The frames of an EGLStream, lent as they lie. A thread of the sensor's own waits for them, since a stream has no fd to
// poll; it hands them over with an eventfd.
#include <pthread.h>
#include <sys/eventfd.h>

#include <atomic>
#include <cerrno>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "lockstep/sensor.h"
#include "sensor/backends.h"
#include "sensor/eglstream/consumer.h"
#include "sensor/eglstream/egl.h"
#include "sensor/eglstream/link.h"
#include "sensor/eglstream/offers.h"
#include "sensor/options.h"
#include "sensor/sequence_gaps.h"
#include "support/mutex.h"
#include "support/unique_fd.h"

namespace lockstep {
namespace {

constexpr int kDefaultFifo = 8;
constexpr int kMaxFifo = 32;
// A camera answers at once, unless it is stopped.
constexpr auto kAnswerPatience = std::chrono::milliseconds(1000);
// How long one wait for a frame lasts: so late is it known that a producer has gone.
constexpr auto kLook = std::chrono::milliseconds(20);
constexpr const char* kThreadName = "lockstep-egl";

struct EglStreamOptions {
  int fifo = kDefaultFifo;
  int gpu = 0;
};

// A camera in another process: the socket and what it greeted with.
struct Link {
  UniqueFd socket;
  EglGreeting greeting;
};

Result<Link> meet(const std::string& path) {
  Link link;
  auto socket = connect_to(path);
  if (!socket) return std::move(socket).error();
  link.socket = *std::move(socket);
  auto packet = receive_packet(link.socket.get(), kAnswerPatience);
  if (!packet) {
    Error error = std::move(packet).error();
    error.what = "hear from the camera: " + error.what + ": " + path;
    return error;
  }
  if (packet->text == kEglBusy)
    return Error{Errc::busy, 0, "the camera has a consumer already: " + path};
  if (packet->text.empty())
    return Error{Errc::not_found, 0, "the camera hung up without a word: " + path};
  auto greeting = read_greeting(packet->text);
  if (!greeting) {
    Error error = std::move(greeting).error();
    error.what += ": " + path;
    return error;
  }
  link.greeting = *std::move(greeting);
  return link;
}

class EglSensor final : public Sensor {
 public:
  EglSensor(SensorSpec spec, EglStreamOptions options, std::shared_ptr<const Egl> egl)
      : spec_(std::move(spec)), options_(options), egl_(std::move(egl)) {}
  ~EglSensor() override { stop(); }

  /// Finds out what the camera delivers.
  Result<void> meet_camera();

  SensorInfo describe() override;
  MemorySpace lends_in() const override { return MemorySpace::cuda; }
  Result<SensorStream> configure(const Format& format, const Layout& wanted,
                                 FdKind slot_kind) override;
  Result<void> attach(std::span<const SlotView>) override { return {}; }
  Result<void> start() override;
  Result<void> queue(std::size_t) override {
    return Error{Errc::invalid_argument, 0, "queue a slot to " + name() + ", it lends its own"};
  }
  Result<std::optional<Delivered>> dequeue() override;
  void stop() override;
  Result<void> restart() override;
  int readable_fd() const override { return streaming_ ? readable_.get() : -1; }
  SettingsCaps settings_caps() const override {
    SettingsCaps caps;
    caps.reports = true;
    caps.missing = "an EGLStream carries no settings back to its camera: set them there";
    return caps;
  }
  Result<SettingsChange> write(const SettingsChange& change, std::optional<std::uint32_t>,
                               Nanoseconds) override {
    if (change.empty()) return change;
    return Error{Errc::not_supported, 0,
                 "set " + to_string(change) + ": " + settings_caps().missing};
  }

 private:
  bool is_offered() const { return spec_.device.front() == '@'; }
  std::string name() const { return to_string(spec_); }
  Result<std::shared_ptr<EglConsumer>> connect();
  Result<void> stream();
  Result<void> launch();
  void run();
  Result<Delivered> deliver(EglConsumer::Acquired acquired);
  Result<Layout> layout_of(const CUeglFrame& frame) const;
  void end(Error error);
  Error lost(Error error);
  void signal() { eventfd_write(readable_.get(), 1); }

  const SensorSpec spec_;
  const EglStreamOptions options_;
  const std::shared_ptr<const Egl> egl_;
  EglGreeting greeting_;      // What frames must be.
  Layout layout_;             // Of frames as GStreamer would lay them out.
  std::optional<Link> link_;  // Of a camera in another process, until the thread has ended.
  bool configured_ = false;
  bool streaming_ = false;

  // Of the thread while it runs.
  std::shared_ptr<EglConsumer> consumer_;
  SequenceGaps gaps_;

  std::thread thread_;
  std::atomic<bool> stop_{false};
  UniqueFd readable_;  // While ready_ holds a frame or gone_ is set.
  Mutex mutex_;
  std::deque<Delivered> ready_ LOCKSTEP_GUARDED_BY(mutex_);
  std::optional<Error> gone_ LOCKSTEP_GUARDED_BY(mutex_);
};

Result<void> EglSensor::meet_camera() {
  if (is_offered()) {
    auto offered = offered_egl_stream(spec_.device.substr(1));
    if (!offered) return std::move(offered).error();
    auto greeting = greeting_of(offered->format, offered->matrix, offered->range);
    if (!greeting) return std::move(greeting).error();
    greeting_ = *greeting;
    return {};
  }
  auto link = meet(spec_.device);
  if (!link) return std::move(link).error();
  if (!egl_format_of(link->greeting.colour))
    return Error{
        Errc::not_supported, 0,
        "take " + to_string(link->greeting.colour) + " from an EGLStream: " + spec_.device};
  if (configured_ && !(link->greeting == greeting_))
    return Error{Errc::not_supported, 0,
                 "go on with " + text_of(greeting_) + ", the camera now has " +
                     text_of(link->greeting) + ": " + spec_.device};
  greeting_ = link->greeting;
  link_ = *std::move(link);
  return {};
}

SensorInfo EglSensor::describe() {
  SensorInfo info;
  info.name = name();
  info.description = std::string(is_offered() ? "EGLStream of this process" : "camera process") +
                     ", frames on " + egl_->device()->name();
  const Format& format = greeting_.format;
  info.formats = {{format.pixel_format,
                   {format.width, format.width, 1},
                   {format.height, format.height, 1},
                   {{format.framerate, format.framerate}}}};
  info.settings = settings_caps();
  info.io = {{"eglstream", true, ""}};
  return info;
}

Result<SensorStream> EglSensor::configure(const Format& format, const Layout&, FdKind) {
  stop();
  if (!(format == greeting_.format))
    return Error{Errc::not_supported, 0,
                 "set " + to_string(format) + ", the camera has " + to_string(greeting_.format) +
                     " only: " + spec_.device};
  auto layout = default_layout(format.pixel_format, format.width, format.height);
  if (!layout) return std::move(layout).error();
  layout_ = *layout;
  configured_ = true;
  SensorStream stream;
  stream.layout = layout_;
  stream.slot_bytes = layout_.size_bytes;
  stream.delivery = Delivery::lend;
  stream.colorimetry = colorimetry_of(greeting_.colour);
  stream.io = "eglstream (frames lent where they lie on the GPU, FIFO of " +
              std::to_string(options_.fifo) + ")";
  return stream;
}

Result<std::shared_ptr<EglConsumer>> EglSensor::connect() {
  if (is_offered()) {
    auto offered = take_egl_stream(spec_.device.substr(1));
    if (!offered) return std::move(offered).error();
    auto greeting = greeting_of(offered->format, offered->matrix, offered->range);
    if (!greeting) return std::move(greeting).error();
    if (!(*greeting == greeting_))
      return Error{
          Errc::not_supported, 0,
          "go on with " + text_of(greeting_) + ", what is offered has " + text_of(*greeting)};
    return EglConsumer::connect(egl_, offered->display, offered->stream);
  }
  if (!link_ || has_hung_up(link_->socket.get())) {
    link_.reset();
    if (auto met = meet_camera(); !met) return std::move(met).error();
  }
  auto made = EglConsumer::make(egl_, options_.fifo);
  if (!made) return std::move(made).error();
  if (auto sent = send_packet(link_->socket.get(), kEglStream, made->handle.get()); !sent)
    return std::move(sent).error();
  return made->consumer;
}

Result<void> EglSensor::start() {
  if (!configured_ || streaming_)
    return Error{
        Errc::invalid_argument, 0,
        "start " + name() + (streaming_ ? ", it streams already" : ", it is not configured")};
  gaps_.begin();
  return stream();
}

Result<void> EglSensor::stream() {
  if (thread_.joinable()) stop();  // lost, and not let go yet
  auto consumer = connect();
  if (!consumer) return std::move(consumer).error();
  consumer_ = *std::move(consumer);
  return launch();
}

Result<void> EglSensor::launch() {
  readable_ = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!readable_) return system_error(errno, "make an eventfd");
  {
    MutexLock lock(mutex_);
    ready_.clear();
    gone_.reset();
  }
  stop_ = false;
  try {
    thread_ = std::thread(&EglSensor::run, this);
  } catch (const std::system_error& error) {
    return system_error(error.code().value(), "start a thread for " + name());
  }
  streaming_ = true;
  return {};
}

void EglSensor::run() {
  pthread_setname_np(pthread_self(), kThreadName);
  while (!stop_.load()) {
    auto acquired = consumer_->acquire(kLook);
    if (!acquired) return end(std::move(acquired).error());
    if (!*acquired) {
      if (link_ && has_hung_up(link_->socket.get()))
        return end(Error{Errc::device_lost, 0, "the camera hung up"});
      continue;
    }
    auto delivered = deliver(std::move(**acquired));
    if (!delivered) return end(std::move(delivered).error());
    MutexLock lock(mutex_);
    ready_.push_back(*std::move(delivered));
    signal();
  }
}

void EglSensor::end(Error error) {
  MutexLock lock(mutex_);
  gone_ = std::move(error);
  signal();
}

// With the frame's own pitch. Its planes lie where CudaPixels says.
Result<Layout> EglSensor::layout_of(const CUeglFrame& frame) const {
  const Format& format = greeting_.format;
  const auto colour = egl_colour_of(frame.eglColorFormat, format.pixel_format);
  if (frame.width != format.width || frame.height != format.height || !colour ||
      !(*colour == greeting_.colour) || frame.planeCount != layout_.num_planes)
    return Error{Errc::device_lost, 0,
                 "the producer now sends " + std::to_string(frame.width) + "x" +
                     std::to_string(frame.height) + " " +
                     (colour ? to_string(*colour)
                             : "of CUDA's colour format " + std::to_string(frame.eglColorFormat)) +
                     ", agreed was " + std::to_string(format.width) + "x" +
                     std::to_string(format.height) + " " + to_string(greeting_.colour)};
  if (frame.frameType == CU_EGL_FRAME_TYPE_ARRAY) return layout_;
  auto layout = layout_with_stride(format.pixel_format, format.width, format.height, frame.pitch);
  if (!layout)
    return Error{Errc::device_lost, 0,
                 "the producer sends rows of " + std::to_string(frame.pitch) + " bytes for " +
                     std::to_string(layout_.planes[0].row_bytes)};
  return layout;
}

Result<Delivered> EglSensor::deliver(EglConsumer::Acquired acquired) {
  auto layout = layout_of(acquired.frame);
  if (!layout) return std::move(layout).error();
  Delivered delivered;
  delivered.ready_at = monotonic_now();
  delivered.layout = *layout;
  delivered.lent = std::move(acquired.pixels);
  FrameInfo& info = delivered.info;
  if (auto told = info_of(acquired.metadata)) {
    info = *told;
  } else {
    info.sequence = gaps_.next();
    info.captured = {delivered.ready_at, Clock::monotonic};
    info.reference = ReferencePoint::arrival;
  }
  delivered.skipped = gaps_.before(info.sequence);
  return delivered;
}

Result<std::optional<Delivered>> EglSensor::dequeue() {
  if (!streaming_) return lost(Error{Errc::device_lost, 0, "the camera is lost"});
  std::optional<Delivered> delivered;
  std::optional<Error> gone;
  {
    MutexLock lock(mutex_);
    if (!ready_.empty()) {
      delivered = std::move(ready_.front());
      ready_.pop_front();
    } else {
      gone = gone_;
    }
    if (ready_.empty() && !gone_) {
      eventfd_t ignored = 0;
      eventfd_read(readable_.get(), &ignored);
    }
  }
  if (gone) return lost(*std::move(gone));
  return delivered;
}

// The stream is let go when the sensor is stopped or tried again: that takes the driver up to 11 ms, and whoever dequeues has
// other sensors to serve.
Error EglSensor::lost(Error error) {
  streaming_ = false;
  error.code = Errc::device_lost;
  error.what += " (" + name() + ")";
  return error;
}

void EglSensor::stop() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
  streaming_ = false;
  readable_.reset();
  // Frames that are out keep the stream.
  consumer_.reset();
  link_.reset();
  std::deque<Delivered> dropped;
  MutexLock lock(mutex_);
  ready_.swap(dropped);
}

Result<void> EglSensor::restart() {
  stop();
  return stream();
}

class EglBackend final : public SensorBackend {
 public:
  std::string_view name() const override { return "eglstream"; }
  std::string_view description() const override {
    return "frames on an NVIDIA GPU by EGLStream: eglstream:/run/camera.sock from `lockstep "
           "camera` or "
           "another process, eglstream:@name from this one; options fifo=FRAMES, gpu=NUMBER";
  }
  std::vector<std::string> list() const override {
    std::vector<std::string> names;
    for (const std::string& offered : offered_egl_streams())
      names.push_back("eglstream:@" + offered);
    return names;
  }
  Result<std::unique_ptr<Sensor>> open(const SensorSpec& spec) const override {
    if (spec.device.empty() || spec.device == "@")
      return Error{
          Errc::invalid_argument, 0,
          "eglstream without a name, as in eglstream:/run/camera.sock, the socket of `lockstep "
          "camera --eglstream /run/camera.sock`"};
    OptionReader reader(spec);
    EglStreamOptions options;
    options.fifo = static_cast<int>(reader.integer("fifo", 1, kMaxFifo, kDefaultFifo));
    options.gpu = static_cast<int>(reader.integer("gpu", 0, 63, 0));
    if (auto read = reader.finish(); !read) return std::move(read).error();
    auto device = CudaDevice::open(options.gpu);
    if (!device) return std::move(device).error();
    auto egl = Egl::open(*std::move(device));
    if (!egl) return std::move(egl).error();
    auto sensor = std::make_unique<EglSensor>(spec, options, *std::move(egl));
    if (auto met = sensor->meet_camera(); !met) return std::move(met).error();
    return std::unique_ptr<Sensor>(std::move(sensor));
  }
};

}  // namespace

const SensorBackend* eglstream_backend() {
  static const EglBackend backend;
  return &backend;
}

}  // namespace lockstep
