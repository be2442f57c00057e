// SPDX-License-Identifier: MIT
// Who copies frames into arenas on a GPU: from where, how often, and in what order with others.
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "lockstep/cuda_kernels.h"
#include "memory_testing.h"

namespace lockstep {
namespace {

// Copies from pageable memory may still be on their way when the driver returns, and no other stream waits for them.
void settle() { EXPECT_EQ(driver().cuStreamSynchronize(nullptr), CUDA_SUCCESS); }

// A picture whose bytes tell row and seed; laid out as default_layout() says, nothing between the rows.
std::vector<std::byte> picture_of(const Layout& layout, unsigned seed) {
  std::vector<std::byte> bytes(layout.size_bytes);
  for (std::size_t p = 0; p < layout.num_planes; ++p) {
    const Plane& plane = layout.planes[p];
    for (std::size_t row = 0; row < plane.rows; ++row)
      for (std::size_t i = 0; i < plane.row_bytes; ++i)
        bytes[plane.offset_bytes + row * plane.stride_bytes + i] =
            std::byte((seed * 31 + p * 17 + row * 7 + i * 3 + 1) & 0xff);
  }
  return bytes;
}

// Pixels of a test's own, and what keeps them.
struct Source {
  Pixels pixels;
  Layout layout;
  std::vector<std::byte> bytes;  // of the CPU
  CudaPixels cuda;
  CUdeviceptr memory = 0;
  std::vector<CUarray> arrays;

  Source() = default;
  ~Source() {
    if (!cuda.device) return;
    CudaScope scope(cuda.device->context());
    if (memory != 0) driver().cuMemFree(memory);
    if (auto kernels = CudaKernels::load(cuda.device); kernels && !arrays.empty())
      (*kernels)->forget_arrays();
    for (CUarray array : arrays) driver().cuArrayDestroy(array);
  }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
};

// The frame's planes with longer strides and gaps between them.
Layout wide(const Layout& tight) {
  Layout layout = tight;
  std::size_t end = 64;
  for (std::size_t p = 0; p < layout.num_planes; ++p) {
    Plane& plane = layout.planes[p];
    plane.stride_bytes = (plane.row_bytes + 255) / 256 * 256;
    plane.offset_bytes = end;
    end += plane.stride_bytes * plane.rows + 512;
  }
  layout.size_bytes = end;
  return layout;
}

void lay_out(const std::vector<std::byte>& picture, const Layout& tight, const Layout& layout,
             std::vector<std::byte>& bytes) {
  bytes.assign(layout.size_bytes, std::byte{0xee});
  for (std::size_t p = 0; p < layout.num_planes; ++p)
    for (std::size_t row = 0; row < layout.planes[p].rows; ++row)
      std::copy_n(picture.begin() + static_cast<std::ptrdiff_t>(tight.planes[p].offset_bytes +
                                                                row * tight.planes[p].stride_bytes),
                  tight.planes[p].row_bytes,
                  bytes.begin() + static_cast<std::ptrdiff_t>(layout.planes[p].offset_bytes +
                                                              row * layout.planes[p].stride_bytes));
}

std::shared_ptr<Source> on_host(const std::vector<std::byte>& picture, const Layout& tight,
                                const Layout& layout) {
  auto source = std::make_shared<Source>();
  source->layout = layout;
  lay_out(picture, tight, layout, source->bytes);
  source->pixels.data = source->bytes.data();
  source->pixels.size_bytes = source->bytes.size();
  return source;
}

std::shared_ptr<Source> on_gpu(const std::shared_ptr<CudaDevice>& device,
                               const std::vector<std::byte>& picture, const Layout& tight,
                               const Layout& layout, bool is_range) {
  auto source = on_host(picture, tight, layout);
  source->cuda.device = device;
  source->cuda.fence = std::make_shared<CudaFence>(device);
  CudaScope scope(device->context());
  EXPECT_EQ(driver().cuMemAlloc(&source->memory, layout.size_bytes), CUDA_SUCCESS);
  EXPECT_EQ(driver().cuMemcpyHtoD(source->memory, source->bytes.data(), layout.size_bytes),
            CUDA_SUCCESS);
  settle();
  for (std::size_t p = 0; p < layout.num_planes; ++p)
    source->cuda.planes[p] =
        static_cast<std::uintptr_t>(source->memory) + layout.planes[p].offset_bytes;
  source->pixels.data =
      is_range ? reinterpret_cast<std::byte*>(static_cast<std::uintptr_t>(source->memory))
               : nullptr;
  source->pixels.cuda = &source->cuda;
  return source;
}

// NV12 or P010 in CUDA arrays.
std::shared_ptr<Source> in_arrays(const std::shared_ptr<CudaDevice>& device,
                                  const std::vector<std::byte>& picture, const Layout& tight,
                                  const Format& format) {
  auto source = on_host(picture, tight, tight);
  source->cuda.device = device;
  source->cuda.fence = std::make_shared<CudaFence>(device);
  source->cuda.are_arrays = true;
  const std::size_t sample_bytes = format.pixel_format == PixelFormat::p010_10le ? 2 : 1;
  CudaScope scope(device->context());
  for (std::size_t p = 0; p < tight.num_planes; ++p) {
    const Plane& plane = tight.planes[p];
    CUDA_ARRAY3D_DESCRIPTOR shape{};
    shape.NumChannels = p == 0 ? 1 : 2;
    shape.Format = sample_bytes == 2 ? CU_AD_FORMAT_UNSIGNED_INT16 : CU_AD_FORMAT_UNSIGNED_INT8;
    shape.Width = plane.row_bytes / (sample_bytes * shape.NumChannels);
    shape.Height = plane.rows;
    CUarray array = nullptr;
    EXPECT_EQ(driver().cuArray3DCreate(&array, &shape), CUDA_SUCCESS);
    source->arrays.push_back(array);
    source->cuda.planes[p] = reinterpret_cast<std::uintptr_t>(array);
    CUDA_MEMCPY2D copy{};
    copy.srcMemoryType = CU_MEMORYTYPE_HOST;
    copy.srcHost = picture.data() + plane.offset_bytes;
    copy.srcPitch = plane.stride_bytes;
    copy.dstMemoryType = CU_MEMORYTYPE_ARRAY;
    copy.dstArray = array;
    copy.WidthInBytes = plane.row_bytes;
    copy.Height = plane.rows;
    EXPECT_EQ(driver().cuMemcpy2D(&copy), CUDA_SUCCESS);
  }
  settle();
  source->pixels.data = nullptr;
  source->pixels.cuda = &source->cuda;
  return source;
}

class GpuCopier : public GpuMemory {
 protected:
  void SetUp() override {
    GpuMemory::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    auto copier = memory_->make_copier();
    ASSERT_TRUE(succeeds(copier));
    copier_ = *std::move(copier);
  }

