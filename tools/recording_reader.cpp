// SPDX-License-Identifier: MIT
#include "recording_reader.h"

#include <fcntl.h>
#include <gst/app/gstappsink.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <fstream>
#include <utility>

namespace lockstep::tools {
namespace {

constexpr GstClockTime kPoll = 100 * GST_MSECOND;
constexpr GstClockTime kPatience = 60 * GST_SECOND;

// Formats whose first plane is brightness, a byte a pixel: nothing is converted if the decoder
// gives one of them.
constexpr const char* kPipeline =
    "filesrc name=file ! decodebin ! videoconvert ! "
    "video/x-raw,format=(string){I420,NV12,GRAY8,YV12,NV21,Y42B,Y444} ! "
    "appsink name=sink sync=false max-buffers=4";

Result<void> check_file(const std::string& path) {
  // Without waiting for somebody to write to a pipe.
  const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return system_error(errno, "open the recording " + path);
  struct stat status {};
  const bool is_file = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
  ::close(fd);
  if (!is_file) return Error{Errc::invalid_argument, 0, "read " + path + ": wanted a file"};
  return {};
}

Owned<GstMessage> pop_error(GstElement* pipeline) {
  const Owned<GstBus> bus(gst_element_get_bus(pipeline));
  return Owned<GstMessage>(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ERROR));
}

}  // namespace

std::uint64_t count_pictures(const std::string& path) {
  const PipelinePtr pipeline(gst_parse_launch(
      "filesrc name=file ! matroskademux ! fakesink name=sink sync=false", nullptr));
  if (!pipeline) return 0;
  const Owned<GstElement> file(gst_bin_get_by_name(GST_BIN(pipeline.get()), "file"));
  g_object_set(file.get(), "location", path.c_str(), nullptr);
  const Owned<GstElement> sink(gst_bin_get_by_name(GST_BIN(pipeline.get()), "sink"));
  const Owned<GstPad> pad(gst_element_get_static_pad(sink.get(), "sink"));
  std::atomic<std::uint64_t> pictures = 0;
  gst_pad_add_probe(
      pad.get(), GST_PAD_PROBE_TYPE_BUFFER,
      [](GstPad*, GstPadProbeInfo*, gpointer count) {
        ++*static_cast<std::atomic<std::uint64_t>*>(count);
        return GST_PAD_PROBE_OK;
      },
      &pictures, nullptr);
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  const Owned<GstBus> bus(gst_element_get_bus(pipeline.get()));
  const Owned<GstMessage> end(gst_bus_timed_pop_filtered(
      bus.get(), kPatience, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR)));
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  return pictures;
}

Result<std::unique_ptr<DecodedPicture>> DecodedPicture::map(Owned<GstSample> sample) {
  std::unique_ptr<DecodedPicture> picture(new DecodedPicture(std::move(sample)));
  GstVideoInfo info;
  GstBuffer* buffer = gst_sample_get_buffer(picture->sample_.get());
  if (!gst_video_info_from_caps(&info, gst_sample_get_caps(picture->sample_.get())) ||
      !gst_video_frame_map(&picture->frame_, &info, buffer, GST_MAP_READ))
    return Error{Errc::io, 0, "map a decoded picture"};
  return picture;
}

LumaView DecodedPicture::luma() const {
  const auto width = static_cast<std::uint32_t>(GST_VIDEO_FRAME_WIDTH(&frame_));
  const auto height = static_cast<std::uint32_t>(GST_VIDEO_FRAME_HEIGHT(&frame_));
  const auto stride = static_cast<std::size_t>(GST_VIDEO_FRAME_PLANE_STRIDE(&frame_, 0));
  const auto* data = static_cast<const std::byte*>(GST_VIDEO_FRAME_PLANE_DATA(&frame_, 0));
  return {{data, stride * (height - 1) + width}, width, height, stride, 1};
}

std::optional<Nanoseconds> DecodedPicture::pts() const {
  const GstClockTime pts = GST_BUFFER_PTS(frame_.buffer);
  if (!GST_CLOCK_TIME_IS_VALID(pts)) return std::nullopt;
  return Nanoseconds(static_cast<Nanoseconds::rep>(pts));
}

Fraction DecodedPicture::framerate() const {
  return {static_cast<std::uint32_t>(GST_VIDEO_INFO_FPS_N(&frame_.info)),
          static_cast<std::uint32_t>(GST_VIDEO_INFO_FPS_D(&frame_.info))};
}

Result<void> DecodedPicture::write_png(const std::string& path) const {
  const Owned<GstCaps> caps(gst_caps_new_empty_simple("image/png"));
  GError* error = nullptr;
  const Owned<GstSample> png(
      gst_video_convert_sample(sample_.get(), caps.get(), kPatience, &error));
  const Owned<GError> error_guard(error);
  if (!png)
    return Error{Errc::not_supported, error->code,
                 std::string("encode a picture as PNG: ") + error->message +
                     "; install gstreamer1.0-plugins-good",
                 ErrorDomain::gstreamer};

  GstBuffer* buffer = gst_sample_get_buffer(png.get());
  GstMapInfo map;
  if (!gst_buffer_map(buffer, &map, GST_MAP_READ))
    return Error{Errc::io, 0, "map an encoded picture"};
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(map.data), static_cast<std::streamsize>(map.size));
  file.close();
  const int os_error = errno;
  gst_buffer_unmap(buffer, &map);
  if (!file) return system_error(os_error, "write the picture " + path);
  return {};
}

RecordingReader::RecordingReader(std::string path, PipelinePtr pipeline)
    : path_(std::move(path)),
      pipeline_(std::move(pipeline)),
      sink_(gst_bin_get_by_name(GST_BIN(pipeline_.get()), "sink")) {}

Result<RecordingReader> RecordingReader::open(const std::string& path) {
  if (auto checked = check_file(path); !checked) return checked.error();
  GError* error = nullptr;
  PipelinePtr pipeline(
      gst_parse_launch_full(kPipeline, nullptr, GST_PARSE_FLAG_FATAL_ERRORS, &error));
  const Owned<GError> error_guard(error);
  if (!pipeline)
    return Error{
        Errc::not_supported, error->code,
        std::string("build a decoder: ") + error->message + "; install gstreamer1.0-plugins-base",
        ErrorDomain::gstreamer};
  const Owned<GstElement> file(gst_bin_get_by_name(GST_BIN(pipeline.get()), "file"));
  g_object_set(file.get(), "location", path.c_str(), nullptr);
  // A failure to start is told on the bus, where next() reads it.
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  return RecordingReader(path, std::move(pipeline));
}

Result<std::unique_ptr<DecodedPicture>> RecordingReader::next() {
  auto* sink = GST_APP_SINK(sink_.get());
  for (GstClockTime waited = 0; waited < kPatience; waited += kPoll) {
    if (Owned<GstSample> sample{gst_app_sink_try_pull_sample(sink, kPoll)})
      return DecodedPicture::map(std::move(sample));
    if (const Owned<GstMessage> message = pop_error(pipeline_.get()))
      return Error{Errc::io, 0,
                   "decode " + path_ + ": wanted a video that GStreamer can play, found: " +
                       message_text(message.get())};
    if (gst_app_sink_is_eos(sink)) return std::unique_ptr<DecodedPicture>();
  }
  return Error{Errc::timed_out, 0, "decode " + path_ + ": the decoder gave nothing for a minute"};
}

}  // namespace lockstep::tools
