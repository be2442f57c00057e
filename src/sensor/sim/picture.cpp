// SPDX-License-Identifier: MIT
#include "sensor/sim/picture.h"

#include <cstring>

#include "lockstep/painted_code.h"

namespace lockstep {
namespace {

PaintedCode code_of(const FrameInfo& info) {
  PaintedCode code;
  code.sensor = static_cast<std::uint8_t>(info.sensor);
  code.sequence = static_cast<std::uint32_t>(info.sequence);
  code.captured_us = static_cast<std::uint64_t>(info.captured.since_epoch.count() / 1000);
  code.settings_revision = static_cast<std::uint16_t>(info.settings_revision);
  return code;
}

void stamp(const FrameInfo& info, std::span<std::byte> slot) {
  const SimStamp stamp{info.sensor, info.settings_revision, info.sequence,
                       info.captured.since_epoch.count()};
  std::memcpy(slot.data(), &stamp, std::min(sizeof stamp, slot.size()));
}

// The same byte all over is a grey in every format: half of a sample's range, without colour.
void fill_grey(const Layout& layout, std::span<std::byte> slot) {
  std::memset(slot.data(), 128, layout.size_bytes);
}

}  // namespace

SimPicture::SimPicture(const SimOptions& options, std::uint32_t sensor, const Format& format,
                       const Layout& layout)
    : render_(options.render), format_(format), layout_(layout) {
  if (render_ == SimRender::full) scene_.emplace(options, sensor, format, layout);
}

void SimPicture::draw(const SimShot& shot, std::span<std::byte> slot) {
  switch (render_) {
    case SimRender::stamp:
      stamp(shot.info, slot);
      return;
    case SimRender::full:
      scene_->draw(shot, slot);
      break;
    case SimRender::code:
      fill_grey(layout_, slot);
      break;
  }
  paint_code(code_of(shot.info), format_, layout_, slot);
}

}  // namespace lockstep
