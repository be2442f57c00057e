// SPDX-License-Identifier: MIT
// The GPU's kernels, each thread of each block run on the CPU in turn: what can be wrong with them but for what only a GPU
// has. tests/gpu/kernels_test.cpp runs the same on one.
#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <vector>

#include "cuda/kernels/gather.h"
#include "cuda/kernels/tensor.h"
#include "cuda/kernels/tile.h"
#include "cuda/plan.h"
#include "cuda_cases.h"
#include "cuda_reference.h"
#include "lockstep/cuda.h"
#include "result_testing.h"

namespace lockstep {
namespace {

using kernels::Thread;

template <typename Parameters, typename Kernel>
void run(const Launch<Parameters>& launch, const Kernel& kernel) {
  for (unsigned z = 0; z < launch.grid[2]; ++z)
    for (unsigned y = 0; y < launch.grid[1]; ++y)
      for (unsigned x = 0; x < launch.grid[0]; ++x)
        for (unsigned thread = 0; thread < kernels::kThreads; ++thread)
          kernel(launch.parameters, Thread{thread, x, y, z, launch.grid[0]});
}

// All threads of a block compute what they share before any goes on.
template <typename Output>
void run_tensor(const TensorLaunch& launch) {
  for (unsigned z = 0; z < launch.grid[2]; ++z)
    for (unsigned y = 0; y < launch.grid[1]; ++y)
      for (unsigned x = 0; x < launch.grid[0]; ++x) {
        kernels::SharedAxes<kernels::kTensorRows> axes;
        std::memset(static_cast<void*>(&axes), 0x7f, sizeof axes);
        for (unsigned thread = 0; thread < kernels::kThreads; ++thread)
          axes.compute(launch.parameters, Thread{thread, x, y, z, launch.grid[0]});
        for (unsigned thread = 0; thread < kernels::kThreads; ++thread)
          kernels::tensor<kernels::kTensorRows, Output>(
              launch.parameters, Thread{thread, x, y, z, launch.grid[0]}, axes);
      }
}

std::uintptr_t address_of(const AlignedBytes& bytes) {
  return reinterpret_cast<std::uintptr_t>(bytes.data());
}

class EmulatedGpu : public KernelRunner {
 public:
  std::size_t num_launches = 0;

  Result<AlignedBytes> gather(const Pictures& from, const Pictures& to) override {
    AlignedBytes memory(to.memory);
    auto launches = plan_gather(sources_of(from), to.at(address_of(memory)));
    if (!launches) return std::move(launches).error();
    num_launches = launches->size();
    for (const auto& launch : *launches) run(launch, kernels::gather);
    return memory;
  }

  Result<AlignedBytes> tile(const Pictures& from, std::span<const Rectangle> places,
                            const Pictures& mosaic, ColourMatrix matrix,
                            ColourRange range) override {
    AlignedBytes memory(mosaic.memory);
    std::vector<TileSource> tiles;
    for (const KernelSource& source : sources_of(from))
      tiles.push_back({source, places[tiles.size()]});
    auto launch = plan_tile(tiles, mosaic.at(address_of(memory))[0], matrix, range);
    if (!launch) return std::move(launch).error();
    run(*launch, kernels::tile);
    return memory;
  }

  Result<AlignedBytes> fill(const Pictures& picture, const Rectangle& place,
                            std::array<std::uint8_t, 3> colour) override {
    AlignedBytes memory(picture.memory);
    auto launch = plan_fill(picture.at(address_of(memory))[0], place, colour);
    if (!launch) return std::move(launch).error();
    run(*launch, kernels::fill);
    return memory;
  }

  Result<AlignedBytes> to_tensor(const Pictures& frames, const TensorSpec& spec,
                                 const AlignedBytes& before, std::size_t offset) override {
    AlignedBytes memory(before);
    auto launch = plan_tensor(sources_of(frames), spec, address_of(memory) + offset);
    if (!launch) return std::move(launch).error();
    using HalfPlanar = kernels::Output<kernels::Element::half, kernels::Order::planar>;
    switch (launch->kernel) {
      case TensorKernel::half_planar:
        run_tensor<HalfPlanar>(*launch);
        break;
      case TensorKernel::aligned:
        run_tensor<kernels::AnyOutput>(*launch);
        break;
      case TensorKernel::any:
        run(*launch, kernels::tensor_of_any);
        break;
    }
    return memory;
  }

