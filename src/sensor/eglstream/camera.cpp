// SPDX-License-Identifier: MIT
// One thread does it all: it waits for the sensor, for who wants to consume, and for who consumes. The sensor runs whether
// anybody consumes or not, as camera daemons do.
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "lockstep/eglstream.h"
#include "lockstep/memory.h"
#include "lockstep/sensor.h"
#include "sensor/eglstream/egl.h"
#include "sensor/eglstream/link.h"
#include "sensor/eglstream/offers.h"
#include "sensor/eglstream/producer.h"
#include "support/unique_fd.h"

namespace lockstep {
namespace {

constexpr std::size_t kNumSlots = 4;

}  // namespace

struct EglCamera::State {
  std::string path;
  std::shared_ptr<const Egl> egl;
  EglGreeting greeting;
  bool arrays = false;
  UniqueFd listener;
  UniqueFd wake;
  std::unique_ptr<Sensor> sensor;
  SensorStream stream;
  std::vector<std::shared_ptr<Arena>> slots;  // of a sensor that fills
  UniqueFd consumer;                          // whom we have greeted
  std::unique_ptr<EglProducer> producer;      // once its stream has come
  std::function<void(const Error&)> on_trouble;
  std::atomic<bool> interrupted{false};
  std::atomic<std::uint64_t> captured{0};
  std::atomic<std::uint64_t> presented{0};
  std::atomic<std::uint64_t> dropped{0};
  std::atomic<std::uint64_t> consumers{0};

  ~State() {
    if (sensor) sensor->stop();
    producer.reset();
    if (listener) unlink(path.c_str());
  }

