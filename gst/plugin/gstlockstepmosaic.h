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

/// Draws batches as mosaics.
///
/// \thread  one caller at a time.
class MosaicPainter {
 public:
  /// Takes up a new layout. The last mosaic stays of use if it is of the same pixel format.
  ///
  /// \errors  invalid_argument  a grid with too few tiles, a slot that is not in the batch, a
  ///                            picture with less than two pixels a tile.
  Result<void> configure(const BatchInfo& batch, const GstVideoInfo& mosaic,
                         const MosaicSettings& settings);

  /// Draws `batch` into `mosaic`, all of it, and keeps a reference to it: the source of tiles that
  /// are missing the next time.
  ///
  /// \errors  io  a frame or the mosaic cannot be mapped.
  Result<void> paint(const GstLockstepBatchMeta& batch, GstBuffer* mosaic);

  /// Forgets the last mosaic.
  void forget() { last_ = {}; }

 private:
  // A slot and where it is drawn.
  struct Tile {
    guint slot = 0;
    Rectangle place;
  };
  struct Last {
    BufferPtr buffer;
    GstVideoInfo info;
    std::vector<Tile> tiles;
  };

  Result<void> paint_frame(const GstLockstepFrame& frame, const PictureView& tile);
  void paint_missing(guint slot, const PictureView& tile);

  GstVideoInfo frame_info_{};
  GstVideoInfo mosaic_info_{};
  std::vector<Tile> tiles_;
  std::vector<Rectangle> empty_;  // Tiles of the grid that no slot is drawn in.
  Last last_;
  Scaler scaler_;
};

}  // namespace lockstep
