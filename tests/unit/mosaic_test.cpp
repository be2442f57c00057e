// SPDX-License-Identifier: MIT
#include "lockstep/mosaic.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "result_testing.h"

namespace lockstep {
namespace {

TEST(Grid, IsAsSquareAsPossible) {
  const std::vector<Grid> wanted = {{1, 1}, {1, 2}, {2, 2}, {2, 2}, {2, 3}, {2, 3}, {3, 3}, {3, 3},
                                    {3, 3}, {3, 4}, {3, 4}, {3, 4}, {4, 4}, {4, 4}, {4, 4}, {4, 4}};
  for (std::size_t slots = 1; slots <= wanted.size(); slots++)
    EXPECT_EQ(*grid_for(slots), wanted[slots - 1]) << slots << " slots";
  EXPECT_EQ(*grid_for(64), (Grid{8, 8}));
}

TEST(Grid, FollowsTheSideThatIsGiven) {
  EXPECT_EQ(*grid_for(5, {.rows = 1}), (Grid{1, 5}));
  EXPECT_EQ(*grid_for(5, {.columns = 2}), (Grid{3, 2}));
  EXPECT_EQ(*grid_for(2, {3, 3}), (Grid{3, 3}));
}

TEST(Grid, WithTooFewTilesIsAnInvalidArgument) {
  EXPECT_TRUE(succeeds(grid_for(4, {2, 2})));
  EXPECT_TRUE(fails(grid_for(5, {2, 2}), Errc::invalid_argument, "5 slots in 2 rows of 2"));
}

TEST(Grid, OfNoSlotsIsAnInvalidArgument) {
  EXPECT_TRUE(fails(grid_for(0), Errc::invalid_argument));
}

TEST(Grid, OfMoreSlotsThanAPictureHasRoomForIsAnInvalidArgument) {
  EXPECT_EQ(*grid_for(kMaxTiles), (Grid{256, 256}));
  for (const std::size_t slots : {kMaxTiles + 1, SIZE_MAX})
    EXPECT_TRUE(fails(grid_for(slots), Errc::invalid_argument, std::to_string(slots)));
  EXPECT_EQ(*grid_for(64, {UINT32_MAX, UINT32_MAX}), (Grid{UINT32_MAX, UINT32_MAX}));
}

TEST(Tiles, OutsideTheGridAreEmpty) {
  EXPECT_EQ(tile_of(4, {2, 2}, 100, 100), Rectangle{});
  EXPECT_EQ(tile_of(SIZE_MAX, {2, 2}, 100, 100), Rectangle{});
  for (const Grid grid : {Grid{0, 0}, {2, 0}, {0, 2}})
    EXPECT_EQ(tile_of(0, grid, 100, 100), Rectangle{});
  EXPECT_EQ(tile_of(0, {UINT32_MAX, UINT32_MAX}, 100, 100), Rectangle{});
}

TEST(Tiles, GoRowByRow) {
  EXPECT_EQ(tile_of(0, {2, 2}, 1920, 1080), (Rectangle{0, 0, 960, 540}));
  EXPECT_EQ(tile_of(1, {2, 2}, 1920, 1080), (Rectangle{960, 0, 960, 540}));
  EXPECT_EQ(tile_of(2, {2, 2}, 1920, 1080), (Rectangle{0, 540, 960, 540}));
}

TEST(Tiles, CoverThePictureOnceAndMeetAtEvenPixels) {
  for (auto [width, height] : {std::pair{641u, 359u}, {33u, 17u}, {16u, 16u}}) {
    for (std::size_t slots = 1; slots <= 64; slots++) {
      const Grid grid = *grid_for(slots);
      std::vector<int> covered(width * height);
      for (std::size_t slot = 0; slot < grid.rows * grid.columns; slot++) {
        const Rectangle tile = tile_of(slot, grid, width, height);
        EXPECT_EQ(tile.x % 2, 0u);
        EXPECT_EQ(tile.y % 2, 0u);
        EXPECT_GE(tile.width, 2u);
        EXPECT_GE(tile.height, 2u - height % 2);
        for (auto y = tile.y; y < tile.y + tile.height; y++)
          for (auto x = tile.x; x < tile.x + tile.width; x++) covered[y * width + x]++;
      }
      EXPECT_EQ(covered, std::vector<int>(width * height, 1)) << slots << " slots";
    }
  }
}

}  // namespace
}  // namespace lockstep
