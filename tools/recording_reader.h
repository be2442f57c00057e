// SPDX-License-Identifier: MIT
#pragma once

#include <gst/video/video.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gst_handles.h"
#include "lockstep/format.h"
#include "lockstep/painted_code.h"
#include "lockstep/result.h"
#include "lockstep/time.h"

namespace lockstep::tools {

/// One picture out of a file, mapped for reading as long as this object lives.
class DecodedPicture {
 public:
  /// \errors  io  the picture cannot be mapped.
  static Result<std::unique_ptr<DecodedPicture>> map(Owned<GstSample> sample);
  ~DecodedPicture() { gst_video_frame_unmap(&frame_); }
  DecodedPicture(const DecodedPicture&) = delete;
  DecodedPicture& operator=(const DecodedPicture&) = delete;

  LumaView luma() const;
  /// \units ns from the start of the file.
  std::optional<Nanoseconds> pts() const;
  /// As the file says; 0/1 where it does not.
  Fraction framerate() const;

  /// Writes it as PNG.
  ///
  /// \errors  not_supported  GStreamer lacks the encoder.
  ///          io and others  the file cannot be written.
  Result<void> write_png(const std::string& path) const;

 private:
  explicit DecodedPicture(Owned<GstSample> sample) : sample_(std::move(sample)) {}

  Owned<GstSample> sample_;
  GstVideoFrame frame_{};
};

/// How many encoded pictures there are in a Matroska file, which need not be whole: up to where it
/// breaks off.
std::uint64_t count_pictures(const std::string& path);

/// Decodes the video of a file, picture by picture.
class RecordingReader {
 public:
  /// \errors  not_found, permission_denied  the file cannot be opened.
  ///          not_supported                 GStreamer lacks an element; the text names the package.
  static Result<RecordingReader> open(const std::string& path);

  /// The next picture; null at the end.
  ///
  /// \errors  io         the file holds no video, or it is damaged.
  ///          timed_out  the decoder gave nothing for a minute.
  Result<std::unique_ptr<DecodedPicture>> next();

 private:
  RecordingReader(std::string path, PipelinePtr pipeline);

  std::string path_;
  PipelinePtr pipeline_;
  Owned<GstElement> sink_;
};

}  // namespace lockstep::tools
