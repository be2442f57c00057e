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

// The widest pixels of a batch: frames with narrower ones are narrower than their tiles.
double widest_pixels(const BatchInfo& batch) {
  double widest = 0;
  for (const GstVideoInfo& slot : batch.slots) widest = std::max(widest, pixel_aspect_of(slot));
  return widest;
}

bool has_same_pixels(const GstVideoInfo& a, const GstVideoInfo& b) {
  return gst_util_fraction_compare(GST_VIDEO_INFO_PAR_N(&a), GST_VIDEO_INFO_PAR_D(&a),
                                   GST_VIDEO_INFO_PAR_N(&b), GST_VIDEO_INFO_PAR_D(&b)) == 0;
}

// Adds a tile with the frame of a slot in its middle, `share` of it wide, and what is left of it.
void add_tile(MosaicPlan& plan, guint slot, const Rectangle& tile, double share) {
  Rectangle place = tile;
  if (share < 1) {
    const double width = tile.width * share;
    place.width = std::min(tile.width, static_cast<std::uint32_t>(even(width)));
    place.x += (tile.width - place.width) / 2 & ~1u;
    const std::uint32_t end = place.x + place.width;
    if (place.x > tile.x) plan.empty.push_back({tile.x, tile.y, place.x - tile.x, tile.height});
    if (end < tile.x + tile.width)
      plan.empty.push_back({end, tile.y, tile.x + tile.width - end, tile.height});
  }
  plan.tiles.push_back({slot, place, std::nullopt});
}

