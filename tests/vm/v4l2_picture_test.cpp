// SPDX-License-Identifier: MIT
// Pixels of the kernel's simulated cameras, by every way of I/O, in every format that they have.
#include <algorithm>
#include <ostream>

#include "camera.h"

namespace lockstep {
namespace {

constexpr auto kUntouched = std::byte{0xa5};

// /dev/video0 has the single-planar API, /dev/video4 the multi-planar one. /dev/video4?fourcc=NM12
// has a buffer for each plane.
struct Way {
  std::string name;
  std::string sensor;
  std::string memory;
  Delivery delivery;
  std::string io;  // how SensorStream::io begins
};

void PrintTo(const Way& way, std::ostream* out) { *out << way.sensor << " on " << way.memory; }

class EveryWay : public testing::TestWithParam<Way> {
 protected:
  static void SetUpTestSuite() {
    for (const char* device : {"/dev/video0", "/dev/video1", "/dev/video4"})
      set_control(device, "OSD Text Mode", 2);  // none: text would cover the bars
  }
};

const Way kWays[] = {
    {"SingleAutoOnDmabuf", "v4l2:/dev/video0", "udmabuf", Delivery::fill,
     "dmabuf (the driver takes"},
    {"SingleAutoOnMemfd", "v4l2:/dev/video0", "memfd", Delivery::fill,
     "userptr (no dmabuf: the slots are memfds, not dma-bufs)"},
    {"SingleUserptrOnDmabuf", "v4l2:/dev/video0?io=userptr", "udmabuf", Delivery::fill,
     "userptr (asked for)"},
    {"SingleMmap", "v4l2:/dev/video0?io=mmap", "memfd", Delivery::lend, "mmap (asked for)"},
    {"MultiAutoOnDmabuf", "v4l2:/dev/video4", "udmabuf", Delivery::fill,
     "dmabuf (the driver takes"},
    {"MultiAutoOnMemfd", "v4l2:/dev/video4", "memfd", Delivery::fill, "userptr"},
    {"MultiMmap", "v4l2:/dev/video4?io=mmap", "udmabuf", Delivery::lend, "mmap"},
    {"SplitAutoOnDmabuf", "v4l2:/dev/video4?fourcc=NM12", "udmabuf", Delivery::fill,
     "userptr (no dmabuf: the format has a buffer for each plane"},
    {"SplitMmap", "v4l2:/dev/video4?fourcc=NM12&io=mmap", "memfd", Delivery::lend, "mmap"},
};

INSTANTIATE_TEST_SUITE_P(V4l2, EveryWay, testing::ValuesIn(kWays),
                         [](const auto& way) { return way.param.name; });

TEST_P(EveryWay, DeliversTheRightPixels) {
  auto camera = Camera::start(GetParam().sensor, {.memory = GetParam().memory});
  ASSERT_TRUE(succeeds(camera));
  EXPECT_EQ((*camera)->stream().delivery, GetParam().delivery);
  EXPECT_EQ((*camera)->stream().io.rfind(GetParam().io, 0), 0u) << (*camera)->stream().io;
  for (int i = 0; i < 10; ++i) {
    auto frame = (*camera)->next();
    ASSERT_TRUE(succeeds(frame));
    EXPECT_TRUE(shows_colour_bars((*camera)->format(), (*camera)->stream().layout,
                                  (*camera)->pixels(*frame)));
    ASSERT_TRUE(succeeds((*camera)->give_back(*std::move(frame))));
  }
}

// Example failure: the driver resolves a slot's fd to the whole arena and writes into slot 0.
TEST_P(EveryWay, WritesIntoItsOwnSlotOnly) {
  auto camera = Camera::start(GetParam().sensor, {.memory = GetParam().memory});
  ASSERT_TRUE(succeeds(camera));
  for (std::size_t k = 0; k < Camera::kArenas; ++k)
    for (std::size_t slot : {0, 2})
      std::fill_n((*camera)->arena(k).slot(slot).data, (*camera)->arena(k).slot_stride(),
                  kUntouched);
  for (std::size_t i = 0; i < 2 * Camera::kArenas; ++i) {
    auto frame = (*camera)->next();
    ASSERT_TRUE(succeeds(frame));
    ASSERT_TRUE(succeeds((*camera)->give_back(*std::move(frame))));
  }
  for (std::size_t k = 0; k < Camera::kArenas; ++k) {
    for (std::size_t slot : {0, 2}) {
      const std::byte* data = (*camera)->arena(k).slot(slot).data;
      EXPECT_TRUE(std::all_of(data, data + (*camera)->arena(k).slot_stride(),
                              [](std::byte byte) { return byte == kUntouched; }))
          << "slot " << slot << " of arena " << k;
    }
  }
}

TEST_P(EveryWay, StartsAgainAfterAStop) {
  for (int round = 0; round < 3; ++round) {
    auto camera = Camera::start(GetParam().sensor, {.memory = GetParam().memory});
    ASSERT_TRUE(succeeds(camera));
    ASSERT_TRUE(succeeds((*camera)->next()));
  }
}

class FilledSlot : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(V4l2, FilledSlot, testing::Values("udmabuf", "memfd"),
                         [](const auto& memory) { return std::string(memory.param); });

TEST_P(FilledSlot, IsTheOneThatTheSensorTells) {
  auto camera = Camera::start("v4l2:/dev/video0", {.memory = GetParam()});
  ASSERT_TRUE(succeeds(camera));
  for (std::size_t round = 0; round < 2; ++round) {
    for (std::size_t k = 0; k < Camera::kArenas; ++k) {
      auto frame = (*camera)->next();
      ASSERT_TRUE(succeeds(frame));
      ASSERT_EQ(frame->arena_index, k);  // drivers that may reorder exist, this one does not
      std::byte* data = (*camera)->arena(k).slot(1).data;
      EXPECT_TRUE(round == 0 || *data != kUntouched);
      *data = kUntouched;
      ASSERT_TRUE(succeeds((*camera)->give_back(*std::move(frame))));
    }
  }
}

class EveryFormat : public testing::TestWithParam<std::tuple<PixelFormat, const char*>> {};

INSTANTIATE_TEST_SUITE_P(V4l2, EveryFormat,
                         testing::Combine(testing::Values(PixelFormat::nv12, PixelFormat::i420,
                                                          PixelFormat::yuy2, PixelFormat::uyvy,
                                                          PixelFormat::rgb, PixelFormat::bgrx,
                                                          PixelFormat::rgba, PixelFormat::gray8),
                                          testing::Values("v4l2:/dev/video0", "v4l2:/dev/video4",
                                                          "v4l2:/dev/video0?io=mmap")),
                         [](const auto& which) {
                           const std::string device = std::get<1>(which.param);
                           return std::string(to_string(std::get<0>(which.param))) +
                                  (device.ends_with("4")   ? "Multi"
                                   : device.ends_with("0") ? "Single"
                                                           : "Mmap");
                         });

TEST_P(EveryFormat, HasItsBytesInOrder) {
  const auto [pixel_format, name] = GetParam();
  set_control(std::string(name).substr(5, 11), "OSD Text Mode", 2);
  for (std::size_t more_stride : {0, 64}) {
    Camera::Config config;
    config.format.pixel_format = pixel_format;
    config.more_stride_bytes = more_stride;
    auto camera = Camera::start(name, config);
    ASSERT_TRUE(succeeds(camera));
    const Layout& layout = (*camera)->stream().layout;
    EXPECT_EQ(layout.planes[0].stride_bytes, layout.planes[0].row_bytes + more_stride);
    auto frame = (*camera)->next();
    ASSERT_TRUE(succeeds(frame));
    EXPECT_TRUE(shows_colour_bars(config.format, layout, (*camera)->pixels(*frame)));
  }
}

// The first stride must not stick: S_FMT is asked for 640 bytes a line after 1280.
TEST(V4l2Stride, IsNotThatOfTheFormatBefore) {
  Camera::Config config;
  config.format.pixel_format = PixelFormat::yuy2;
  ASSERT_TRUE(succeeds(Camera::start("v4l2:/dev/video0", config)));
  auto camera = Camera::start("v4l2:/dev/video0");
  ASSERT_TRUE(succeeds(camera));
  EXPECT_EQ((*camera)->stream().layout.planes[0].stride_bytes, 640u);
}

}  // namespace
}  // namespace lockstep
