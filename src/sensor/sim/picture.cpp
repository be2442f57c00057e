// SPDX-License-Identifier: MIT
#include "sensor/sim/picture.h"

#include <cstring>

#include "lockstep/painted_code.h"

namespace lockstep {
namespace {

PaintedCode code_of(const SimShot& shot) {
  PaintedCode code;
  code.sensor = static_cast<std::uint8_t>(shot.info.sensor);
  code.sequence = static_cast<std::uint32_t>(shot.info.sequence);
  code.captured_us = static_cast<std::uint64_t>(shot.info.captured.since_epoch.count() / 1000);
  code.settings_revision = static_cast<std::uint16_t>(shot.settings_revision);
  return code;
}

void stamp(const SimShot& shot, std::span<std::byte> slot) {
  SimStamp stamp;
  stamp.sensor = shot.info.sensor;
  stamp.settings_revision = shot.settings_revision;
  stamp.sequence = shot.info.sequence;
  stamp.captured_ns = shot.info.captured.since_epoch.count();
  stamp.exposed_ns = shot.exposed.count();
  stamp.exposure_ns = shot.settings.exposure.count();
  stamp.frame_duration_ns = shot.settings.frame_duration.count();
  stamp.analogue_gain = shot.settings.analogue_gain;
  stamp.digital_gain = shot.settings.digital_gain;
  stamp.red_gain = shot.settings.red_gain;
  stamp.blue_gain = shot.settings.blue_gain;
  std::memcpy(slot.data(), &stamp, std::min(sizeof stamp, slot.size()));
}

// The same byte all over is a grey in every format: half of a sample's range, without colour. Alpha alone is no colour.
void fill_grey(const Layout& layout, PixelFormat format, std::span<std::byte> slot) {
  std::memset(slot.data(), 128, layout.size_bytes);
  if (format != PixelFormat::rgba) return;
  const Plane& plane = layout.planes[0];
  for (std::size_t row = 0; row < plane.rows; ++row) {
    const std::size_t begin = plane.offset_bytes + row * plane.stride_bytes;
    for (std::size_t x = 3; x < plane.row_bytes; x += 4) slot[begin + x] = std::byte{255};
  }
}

}  // namespace

SimPicture::SimPicture(const SimOptions& options, std::uint32_t sensor, const Format& format,
                       const Layout& layout)
    : render_(options.render), format_(format), layout_(layout) {
  const bool draws_scene = render_ == SimRender::full || render_ == SimRender::scene;
  if (draws_scene) scene_.emplace(options, sensor, format, layout);
}

void SimPicture::draw(const SimShot& shot, std::span<std::byte> slot) {
  switch (render_) {
    case SimRender::stamp:
      stamp(shot, slot);
      return;
    case SimRender::scene:
      scene_->draw(shot, slot);
      return;
    case SimRender::full:
      scene_->draw(shot, slot);
      break;
    case SimRender::code:
      fill_grey(layout_, format_.pixel_format, slot);
      break;
  }
  paint_code(code_of(shot), format_, layout_, slot);
}

}  // namespace lockstep
