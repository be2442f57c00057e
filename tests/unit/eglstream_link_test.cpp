// SPDX-License-Identifier: MIT
// What a camera process and its consumer say to each other; no GPU is needed for that.
#include "sensor/eglstream/link.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>

#include "result_testing.h"
#include "sensor/eglstream/colour.h"

namespace lockstep {
namespace {

struct Pair {
  Pair() {
    int fds[2] = {-1, -1};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    here = UniqueFd(fds[0]);
    there = UniqueFd(fds[1]);
  }
  UniqueFd here;
  UniqueFd there;
};

std::string socket_path() {
  return std::filesystem::temp_directory_path() / ("lockstep-link-" + std::to_string(getpid()));
}

TEST(EglLink, GreetingsAreReadAsTheyWereWritten) {
  for (const PixelFormat format : {PixelFormat::nv12, PixelFormat::p010_10le, PixelFormat::rgba}) {
    const EglGreeting greeting{{format, 1919, 1079, {30000, 1001}},
                               {format, ColourMatrix::bt601, ColourRange::full}};
    const auto read = read_greeting(text_of(greeting));
    ASSERT_TRUE(succeeds(read));
    EXPECT_EQ(*read, greeting);
  }
}

TEST(EglLink, WordsOfGreetingsToComeArePassedOver) {
  const auto read = read_greeting(
      "lockstep-eglstream 1 format=NV12 width=64 height=32 framerate=30/1 lens=wide matrix=bt709 "
      "range=video");
  ASSERT_TRUE(succeeds(read));
  EXPECT_EQ(read->format.width, 64u);
}

TEST(EglLink, WhatIsNoGreetingIsRefused) {
  for (const char* text :
       {"", "lockstep-eglstream", "lockstep-eglstream ", "lockstep-eglstream 1",
        "lockstep-eglstream 2 width=1 height=1", "lockstep-eglstream 1 width=0 height=1",
        "lockstep-eglstream 1 width=16385 height=1", "lockstep-eglstream 1 width=-1 height=1",
        "lockstep-eglstream 1 width=1e3 height=1",
        "lockstep-eglstream 1 width=1 height=1 framerate=30",
        "lockstep-eglstream 1 width=1 height=1 framerate=1/0",
        "lockstep-eglstream 1 width=1 height=1 format=nv12",
        "lockstep-eglstream 1 width=1 height=1 matrix=bt2020",
        "lockstep-eglstream 1 width=1 height=1 range=wide",
        "lockstep-eglstream 1 width=1 height=1 word"})
    EXPECT_TRUE(fails(read_greeting(text), Errc::not_supported, "wanted")) << text;
}

TEST(EglLink, PacketsKeepTheirBordersAndCarryAnFd) {
  Pair pair;
  UniqueFd file(memfd_create("payload", MFD_CLOEXEC));
  ASSERT_EQ(write(file.get(), "abc", 3), 3);
  ASSERT_TRUE(succeeds(send_packet(pair.here.get(), "first", -1)));
  ASSERT_TRUE(succeeds(send_packet(pair.here.get(), "second", file.get())));
  auto first = receive_packet(pair.there.get(), std::chrono::seconds(1));
  ASSERT_TRUE(succeeds(first));
  EXPECT_EQ(first->text, "first");
  EXPECT_FALSE(first->fd);
  auto second = receive_packet(pair.there.get(), std::chrono::seconds(1));
  ASSERT_TRUE(succeeds(second));
  EXPECT_EQ(second->text, "second");
  char text[3] = {};
  ASSERT_EQ(pread(second->fd.get(), text, 3, 0), 3);
  EXPECT_EQ(std::string(text, 3), "abc");
}

TEST(EglLink, AnEndThatHasGoneIsKnown) {
  Pair pair;
  EXPECT_FALSE(has_hung_up(pair.here.get()));
  EXPECT_TRUE(fails(receive_packet(pair.here.get(), Nanoseconds(0)), Errc::timed_out));
  pair.there.reset();
  EXPECT_TRUE(has_hung_up(pair.here.get()));
  auto gone = receive_packet(pair.here.get(), Nanoseconds(0));
  ASSERT_TRUE(succeeds(gone));
  EXPECT_EQ(gone->text, "");
  EXPECT_TRUE(fails(send_packet(pair.here.get(), "word", -1), Errc::device_lost));
}

TEST(EglLink, SocketsOfDeadCamerasAreTakenOverAndThoseOfLivingOnesAreNot) {
  const std::string path = socket_path();
  EXPECT_TRUE(fails(connect_to(path), Errc::not_found, "nobody serves it"));
  {
    auto first = listen_at(path);
    ASSERT_TRUE(succeeds(first));
    EXPECT_TRUE(fails(listen_at(path), Errc::busy, "serves already"));
  }
  // Its file is still there, nobody behind it.
  EXPECT_TRUE(fails(connect_to(path), Errc::not_found, "nobody serves it"));
  EXPECT_TRUE(succeeds(listen_at(path)));
  std::filesystem::remove(path);
}

TEST(EglLink, AFileThatIsNoSocketStays) {
  const std::string path = socket_path();
  std::fclose(std::fopen(path.c_str(), "w"));
  EXPECT_FALSE(listen_at(path));
  EXPECT_TRUE(std::filesystem::is_regular_file(path));
  std::filesystem::remove(path);
  EXPECT_TRUE(fails(listen_at("/" + std::string(200, 'x')), Errc::invalid_argument, "bytes"));
}

TEST(EglMetadata, WhatIsKnownOfAFrameArrivesAsItWas) {
  FrameInfo info;
  info.sequence = 1ull << 40;
  info.captured = {Nanoseconds(123456789), Clock::monotonic};
  info.reference = ReferencePoint::start_of_exposure;
  info.settings = {Nanoseconds(8'000'000), 2, 1.5, 1.25, 0.75, Nanoseconds(33'333'333)};
  info.settings_revision = 7;
  const auto back = info_of(metadata_of(info));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->sequence, info.sequence);
  EXPECT_EQ(back->captured.since_epoch, info.captured.since_epoch);
  EXPECT_EQ(back->captured.clock, Clock::monotonic);
  EXPECT_EQ(back->reference, info.reference);
  EXPECT_EQ(back->settings, info.settings);
  EXPECT_EQ(back->settings_revision, 7u);
}

TEST(EglMetadata, OfAnotherProducerIsNone) {
  EXPECT_FALSE(info_of(EglFrameMetadata{}).has_value());
  EglFrameMetadata odd = metadata_of(FrameInfo{});
  odd.reference = 1000;
  const auto info = info_of(odd);
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->reference, ReferencePoint::unknown);
}

TEST(EglColour, EveryColourThatCanBePresentedIsKnownAgain) {
  for (const PixelFormat format : kPixelFormats)
    for (const ColourMatrix matrix : {ColourMatrix::bt601, ColourMatrix::bt709})
      for (const ColourRange range : {ColourRange::video, ColourRange::full}) {
        const EglColour colour{format, matrix, range};
        const auto name = egl_format_of(colour);
        if (!name) continue;
        EXPECT_EQ(egl_colour_of(*name, format), colour);
      }
}

TEST(EglColour, BothNamesOfNv12AreOne) {
  EXPECT_EQ(egl_colour_of(CU_EGL_COLOR_FORMAT_YUV420_SEMIPLANAR_709, PixelFormat::nv12),
            egl_colour_of(CU_EGL_COLOR_FORMAT_YVU420_SEMIPLANAR_709, PixelFormat::nv12));
  EXPECT_EQ(egl_colour_of(CU_EGL_COLOR_FORMAT_BAYER_RGGB, PixelFormat::nv12), std::nullopt);
}

}  // namespace
}  // namespace lockstep
