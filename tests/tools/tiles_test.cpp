// SPDX-License-Identifier: MIT
#include "tiles.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace lockstep::tools {
namespace {

constexpr std::uint32_t kWidth = 960;
constexpr std::uint32_t kHeight = 544;

// A grey picture in which the first `num_sensors` tiles of a grid each show their sensor.
class Mosaic {
 public:
  Mosaic(const Grid& grid, std::size_t num_sensors) : grid_(grid) {
    for (std::size_t sensor = 0; sensor < num_sensors; ++sensor) show(sensor, sensor);
  }

  void show(std::size_t tile, std::size_t sensor) {
    const Rectangle place = tile_of(tile, grid_, kWidth, kHeight);
    const Format format{PixelFormat::gray8, place.width, place.height, {}};
    const auto layout = default_layout(PixelFormat::gray8, place.width, place.height);
    std::vector<std::byte> picture(layout->size_bytes, std::byte{128});
    paint_code({.sensor = static_cast<std::uint8_t>(sensor), .sequence = 7}, format, *layout,
               picture);
    for (std::size_t y = 0; y < place.height; ++y)
      std::memcpy(&pixels_[(place.y + y) * kWidth + place.x],
                  &picture[y * layout->planes[0].stride_bytes], place.width);
  }

  LumaView luma() const { return {pixels_, kWidth, kHeight, kWidth, 1}; }

 private:
  Grid grid_;
  std::vector<std::byte> pixels_ = std::vector<std::byte>(kWidth * kHeight, std::byte{128});
};

TEST(Tiles, EachTileIsReadAtItsPlace) {
  const Mosaic mosaic({2, 3}, 5);
  const auto codes = read_tiles(mosaic.luma(), {2, 3});
  ASSERT_EQ(codes.size(), 6u);
  for (std::size_t i = 0; i < 5; ++i) {
    ASSERT_TRUE(codes[i]) << "tile " << i;
    EXPECT_EQ(codes[i]->sensor, i);
  }
  EXPECT_FALSE(codes[5]);
}

TEST(Tiles, EveryGridThatHasRoomForCodesIsFound) {
  for (const Grid grid :
       {Grid{1, 1}, {1, 2}, {2, 1}, {2, 2}, {3, 2}, {2, 4}, {4, 4}, {8, 8}, {7, 5}})
    EXPECT_EQ(find_grid(Mosaic(grid, grid.rows * grid.columns).luma()), grid)
        << grid.rows << " x " << grid.columns;
}

TEST(Tiles, AGridWithEmptyTilesIsFound) {
  EXPECT_EQ(find_grid(Mosaic({2, 2}, 3).luma()), (Grid{2, 2}));
}

TEST(Tiles, AGridWithSensorsInWrongPlacesIsFound) {
  Mosaic mosaic({2, 2}, 4);
  mosaic.show(0, 3);
  mosaic.show(3, 0);
  EXPECT_EQ(find_grid(mosaic.luma()), (Grid{2, 2}));
}

TEST(Tiles, APictureWithoutCodesHasNoGrid) { EXPECT_FALSE(find_grid(Mosaic({1, 1}, 0).luma())); }

}  // namespace
}  // namespace lockstep::tools
