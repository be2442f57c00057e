// SPDX-License-Identifier: MIT
#pragma once

#include <gst/lockstep/gstlockstepbatchmeta.h>

#include <optional>
#include <string>
#include <vector>

#include "gstlockstepcaps.h"
#include "gstlockstepcolour.h"
#include "gstlockstephandles.h"
#include "gstlockstepscaler.h"
#include "lockstep/mosaic.h"
#include "lockstep/result.h"

namespace lockstep {

/// What a user asks of a mosaic.
struct MosaicSettings {
  guint rows = 0;       ///< 0: as square as possible.
  guint columns = 0;    ///< 0: as square as possible.
  guint width = 0;      ///< 0: as downstream wants, or mosaic_size(). \units pixels
  guint height = 0;     ///< 0: as downstream wants, or mosaic_size(). \units pixels
  gint show_slot = -1;  ///< The one slot to show, -1 for all.

  friend bool operator==(const MosaicSettings&, const MosaicSettings&) = default;
};

/// \units pixels.
struct Size {
  gint width = 0;
  gint height = 0;
};

/// How wide a pixel is, of its height.
double pixel_aspect_of(const GstVideoInfo& info);

/// The info of the slot that mosaics take colorimetry, chroma site and pixel aspect ratio after where downstream leaves them
/// open: the first. Where pixel aspect ratios differ pixels become square.
GstVideoInfo natural_info(const BatchInfo& batch);

/// The size that a mosaic has where downstream leaves it open: frames side by side as large as they are displayed, shrunk
/// to fit into 1920x1080, or as the settings say; with pixels of that aspect, and room for every tile.
Result<Size> mosaic_size(const BatchInfo& batch, const MosaicSettings& settings,
                         double pixel_aspect);

/// Where everything of a mosaic is.
struct MosaicPlan {
  struct Tile {
    guint slot = 0;
    Rectangle place;
    std::optional<Recolouring> recolouring;  ///< Of frames whose samples mean something else.
  };
  std::vector<Tile> tiles;
  std::vector<Rectangle> empty;  ///< Tiles of the grid that no slot is drawn in, and parts of such.
  std::vector<std::string> warnings;  ///< In what the mosaic will not be as asked, for users.
};

/// A frame fills its tile. Where the pixels of some are narrower than those of others it has their share of the width, in the
/// middle. A slot to show that is not in the batch shows all, with a warning.
///
/// \errors  invalid_argument  a grid with too few tiles, a picture with less than two pixels a
///                            tile.
Result<MosaicPlan> plan_mosaic(const BatchInfo& batch, const GstVideoInfo& mosaic,
                               const MosaicSettings& settings);

/// What marks a tile of that size as old: a square in the upper right, and where the slot is
/// missing bars along the right and the bottom. The upper left, where painted codes are, stays
/// readable. \shape within the tile, from even pixels on.
std::vector<Rectangle> marks_of(std::uint32_t width, std::uint32_t height, bool with_bars);

/// Whether a slot has nothing to show. `frame` may be null.
bool is_missing(const GstLockstepFrame* frame);

/// Whether what was drawn in one mosaic can be taken over into another as it is.
bool can_show_again(const GstVideoInfo& last, const GstVideoInfo& mosaic);

/// Draws batches as mosaics.
///
/// \thread  one caller at a time.
class MosaicPainter {
 public:
  /// Takes up a new layout. The last mosaic stays of use if it is of the same pixel format and colorimetry.
  void configure(const BatchInfo& batch, const GstVideoInfo& mosaic, MosaicPlan plan);

  /// Draws `batch` into `mosaic`, all of it, and keeps a reference to it: the source of tiles that
  /// are missing the next time.
  ///
  /// \errors  io  a frame or the mosaic cannot be mapped.
  Result<void> paint(const GstLockstepBatchMeta& batch, GstBuffer* mosaic);

  /// Forgets the last mosaic.
  void forget() { last_ = {}; }

 private:
  struct Last {
    BufferPtr buffer;
    GstVideoInfo info;
    std::vector<MosaicPlan::Tile> tiles;
  };

  Result<void> paint_frame(const GstLockstepFrame& frame, const MosaicPlan::Tile& tile,
                           const PictureView& place);
  void paint_missing(guint slot, const PictureView& place);
  void mark(const PictureView& place, const Colour& colour, bool with_bars) const;

  GstVideoInfo frame_info_{};
  GstVideoInfo mosaic_info_{};
  MosaicPlan plan_;
  Last last_;
  Scaler scaler_;
};

}  // namespace lockstep