 private:
  std::vector<KernelSource> sources_of(const Pictures& from) {
    std::vector<KernelSource> sources;
    for (const CudaPicture& picture : from.at(address_of(from.memory)))
      sources.push_back(source_of(picture, from.arrays[sources.size()]));
    return sources;
  }

  KernelSource source_of(const CudaPicture& picture,
                         const std::array<ArrayShape, kMaxPlanes>& arrays) {
    KernelSource source{picture, arrays};
    if (!picture.are_arrays) return source;
    for (std::size_t p = 0; p < num_planes_of(picture.pixel_format); ++p) {
      const ArrayShape& shape = arrays[p];
      textures_.push_back({reinterpret_cast<const std::uint8_t*>(picture.planes[p]),
                           picture.strides[p], static_cast<unsigned>(shape.width),
                           static_cast<unsigned>(shape.height), shape.channels,
                           shape.sample_bytes});
      source.picture.planes[p] = reinterpret_cast<std::uintptr_t>(&textures_.back());
    }
    return source;
  }

  std::deque<kernels::EmulatedTexture> textures_;
};

constexpr std::array<Size, 6> kSizes = {{{1, 1}, {2, 2}, {17, 13}, {64, 48}, {130, 33}, {301, 7}}};
constexpr std::array<std::size_t, 6> kCounts = {1, 2, 3, 4, 16, 64};
constexpr std::array<std::size_t, 4> kFew = {1, 2, 3, 4};

TEST(EmulatedKernels, GatherWhatItsTwinGathers) {
  LOCKSTEP_FRESH_SEED(seed);
  EmulatedGpu gpu;
  for (std::uint32_t i = 0; i < 3; ++i) expect_gathers_all(gpu, seed + i, kSizes, kCounts);
}

TEST(EmulatedKernels, GatherMoreThanABlock) {
  LOCKSTEP_FRESH_SEED(seed);
  EmulatedGpu gpu;
  constexpr std::array<Size, 2> kLarge = {{{320, 180}, {333, 107}}};
  constexpr std::array<std::size_t, 2> kOneAndThree = {1, 3};
  expect_gathers_all(gpu, seed, kLarge, kOneAndThree);
}

TEST(EmulatedKernels, GatherByOneLaunchWhatLiesInFewWays) {
  LOCKSTEP_FRESH_SEED(seed);
  CaseMaker maker(seed);
  EmulatedGpu gpu;
  for (const Lie lie : {Lie::tight, Lie::pitched}) {
    expect_gathers(gpu, maker.make(PixelFormat::i420, 64, {64, 48}, Lie::pitched),
                   maker.make(PixelFormat::i420, 64, {64, 48}, lie));
    EXPECT_EQ(gpu.num_launches, 1u);
  }
  expect_gathers(gpu, maker.make(PixelFormat::nv12, 64, {64, 48}, Lie::pitched, 50),
                 maker.make(PixelFormat::nv12, 64, {64, 48}, Lie::tight));
  EXPECT_EQ(gpu.num_launches, 1u);
}

TEST(EmulatedKernels, TileWhatTheirTwinTiles) {
  LOCKSTEP_FRESH_SEED(seed);
  EmulatedGpu gpu;
  constexpr std::array<Size, 5> kMosaics = {{{2, 2}, {17, 13}, {64, 48}, {130, 34}, {33, 129}}};
  expect_tiles_all(gpu, seed, kSizes, kMosaics, kCounts);
}

TEST(EmulatedKernels, FillWhatTheirTwinFills) {
  LOCKSTEP_FRESH_SEED(seed);
  EmulatedGpu gpu;
  for (std::uint32_t i = 0; i < 10; ++i) expect_fills_all(gpu, seed + i, kSizes);
  constexpr std::array<Size, 1> kWide = {{{1500, 3}}};
  expect_fills_all(gpu, seed, kWide);
}

TEST(EmulatedKernels, MakeTensorsAsTheirTwin) {
  LOCKSTEP_FRESH_SEED(seed);
  EmulatedGpu gpu;
  constexpr std::array<Size, 7> kTensors = {
      {{1, 1}, {2, 2}, {16, 16}, {17, 13}, {64, 64}, {66, 40}, {130, 33}}};
  for (std::uint32_t i = 0; i < 12; ++i) expect_tensors_all(gpu, seed + i, kSizes, kTensors, kFew);
}

TEST(EmulatedKernels, ReadTheFarEndOfTheWidestPictureExactly) {
  LOCKSTEP_FRESH_SEED(seed);
  CaseMaker maker(seed);
  EmulatedGpu gpu;
  TensorSpec spec{.width = 16382, .height = 2, .type = TensorType::float32, .letterbox = false};
  expect_tensor(gpu, maker.make(PixelFormat::nv12, 1, {kMaxSide, 3}, Lie::tight), spec, seed);
  spec.width = 16383;
  expect_tensor(gpu, maker.make(PixelFormat::p010_10le, 1, {kMaxSide - 1, 3}, Lie::odd), spec,
                seed);
}

TEST(EmulatedKernels, DivideByEveryNumberOfWords) {
  // The plan's divisors, by what gather makes of them: the last word of each row and the first of the next.
  for (std::uint32_t width = 1; width <= 16384; width += width < 300 ? 1 : 37) {
    KernelSource from;
    from.picture = {.pixel_format = PixelFormat::gray8, .width = width, .height = 16384};
    from.picture.planes[0] = 1;
    from.picture.strides[0] = 16385;
    CudaPicture to = from.picture;
    const auto launches = plan_gather(std::span(&from, 1), std::span(&to, 1));
    ASSERT_TRUE(succeeds(launches));
    const auto& plane = (*launches)[0].parameters.kinds[0].planes[0];
    ASSERT_EQ(plane.words_per_row, width);
    for (const std::uint32_t row : {0u, 1u, 2u, 4095u, 8191u, 12345u, 16383u}) {
      ASSERT_EQ(kernels::divide(row * width, plane.row_of_word), row) << width;
      ASSERT_EQ(kernels::divide(row * width + width - 1, plane.row_of_word), row) << width;
    }
  }
}

TEST(EmulatedKernels, RoundToHalvesAsTheirTwin) {
  CaseMaker maker(fresh_seed());
  for (std::uint32_t bits = 0; bits < 0x7c00; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const double value =
        reference::element_of(reinterpret_cast<const std::byte*>(&half), TensorType::float16, 0);
    ASSERT_EQ(kernels::half_of(static_cast<float>(value)), half);
    ASSERT_EQ(kernels::half_of(static_cast<float>(-value)), half | 0x8000);
    const auto other = static_cast<float>(value * (1 + maker.up_to(1000) / 1e6));
    const std::uint16_t rounded = kernels::half_of(other);
    ASSERT_EQ(
        reference::element_of(reinterpret_cast<const std::byte*>(&rounded), TensorType::float16, 0),
        reference::rounded_to(TensorType::float16, other));
  }
}

// Pictures of which all is right, at addresses that nobody looks at.
KernelSource some_picture(PixelFormat format = PixelFormat::nv12, std::uint32_t width = 64,
                          std::uint32_t height = 48) {
  KernelSource source;
  source.picture = {.pixel_format = format, .width = width, .height = height};
  source.picture.planes = {0x10000, 0x20000, 0x30000};
  source.picture.strides = {256, 256, 256};
  return source;
}

KernelSource some_arrays() {
  KernelSource source = some_picture();
  source.picture.are_arrays = true;
  source.arrays = {{{64, 48, 1, 1}, {32, 24, 2, 1}, {}}};
  return source;
}

Result<std::vector<Launch<kernels::GatherParameters>>> gather_one(const KernelSource& from,
                                                                  const CudaPicture& to) {
  return plan_gather(std::span(&from, 1), std::span(&to, 1));
}

TEST(GatherPlan, RefusesPicturesThatDoNotPair) {
  const std::vector<KernelSource> from(65, some_picture());
  const std::vector<CudaPicture> to(65, some_picture().picture);
  const std::span sources(from);
  const std::span targets(to);
  EXPECT_TRUE(fails(plan_gather(sources.first(3), targets.first(4)), Errc::invalid_argument,
                    "gather 3 pictures into 4"));
  EXPECT_TRUE(fails(plan_gather({}, {}), Errc::invalid_argument, "gather no pictures"));
  EXPECT_TRUE(
      fails(plan_gather(sources, targets), Errc::invalid_argument, "65 pictures, more than 64"));
  EXPECT_TRUE(succeeds(plan_gather(sources.first(64), targets.first(64))));
  EXPECT_TRUE(fails(gather_one(some_picture(), some_picture(PixelFormat::p010_10le).picture),
                    Errc::invalid_argument, "64x48 NV12 into 64x48 P010_10LE"));
  EXPECT_TRUE(fails(gather_one(some_picture(), some_picture(PixelFormat::nv12, 64, 46).picture),
                    Errc::invalid_argument, "64x48 NV12 into 64x46 NV12"));
}

TEST(GatherPlan, RefusesPicturesThatCannotBe) {
  KernelSource none = some_picture(PixelFormat::nv12, 0, 48);
  EXPECT_TRUE(fails(gather_one(none, none.picture), Errc::invalid_argument, "size 0x48"));
  KernelSource narrow = some_picture();
  narrow.picture.strides[1] = 63;
  EXPECT_TRUE(fails(gather_one(narrow, some_picture().picture), Errc::invalid_argument,
                    "plane 1 of 64x48 NV12 has a stride of 63 bytes for rows of 64"));
  EXPECT_TRUE(
      fails(gather_one(some_picture(), narrow.picture), Errc::invalid_argument, "stride of 63"));
  KernelSource nowhere = some_picture();
  nowhere.picture.planes[1] = 0;
  EXPECT_TRUE(fails(gather_one(nowhere, some_picture().picture), Errc::invalid_argument,
                    "plane 1 has no address"));
}

TEST(GatherPlan, RefusesArraysThatAreTooSmallOrWrittenTo) {
  EXPECT_TRUE(succeeds(gather_one(some_arrays(), some_picture().picture)));
  EXPECT_TRUE(fails(gather_one(some_picture(), some_arrays().picture), Errc::invalid_argument,
                    "kernels write to memory only"));
  KernelSource small = some_arrays();
  small.arrays[1].height = 23;
  EXPECT_TRUE(fails(gather_one(small, some_picture().picture), Errc::invalid_argument,
                    "plane 1 of 64x48 NV12 is an array of 32x23 elements of 2 bytes"));
}

Result<Launch<kernels::TileParameters>> tile_one(const KernelSource& from, const Rectangle& place,
                                                 const CudaPicture& mosaic) {
  const TileSource tile{from, place};
  return plan_tile(std::span(&tile, 1), mosaic, ColourMatrix::bt709, ColourRange::video);
}

TEST(TilePlan, RefusesWhatDoesNotGoTogether) {
  const CudaPicture mosaic = some_picture().picture;
  const Rectangle place{0, 0, 64, 48};
  EXPECT_TRUE(succeeds(tile_one(some_picture(), place, mosaic)));
  EXPECT_TRUE(succeeds(tile_one(some_arrays(), place, mosaic)));
  EXPECT_TRUE(fails(tile_one(some_picture(PixelFormat::bgrx), place, mosaic),
                    Errc::invalid_argument, "tile picture 0, BGRx into a mosaic of NV12"));
  for (const PixelFormat format :
       {PixelFormat::i420, PixelFormat::yuy2, PixelFormat::uyvy, PixelFormat::rgb})
    EXPECT_TRUE(fails(tile_one(some_picture(format), place, some_picture(format).picture),
                      Errc::invalid_argument));
  EXPECT_TRUE(
      fails(tile_one(some_picture(), place, some_arrays().picture), Errc::invalid_argument));
  KernelSource grey = some_arrays();
  grey.arrays[1] = {64, 24, 1, 1};
  EXPECT_TRUE(fails(tile_one(grey, place, mosaic), Errc::invalid_argument,
                    "plane 1 of 64x48 NV12 is an array of 1 channels of 8 bits, wanted 2 of 8"));
}

TEST(TilePlan, RefusesPlacesThatReachBeyondOrBeginOdd) {
  const CudaPicture mosaic = some_picture().picture;
  for (const Rectangle& place : {Rectangle{2, 0, 63, 48}, Rectangle{0, 2, 64, 47},
                                 Rectangle{2, 2, 0xffffffff, 2}, Rectangle{66, 0, 0, 0}})
    EXPECT_TRUE(
        fails(tile_one(some_picture(), place, mosaic), Errc::invalid_argument, "reaches beyond"));
  EXPECT_TRUE(fails(tile_one(some_picture(), {1, 0, 2, 2}, mosaic), Errc::invalid_argument,
                    "its place, 2x2 at 1,0, begins at an odd pixel"));
  EXPECT_TRUE(fails(tile_one(some_picture(), {0, 3, 2, 2}, mosaic), Errc::invalid_argument, "odd"));
}

TEST(TilePlan, LeavesOutPlacesThatAreEmpty) {
  const CudaPicture mosaic = some_picture().picture;
  const auto launch = tile_one(some_picture(), {0, 0, 0, 48}, mosaic);
  ASSERT_TRUE(succeeds(launch));
  EXPECT_EQ(launch->grid[0], 0u);
}

TEST(TilePlan, RefusesNoneAndTooMany) {
  const std::vector<TileSource> tiles(65, TileSource{some_picture(), {0, 0, 2, 2}});
  const auto plan = [&](std::size_t count) {
    return plan_tile(std::span(tiles).first(count), some_picture().picture, ColourMatrix::bt709,
                     ColourRange::video);
  };
  EXPECT_TRUE(fails(plan(0), Errc::invalid_argument, "tile no pictures"));
  EXPECT_TRUE(succeeds(plan(64)));
  EXPECT_TRUE(fails(plan(65), Errc::invalid_argument, "more than 64"));
}

TEST(FillPlan, RefusesPlacesThatReachBeyondOrBeginOdd) {
  const auto fill = [](PixelFormat format, const Rectangle& place) {
    return plan_fill(some_picture(format).picture, place, {1, 2, 3});
  };
  EXPECT_TRUE(succeeds(fill(PixelFormat::nv12, {2, 2, 1, 1})));
  EXPECT_TRUE(succeeds(fill(PixelFormat::rgba, {1, 1, 1, 1})));
  EXPECT_TRUE(succeeds(fill(PixelFormat::yuy2, {2, 1, 1, 1})));
  EXPECT_TRUE(fails(fill(PixelFormat::yuy2, {1, 1, 1, 1}), Errc::invalid_argument, "odd"));
  EXPECT_TRUE(fails(fill(PixelFormat::i420, {2, 1, 1, 1}), Errc::invalid_argument, "odd"));
  EXPECT_TRUE(
      fails(fill(PixelFormat::nv12, {0, 0, 65, 1}), Errc::invalid_argument, "reaches beyond"));
  EXPECT_TRUE(fails(plan_fill(some_arrays().picture, {0, 0, 2, 2}, {}), Errc::invalid_argument));
}

TEST(TensorPlan, RefusesWhatCannotBeMade) {
  const auto plan = [](const KernelSource& frame, const TensorSpec& spec, std::uintptr_t tensor) {
    return plan_tensor(std::span(&frame, 1), spec, tensor);
  };
  EXPECT_TRUE(succeeds(plan(some_picture(), {}, 0x1000)));
  EXPECT_TRUE(fails(plan(some_picture(PixelFormat::rgba), {}, 0x1000), Errc::invalid_argument,
                    "frame 0, RGBA, wanted NV12 or P010_10LE"));
  EXPECT_TRUE(
      fails(plan(some_picture(), {}, 0x1008), Errc::invalid_argument, "not aligned to 16 bytes"));
  EXPECT_TRUE(fails(plan(some_picture(), {}, 0), Errc::invalid_argument, "null"));
  EXPECT_TRUE(fails(plan(some_picture(), {.width = 0}, 0x1000), Errc::invalid_argument, "0x640"));
  EXPECT_TRUE(fails(plan(some_picture(), {.height = 16385}, 0x1000), Errc::invalid_argument));
  const std::vector<KernelSource> many(65, some_picture());
  EXPECT_TRUE(fails(plan_tensor({}, {}, 0x1000), Errc::invalid_argument, "no frames"));
  EXPECT_TRUE(fails(plan_tensor(many, {}, 0x1000), Errc::invalid_argument, "more than 64"));
  EXPECT_TRUE(succeeds(plan_tensor(std::span(many).first(64), {}, 0x1000)));
}

TEST(CudaPictureOfPixels, LiesWhereItsPlanesDo) {
  CudaPixels cuda;
  cuda.planes = {0x49b00000, 0x9000, 0};  // far apart, the chroma below
  Pixels pixels;
  pixels.cuda = &cuda;
  const Layout layout = *layout_with_stride(PixelFormat::nv12, 64, 48, 128);
  const CudaPicture apart = cuda_picture(pixels, layout, PixelFormat::nv12, 64, 48);
  EXPECT_EQ(apart.planes[1], 0x9000u);
  EXPECT_EQ(apart.strides, (std::array<std::size_t, 3>{128, 128, 0}));
  pixels.data = reinterpret_cast<std::byte*>(0x4000);
  const CudaPicture range = cuda_picture(pixels, layout, PixelFormat::nv12, 64, 48);
  EXPECT_EQ(range.planes[0], 0x4000u);
  EXPECT_EQ(range.planes[1], 0x4000u + 128 * 48);
}

}  // namespace
}  // namespace lockstep
