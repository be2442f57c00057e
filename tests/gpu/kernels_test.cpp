// SPDX-License-Identifier: MIT
// The kernels on a GPU, each against its twin on the CPU: pictures of random content, wherever they may lie, and guards
// around all that is written. tests/unit/cuda_kernels_test.cpp tries the same without a GPU, and what they refuse.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "children.h"
#include "cuda/driver.h"
#include "cuda_cases.h"
#include "cuda_reference.h"
#include "lockstep/cuda.h"
#include "lockstep/cuda_kernels.h"
#include "result_testing.h"

namespace lockstep {
namespace {

const CudaDriver& driver() { return loaded_cuda_driver(); }

Result<void> checked(CUresult result, const char* act) {
  if (result == CUDA_SUCCESS) return {};
  return cuda_error(result, act);
}

// Memory of the GPU that holds a copy of these bytes, and not one more.
class OnGpu {
 public:
  static Result<OnGpu> make(const CudaStream& stream, const AlignedBytes& bytes) {
    CudaScope scope(stream.device()->context());
    OnGpu memory(stream.device(), bytes.size());
    const std::size_t room = std::max<std::size_t>(bytes.size(), 1);
    if (auto made = checked(driver().cuMemAlloc(&memory.address_, room), "allocate"); !made)
      return std::move(made).error();
    if (bytes.size() == 0) return memory;
    if (auto copied = checked(
            driver().cuMemcpyHtoDAsync(memory.address_, bytes.data(), bytes.size(), stream.get()),
            "upload");
        !copied)
      return std::move(copied).error();
    return memory;
  }
  ~OnGpu() {
    if (!device_ || address_ == 0) return;
    CudaScope scope(device_->context());
    driver().cuMemFree(address_);
  }
  OnGpu(OnGpu&& other) noexcept = default;
  OnGpu& operator=(OnGpu&&) = delete;

  std::uintptr_t address() const { return static_cast<std::uintptr_t>(address_); }

  // Once all that the stream was given is done.
  Result<AlignedBytes> download(const CudaStream& stream) const {
    if (auto done = stream.synchronise(); !done) return std::move(done).error();
    AlignedBytes bytes(size_);
    CudaScope scope(device_->context());
    if (auto copied = checked(driver().cuMemcpyDtoH(bytes.data(), address_, size_), "download");
        !copied)
      return std::move(copied).error();
    return bytes;
  }

 private:
  OnGpu(std::shared_ptr<CudaDevice> device, std::size_t size)
      : device_(std::move(device)), size_(size) {}

  std::shared_ptr<CudaDevice> device_;
  CUdeviceptr address_ = 0;
  std::size_t size_;
};

// CUDA arrays, for as long as this lives.
class Arrays {
 public:
  explicit Arrays(std::shared_ptr<CudaDevice> device) : device_(std::move(device)) {}
  ~Arrays() {
    CudaScope scope(device_->context());
    for (CUarray array : arrays_) driver().cuArrayDestroy(array);
  }
  Arrays(const Arrays&) = delete;
  Arrays& operator=(const Arrays&) = delete;

  // One of what lies there in rows.
  Result<std::uintptr_t> add(const ArrayShape& shape, const std::byte* data, std::size_t stride,
                             const CudaStream& stream) {
    CudaScope scope(device_->context());
    CUDA_ARRAY3D_DESCRIPTOR descriptor{};
    descriptor.Width = shape.width;
    descriptor.Height = shape.height;
    descriptor.Format =
        shape.sample_bytes == 1 ? CU_AD_FORMAT_UNSIGNED_INT8 : CU_AD_FORMAT_UNSIGNED_INT16;
    descriptor.NumChannels = shape.channels;
    CUarray array = nullptr;
    if (auto made = checked(driver().cuArray3DCreate(&array, &descriptor), "make an array"); !made)
      return std::move(made).error();
    arrays_.push_back(array);
    CUDA_MEMCPY2D copy{};
    copy.srcMemoryType = CU_MEMORYTYPE_HOST;
    copy.srcHost = data;
    copy.srcPitch = stride;
    copy.dstMemoryType = CU_MEMORYTYPE_ARRAY;
    copy.dstArray = array;
    copy.WidthInBytes = shape.width * shape.channels * shape.sample_bytes;
    copy.Height = shape.height;
    if (auto copied = checked(driver().cuMemcpy2DAsync(&copy, stream.get()), "fill an array");
        !copied)
      return std::move(copied).error();
    return reinterpret_cast<std::uintptr_t>(array);
  }

