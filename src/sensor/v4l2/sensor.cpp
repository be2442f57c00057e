// SPDX-License-Identifier: MIT
// The frames of a V4L2 camera. Slot k is always the driver's buffer k, so that what a driver sets up
// for a buffer when it first sees it (pinned pages, an attached dma-buf) stays good.
//
// Whatever goes wrong with the device while it streams ends in let_go(): the driver's buffers and the
// file are given up at once, because a driver keeps the name of an unplugged device taken as long as
// anyone has it open, and the camera would come back under another.
#include <sys/epoll.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lockstep/sensor.h"
#include "sensor/backends.h"
#include "sensor/options.h"
#include "sensor/v4l2/buffers.h"
#include "sensor/v4l2/device.h"
#include "sensor/v4l2/format.h"
#include "sensor/v4l2/info.h"
#include "sensor/v4l2/io.h"
#include "sensor/v4l2/settings.h"
#include "sensor/v4l2/timing.h"

namespace lockstep {
namespace {

const Error kNoDevice{Errc::device_lost, ENODEV, "the device is lost"};

struct V4l2Options {
  std::optional<v4l2_memory> io;  // nothing: the best that works
  int input = V4l2Device::kInputAsItIs;
  std::optional<V4l2Fourcc> fourcc;  // nothing: the first that lies as wanted
  V4l2SettingsOptions settings;
};

Result<V4l2Options> read_options(const SensorSpec& spec) {
  using Io = std::optional<v4l2_memory>;
  OptionReader reader(spec);
  V4l2Options options;
  options.io = reader.choice<Io>("io",
                                 {{"auto", std::nullopt},
                                  {"dmabuf", V4L2_MEMORY_DMABUF},
                                  {"userptr", V4L2_MEMORY_USERPTR},
                                  {"mmap", V4L2_MEMORY_MMAP}},
                                 std::nullopt);
  options.input = static_cast<int>(reader.integer("input", 0, 255, V4l2Device::kInputAsItIs));
  const std::string fourcc = reader.text("fourcc", "");
  options.settings = read_v4l2_settings_options(reader, spec);
  if (auto read = reader.finish(); !read) return std::move(read).error();
  if (fourcc.empty()) return options;

  options.fourcc = v4l2_fourcc_from(fourcc);
  if (options.fourcc) return options;
  std::string names;
  for (const V4l2Fourcc& one : v4l2_fourccs())
    names += (names.empty() ? "" : ", ") + fourcc_text(one.fourcc);
  return Error{Errc::invalid_argument, 0,
               "fourcc=" + fourcc + ", wanted one of " + names + ": " + to_string(spec)};
}

std::size_t min_queued(const V4l2Device& device) {
  v4l2_control control{};
  control.id = V4L2_CID_MIN_BUFFERS_FOR_CAPTURE;
  if (device.call(VIDIOC_G_CTRL, &control) || control.value < 2) return 2;
  return static_cast<std::size_t>(control.value);
}

// Of the node whose controls are the settings.
V4l2FrameSize frame_size(const V4l2Device& device, const V4l2Subdevice* subdevice) {
  if (subdevice) return {subdevice->width(), subdevice->height()};
  v4l2_format format{};
  format.type = device.buffer_type();
  if (device.call(VIDIOC_G_FMT, &format)) return {};
  if (device.multiplanar()) return {format.fmt.pix_mp.width, format.fmt.pix_mp.height};
  return {format.fmt.pix.width, format.fmt.pix.height};
}

Result<std::optional<V4l2Subdevice>> open_subdevice(const V4l2SettingsOptions& options) {
  if (options.subdevice.empty()) return std::optional<V4l2Subdevice>();
  auto subdevice = V4l2Subdevice::open(options.subdevice);
  if (!subdevice) return std::move(subdevice).error();
  return std::optional(*std::move(subdevice));
}

// Refers to what it is made of.
V4l2Node node_of(const V4l2Device& device, const V4l2Subdevice* subdevice) {
  if (subdevice)
    return {[subdevice](unsigned long request, void* argument) {
              return subdevice->call(request, argument);
            },
            subdevice->path()};
  return {
      [&device](unsigned long request, void* argument) { return device.call(request, argument); },
      device.path()};
}

class V4l2Sensor final : public Sensor {
 public:
  V4l2Sensor(SensorSpec spec, V4l2Options options, V4l2Device device)
      : spec_(std::move(spec)),
        options_(std::move(options)),
        identity_(device.description()),
        device_(std::move(device)),
        settings_(options_.settings) {}

  /// Opens the sub-device if one is named, and finds what is to be set.
  Result<void> find_settings();

