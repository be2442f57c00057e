// SPDX-License-Identifier: MIT
#pragma once

#include <gst/lockstep/gstlockstepbatchmeta.h>

#include <vector>

#include "gstlockstepcaps.h"
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

/// The size that a mosaic has where downstream leaves it open: frames side by side in their own
/// size, shrunk to fit into 1920x1080, or as the settings say.
Result<Size> mosaic_size(const BatchInfo& batch, const MosaicSettings& settings);

/// Where everything of a mosaic is.
struct MosaicPlan {
  struct Tile {
    guint slot = 0;
    Rectangle place;
  };
  std::vector<Tile> tiles;
  std::vector<Rectangle> empty;  ///< Tiles of the grid that no slot is drawn in.
};

/// \errors  invalid_argument  a grid with too few tiles, a slot that is not in the batch, a
///                            picture with less than two pixels a tile.
Result<MosaicPlan> plan_mosaic(const BatchInfo& batch, const GstVideoInfo& mosaic,
                               const MosaicSettings& settings);

/// What marks a tile of that size as old: a square in the upper right, and where the slot is
/// missing bars along the right and the bottom. The upper left, where painted codes are, stays
/// readable. \shape within the tile, from even pixels on.
std::vector<Rectangle> marks_of(std::uint32_t width, std::uint32_t height, bool with_bars);

/// Whether a slot has nothing to show. `frame` may be null.
bool is_missing(const GstLockstepFrame* frame);

/// Draws batches as mosaics.
///
/// \thread  one caller at a time.
class MosaicPainter {
 public:
  /// Takes up a new layout. The last mosaic stays of use if it is of the same pixel format.
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

  Result<void> paint_frame(const GstLockstepFrame& frame, const PictureView& tile);
  void paint_missing(guint slot, const PictureView& tile);

  GstVideoInfo frame_info_{};
  GstVideoInfo mosaic_info_{};
  MosaicPlan plan_;
  Last last_;
  Scaler scaler_;
};

}  // namespace lockstep