// Has tiles converted whose frames' samples mean something else than the mosaic's.
void plan_colours(MosaicPlan& plan, const BatchInfo& batch, const GstVideoInfo& mosaic) {
  for (MosaicPlan::Tile& tile : plan.tiles) {
    const GstVideoInfo& frame = batch.slots[tile.slot];
    tile.recolouring = Recolouring::between(frame, mosaic);
    const std::string left = beyond_recolouring(frame.colorimetry, mosaic.colorimetry);
    if (left.empty()) continue;
    plan.warnings.push_back("convert the " + left + " of slot " + std::to_string(tile.slot) + ", " +
                            to_string(frame.colorimetry) + ", to " + to_string(mosaic.colorimetry) +
                            ": only matrix and range are converted; put videoconvert with "
                            "primaries-mode=fast and gamma-mode=remap before its pad where that "
                            "matters");
  }
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

bool can_show_again(const GstVideoInfo& last, const GstVideoInfo& mosaic) {
  return GST_VIDEO_INFO_FORMAT(&last) == GST_VIDEO_INFO_FORMAT(&mosaic) &&
         gst_video_colorimetry_is_equal(&last.colorimetry, &mosaic.colorimetry);
}

bool is_missing(const GstLockstepFrame* frame) {
  return !frame || frame->state == GST_LOCKSTEP_FRAME_MISSING || !frame->buffer;
}

double pixel_aspect_of(const GstVideoInfo& info) {
  return double(GST_VIDEO_INFO_PAR_N(&info)) / GST_VIDEO_INFO_PAR_D(&info);
}

GstVideoInfo natural_info(const BatchInfo& batch) {
  GstVideoInfo info = batch.slots.front();
  const bool alike =
      std::all_of(batch.slots.begin(), batch.slots.end(),
                  [&](const GstVideoInfo& slot) { return has_same_pixels(slot, info); });
  if (!alike) GST_VIDEO_INFO_PAR_N(&info) = GST_VIDEO_INFO_PAR_D(&info) = 1;
  return info;
}

Result<Size> mosaic_size(const BatchInfo& batch, const MosaicSettings& settings,
                         double pixel_aspect) {
  Size size{static_cast<gint>(settings.width), static_cast<gint>(settings.height)};
  auto grid = grid_for(batch.batch_size, {settings.rows, settings.columns});
  if (!grid) return std::move(grid).error();
  const double width = double(grid->columns) * GST_VIDEO_INFO_WIDTH(&batch.frame) *
                       widest_pixels(batch) / pixel_aspect;
  const double height = double(grid->rows) * GST_VIDEO_INFO_HEIGHT(&batch.frame);
  // In display size, that is of square pixels as high as these.
  const double shrink =
      std::min({1.0, kMaxNaturalWidth / (width * pixel_aspect), kMaxNaturalHeight / height});
  const auto fit = [](double length, std::uint32_t tiles) {
    return std::max(std::min(even(length), static_cast<gint>(kMaxSide)),
                    2 * static_cast<gint>(tiles));
  };
  const bool both_open = size.width == 0 && size.height == 0;
  const double by = both_open         ? shrink
                    : size.width == 0 ? size.height / height
                                      : size.width / width;
  if (size.width == 0) size.width = fit(width * by, grid->columns);
  if (size.height == 0) size.height = fit(height * by, grid->rows);
  return size;
}

Result<MosaicPlan> plan_mosaic(const BatchInfo& batch, const GstVideoInfo& mosaic,
                               const MosaicSettings& settings) {
  const auto width = static_cast<std::uint32_t>(GST_VIDEO_INFO_WIDTH(&mosaic));
  const auto height = static_cast<std::uint32_t>(GST_VIDEO_INFO_HEIGHT(&mosaic));
  auto grid = grid_for(batch.batch_size, {settings.rows, settings.columns});
  if (!grid) return std::move(grid).error();
  MosaicPlan plan;
  const bool beyond = settings.show_slot >= static_cast<gint>(batch.batch_size);
  if (beyond)
    plan.warnings.push_back("show slot " + std::to_string(settings.show_slot) +
                            " of a batch with slots 0 to " + std::to_string(batch.batch_size - 1) +
                            ": all are shown; set show-slot to one of them or -1");
  const bool all = settings.show_slot < 0 || beyond;
  if (all && (width < 2 * grid->columns || height < 2 * grid->rows)) {
    return Error{Errc::invalid_argument, 0,
                 "lay out " + size_text(grid->columns, grid->rows) + " tiles in " +
                     size_text(width, height) + " pixels; ask for at least " +
                     size_text(2 * grid->columns, 2 * grid->rows)};
  }
  const double widest = widest_pixels(batch);
  const auto share = [&](guint slot) { return pixel_aspect_of(batch.slots[slot]) / widest; };
  if (all) {
    for (guint slot = 0; slot < grid->rows * grid->columns; slot++) {
      const Rectangle place = tile_of(slot, *grid, width, height);
      if (slot < batch.batch_size) {
        add_tile(plan, slot, place, share(slot));
      } else {
        plan.empty.push_back(place);
      }
    }
  } else {
    const auto slot = static_cast<guint>(settings.show_slot);
    add_tile(plan, slot, {0, 0, width, height}, share(slot));
  }
  plan_colours(plan, batch, mosaic);
  return plan;
}

void MosaicPainter::configure(const BatchInfo& batch, const GstVideoInfo& mosaic, MosaicPlan plan) {
  plan_ = std::move(plan);
  frame_info_ = batch.frame;
  mosaic_info_ = mosaic;
  if (last_.buffer && !can_show_again(last_.info, mosaic)) forget();
}

void MosaicPainter::mark(const PictureView& place, const Colour& colour, bool with_bars) const {
  const ColourSamples samples = samples_of(colour, mosaic_info_);
  for (const Rectangle& part : marks_of(place.width, place.height, with_bars))
    fill(crop(place, part), samples);
}

Result<void> MosaicPainter::paint_frame(const GstLockstepFrame& frame, const MosaicPlan::Tile& tile,
                                        const PictureView& place) {
  const MappedFrame mapped(frame_info_, frame.buffer, GST_MAP_READ);
  if (!mapped) {
    return Error{
        Errc::io, 0,
        "map the frame of slot " + std::to_string(frame.sensor) + " to read it as " +
            size_text(GST_VIDEO_INFO_WIDTH(&frame_info_), GST_VIDEO_INFO_HEIGHT(&frame_info_))};
  }
  scaler_.scale(picture_of(*mapped), place);
  if (tile.recolouring) tile.recolouring->apply(place);
  if (frame.state == GST_LOCKSTEP_FRAME_REPEATED) mark(place, kAmber, false);
  return {};
}

void MosaicPainter::paint_missing(guint slot, const PictureView& place) {
  const auto last = std::find_if(last_.tiles.begin(), last_.tiles.end(),
                                 [&](const auto& candidate) { return candidate.slot == slot; });
  if (last == last_.tiles.end()) {
    fill(place, samples_of(kBlack, mosaic_info_));
  } else if (const MappedFrame mapped(last_.info, last_.buffer.get(), GST_MAP_READ); mapped) {
    scaler_.scale(crop(picture_of(*mapped), last->place), place);
  }
  mark(place, kRed, true);
}

Result<void> MosaicPainter::paint(const GstLockstepBatchMeta& batch, GstBuffer* mosaic) {
  // What is converted is converted where it was drawn.
  const bool reads = std::any_of(plan_.tiles.begin(), plan_.tiles.end(),
                                 [](const auto& tile) { return tile.recolouring.has_value(); });
  const MappedFrame mapped(mosaic_info_, mosaic, reads ? GST_MAP_READWRITE : GST_MAP_WRITE);
  if (!mapped) return Error{Errc::io, 0, "map the mosaic to draw it"};
  const PictureView picture = picture_of(*mapped);
  for (const MosaicPlan::Tile& tile : plan_.tiles) {
    const auto* frame = tile.slot < batch.n_frames ? &batch.frames[tile.slot] : nullptr;
    const PictureView place = crop(picture, tile.place);
    if (is_missing(frame)) {
      paint_missing(tile.slot, place);
    } else if (auto painted = paint_frame(*frame, tile, place); !painted) {
      return painted;
    }
  }
  const ColourSamples black = samples_of(kBlack, mosaic_info_);
  for (const Rectangle& place : plan_.empty) fill(crop(picture, place), black);
  last_ = {BufferPtr(gst_buffer_ref(mosaic)), mosaic_info_, plan_.tiles};
  return {};
}

}  // namespace lockstep