  FrameCopier::Job job(const std::shared_ptr<Source>& source, const Arena& arena, std::size_t slot,
                       const Layout& to, const Format& format) {
    return {std::shared_ptr<const Pixels>(source, &source->pixels), source->layout,
            arena.slot(slot), to, format};
  }

  std::vector<std::byte> content(const Arena& arena, std::size_t slot, const Layout& layout,
                                 const Format& format) {
    const SlotView view = arena.slot(slot);
    Frame frame;
    frame.layout = layout;
    frame.pixels = std::make_shared<Pixels>(
        Pixels{view.data, view.size_bytes, view.fd, view.fd_kind, &arena, slot, view.cuda});
    return download(frame, format);
  }

  std::unique_ptr<FrameCopier> copier_;
};

TEST_F(GpuCopier, FramesComeFromAnywhereAndLieAsTheSlotsDo) {
  constexpr PixelFormat kFormats[] = {PixelFormat::nv12, PixelFormat::p010_10le, PixelFormat::i420,
                                      PixelFormat::rgb, PixelFormat::rgba};
  for (const PixelFormat pixel_format : kFormats) {
    for (const auto& [width, height] : {std::pair{160u, 96u}, std::pair{162u, 98u}}) {
      const Format format{pixel_format, width, height, {30, 1}};
      const Layout tight = *default_layout(pixel_format, width, height);
      const bool takes_arrays =
          pixel_format == PixelFormat::nv12 || pixel_format == PixelFormat::p010_10le;
      for (const Layout& to : {tight, wide(tight)}) {
        const auto arena = arena_of(8, to.size_bytes);
        ASSERT_NE(arena, nullptr);
        std::vector<std::vector<std::byte>> pictures;
        for (unsigned i = 0; i < 8; ++i) pictures.push_back(picture_of(tight, i));
        std::vector<std::shared_ptr<Source>> sources = {
            on_host(pictures[0], tight, tight),
            on_gpu(device_, pictures[1], tight, tight, true),
            on_host(pictures[2], tight, wide(tight)),
            on_gpu(device_, pictures[3], tight, wide(tight), true),
            on_gpu(device_, pictures[4], tight, tight, false),
            on_gpu(device_, pictures[5], tight, wide(tight), false)};
        for (unsigned i = 6; i < 8; ++i)
          sources.push_back(takes_arrays ? in_arrays(device_, pictures[i], tight, format)
                                         : on_host(pictures[i], tight, to));
        std::vector<FrameCopier::Job> jobs;
        for (std::size_t i = 0; i < sources.size(); ++i)
          jobs.push_back(job(sources[i], *arena, i, to, format));
        ASSERT_TRUE(succeeds(copier_->copy(jobs)));
        for (std::size_t i = 0; i < sources.size(); ++i)
          EXPECT_EQ(content(*arena, i, to, format), pictures[i])
              << "slot " << i << ", " << to_string(format);
      }
    }
  }
}

TEST_F(GpuCopier, FramesOfTheCpuAreKeptUntilTheyAreRead) {
  const Format format{PixelFormat::nv12, 160, 96, {30, 1}};
  const Layout layout = *default_layout(format.pixel_format, format.width, format.height);
  const auto arena = arena_of(1, layout.size_bytes);
  ASSERT_NE(arena, nullptr);
  auto source = on_host(picture_of(layout, 1), layout, layout);
  const std::weak_ptr<Source> seen = source;
  std::array jobs = {job(source, *arena, 0, layout, format)};
  source.reset();
  ASSERT_TRUE(succeeds(copier_->copy(jobs)));
  jobs[0] = {};
  EXPECT_EQ(content(*arena, 0, layout, format), picture_of(layout, 1));
  // Whoever waited for the slot has waited for all that was read for it.
  ASSERT_TRUE(succeeds(copier_->copy({})));
  EXPECT_TRUE(seen.expired());
}

TEST_F(GpuCopier, NothingIsCopiedIntoTheMemoryOfTheCpu) {
  const Format format{PixelFormat::nv12, 160, 96, {30, 1}};
  const Layout layout = *default_layout(format.pixel_format, format.width, format.height);
  auto host_memory = find_memory_backend("memfd");
  ASSERT_TRUE(succeeds(host_memory));
  auto arena = (*host_memory)->allocate(1, layout.size_bytes);
  ASSERT_TRUE(succeeds(arena));
  auto source = on_gpu(device_, picture_of(layout, 1), layout, layout, true);
  const std::array jobs = {job(source, **arena, 0, layout, format)};
  EXPECT_TRUE(fails(copier_->copy(jobs), Errc::not_supported));
  auto host_copier = (*host_memory)->make_copier();
  ASSERT_TRUE(succeeds(host_copier));
  EXPECT_TRUE(fails((*host_copier)->copy(jobs), Errc::not_supported, "memory=cuda"));
}

TEST_F(GpuCopier, ComesAfterWhoeverWritesTheFrame) {
  const Format format{PixelFormat::nv12, 1920, 1080, {30, 1}};
  const Layout layout = *default_layout(format.pixel_format, format.width, format.height);
  const auto arena = arena_of(1, layout.size_bytes);
  ASSERT_NE(arena, nullptr);
  auto source = on_gpu(device_, picture_of(layout, 1), layout, layout, true);
  auto writer = CudaStream::make(device_);
  ASSERT_TRUE(succeeds(writer));
  const auto busy = arena_of(1, std::size_t{64} << 20);
  ASSERT_NE(busy, nullptr);
  {
    CudaScope scope(device_->context());
    for (int i = 0; i < 300; ++i) {
      ASSERT_EQ(driver().cuMemsetD8Async(address_of(busy->slot(0).data), 1, busy->slot_stride(),
                                         writer->get()),
                CUDA_SUCCESS);
    }
    ASSERT_EQ(driver().cuMemsetD8Async(source->memory, 0x77, layout.size_bytes, writer->get()),
              CUDA_SUCCESS);
  }
  auto written = CudaFence::record(device_, writer->get());
  ASSERT_TRUE(succeeds(written));
  source->cuda.fence->was_written(*written);
  const std::array jobs = {job(source, *arena, 0, layout, format)};
  ASSERT_TRUE(succeeds(copier_->copy(jobs)));
  ASSERT_TRUE(succeeds(arena->slot(0).cuda->fence->synchronise()));
  EXPECT_TRUE(all_are(device_, address_of(arena->slot(0).data), layout.size_bytes, 0x77));
}

TEST_F(GpuCopier, ComesAfterWhoeverReadsTheSlot) {
  const Format format{PixelFormat::nv12, 1920, 1080, {30, 1}};
  const Layout layout = *default_layout(format.pixel_format, format.width, format.height);
  const auto arena = arena_of(1, layout.size_bytes);
  const auto kept = arena_of(1, layout.size_bytes);
  const auto busy = arena_of(1, std::size_t{64} << 20);
  ASSERT_TRUE(arena && kept && busy);
  const CUdeviceptr slot = address_of(arena->slot(0).data);
  fill(device_, slot, 0x11, layout.size_bytes);
  auto source = on_gpu(device_, picture_of(layout, 1), layout, layout, true);
  fill(device_, source->memory, 0x22, layout.size_bytes);
  auto reader = CudaStream::make(device_);
  ASSERT_TRUE(succeeds(reader));
  {
    CudaScope scope(device_->context());
    for (int i = 0; i < 300; ++i) {
      ASSERT_EQ(driver().cuMemsetD8Async(address_of(busy->slot(0).data), 1, busy->slot_stride(),
                                         reader->get()),
                CUDA_SUCCESS);
    }
    ASSERT_EQ(driver().cuMemcpyDtoDAsync(address_of(kept->slot(0).data), slot, layout.size_bytes,
                                         reader->get()),
              CUDA_SUCCESS);
  }
  auto read = CudaFence::record(device_, reader->get());
  ASSERT_TRUE(succeeds(read));
  arena->slot(0).cuda->fence->was_read(*read);
  const std::array jobs = {job(source, *arena, 0, layout, format)};
  ASSERT_TRUE(succeeds(copier_->copy(jobs)));
  ASSERT_TRUE(succeeds(arena->slot(0).cuda->fence->synchronise()));
  EXPECT_TRUE(all_are(device_, slot, layout.size_bytes, 0x22));
  EXPECT_TRUE(all_are(device_, address_of(kept->slot(0).data), layout.size_bytes, 0x11));
}

}  // namespace
}  // namespace lockstep