  SensorInfo describe() override;
  Result<SensorStream> configure(const Format& format, const Layout& wanted,
                                 FdKind slot_kind) override;
  Result<void> attach(std::span<const SlotView> slots) override;
  Result<void> start() override;
  Result<void> queue(std::size_t arena_index) override;
  Result<std::optional<Delivered>> dequeue() override;
  void stop() override;
  Result<void> restart() override;
  int readable_fd() const override;
  SettingsCaps settings_caps() const override { return settings_.caps(); }
  Result<SettingsChange> write(const SettingsChange& change, std::optional<std::uint32_t> completes,
                               Nanoseconds now) override;

 private:
  // What configure() was asked and answered.
  struct Setup {
    Format format;
    Layout wanted;
    FdKind slot_kind = FdKind::none;
    V4l2Picture picture;
    v4l2_memory memory = V4L2_MEMORY_MMAP;
    SensorStream stream;
  };

  Result<V4l2Fourcc> choose_fourcc(const Format& format) const;
  Result<Setup> set_up(const Format& format, const Layout& wanted, FdKind slot_kind) const;
  Result<void> request_buffers();
  Result<void> reopen();
  Result<void> check_identity(const V4l2Device& device) const;
  Result<void> watch_device();
  V4l2Node settings_node() const;
  Delivered deliver(const V4l2Buffers::Filled& filled);
  Error lost(const Error& cause);
  void let_go();