  Result<void> set_up(const Config& config);
  Result<void> set_up_sensor(const Config& config);
  void greet();
  void hear();
  void leave() {
    producer.reset();
    consumer.reset();
  }
  void leave(const Error& why) {
    leave();
    if (on_trouble) on_trouble(why);
  }
  Result<void> capture();
  void pass_on(const Delivered& frame);
};

Result<void> EglCamera::State::set_up(const Config& config) {
  path = config.socket;
  arrays = config.arrays;
  on_trouble = config.on_trouble;
  const bool rgb = is_rgb(config.format.pixel_format);
  // As GStreamer takes for granted: BT.601 up to 576 rows, BT.709 above.
  const bool is_small =
      config.format.height <= 576 && !rgb && config.format.pixel_format != PixelFormat::gray8;
  auto greets = greeting_of(config.format, is_small ? ColourMatrix::bt601 : ColourMatrix::bt709,
                            rgb ? ColourRange::full : ColourRange::video);
  if (!greets) return std::move(greets).error();
  greeting = *greets;
  auto device = CudaDevice::open(config.gpu);
  if (!device) return std::move(device).error();
  auto opened = Egl::open(*std::move(device));
  if (!opened) return std::move(opened).error();
  egl = *std::move(opened);
  wake = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return system_error(errno, "make an eventfd");
  if (auto ready = set_up_sensor(config); !ready) return ready;
  auto listening = listen_at(path);
  if (!listening) return std::move(listening).error();
  listener = *std::move(listening);
  return {};
}

Result<void> EglCamera::State::set_up_sensor(const Config& config) {
  auto backend = find_sensor_backend(config.sensor.backend);
  if (!backend) return std::move(backend).error();
  auto opened = (*backend)->open(config.sensor);
  if (!opened) return std::move(opened).error();
  sensor = *std::move(opened);
  if (sensor->clock() != Clock::monotonic)
    return Error{
        Errc::invalid_argument, 0,
        "serve " + to_string(config.sensor) + " to another process: it is on a virtual clock"};
  sensor->set_index(config.index);
  auto layout =
      default_layout(config.format.pixel_format, config.format.width, config.format.height);
  if (!layout) return std::move(layout).error();
  auto memory = find_memory_backend("memfd");
  if (!memory) return std::move(memory).error();
  auto configured = sensor->configure(config.format, *layout, (*memory)->fd_kind());
  if (!configured) return std::move(configured).error();
  stream = *std::move(configured);
  if (sensor->lends_in() != MemorySpace::host)
    return Error{Errc::not_supported, 0,
                 "serve frames that lie on a GPU: " + to_string(config.sensor)};
  std::vector<SlotView> views;
  for (std::size_t k = 0; k < kNumSlots; ++k) {
    auto arena = (*memory)->allocate(1, std::max(stream.slot_bytes, stream.layout.size_bytes));
    if (!arena) return std::move(arena).error();
    slots.push_back(*std::move(arena));
    views.push_back(slots.back()->slot(0));
  }
  return sensor->attach(views);
}

// Who comes while another consumes is told so.
void EglCamera::State::greet() {
  UniqueFd come(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!come) return;
  if (consumer && has_hung_up(consumer.get())) leave();
  if (consumer) {
    (void)send_packet(come.get(), kEglBusy, -1);
    return;
  }
  if (!send_packet(come.get(), text_of(greeting), -1)) return;
  consumer = std::move(come);
}

void EglCamera::State::hear() {
  auto packet = receive_packet(consumer.get(), Nanoseconds(0));
  if (!packet && packet.error().code == Errc::timed_out) return;
  if (!packet) return leave(packet.error());
  if (packet->text.empty()) return leave();  // it went
  if (packet->text != kEglStream || producer)
    return leave(Error{Errc::not_supported, 0, "understand what a consumer sent"});
  auto made = EglProducer::make(egl, packet->fd, greeting, arrays);
  if (!made) return leave(made.error());
  producer = *std::move(made);
  ++consumers;
}

void EglCamera::State::pass_on(const Delivered& frame) {
  ++captured;
  if (!producer || frame.corrupt) return;
  const std::byte* pixels = frame.lent ? frame.lent->data : slots[frame.arena_index]->slot(0).data;
  auto done = producer->present(pixels, stream.layout, metadata_of(frame.info));
  if (!done) return leave(done.error());
  ++(*done ? presented : dropped);
}

Result<void> EglCamera::State::capture() {
  for (;;) {
    auto delivered = sensor->dequeue();
    if (!delivered) {
      // A sensor that was unplugged: its consumer is told by its socket that it is gone.
      leave();
      if (delivered.error().code != Errc::device_lost) return std::move(delivered).error();
      return {};
    }
    if (!*delivered) return {};
    pass_on(**delivered);
    if (stream.delivery != Delivery::fill) continue;
    if (auto queued = sensor->queue((*delivered)->arena_index); !queued) return {};
  }
}

EglCamera::EglCamera(std::unique_ptr<State> state) : state_(std::move(state)) {}
EglCamera::~EglCamera() = default;

Result<std::unique_ptr<EglCamera>> EglCamera::open(const Config& config) {
  auto state = std::make_unique<State>();
  if (auto ready = state->set_up(config); !ready) return std::move(ready).error();
  return std::unique_ptr<EglCamera>(new EglCamera(std::move(state)));
}

Result<void> EglCamera::run() {
  State& state = *state_;
  const auto start = [&state]() -> Result<void> {
    for (std::size_t k = 0; k < kNumSlots && state.stream.delivery == Delivery::fill; ++k)
      if (auto queued = state.sensor->queue(k); !queued) return queued;
    return {};
  };
  if (auto started = state.sensor->start(); !started) return started;
  if (auto started = start(); !started) return started;
  while (!state.interrupted.load()) {
    // A sensor that is lost is tried again ten times a second.
    const int sensor_fd = state.sensor->readable_fd();
    pollfd fds[] = {{state.wake.get(), POLLIN, 0},
                    {state.listener.get(), POLLIN, 0},
                    {sensor_fd, POLLIN, 0},
                    {state.consumer.get(), POLLIN, 0}};
    if (poll(fds, std::size(fds), sensor_fd < 0 ? 100 : -1) < 0 && errno != EINTR)
      return system_error(errno, "wait for frames");
    if (sensor_fd < 0) {
      if (state.sensor->restart())
        if (auto started = start(); !started) return started;
    } else if (fds[2].revents) {
      if (auto captured = state.capture(); !captured) return captured;
    }
    if (fds[3].revents && state.consumer) state.hear();
    if (fds[1].revents) state.greet();
  }
  return {};
}

void EglCamera::interrupt() {
  state_->interrupted = true;
  eventfd_write(state_->wake.get(), 1);
}

EglCamera::Stats EglCamera::stats() const {
  return {state_->captured, state_->presented, state_->dropped, state_->consumers};
}

}  // namespace lockstep
