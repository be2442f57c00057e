// SPDX-License-Identifier: MIT
//
// A missing slot goes on showing its last frame. Holding on to that frame would keep a slot, and
// with it a whole arena, from the sensors; so it is taken from the last mosaic, to which a
// reference is kept. Who draws into mosaics downstream therefore draws into a copy.
#include "gstlockstepmosaic.h"

#include <algorithm>
#include <string>
#include <utility>

namespace lockstep {
namespace {

constexpr double kMaxNaturalWidth = 1920;
constexpr double kMaxNaturalHeight = 1080;

// Nearest even number of pixels, at least 2: mosaics are mostly encoded with halved chroma.
gint even(double length) { return std::max(2, 2 * static_cast<gint>(length / 2 + 0.5)); }

// The last even pixel that leaves at least `part` of `length` behind it, or all of it.
std::uint32_t before_end(std::uint32_t length, std::uint32_t part) {
  return (length - std::min(length, part)) & ~1u;
}

void mark(const PictureView& tile, const Colour& colour, bool with_bars) {
  for (const Rectangle& part : marks_of(tile.width, tile.height, with_bars))
    fill(crop(tile, part), colour);
}

template <typename T>
std::string size_text(T width, T height) {
  return std::to_string(width) + "x" + std::to_string(height);
}

}  // namespace

std::vector<Rectangle> marks_of(std::uint32_t width, std::uint32_t height, bool with_bars) {
  const std::uint32_t thickness = std::max(2u, height / 64);
  const std::uint32_t square = before_end(width, 4 * thickness);
  std::vector<Rectangle> marks{{square, 0, width - square, std::min(height, 4 * thickness)}};
  if (!with_bars) return marks;
  const std::uint32_t right = before_end(width, thickness);
  const std::uint32_t bottom = before_end(height, thickness);
  marks.push_back({right, 0, width - right, height});
  marks.push_back({0, bottom, width, height - bottom});
  return marks;
}

bool is_missing(const GstLockstepFrame* frame) {
  return !frame || frame->state == GST_LOCKSTEP_FRAME_MISSING || !frame->buffer;
}

Result<Size> mosaic_size(const BatchInfo& batch, const MosaicSettings& settings) {
  Size size{static_cast<gint>(settings.width), static_cast<gint>(settings.height)};
  auto grid = grid_for(batch.batch_size, {settings.rows, settings.columns});
  if (!grid) return std::move(grid).error();
  const double width = double(grid->columns) * GST_VIDEO_INFO_WIDTH(&batch.frame);
  const double height = double(grid->rows) * GST_VIDEO_INFO_HEIGHT(&batch.frame);
  const double shrink = std::min({1.0, kMaxNaturalWidth / width, kMaxNaturalHeight / height});
  if (size.width == 0 && size.height == 0) return Size{even(width * shrink), even(height * shrink)};
  if (size.width == 0) size.width = even(width * size.height / height);
  if (size.height == 0) size.height = even(height * size.width / width);
  return size;
}

Result<MosaicPlan> plan_mosaic(const BatchInfo& batch, const GstVideoInfo& mosaic,
                               const MosaicSettings& settings) {
  const auto width = static_cast<std::uint32_t>(GST_VIDEO_INFO_WIDTH(&mosaic));
  const auto height = static_cast<std::uint32_t>(GST_VIDEO_INFO_HEIGHT(&mosaic));
  auto grid = grid_for(batch.batch_size, {settings.rows, settings.columns});
  if (!grid) return std::move(grid).error();
  if (settings.show_slot >= static_cast<gint>(batch.batch_size)) {
    return Error{Errc::invalid_argument, 0,
                 "show slot " + std::to_string(settings.show_slot) +
                     " of a batch with slots 0 to " + std::to_string(batch.batch_size - 1) +
                     "; set show-slot to one of them or -1"};
  }
  const bool all = settings.show_slot < 0;
  if (all && (width < 2 * grid->columns || height < 2 * grid->rows)) {
    return Error{Errc::invalid_argument, 0,
                 "lay out " + size_text(grid->columns, grid->rows) + " tiles in " +
                     size_text(width, height) + " pixels; ask for at least " +
                     size_text(2 * grid->columns, 2 * grid->rows)};
  }
  MosaicPlan plan;
  if (all) {
    for (guint slot = 0; slot < grid->rows * grid->columns; slot++) {
      const Rectangle place = tile_of(slot, *grid, width, height);
      if (slot < batch.batch_size) {
        plan.tiles.push_back({slot, place});
      } else {
        plan.empty.push_back(place);
      }
    }
  } else {
    plan.tiles.push_back({static_cast<guint>(settings.show_slot), {0, 0, width, height}});
  }
  return plan;
}

void MosaicPainter::configure(const BatchInfo& batch, const GstVideoInfo& mosaic, MosaicPlan plan) {
  plan_ = std::move(plan);
  frame_info_ = batch.frame;
  mosaic_info_ = mosaic;
  if (last_.buffer && GST_VIDEO_INFO_FORMAT(&last_.info) != GST_VIDEO_INFO_FORMAT(&mosaic))
    forget();
}

Result<void> MosaicPainter::paint_frame(const GstLockstepFrame& frame, const PictureView& tile) {
  const MappedFrame mapped(frame_info_, frame.buffer, GST_MAP_READ);
  if (!mapped) {
    return Error{
        Errc::io, 0,
        "map the frame of slot " + std::to_string(frame.sensor) + " to read it as " +
            size_text(GST_VIDEO_INFO_WIDTH(&frame_info_), GST_VIDEO_INFO_HEIGHT(&frame_info_))};
  }
  scaler_.scale(picture_of(*mapped), tile);
  if (frame.state == GST_LOCKSTEP_FRAME_REPEATED) mark(tile, kAmber, false);
  return {};
}

void MosaicPainter::paint_missing(guint slot, const PictureView& tile) {
  const auto last = std::find_if(last_.tiles.begin(), last_.tiles.end(),
                                 [&](const auto& candidate) { return candidate.slot == slot; });
  if (last == last_.tiles.end()) {
    fill(tile, kBlack);
  } else if (const MappedFrame mapped(last_.info, last_.buffer.get(), GST_MAP_READ); mapped) {
    scaler_.scale(crop(picture_of(*mapped), last->place), tile);
  }
  mark(tile, kRed, true);
}

Result<void> MosaicPainter::paint(const GstLockstepBatchMeta& batch, GstBuffer* mosaic) {
  const MappedFrame mapped(mosaic_info_, mosaic, GST_MAP_WRITE);
  if (!mapped) return Error{Errc::io, 0, "map the mosaic to draw it"};
  const PictureView picture = picture_of(*mapped);
  for (const MosaicPlan::Tile& tile : plan_.tiles) {
    const auto* frame = tile.slot < batch.n_frames ? &batch.frames[tile.slot] : nullptr;
    const PictureView place = crop(picture, tile.place);
    if (is_missing(frame)) {
      paint_missing(tile.slot, place);
    } else if (auto painted = paint_frame(*frame, place); !painted) {
      return painted;
    }
  }
  for (const Rectangle& place : plan_.empty) fill(crop(picture, place), kBlack);
  last_ = {BufferPtr(gst_buffer_ref(mosaic)), mosaic_info_, plan_.tiles};
  return {};
}

}  // namespace lockstep