  const SensorSpec spec_;
  const V4l2Options options_;
  const std::string identity_;              // of the device that was opened
  std::optional<V4l2Device> device_;        // nothing while lost
  std::optional<V4l2Subdevice> subdevice_;  // likewise, and where none is named
  std::optional<Setup> setup_;
  std::vector<SlotView> slots_;
  std::optional<V4l2Buffers> buffers_;  // refers to device_: goes before it
  UniqueFd ready_;                      // epoll: the device, from the first slot queued on
  bool device_watched_ = false;
  V4l2Sequence sequence_;
  V4l2Settings settings_;
};

SensorInfo V4l2Sensor::describe() {
  SensorInfo info;
  info.name = to_string(spec_);
  // By a file of its own, for asking about I/O disturbs the buffers of the one that streams.
  auto device = V4l2Device::open(spec_.device, V4l2Device::kInputAsItIs);
  if (!device) {
    info.description = device.error().what;
    return info;
  }
  info.description = device->description();
  info.formats = v4l2_offers(
      *device, options_.fourcc ? std::vector{*options_.fourcc} : offered_fourccs(*device));
  info.io = v4l2_io(*device);
  const auto opened = open_subdevice(options_.settings);
  const V4l2Subdevice* subdevice = opened && *opened ? &**opened : nullptr;
  const V4l2Node node = node_of(*device, subdevice);
  info.controls = v4l2_controls(node.call);
  V4l2Settings settings(options_.settings);
  auto found =
      opened ? settings.find(node, frame_size(*device, subdevice)) : Result<void>(opened.error());
  info.settings = settings.caps();
  if (!found) info.settings.missing = found.error().what;
  return info;
}

V4l2Node V4l2Sensor::settings_node() const {
  return node_of(*device_, subdevice_ ? &*subdevice_ : nullptr);
}

Result<void> V4l2Sensor::find_settings() {
  auto subdevice = open_subdevice(options_.settings);
  if (!subdevice) return std::move(subdevice).error();
  subdevice_ = *std::move(subdevice);
  return settings_.find(settings_node(), frame_size(*device_, subdevice_ ? &*subdevice_ : nullptr));
}

Result<V4l2Fourcc> V4l2Sensor::choose_fourcc(const Format& format) const {
  std::string names;
  for (const V4l2Fourcc& one : offered_fourccs(*device_)) {
    if (options_.fourcc && options_.fourcc->fourcc != one.fourcc) continue;
    if (one.pixel_format == format.pixel_format) return one;
    names += (names.empty() ? "" : ", ") + std::string(to_string(one.pixel_format));
  }
  return Error{Errc::not_supported, 0,
               "set " + to_string(format) + ", the device has " +
                   (names.empty() ? "no format that is known here" : names) + ": " +
                   device_->path()};
}

Result<V4l2Sensor::Setup> V4l2Sensor::set_up(const Format& format, const Layout& wanted,
                                             FdKind slot_kind) const {
  auto fourcc = choose_fourcc(format);
  if (!fourcc) return std::move(fourcc).error();
  auto picture = set_v4l2_format(*device_, *fourcc, format, wanted);
  if (!picture) return std::move(picture).error();
  auto io = choose_v4l2_io(*device_, *picture, options_.io, slot_kind);
  if (!io) return std::move(io).error();

  Setup setup{format, wanted, slot_kind, *std::move(picture), io->memory, {}};
  setup.stream.layout = setup.picture.layout;
  setup.stream.slot_bytes = setup.picture.slot_bytes;
  setup.stream.delivery = io->memory == V4L2_MEMORY_MMAP ? Delivery::lend : Delivery::fill;
  setup.stream.colorimetry = setup.picture.colorimetry;
  setup.stream.min_queued = min_queued(*device_);
  setup.stream.io = std::move(io->why);
  return setup;
}

Result<SensorStream> V4l2Sensor::configure(const Format& format, const Layout& wanted,
                                           FdKind slot_kind) {
  stop();
  setup_.reset();
  if (!device_) return lost(kNoDevice);
  auto setup = set_up(format, wanted, slot_kind);
  if (!setup) return std::move(setup).error();
  if (auto found = find_settings(); !found) return std::move(found).error();
  if (auto restored = settings_.restore(settings_node()); !restored)
    return std::move(restored).error();
  setup_ = *std::move(setup);
  return setup_->stream;
}

Result<void> V4l2Sensor::attach(std::span<const SlotView> slots) {
  if (!device_) return lost(kNoDevice);
  slots_.assign(slots.begin(), slots.end());
  return request_buffers();
}

Result<void> V4l2Sensor::request_buffers() {
  buffers_.reset();
  auto buffers = V4l2Buffers::request(*device_, setup_->picture, setup_->memory, slots_.size());
  if (!buffers) return std::move(buffers).error();
  buffers_.emplace(*std::move(buffers));
  return {};
}

Result<void> V4l2Sensor::start() {
  if (!buffers_) return lost(kNoDevice);
  sequence_.restart();
  device_watched_ = false;
  ready_ = UniqueFd(epoll_create1(EPOLL_CLOEXEC));
  if (!ready_) return system_error(errno, "make an epoll");
  if (setup_->stream.delivery == Delivery::lend) {
    for (std::size_t i = 0; i < buffers_->count(); ++i)
      if (auto queued = buffers_->queue(i); !queued) return queued;
    if (auto watched = watch_device(); !watched) return watched;
  }
  return buffers_->stream_on();
}

// Not before something is queued: until then poll() finds the device broken, though nothing is wrong
// (vb2_core_poll() in the kernel, quirk_poll_must_check_waiting_for_buffers).
Result<void> V4l2Sensor::watch_device() {
  if (device_watched_) return {};
  epoll_event event{};
  event.events = EPOLLIN;
  if (epoll_ctl(ready_.get(), EPOLL_CTL_ADD, device_->fd(), &event) < 0)
    return device_->error(errno, "watch");
  device_watched_ = true;
  return {};
}

Result<void> V4l2Sensor::queue(std::size_t arena_index) {
  if (!buffers_) return lost(kNoDevice);
  if (auto queued = buffers_->queue(arena_index, slots_[arena_index]); !queued)
    return lost(queued.error());
  if (auto watched = watch_device(); !watched) return lost(watched.error());
  return {};
}

Result<std::optional<Delivered>> V4l2Sensor::dequeue() {
  if (!buffers_) return lost(kNoDevice);
  auto filled = buffers_->dequeue();
  if (!filled) return lost(filled.error());
  if (!*filled) return std::optional<Delivered>();
  return std::optional(deliver(**filled));
}

Delivered V4l2Sensor::deliver(const V4l2Buffers::Filled& filled) {
  Delivered frame;
  frame.ready_at = monotonic_now();
  frame.corrupt = filled.flags & V4L2_BUF_FLAG_ERROR || !filled.complete;
  if (setup_->stream.delivery == Delivery::fill) {
    frame.arena_index = filled.index;
  } else {
    auto lent = buffers_->lend(filled.index);
    if (!frame.corrupt) frame.lent = std::move(lent);  // else it goes back at once
  }
  const auto [sequence, skipped] = sequence_.next(filled.sequence);
  frame.skipped = skipped;
  frame.info.sequence = sequence;

  const V4l2Stamp stamp = v4l2_stamp(filled.flags, filled.stamp, frame.ready_at);
  frame.info.captured = stamp.captured;
  frame.info.reference = stamp.reference;
  return frame;
}

Error V4l2Sensor::lost(const Error& cause) {
  let_go();
  return Error{Errc::device_lost, cause.os_error, cause.what + " (" + to_string(spec_) + ")"};
}

void V4l2Sensor::let_go() {
  ready_.reset();
  buffers_.reset();
  subdevice_.reset();
  device_.reset();
}

void V4l2Sensor::stop() {
  ready_.reset();
  buffers_.reset();
  slots_.clear();
}

Result<void> V4l2Sensor::restart() {
  let_go();
  auto back = reopen();
  if (!back) let_go();
  return back;
}

// The number in /dev/video0 goes to whichever camera is plugged in first. A link (/dev/v4l/by-id/...)
// names the camera, wherever it is plugged in.
Result<void> V4l2Sensor::check_identity(const V4l2Device& device) const {
  std::error_code ignored;
  if (device.description() == identity_ || std::filesystem::is_symlink(spec_.device, ignored))
    return {};
  return Error{Errc::not_found, 0,
               "find " + identity_ + " again: now " + device.description() +
                   " has its name; use one from /dev/v4l/by-id or by-path: " + spec_.device};
}

Result<void> V4l2Sensor::reopen() {
  auto device = V4l2Device::open(spec_.device, options_.input);
  if (!device) return std::move(device).error();
  if (auto same = check_identity(*device); !same) return same;
  device_.emplace(*std::move(device));
  auto setup = set_up(setup_->format, setup_->wanted, setup_->slot_kind);
  if (!setup) return std::move(setup).error();
  if (!(setup->stream.layout == setup_->stream.layout) || setup->memory != setup_->memory)
    return Error{Errc::not_supported, 0,
                 "go on with " + to_string(setup_->format) +
                     ": the device came back with another layout or I/O: " + spec_.device};
  setup_ = *std::move(setup);
  if (auto found = find_settings(); !found) return found;
  if (auto restored = settings_.restore(settings_node()); !restored) return restored;
  if (auto requested = request_buffers(); !requested) return requested;
  return start();
}

int V4l2Sensor::readable_fd() const { return ready_.get(); }

Result<SettingsChange> V4l2Sensor::write(const SettingsChange& change, std::optional<std::uint32_t>,
                                         Nanoseconds) {
  if (!device_) return lost(kNoDevice);
  auto taken = settings_.write(settings_node(), change);
  if (!taken && taken.error().code == Errc::device_lost) return lost(taken.error());
  return taken;
}

// "/dev/video10" after "/dev/video9".
std::vector<std::string> video_nodes() {
  std::map<int, std::string> nodes;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/dev", none)) {
    const std::string name = entry.path().filename();
    if (name.rfind("video", 0) != 0 || name.size() == 5 || name.size() > 10) continue;
    const bool numbered = std::all_of(name.begin() + 5, name.end(),
                                      [](unsigned char c) { return std::isdigit(c) != 0; });
    if (numbered) nodes[std::stoi(name.substr(5))] = entry.path();
  }
  std::vector<std::string> paths;
  for (auto& [number, path] : nodes) paths.push_back(std::move(path));
  return paths;
}

class V4l2Backend final : public SensorBackend {
 public:
  std::string_view name() const override { return "v4l2"; }
  std::string_view description() const override {
    return "cameras of the Linux kernel, as in v4l2:/dev/video0; options "
           "io=auto|dmabuf|userptr|mmap, input=NUMBER, fourcc=NAME, subdev=DEVICE, and for each "
           "setting as in analogue-gain-control=NAME, -unity=VALUE, -db=STEP, -reciprocal=VALUE, "
           "-delay=EXPOSURES";
  }
  std::vector<std::string> list() const override {
    std::vector<std::string> names;
    for (const std::string& path : video_nodes())
      if (V4l2Device::open(path, V4l2Device::kInputAsItIs)) names.push_back("v4l2:" + path);
    return names;
  }
  Result<std::unique_ptr<Sensor>> open(const SensorSpec& spec) const override {
    if (spec.device.empty()) return no_device_named();
    auto options = read_options(spec);
    if (!options) return std::move(options).error();
    auto device = V4l2Device::open(spec.device, options->input);
    if (!device) return std::move(device).error();
    auto sensor = std::make_unique<V4l2Sensor>(spec, *std::move(options), *std::move(device));
    if (auto found = sensor->find_settings(); !found) return std::move(found).error();
    return std::unique_ptr<Sensor>(std::move(sensor));
  }

 private:
  Error no_device_named() const {
    std::string names;
    for (const std::string& name : list()) names += (names.empty() ? "" : ", ") + name;
    return Error{Errc::invalid_argument, 0,
                 "v4l2 without a device, as in v4l2:/dev/video0; there is: " +
                     (names.empty() ? "none that captures video" : names)};
  }
};

}  // namespace

const SensorBackend* v4l2_backend() {
  static const V4l2Backend backend;
  return &backend;
}

}  // namespace lockstep
