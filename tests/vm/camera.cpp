// SPDX-License-Identifier: MIT
#include "camera.h"

#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>

#include "support/unique_fd.h"

namespace lockstep {
namespace {

int sample(const std::byte* at) { return std::to_integer<int>(*at); }

int clamped(double value) {
  return static_cast<int>(std::lround(std::min(255.0, std::max(0.0, value))));
}

// BT.601, limited range, which vivid's camera input has by default.
Rgb from_yuv(int luma, int u, int v) {
  const double y = 1.164 * (luma - 16);
  return {clamped(y + 1.596 * (v - 128)), clamped(y - 0.391 * (u - 128) - 0.813 * (v - 128)),
          clamped(y + 2.018 * (u - 128))};
}

// Calls `act` with the device and the id of its control.
template <typename Act>
void with_control(const std::string& device, const std::string& name, Act act) {
  UniqueFd fd(open(device.c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(fd) << device << ": " << strerror(errno);
  v4l2_query_ext_ctrl query{};
  query.id = V4L2_CTRL_FLAG_NEXT_CTRL;
  while (ioctl(fd.get(), VIDIOC_QUERY_EXT_CTRL, &query) == 0) {
    if (name == query.name) return act(fd.get(), query.id);
    query.id |= V4L2_CTRL_FLAG_NEXT_CTRL;
  }
  FAIL() << device << " has no control " << name;
}

void write_to(const char* path, const char* text) {
  std::ofstream file(path);
  file << text << std::flush;
  EXPECT_TRUE(file) << path;
}

}  // namespace

void set_control(const std::string& device, const std::string& name, int value) {
  with_control(device, name, [&](int fd, std::uint32_t id) {
    v4l2_control control{id, value};
    EXPECT_EQ(ioctl(fd, VIDIOC_S_CTRL, &control), 0) << name << ": " << strerror(errno);
  });
}

int get_control(const std::string& device, const std::string& name) {
  v4l2_control control{};
  with_control(device, name, [&](int fd, std::uint32_t id) {
    control.id = id;
    EXPECT_EQ(ioctl(fd, VIDIOC_G_CTRL, &control), 0) << name << ": " << strerror(errno);
  });
  return control.value;
}

void unplug_all() { write_to("/sys/bus/platform/drivers/vivid/unbind", "vivid.0"); }
void plug_in_all() { write_to("/sys/bus/platform/drivers/vivid/bind", "vivid.0"); }

Result<std::unique_ptr<Camera>> Camera::start(const std::string& name, const Config& config) {
  auto spec = parse_sensor_spec(name);
  if (!spec) return std::move(spec).error();
  auto backend = find_sensor_backend(spec->backend);
  if (!backend) return std::move(backend).error();
  auto sensor = (*backend)->open(*spec);
  if (!sensor) return std::move(sensor).error();
  auto memory = find_memory_backend(config.memory);
  if (!memory) return std::move(memory).error();
  auto wanted =
      default_layout(config.format.pixel_format, config.format.width, config.format.height);
  if (!wanted) return std::move(wanted).error();
  wanted->planes[0].stride_bytes += config.more_stride_bytes;

  std::unique_ptr<Camera> camera(new Camera(config));
  camera->sensor_ = *std::move(sensor);
  auto stream = camera->sensor().configure(config.format, *wanted, (*memory)->fd_kind());
  if (!stream) return std::move(stream).error();
  camera->stream_ = *std::move(stream);

  std::vector<SlotView> slots;
  for (std::size_t k = 0; k < config.num_arenas; ++k) {
    auto arena = (*memory)->allocate(3, camera->stream_.slot_bytes);
    if (!arena) return std::move(arena).error();
    slots.push_back((*arena)->slot(1));
    camera->arenas_.push_back(*std::move(arena));
  }
  camera->queued_.resize(config.num_arenas);
  if (auto attached = camera->sensor().attach(slots); !attached) return std::move(attached).error();
  if (auto started = camera->sensor().start(); !started) return std::move(started).error();
  if (auto queued = camera->queue_all(); !queued) return std::move(queued).error();
  return camera;
}

Result<Delivered> Camera::next_of_any_kind() {
  for (int tries = 0; tries < 100; ++tries) {
    auto frame = sensor().dequeue();
    if (!frame) {
      queued_.assign(queued_.size(), false);
      return std::move(frame).error();
    }
    if (*frame) {
      if ((*frame)->arena_index != Delivered::kLent) queued_[(*frame)->arena_index] = false;
      return **std::move(frame);
    }
    pollfd ready{sensor().readable_fd(), POLLIN, 0};
    poll(&ready, 1, 100);
  }
  return Error{Errc::timed_out, 0, "no frame within 10 s"};
}

Result<Delivered> Camera::next() {
  for (;;) {
    auto frame = next_of_any_kind();
    if (!frame || !frame->corrupt) return frame;
    if (auto back = give_back(*std::move(frame)); !back) return std::move(back).error();
  }
}

Result<void> Camera::queue_all() {
  if (stream_.delivery == Delivery::lend) return {};
  for (std::size_t k = 0; k < queued_.size(); ++k) {
    if (queued_[k]) continue;
    if (auto queued = sensor().queue(k); !queued) return queued;
    queued_[k] = true;
  }
  return {};
}

Result<void> Camera::give_back(Delivered frame) {
  if (frame.arena_index == Delivered::kLent) return {};
  queued_[frame.arena_index] = true;
  return sensor().queue(frame.arena_index);
}

const std::byte* Camera::pixels(const Delivered& frame) {
  return frame.lent ? frame.lent->data : arena(frame.arena_index).slot(1).data;
}

Rgb rgb_at(PixelFormat format, const Layout& layout, const std::byte* pixels, std::size_t x,
           std::size_t y) {
  const auto at = [&](std::size_t plane, std::size_t row, std::size_t byte) {
    const Plane& p = layout.planes[plane];
    return sample(pixels + p.offset_bytes + row * p.stride_bytes + byte);
  };
  const std::size_t pair = x / 2 * 2;
  switch (format) {
    case PixelFormat::nv12:
      return from_yuv(at(0, y, x), at(1, y / 2, pair), at(1, y / 2, pair + 1));
    case PixelFormat::i420:
      return from_yuv(at(0, y, x), at(1, y / 2, x / 2), at(2, y / 2, x / 2));
    case PixelFormat::yuy2:
      return from_yuv(at(0, y, x * 2), at(0, y, pair * 2 + 1), at(0, y, pair * 2 + 3));
    case PixelFormat::uyvy:
      return from_yuv(at(0, y, x * 2 + 1), at(0, y, pair * 2), at(0, y, pair * 2 + 2));
    case PixelFormat::rgb:
      return {at(0, y, x * 3), at(0, y, x * 3 + 1), at(0, y, x * 3 + 2)};
    case PixelFormat::bgrx:
      return {at(0, y, x * 4 + 2), at(0, y, x * 4 + 1), at(0, y, x * 4)};
    case PixelFormat::rgba:
      return {at(0, y, x * 4), at(0, y, x * 4 + 1), at(0, y, x * 4 + 2)};
    case PixelFormat::gray8:
      return {at(0, y, x), at(0, y, x), at(0, y, x)};  // vivid's is full range, BT.709
    case PixelFormat::p010_10le:
      return from_yuv(at(0, y, x * 2 + 1), at(1, y / 2, pair * 2 + 1), at(1, y / 2, pair * 2 + 3));
  }
  return {};
}

testing::AssertionResult shows_colour_bars(const Format& format, const Layout& layout,
                                           const std::byte* pixels) {
  constexpr int on = 191;  // 75 %
  constexpr std::array<Rgb, 8> bars = {Rgb{on, on, on}, {on, on, 0}, {0, on, on}, {0, on, 0},
                                       {on, 0, on},     {on, 0, 0},  {0, 0, on},  {0, 0, 0}};
  const auto near = [](int a, int b) { return std::abs(a - b) <= 6; };
  for (std::size_t y :
       {std::size_t{0}, format.height / std::size_t{2}, format.height - std::size_t{1}}) {
    for (std::size_t bar = 0; bar < bars.size(); ++bar) {
      const std::size_t x = (2 * bar + 1) * format.width / 16;
      Rgb wanted = bars[bar];
      const Rgb found = rgb_at(format.pixel_format, layout, pixels, x, y);
      if (format.pixel_format == PixelFormat::gray8)
        wanted.red = wanted.green = wanted.blue =
            clamped(0.2126 * wanted.red + 0.7152 * wanted.green + 0.0722 * wanted.blue);
      if (near(wanted.red, found.red) && near(wanted.green, found.green) &&
          near(wanted.blue, found.blue))
        continue;
      return testing::AssertionFailure() << "bar " << bar << " in row " << y << " is " << found.red
                                         << "," << found.green << "," << found.blue << ", wanted "
                                         << wanted.red << "," << wanted.green << "," << wanted.blue;
    }
  }
  return testing::AssertionSuccess();
}

}  // namespace lockstep
