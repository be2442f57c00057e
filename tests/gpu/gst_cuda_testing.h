// SPDX-License-Identifier: MIT
#pragma once

#include <gst/cuda/gstcuda.h>
#include <gst/lockstep/gstlockstepbatchmeta.h>
#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "lockstep/format.h"
#include "lockstep/mosaic.h"
#include "lockstep/painted_code.h"
#include "pipeline.h"

namespace lockstep {

using Bytes = std::vector<std::byte>;

constexpr Format kFrame{PixelFormat::nv12, 320, 240, {30, 1}};
constexpr int kNumSensors = 4;
inline GstVideoInfo info_of(const Format& format) {
  GstVideoInfo info;
  gst_video_info_set_format(&info, gst_video_format_from_string(to_string(format.pixel_format)),
                            format.width, format.height);
  return info;
}

/// The pixels without what may lie between rows, by a map of the CPU: GStreamer's default layout at widths of whole 4 pixels.
inline Bytes pixels_of(GstBuffer* buffer, const Format& format) {
  const GstVideoInfo info = info_of(format);
  Bytes bytes;
  MappedFrame mapped(info, buffer, GST_MAP_READ);
  EXPECT_TRUE(mapped) << "map a frame for the CPU";
  if (!mapped) return bytes;
  for (guint plane = 0; plane < GST_VIDEO_INFO_N_PLANES(&info); ++plane) {
    guint component = 0;
    while (GST_VIDEO_INFO_COMP_PLANE(&info, component) != plane) ++component;
    const auto row_bytes = static_cast<std::size_t>(GST_VIDEO_INFO_COMP_WIDTH(&info, component) *
                                                    GST_VIDEO_INFO_COMP_PSTRIDE(&info, component));
    const auto* row = static_cast<const std::byte*>(GST_VIDEO_FRAME_PLANE_DATA(&*mapped, plane));
    for (int y = 0; y < GST_VIDEO_INFO_COMP_HEIGHT(&info, component); ++y) {
      bytes.insert(bytes.end(), row, row + row_bytes);
      row += GST_VIDEO_FRAME_PLANE_STRIDE(&*mapped, plane);
    }
  }
  return bytes;
}

inline Bytes all_of(GstBuffer* buffer) {
  GstMapInfo map;
  const bool mapped = gst_buffer_map(buffer, &map, GST_MAP_READ);
  EXPECT_TRUE(mapped);
  if (!mapped) return {};
  const auto* begin = reinterpret_cast<const std::byte*>(map.data);
  Bytes bytes(begin, begin + map.size);
  gst_buffer_unmap(buffer, &map);
  return bytes;
}

inline std::optional<PaintedCode> code_in(const Bytes& pixels, const Format& format,
                                          const Rectangle& part) {
  const auto layout = default_layout(format.pixel_format, format.width, format.height);
  if (!layout || pixels.size() < layout->size_bytes) return std::nullopt;
  LumaView luma = luma_of(format, *layout, pixels);
  luma.bytes = luma.bytes.subspan(part.y * luma.stride_bytes + part.x * luma.pixel_bytes);
  luma.width = part.width;
  luma.height = part.height;
  return read_code(luma);
}

inline std::optional<PaintedCode> code_in(const Bytes& pixels, const Format& format) {
  return code_in(pixels, format, {0, 0, format.width, format.height});
}

inline bool is_on_gpu(GstBuffer* buffer) {
  return buffer && gst_buffer_n_memory(buffer) == 1 &&
         gst_is_cuda_memory(gst_buffer_peek_memory(buffer, 0));
}

inline GstLockstepBatchMeta* meta_of(GstBuffer* batch) {
  return gst_buffer_get_lockstep_batch_meta(batch);
}

inline std::string caps_text(const Format& format) {
  return " ! video/x-raw(ANY),format=" + std::string(to_string(format.pixel_format)) +
         ",width=" + std::to_string(format.width) + ",height=" + std::to_string(format.height) +
         ",framerate=30/1 ";
}

inline std::string source(const std::string& memory, int num_buffers,
                          const std::string& options = "", const std::string& more = "",
                          const Format& format = kFrame) {
  return virtual_source(options, kNumSensors, num_buffers, "memory=" + memory + " " + more) +
         caps_text(format);
}

constexpr Format mosaic_of(const Format& frame) {
  return {frame.pixel_format, 2 * frame.width, 2 * frame.height, frame.framerate};
}

/// What comes to the end of a pipeline, and the states of the slots.
struct Shown {
  std::vector<Bytes> mosaics;
  std::vector<std::string> states;  // A letter for each slot: f, r or m.
};

inline Shown play(const std::string& line, const Format& mosaic) {
  Shown shown;
  Pipeline pipeline(line, [&](GstBuffer* buffer) {
    shown.mosaics.push_back(pixels_of(buffer, mosaic));
    std::string states;
    if (const auto* meta = meta_of(buffer)) {
      for (guint slot = 0; slot < meta->n_frames; ++slot) states += "mfr"[meta->frames[slot].state];
    }
    shown.states.push_back(states);
  });
  EXPECT_EQ(pipeline.parse_error, "");
  if (pipeline.parse_error.empty()) pipeline.play_to_end();
  return shown;
}

/// The most that two pictures differ by, in steps of 8 bits, or 10; BGRx's fourth byte is nobody's.
inline int largest_difference(const Bytes& a, const Bytes& b, PixelFormat format) {
  if (a.size() != b.size()) return 1024;
  const bool ten_bits = format == PixelFormat::p010_10le;
  const auto sample = [ten_bits](const Bytes& bytes, std::size_t at) {
    const int low = std::to_integer<int>(bytes[at]);
    return ten_bits ? (low | std::to_integer<int>(bytes[at + 1]) << 8) >> 6 : low;
  };
  int most = 0;
  for (std::size_t i = 0; i < a.size(); i += ten_bits ? 2 : 1) {
    if (format == PixelFormat::bgrx && i % 4 == 3) continue;
    most = std::max(most, std::abs(sample(a, i) - sample(b, i)));
  }
  return most;
}

}  // namespace lockstep