 private:
  std::shared_ptr<CudaDevice> device_;
  std::vector<CUarray> arrays_;
};

// Pictures on the GPU: in memory, or in arrays.
struct Uploaded {
  OnGpu memory;
  std::unique_ptr<Arrays> arrays;
  std::vector<CudaPicture> pictures;

  static Result<Uploaded> make(const CudaStream& stream, const Pictures& from) {
    auto memory = OnGpu::make(stream, from.memory);
    if (!memory) return std::move(memory).error();
    const std::uintptr_t begin = memory->address();
    Uploaded uploaded{*std::move(memory), std::make_unique<Arrays>(stream.device()),
                      from.at(begin)};
    const auto here = from.here();
    for (std::size_t i = 0; i < here.size(); ++i) {
      CudaPicture& picture = uploaded.pictures[i];
      if (!picture.are_arrays) continue;
      for (std::size_t p = 0; p < num_planes_of(picture.pixel_format); ++p) {
        auto array = uploaded.arrays->add(from.arrays[i][p],
                                          reinterpret_cast<const std::byte*>(here[i].planes[p]),
                                          here[i].strides[p], stream);
        if (!array) return std::move(array).error();
        picture.planes[p] = *array;
      }
    }
    return uploaded;
  }
};

class Gpu : public KernelRunner {
 public:
  Gpu(std::shared_ptr<CudaKernels> kernels, CudaStream stream)
      : kernels_(std::move(kernels)), stream_(std::move(stream)) {}

  Result<AlignedBytes> gather(const Pictures& from, const Pictures& to) override {
    return run(from, to.memory, [&](std::span<const CudaPicture> pictures, std::uintptr_t target) {
      return kernels_->gather(pictures, to.at(target), stream_.get());
    });
  }

  Result<AlignedBytes> tile(const Pictures& from, std::span<const Rectangle> places,
                            const Pictures& mosaic, ColourMatrix matrix,
                            ColourRange range) override {
    return run(from, mosaic.memory,
               [&](std::span<const CudaPicture> pictures, std::uintptr_t target) {
                 std::vector<CudaKernels::Tile> tiles;
                 for (const CudaPicture& picture : pictures)
                   tiles.push_back({picture, places[tiles.size()]});
                 return kernels_->tile(tiles, mosaic.at(target)[0], stream_.get(), matrix, range);
               });
  }

  Result<AlignedBytes> fill(const Pictures& picture, const Rectangle& place,
                            std::array<std::uint8_t, 3> colour) override {
    return run({}, picture.memory, [&](std::span<const CudaPicture>, std::uintptr_t target) {
      return kernels_->fill(picture.at(target)[0], place, colour, stream_.get());
    });
  }

  Result<AlignedBytes> to_tensor(const Pictures& frames, const TensorSpec& spec,
                                 const AlignedBytes& memory, std::size_t offset) override {
    return run(frames, memory, [&](std::span<const CudaPicture> pictures, std::uintptr_t target) {
      return kernels_->to_tensor(pictures, spec, target + offset, stream_.get());
    });
  }

 private:
  template <typename Work>
  Result<AlignedBytes> run(const Pictures& from, const AlignedBytes& to, const Work& work) {
    auto source = Uploaded::make(stream_, from);
    if (!source) return std::move(source).error();
    auto target = OnGpu::make(stream_, to);
    if (!target) return std::move(target).error();
    auto worked = work(source->pictures, target->address());
    if (!worked) return std::move(worked).error();
    auto made = target->download(stream_);
    kernels_->forget_arrays();  // they are about to go
    return made;
  }

  std::shared_ptr<CudaKernels> kernels_;
  CudaStream stream_;
};

class GpuKernels : public testing::Test {
 protected:
  void SetUp() override {
    auto device = CudaDevice::open();
    if (!device) GTEST_SKIP() << device.error().what;
    device_ = *device;
    auto kernels = CudaKernels::load(device_);
#if !defined(LOCKSTEP_TEST_KERNELS)
    EXPECT_TRUE(fails(kernels, Errc::not_supported, "no GPU kernels; build with nvcc at hand"));
    GTEST_SKIP() << kernels.error().what;
#endif
    ASSERT_TRUE(succeeds(kernels));
    kernels_ = *kernels;
    gpu_.emplace(kernels_, stream());
  }

  CudaStream stream() { return *CudaStream::make(device_); }

