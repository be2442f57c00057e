// SPDX-License-Identifier: MIT
// What of the V4L2 sensor needs no device.
#include <gtest/gtest.h>
#include <linux/videodev2.h>

#include "result_testing.h"
#include "sensor/backends.h"
#include "sensor/v4l2/format.h"
#include "sensor/v4l2/timing.h"

namespace lockstep {
namespace {

using std::chrono::milliseconds;

V4l2Fourcc named(const char* text) { return v4l2_fourcc_from(text).value(); }

v4l2_format single_planar(std::uint32_t width, std::uint32_t height, std::uint32_t stride,
                          std::uint32_t size) {
  v4l2_format format{};
  format.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
  format.fmt.pix.width = width;
  format.fmt.pix.height = height;
  format.fmt.pix.bytesperline = stride;
  format.fmt.pix.sizeimage = size;
  return format;
}

v4l2_format two_planes(std::uint32_t width, std::uint32_t height, std::uint32_t stride,
                       std::uint32_t luma_size, std::uint32_t chroma_size) {
  v4l2_format format{};
  format.type = V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE;
  v4l2_pix_format_mplane& pix = format.fmt.pix_mp;
  pix.width = width;
  pix.height = height;
  pix.num_planes = 2;
  pix.plane_fmt[0].bytesperline = pix.plane_fmt[1].bytesperline = stride;
  pix.plane_fmt[0].sizeimage = luma_size;
  pix.plane_fmt[1].sizeimage = chroma_size;
  return format;
}

TEST(V4l2Fourcc, OfEveryFormatThereIsAnUnsplitOne) {
  for (PixelFormat format : kPixelFormats) {
    bool found = false;
    for (const V4l2Fourcc& one : v4l2_fourccs())
      found = found || (one.pixel_format == format && !one.split);
    EXPECT_TRUE(found) << to_string(format);
  }
}

// The same letters in another order are other bytes, and RGBX says nothing of its fourth.
TEST(V4l2Fourcc, OfRgbaIsTheOneWithItsBytesInThatOrder) {
  EXPECT_EQ(named("AB24").pixel_format, PixelFormat::rgba);
  for (const char* other : {"AR24", "RA24", "BA24", "XB24", "RGB4"})
    EXPECT_FALSE(v4l2_fourcc_from(other)) << other;
}

struct V4l2ColourCase {
  const char* fourcc;
  std::uint32_t colorspace, encoding, quantization, transfer;
  std::uint32_t height;
  Colorimetry wanted;
};

// By both APIs, whose fields lie elsewhere.
TEST(V4l2Colour, IsWhatTheDriverReports) {
  constexpr auto kVideo = ColourRange::video;
  constexpr auto kFull = ColourRange::full;
  const Colorimetry bt601 = colorimetry_of(ColourMatrix::bt601, kVideo);
  const Colorimetry bt709 = colorimetry_of(ColourMatrix::bt709, kVideo);
  const Colorimetry webcam{kVideo, ColourMatrix::bt601, ColourTransfer::srgb,
                           ColourPrimaries::bt709};
  for (const V4l2ColourCase& one : {
           V4l2ColourCase{"NV12", V4L2_COLORSPACE_SMPTE170M, 0, 0, 0, 1080, bt601},
           {"NV12", V4L2_COLORSPACE_REC709, 0, 0, 0, 480, bt709},
           {"NV12", V4L2_COLORSPACE_SRGB, 0, 0, 0, 1080, webcam},
           {"YUYV",
            V4L2_COLORSPACE_JPEG,
            0,
            0,
            0,
            1080,
            {kFull, ColourMatrix::bt601, ColourTransfer::srgb, ColourPrimaries::bt709}},
           {"YUYV", V4L2_COLORSPACE_SRGB, V4L2_YCBCR_ENC_709, 0, V4L2_XFER_FUNC_709, 480, bt709},
           {"NV12", V4L2_COLORSPACE_REC709, 0, V4L2_QUANTIZATION_FULL_RANGE, 0, 480,
            colorimetry_of(ColourMatrix::bt709, kFull)},
           {"NV12", V4L2_COLORSPACE_JPEG, 0, V4L2_QUANTIZATION_LIM_RANGE, 0, 480, webcam},
           {"P010", V4L2_COLORSPACE_BT2020, 0, 0, 0, 1080,
            colorimetry_of(ColourMatrix::bt2020, kVideo)},
           {"P010",
            V4L2_COLORSPACE_BT2020,
            0,
            0,
            V4L2_XFER_FUNC_SMPTE2084,
            1080,
            {kVideo, ColourMatrix::bt2020, ColourTransfer::smpte2084, ColourPrimaries::bt2020}},
           {"RGB3",
            V4L2_COLORSPACE_SRGB,
            0,
            0,
            0,
            480,
            {kFull, ColourMatrix::bt601, ColourTransfer::srgb, ColourPrimaries::bt709}},
           {"RGB3", V4L2_COLORSPACE_SRGB, 0, V4L2_QUANTIZATION_LIM_RANGE, 0, 480, webcam},
           {"NV12", V4L2_COLORSPACE_DEFAULT, 0, 0, 0, 480, bt601},
           {"NV12", V4L2_COLORSPACE_DEFAULT, 0, 0, 0, 1080, bt709},
           {"NV12", V4L2_COLORSPACE_DEFAULT, 0, V4L2_QUANTIZATION_FULL_RANGE, 0, 1080,
            colorimetry_of(ColourMatrix::bt709, kFull)},
       }) {
    v4l2_format single{};
    single.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    v4l2_pix_format& pix = single.fmt.pix;
    pix.height = one.height;
    pix.colorspace = one.colorspace;
    pix.ycbcr_enc = one.encoding;
    pix.quantization = one.quantization;
    pix.xfer_func = one.transfer;
    v4l2_format multi{};
    multi.type = V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE;
    v4l2_pix_format_mplane& planes = multi.fmt.pix_mp;
    planes.height = one.height;
    planes.colorspace = one.colorspace;
    planes.ycbcr_enc = static_cast<__u8>(one.encoding);
    planes.quantization = static_cast<__u8>(one.quantization);
    planes.xfer_func = static_cast<__u8>(one.transfer);
    for (const v4l2_format& taken : {single, multi})
      EXPECT_EQ(to_string(v4l2_colorimetry(named(one.fourcc), taken)), to_string(one.wanted))
          << one.fourcc << ", colorspace " << one.colorspace;
  }
}

TEST(V4l2Colour, IsPartOfThePicture) {
  v4l2_format taken = single_planar(640, 480, 640, 640 * 720);
  taken.fmt.pix.colorspace = V4L2_COLORSPACE_REC709;
  auto picture = v4l2_picture(named("NV12"), taken);
  ASSERT_TRUE(picture);
  EXPECT_EQ(picture->colorimetry.matrix, ColourMatrix::bt709);
}

TEST(V4l2Fourcc, UnknownOneIsNotFound) { EXPECT_FALSE(v4l2_fourcc_from("MJPG")); }

TEST(V4l2Picture, FollowsTheStrideThatTheDriverTook) {
  auto picture = v4l2_picture(named("NV12"), single_planar(640, 480, 704, 704 * 720 + 100));
  ASSERT_TRUE(picture);
  EXPECT_EQ(picture->layout.planes[1], (Plane{704 * 480, 704, 640, 240}));
  EXPECT_EQ(picture->slot_bytes, 704u * 720 + 100);
  ASSERT_EQ(picture->parts.size(), 1u);
  EXPECT_EQ(picture->parts[0].filled_bytes, 704u * 719 + 640);
}

TEST(V4l2Picture, TooSmallForItsOwnStrideIsNotSupported) {
  EXPECT_TRUE(v4l2_picture(named("NV12"), single_planar(640, 480, 640, 640 * 720)));
  auto picture = v4l2_picture(named("NV12"), single_planar(640, 480, 640, 640 * 720 - 1));
  ASSERT_FALSE(picture);
  EXPECT_EQ(picture.error().code, Errc::not_supported);
  EXPECT_FALSE(v4l2_picture(named("NV12"), single_planar(640, 480, 639, 640 * 720)));
}

TEST(V4l2Picture, PlanesOfASplitFormatStartAtWholePages) {
  auto picture = v4l2_picture(named("NM12"), two_planes(100, 10, 128, 1280, 640));
  ASSERT_TRUE(picture);
  EXPECT_EQ(picture->layout.planes[0], (Plane{0, 128, 100, 10}));
  EXPECT_EQ(picture->layout.planes[1], (Plane{4096, 128, 100, 5}));
  ASSERT_EQ(picture->parts.size(), 2u);
  EXPECT_EQ(picture->parts[1].offset_bytes, 4096u);
  EXPECT_EQ(picture->parts[1].filled_bytes, 128u * 4 + 100);
  EXPECT_EQ(picture->slot_bytes, 8192u);
}

TEST(V4l2Picture, SplitPlaneTooSmallIsNotSupported) {
  EXPECT_FALSE(v4l2_picture(named("NM12"), two_planes(100, 10, 128, 1280, 128 * 4 + 99)));
  EXPECT_FALSE(v4l2_picture(named("NM12"), two_planes(100, 10, 99, 1280, 640)));
}

Result<std::unique_ptr<Sensor>> open_sensor(const std::string& name) {
  auto spec = parse_sensor_spec(name);
  if (!spec) return std::move(spec).error();
  return v4l2_backend()->open(*spec);
}

TEST(V4l2Open, WithoutADeviceIsAnInvalidArgument) {
  EXPECT_TRUE(fails(open_sensor("v4l2"), Errc::invalid_argument, "v4l2:/dev/video0"));
}

TEST(V4l2Open, DeviceThatThereIsNotIsNotFound) {
  EXPECT_TRUE(fails(open_sensor("v4l2:/dev/video999"), Errc::not_found, "open /dev/video999"));
}

TEST(V4l2Open, WhatIsNoV4l2DeviceIsNotSupported) {
  for (const char* name : {"v4l2:/dev/null", "v4l2:/proc/self/exe", "v4l2:/dev"})
    EXPECT_TRUE(fails(open_sensor(name), Errc::not_supported, "this is no V4L2 device")) << name;
}

TEST(V4l2Open, OptionThatThereIsNotIsAnInvalidArgument) {
  EXPECT_TRUE(fails(open_sensor("v4l2:/dev/null?ios=mmap"), Errc::invalid_argument, "io"));
  EXPECT_TRUE(fails(open_sensor("v4l2:/dev/null?io=dma"), Errc::invalid_argument, "userptr"));
  EXPECT_TRUE(fails(open_sensor("v4l2:/dev/null?input=-1"), Errc::invalid_argument, "0 to 255"));
  EXPECT_TRUE(fails(open_sensor("v4l2:/dev/null?input=256"), Errc::invalid_argument, "0 to 255"));
  EXPECT_TRUE(fails(open_sensor("v4l2:/dev/null?fourcc=MJPG"), Errc::invalid_argument, "NV12"));
}

TEST(V4l2Sequence, BeginsWithTheDriversNumber) {
  V4l2Sequence sequence;
  const auto [number, skipped] = sequence.next(7);
  EXPECT_EQ(number, 7u);
  EXPECT_EQ(skipped, 0u);
}

TEST(V4l2Sequence, CountsAGapAsSkipped) {
  V4l2Sequence sequence;
  sequence.next(7);
  const auto [number, skipped] = sequence.next(10);
  EXPECT_EQ(number, 10u);
  EXPECT_EQ(skipped, 2u);
}

TEST(V4l2Sequence, GoesOnBeyond32Bits) {
  V4l2Sequence sequence;
  sequence.next(0xfffffffe);
  const auto [number, skipped] = sequence.next(1);
  EXPECT_EQ(number, 0x100000001u);
  EXPECT_EQ(skipped, 2u);
}

TEST(V4l2Sequence, NeverStandsStillOrGoesBack) {
  V4l2Sequence sequence;
  for (std::uint32_t number : {0u, 0u, 0u, 5u, 3u}) sequence.next(number);
  EXPECT_EQ(sequence.next(3).sequence, 9u);  // 0 1 2 7 8 9
}

TEST(V4l2Sequence, ANewStreamIsNoGap) {
  V4l2Sequence sequence;
  sequence.next(0);
  sequence.restart();
  const auto [number, skipped] = sequence.next(20);
  EXPECT_EQ(number, 1u);
  EXPECT_EQ(skipped, 0u);
}

TEST(V4l2Stamp, NamesTheMomentThatTheDriverDeclares) {
  const std::uint32_t monotonic = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
  const V4l2Stamp start =
      v4l2_stamp(monotonic | V4L2_BUF_FLAG_TSTAMP_SRC_SOE, milliseconds(3), milliseconds(9));
  EXPECT_EQ(start.reference, ReferencePoint::start_of_exposure);
  EXPECT_EQ(start.captured.since_epoch, milliseconds(3));
  EXPECT_EQ(start.captured.clock, Clock::monotonic);
  const V4l2Stamp end = v4l2_stamp(monotonic | V4L2_BUF_FLAG_TSTAMP_SRC_EOF, {}, {});
  EXPECT_EQ(end.reference, ReferencePoint::end_of_frame);
}

TEST(V4l2Stamp, OnAnUnknownClockIsReplacedByTheTimeOfArrival) {
  for (std::uint32_t flags : {V4L2_BUF_FLAG_TIMESTAMP_UNKNOWN, V4L2_BUF_FLAG_TIMESTAMP_COPY}) {
    const V4l2Stamp stamp = v4l2_stamp(flags, milliseconds(3), milliseconds(9));
    EXPECT_EQ(stamp.reference, ReferencePoint::arrival);
    EXPECT_EQ(stamp.captured.since_epoch, milliseconds(9));
    EXPECT_EQ(stamp.captured.clock, Clock::monotonic);
  }
}

}  // namespace
}  // namespace lockstep