  std::shared_ptr<CudaDevice> device_;
  std::shared_ptr<CudaKernels> kernels_;
  std::optional<Gpu> gpu_;
};

constexpr std::array<Size, 7> kSmallSizes = {
    {{1, 1}, {2, 2}, {17, 13}, {64, 48}, {130, 33}, {301, 7}, {854, 480}}};
constexpr std::array<std::size_t, 6> kCounts = {1, 2, 3, 4, 16, 64};
constexpr std::array<Size, 2> kFullHd = {{{1919, 1079}, {1920, 1080}}};
constexpr std::array<std::size_t, 2> kFew = {2, 3};

TEST_F(GpuKernels, AreTheSameForAllWhoAsk) {
  EXPECT_EQ(*CudaKernels::load(device_), kernels_);
  EXPECT_EQ(*CudaKernels::load(*CudaDevice::open()), kernels_);
}

TEST_F(GpuKernels, AreLoadedAgainOnceAllHaveLetGo) {
  gpu_.reset();
  kernels_.reset();
  auto again = CudaKernels::load(device_);
  ASSERT_TRUE(succeeds(again));
  LOCKSTEP_FRESH_SEED(seed);
  CaseMaker maker(seed);
  Gpu gpu(*again, stream());
  expect_gathers(gpu, maker.make(PixelFormat::nv12, 2, {64, 48}, Lie::any, 50),
                 maker.make(PixelFormat::nv12, 2, {64, 48}, Lie::any));
}

TEST_F(GpuKernels, GatherSmallPicturesOfEveryFormat) {
  LOCKSTEP_FRESH_SEED(seed);
  expect_gathers_all(*gpu_, seed, std::span(kSmallSizes).first(6), kCounts);
  expect_gathers_all(*gpu_, seed + 1, std::span(kSmallSizes).subspan(6), kFew);
}

TEST_F(GpuKernels, GatherFullHdOfEveryFormat) {
  LOCKSTEP_FRESH_SEED(seed);
  expect_gathers_all(*gpu_, seed, kFullHd, kFew);
}

TEST_F(GpuKernels, GatherABatchOfSixtyFour) {
  LOCKSTEP_FRESH_SEED(seed);
  CaseMaker maker(seed);
  constexpr Size kSize{1920, 1080};
  expect_gathers(*gpu_, maker.make(PixelFormat::nv12, 64, kSize, Lie::pitched),
                 maker.make(PixelFormat::nv12, 64, kSize, Lie::tight));
}

TEST_F(GpuKernels, GatherArraysAndMemoryInOneBatch) {
  LOCKSTEP_FRESH_SEED(seed);
  CaseMaker maker(seed);
  for (const PixelFormat format : {PixelFormat::nv12, PixelFormat::p010_10le}) {
    expect_gathers(*gpu_, maker.make(format, 4, {1920, 1080}, Lie::pitched, 50),
                   maker.make(format, 4, {1920, 1080}, Lie::tight));
  }
}

TEST_F(GpuKernels, TileSmallPictures) {
  LOCKSTEP_FRESH_SEED(seed);
  constexpr std::array<Size, 6> kMosaics = {
      {{2, 2}, {17, 13}, {64, 48}, {130, 34}, {33, 129}, {640, 360}}};
  for (std::uint32_t i = 0; i < 3; ++i)
    expect_tiles_all(*gpu_, seed + i, kSmallSizes, kMosaics, kCounts);
}

TEST_F(GpuKernels, TileFullHd) {
  LOCKSTEP_FRESH_SEED(seed);
  constexpr std::array<std::size_t, 2> kFourAndOne = {4, 1};
  expect_tiles_all(*gpu_, seed, kFullHd, kFullHd, kFourAndOne);
}

TEST_F(GpuKernels, FillPartsOfPictures) {
  LOCKSTEP_FRESH_SEED(seed);
  for (std::uint32_t i = 0; i < 5; ++i) expect_fills_all(*gpu_, seed + i, kSmallSizes);
  expect_fills_all(*gpu_, seed, kFullHd);
}

TEST_F(GpuKernels, MakeSmallTensors) {
  LOCKSTEP_FRESH_SEED(seed);
  constexpr std::array<Size, 7> kTensors = {
      {{1, 1}, {2, 2}, {16, 16}, {17, 13}, {64, 64}, {66, 40}, {130, 33}}};
  for (std::uint32_t i = 0; i < 8; ++i)
    expect_tensors_all(*gpu_, seed + i, kSmallSizes, kTensors, kCounts);
}

TEST_F(GpuKernels, MakeTensorsOfFullHd) {
  LOCKSTEP_FRESH_SEED(seed);
  constexpr std::array<Size, 3> kTensors = {{{640, 640}, {224, 224}, {511, 300}}};
  expect_tensors_all(*gpu_, seed, kFullHd, kTensors, kFew);
}

TEST_F(GpuKernels, MakeTheTensorOfABatchOfSixteen) {
  LOCKSTEP_FRESH_SEED(seed);
  CaseMaker maker(seed);
  expect_tensor(*gpu_, maker.make(PixelFormat::nv12, 16, {1920, 1080}, Lie::pitched), {}, seed);
}

TEST_F(GpuKernels, ReadTheFarEndOfTheWidestPictureExactly) {
  LOCKSTEP_FRESH_SEED(seed);
  CaseMaker maker(seed);
  const TensorSpec spec{
      .width = 16382, .height = 2, .type = TensorType::float32, .letterbox = false};
  expect_tensor(*gpu_, maker.make(PixelFormat::nv12, 1, {kMaxSide, 3}, Lie::tight), spec, seed);
  expect_tensor(*gpu_, maker.make(PixelFormat::nv12, 1, {kMaxSide, 3}, Lie::tight, 100), spec,
                seed);
}

// More than textures are kept of: those that go are made again, and none goes while a kernel may use it.
TEST_F(GpuKernels, GatherFromMoreArraysThanAreRemembered) {
  LOCKSTEP_FRESH_SEED(seed);
  CaseMaker maker(seed);
  const CudaStream one = stream();
  std::vector<Pictures> from;
  std::vector<Uploaded> sources;
  for (int n = 0; n < 4; ++n) {
    from.push_back(maker.make(PixelFormat::nv12, 64, {64, 48}, Lie::any, 100));
    auto uploaded = Uploaded::make(one, from.back());
    ASSERT_TRUE(succeeds(uploaded));
    sources.push_back(*std::move(uploaded));
  }
  const Pictures to = maker.make(PixelFormat::nv12, 64, {64, 48}, Lie::tight);
  for (int round = 0; round < 3; ++round) {
    std::vector<OnGpu> targets;
    for (const Uploaded& source : sources) {
      auto target = OnGpu::make(one, to.memory);
      ASSERT_TRUE(succeeds(target));
      ASSERT_TRUE(succeeds(kernels_->gather(source.pictures, to.at(target->address()), one.get())));
      if (round == 2) kernels_->forget_arrays();
      targets.push_back(*std::move(target));
    }
    for (std::size_t n = 0; n < targets.size(); ++n) {
      auto made = targets[n].download(one);
      ASSERT_TRUE(succeeds(made));
      Pictures expected{AlignedBytes(to.memory), to.pictures, {}};
      const auto here = expected.here();
      for (std::size_t i = 0; i < here.size(); ++i) reference::gather(from[n].here()[i], here[i]);
      EXPECT_EQ(std::memcmp(made->data(), expected.memory.data(), made->size()), 0)
          << "batch " << n << " of round " << round;
    }
  }
  kernels_->forget_arrays();
}

// Arrays that come and go, as producers do.
TEST_F(GpuKernels, ReadArraysThatTakeTheHandlesOfOthers) {
  LOCKSTEP_FRESH_SEED(seed);
  CaseMaker maker(seed);
  for (int n = 0; n < 50; ++n)
    expect_gathers(*gpu_, maker.make(PixelFormat::nv12, 2, {64, 48}, Lie::any, 100),
                   maker.make(PixelFormat::nv12, 2, {64, 48}, Lie::any));
}

TEST_F(GpuKernels, MayBeCalledFromManyThreads) {
  LOCKSTEP_FRESH_SEED(seed);
  std::vector<std::jthread> threads;
  for (std::uint32_t t = 0; t < 8; ++t) {
    threads.emplace_back([this, seed, t] {
      CaseMaker maker(seed + t);
      Gpu gpu(kernels_, stream());
      for (int n = 0; n < 20; ++n) {
        expect_gathers(gpu, maker.make(PixelFormat::nv12, 3, {130, 33}, Lie::any, 50),
                       maker.make(PixelFormat::nv12, 3, {130, 33}, Lie::any));
        expect_tensor(gpu, maker.make(PixelFormat::nv12, 3, {130, 33}, Lie::any, 50),
                      {.width = 64, .height = 64}, seed);
      }
    });
  }
}

// The plans have tests of their own for all that is refused; here each call is seen to ask them, and to launch nothing.
TEST_F(GpuKernels, RefuseWhatIsWrongAndTouchNothing) {
  LOCKSTEP_FRESH_SEED(seed);
  CaseMaker maker(seed);
  const Pictures picture = maker.make(PixelFormat::nv12, 1, {64, 48}, Lie::pitched);
  const Pictures other = maker.make(PixelFormat::p010_10le, 1, {64, 48}, Lie::pitched);
  const Pictures none;
  const std::vector<Rectangle> beyond = {{2, 2, 64, 48}};
  const std::vector<Rectangle> all = {{0, 0, 64, 48}};
  const auto bad = Errc::invalid_argument;
  EXPECT_TRUE(fails(gpu_->gather(picture, other), bad, "64x48 NV12 into 64x48 P010_10LE"));
  EXPECT_TRUE(fails(gpu_->gather(picture, none), bad, "1 pictures into 0"));
  EXPECT_TRUE(fails(gpu_->gather(maker.make(PixelFormat::nv12, 65, {2, 2}, Lie::tight, 50),
                                 maker.make(PixelFormat::nv12, 65, {2, 2}, Lie::tight)),
                    bad, "more than 64"));
  EXPECT_TRUE(fails(gpu_->tile(picture, beyond, picture, ColourMatrix::bt709, ColourRange::video),
                    bad, "reaches beyond"));
  EXPECT_TRUE(fails(gpu_->tile(other, all, picture, ColourMatrix::bt709, ColourRange::video), bad,
                    "P010_10LE into a mosaic of NV12"));
  EXPECT_TRUE(fails(gpu_->fill(picture, {1, 0, 2, 2}, {}), bad, "odd"));
  const AlignedBytes room(640 * 640 * 6 + 16);
  EXPECT_TRUE(fails(gpu_->to_tensor(picture, {}, room, 8), bad, "not aligned to 16"));
  EXPECT_TRUE(
      fails(gpu_->to_tensor(maker.make(PixelFormat::i420, 1, {64, 48}, Lie::tight), {}, room, 0),
            bad, "I420, wanted NV12"));
  EXPECT_TRUE(fails(gpu_->gather(none, none), bad, "no pictures"));
}

TEST_F(GpuKernels, RefuseArraysOfFloats) {
  CudaScope scope(device_->context());
  CUDA_ARRAY3D_DESCRIPTOR descriptor{};
  descriptor.Width = 64;
  descriptor.Height = 48;
  descriptor.Format = CU_AD_FORMAT_FLOAT;
  descriptor.NumChannels = 1;
  CUarray array = nullptr;
  ASSERT_EQ(driver().cuArray3DCreate(&array, &descriptor), CUDA_SUCCESS);
  CudaPicture picture{
      .pixel_format = PixelFormat::gray8, .width = 64, .height = 48, .are_arrays = true};
  picture.planes[0] = reinterpret_cast<std::uintptr_t>(array);
  CudaPicture target = picture;
  target.are_arrays = false;
  const CudaStream one = stream();
  EXPECT_TRUE(fails(kernels_->gather(std::span(&picture, 1), std::span(&target, 1), one.get()),
                    Errc::invalid_argument, "wanted 1, 2 or 4 of unsigned 8 or 16 bits"));
  driver().cuArrayDestroy(array);
}

TEST_F(GpuKernels, TellOfAContextThatIsBroken) {
  EXPECT_EQ(run_in_child("GpuKernels.DISABLED_BreakTheContext"), 0);
}

// Run by the test above, for it leaves the process without a GPU.
TEST_F(GpuKernels, DISABLED_BreakTheContext) {
  const CudaStream one = stream();
  CudaPicture nowhere{.pixel_format = PixelFormat::gray8, .width = 64, .height = 48};
  nowhere.planes[0] = 0x1000;
  nowhere.strides[0] = 64;
  ASSERT_TRUE(succeeds(kernels_->fill(nowhere, {0, 0, 64, 48}, {}, one.get())));
  EXPECT_TRUE(fails(one.synchronise(), Errc::device_lost));
  EXPECT_TRUE(fails(kernels_->fill(nowhere, {0, 0, 64, 48}, {}, one.get()), Errc::device_lost));
  const std::span<const CudaPicture> pictures(&nowhere, 1);
  EXPECT_TRUE(fails(kernels_->gather(pictures, pictures, one.get()), Errc::device_lost));
  const CudaKernels::Tile tile{nowhere, {0, 0, 64, 48}};
  EXPECT_TRUE(fails(kernels_->tile(std::span(&tile, 1), nowhere, one.get()), Errc::device_lost));
  CudaPicture frame{.pixel_format = PixelFormat::nv12, .width = 64, .height = 48};
  frame.planes = {0x1000, 0x2000, 0};
  frame.strides = {64, 64, 0};
  EXPECT_TRUE(
      fails(kernels_->to_tensor(std::span(&frame, 1), {}, 0x10000, one.get()), Errc::device_lost));
}

}  // namespace
}  // namespace lockstep
