// SPDX-License-Identifier: MIT
// Batches in the memory of a GPU: arenas, their fds in this process and in another, who copies into them, and rigs on them.
// What needs no GPU's pixels to be looked at is in tests/conformance/memory_test.cpp.
#include <dirent.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "cuda/driver.h"
#include "gpu_testing.h"
#include "lockstep/cuda.h"
#include "lockstep/cuda_kernels.h"
#include "lockstep/memory.h"
#include "lockstep/painted_code.h"
#include "lockstep/rig.h"
#include "rig_testing.h"

namespace lockstep {
namespace {

constexpr std::size_t kSlotBytes = 10'000;
// What others on the machine may take or give back meanwhile.
constexpr std::size_t kTolerance = std::size_t{64} << 20;
// Where a child finds the fd it is given; nobody else has so many open.
constexpr int kGivenFd = 200;
constexpr const char* kGivenBytes = "LOCKSTEP_TEST_SLOT_BYTES";
constexpr int kCannotBeTried = 77;

const CudaDriver& driver() { return loaded_cuda_driver(); }

CUdeviceptr address_of(const std::byte* data) { return reinterpret_cast<CUdeviceptr>(data); }

std::size_t num_open_fds() {
  std::size_t count = 0;
  DIR* fds = opendir("/proc/self/fd");
  while (readdir(fds) != nullptr) ++count;
  closedir(fds);
  return count;
}

void fill(const std::shared_ptr<CudaDevice>& device, CUdeviceptr to, int value, std::size_t size) {
  auto stream = CudaStream::make(device);
  ASSERT_TRUE(succeeds(stream));
  CudaScope scope(device->context());
  ASSERT_EQ(driver().cuMemsetD8Async(to, static_cast<unsigned char>(value), size, stream->get()),
            CUDA_SUCCESS);
  ASSERT_TRUE(succeeds(stream->synchronise()));
}

// Copies from pageable memory may still be on their way when the driver returns, and no other stream waits for them.
void settle() { EXPECT_EQ(driver().cuStreamSynchronize(nullptr), CUDA_SUCCESS); }

bool all_are(const std::shared_ptr<CudaDevice>& device, CUdeviceptr from, std::size_t size,
             int value) {
  std::vector<std::byte> bytes(size);
  CudaScope scope(device->context());
  if (driver().cuMemcpyDtoH(bytes.data(), from, size) != CUDA_SUCCESS) return false;
  for (const std::byte byte : bytes)
    if (byte != std::byte(value)) return false;
  return true;
}

// What another user of CUDA makes of a slot's fd, for as long as this lives.
class Imported {
 public:
  Imported(std::shared_ptr<CudaDevice> device, int fd, std::size_t size)
      : device_(std::move(device)), size_(size) {
    CudaScope scope(device_->context());
    imported_ = driver().cuMemImportFromShareableHandle(
                    &handle_, reinterpret_cast<void*>(static_cast<std::intptr_t>(fd)),
                    CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR) == CUDA_SUCCESS;
    if (!imported_) return;
    if (driver().cuMemAddressReserve(&base_, size_, 0, 0, 0) != CUDA_SUCCESS) base_ = 0;
    if (base_ == 0) return;
    mapped_ = driver().cuMemMap(base_, size_, 0, handle_, 0) == CUDA_SUCCESS;
    if (!mapped_) return;
    CUmemAccessDesc access{};
    access.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
    access.location.id = device_->ordinal();
    access.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
    open_ = driver().cuMemSetAccess(base_, size_, &access, 1) == CUDA_SUCCESS;
  }
  ~Imported() {
    CudaScope scope(device_->context());
    if (mapped_) driver().cuMemUnmap(base_, size_);
    if (base_ != 0) driver().cuMemAddressFree(base_, size_);
    if (imported_) driver().cuMemRelease(handle_);
  }
  Imported(const Imported&) = delete;
  Imported& operator=(const Imported&) = delete;

  bool imported() const { return imported_; }
  explicit operator bool() const { return open_; }
  CUdeviceptr base() const { return base_; }

 private:
  std::shared_ptr<CudaDevice> device_;
  std::size_t size_;
  CUmemGenericAllocationHandle handle_ = 0;
  CUdeviceptr base_ = 0;
  bool imported_ = false;
  bool mapped_ = false;
  bool open_ = false;
};

// Runs a disabled test of this program in a process of its own. Answers its exit status, or minus the signal.
int run_in_child(const std::string& test, int fd = -1) {
  std::string program = "/proc/self/exe";
  std::string filter = "--gtest_filter=" + test;
  std::string disabled = "--gtest_also_run_disabled_tests";
  char* arguments[] = {program.data(), filter.data(), disabled.data(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (fd >= 0) posix_spawn_file_actions_adddup2(&actions, fd, kGivenFd);
  pid_t child = -1;
  const int failed = posix_spawn(&child, program.c_str(), &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return -failed;
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

class GpuMemory : public testing::Test {
 protected:
  void SetUp() override {
    auto memory = find_memory_backend("cuda");
    ASSERT_TRUE(succeeds(memory));
    memory_ = *memory;
    if (auto available = memory_->available(); !available) GTEST_SKIP() << available.error().what;
    auto device = CudaDevice::open();
    ASSERT_TRUE(succeeds(device));
    device_ = *device;
    // What the driver loads and opens when it is first used counts for no test.
    auto first = memory_->allocate(1, 1);
    ASSERT_TRUE(succeeds(first));
    fill(device_, address_of((*first)->slot(0).data), 1, 1);
  }

  std::shared_ptr<Arena> arena_of(std::size_t num_slots, std::size_t slot_bytes = kSlotBytes) {
    auto arena = memory_->allocate(num_slots, slot_bytes);
    EXPECT_TRUE(succeeds(arena));
    return arena ? *std::move(arena) : nullptr;
  }

  int attribute(CUdevice_attribute which) const {
    CUdevice of = 0;
    int value = 0;
    EXPECT_EQ(driver().cuDeviceGet(&of, 0), CUDA_SUCCESS);
    EXPECT_EQ(driver().cuDeviceGetAttribute(&value, which, of), CUDA_SUCCESS);
    return value;
  }

  void expect_only_slot(const Arena& arena, std::size_t written, int value) {
    for (std::size_t i = 0; i < arena.num_slots(); ++i) {
      const SlotView slot = arena.slot(i);
      EXPECT_TRUE(
          all_are(device_, address_of(slot.data), slot.size_bytes, i == written ? value : 0))
          << "slot " << i << " after writing slot " << written;
    }
  }

  void expect_free_as(std::size_t before) const {
    EXPECT_GE(device_->free_bytes() + kTolerance, before);
  }

  const MemoryBackend* memory_ = nullptr;
  std::shared_ptr<CudaDevice> device_;
};

// --- Arenas ---

TEST_F(GpuMemory, SlotsLieAWholeNumberOfGranulesApart) {
  CUmemAllocationProp properties{};
  properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  properties.requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
  std::size_t granule = 0;
  {
    CudaScope scope(device_->context());
    ASSERT_EQ(driver().cuMemGetAllocationGranularity(&granule, &properties,
                                                     CU_MEM_ALLOC_GRANULARITY_MINIMUM),
              CUDA_SUCCESS);
  }
  for (const std::size_t bytes : {std::size_t{1}, kSlotBytes, granule, granule + 1}) {
    const auto arena = arena_of(3, bytes);
    ASSERT_NE(arena, nullptr);
    EXPECT_EQ(arena->slot_stride(), (bytes + granule - 1) / granule * granule);
    EXPECT_EQ(arena->bytes().size(), 3 * arena->slot_stride());
    EXPECT_EQ(arena->space(), MemorySpace::cuda);
    EXPECT_EQ(arena->batch_fd(), -1);
    for (std::size_t i = 0; i < 3; ++i) {
      const SlotView slot = arena->slot(i);
      EXPECT_EQ(slot.data, arena->bytes().data() + i * arena->slot_stride());
      EXPECT_GE(slot.fd, 0);
      EXPECT_EQ(slot.fd_kind, FdKind::cuda);
      ASSERT_NE(slot.cuda, nullptr);
      EXPECT_EQ(slot.cuda->device, device_);
      EXPECT_EQ(slot.cuda->planes[0], reinterpret_cast<std::uintptr_t>(slot.data));
      EXPECT_TRUE(slot.cuda->is_range);
      EXPECT_NE(slot.cuda->fence, nullptr);
    }
  }
}

TEST_F(GpuMemory, IsZeroedAtFirst) {
  for (int round = 0; round < 3; ++round) {
    const auto arena = arena_of(3);
    ASSERT_NE(arena, nullptr);
    const CUdeviceptr base = address_of(arena->bytes().data());
    EXPECT_TRUE(all_are(device_, base, arena->bytes().size(), 0));
    fill(device_, base, 0xff, arena->bytes().size());
  }
}

TEST_F(GpuMemory, ASlotsFdReachesThatSlotAndNothingElse) {
  for (std::size_t written = 0; written < 4; ++written) {
    const auto arena = arena_of(4);
    ASSERT_NE(arena, nullptr);
    Imported imported(device_, arena->slot(written).fd, arena->slot_stride());
    ASSERT_TRUE(imported);
    fill(device_, imported.base(), 0x5a, arena->slot_stride());
    expect_only_slot(*arena, written, 0x5a);
  }
}

TEST_F(GpuMemory, ASlotsFdEndsWithTheSlot) {
  const auto arena = arena_of(3);
  ASSERT_NE(arena, nullptr);
  Imported imported(device_, arena->slot(1).fd, 2 * arena->slot_stride());
  EXPECT_TRUE(imported.imported());
  EXPECT_FALSE(imported);
}

TEST_F(GpuMemory, AnotherProcessWritesIntoThatSlotAndNothingElse) {
  const auto arena = arena_of(4);
  ASSERT_NE(arena, nullptr);
  setenv(kGivenBytes, std::to_string(arena->slot_stride()).c_str(), 1);
  EXPECT_EQ(run_in_child("InAChild.DISABLED_WritesIntoASlot", arena->slot(2).fd), 0);
  expect_only_slot(*arena, 2, 99);
}

// Run by the test above.
TEST(InAChild, DISABLED_WritesIntoASlot) {
  const char* bytes = std::getenv(kGivenBytes);
  if (bytes == nullptr) GTEST_SKIP() << "run by another test";
  const auto size = static_cast<std::size_t>(std::stoull(bytes));
  auto device = CudaDevice::open();
  ASSERT_TRUE(succeeds(device));
  Imported imported(*device, kGivenFd, size);
  ASSERT_TRUE(imported);
  fill(*device, imported.base(), 99, size);
}

TEST_F(GpuMemory, ASlotIsADmaBufWhereTheDriverMakesThem) {
  const auto arena = arena_of(2);
  ASSERT_NE(arena, nullptr);
  const bool makes_them = attribute(CU_DEVICE_ATTRIBUTE_DMA_BUF_SUPPORTED) != 0;
  for (std::size_t i = 0; i < 2; ++i) {
    const int dmabuf = arena->slot(i).dmabuf_fd;
    EXPECT_EQ(dmabuf >= 0, makes_them);
    if (dmabuf < 0) continue;
    EXPECT_EQ(lseek(dmabuf, 0, SEEK_END), static_cast<off_t>(arena->slot_stride()));
  }
}

TEST_F(GpuMemory, MappingsOfItsFdsStayWhenItGoes) {
  auto arena = arena_of(2);
  ASSERT_NE(arena, nullptr);
  const std::size_t stride = arena->slot_stride();
  Imported imported(device_, arena->slot(1).fd, stride);
  ASSERT_TRUE(imported);
  fill(device_, address_of(arena->slot(1).data), 42, stride);
  arena.reset();
  EXPECT_TRUE(all_are(device_, imported.base(), stride, 42));
}

TEST_F(GpuMemory, MoreThanTheGpuHasIsOutOfMemoryAndLeavesNothing) {
  const std::size_t before = device_->free_bytes();
  const std::size_t fds = num_open_fds();
  for (const std::size_t bytes : {before, std::size_t{1} << 50, static_cast<std::size_t>(-1)}) {
    const auto arena = memory_->allocate(2, bytes);
    EXPECT_TRUE(fails(arena, Errc::out_of_memory, "available")) << bytes;
    expect_free_as(before);
    EXPECT_EQ(num_open_fds(), fds);
  }
}

TEST_F(GpuMemory, AllThatIsFreeIsHadOrGivenBackWhole) {
  const std::size_t before = device_->free_bytes();
  const std::size_t fds = num_open_fds();
  constexpr std::size_t kGranule = std::size_t{2} << 20;
  {
    // The last slots may not be had, for the driver needs memory too.
    const auto arena = memory_->allocate(8, before / 8 / kGranule * kGranule);
    if (!arena) {
      EXPECT_TRUE(fails(arena, Errc::out_of_memory));
    }
  }
  expect_free_as(before);
  EXPECT_EQ(num_open_fds(), fds);
}

TEST_F(GpuMemory, ArenasThatGoLeaveNothing) {
  const std::size_t before = device_->free_bytes();
  const std::size_t fds = num_open_fds();
  for (int i = 0; i < 100; ++i) ASSERT_NE(arena_of(4), nullptr);
  expect_free_as(before);
  EXPECT_EQ(num_open_fds(), fds);
}

TEST_F(GpuMemory, IsKeptUntilWhoeverReadsItIsDone) {
  auto stream = CudaStream::make(device_);
  ASSERT_TRUE(succeeds(stream));
  auto arena = arena_of(1, std::size_t{64} << 20);
  ASSERT_NE(arena, nullptr);
  const SlotView slot = arena->slot(0);
  {
    CudaScope scope(device_->context());
    for (int i = 0; i < 200; ++i) {
      ASSERT_EQ(driver().cuMemsetD8Async(address_of(slot.data), 1, slot.size_bytes, stream->get()),
                CUDA_SUCCESS);
    }
  }
  auto written = CudaFence::record(device_, stream->get());
  ASSERT_TRUE(succeeds(written));
  slot.cuda->fence->was_written(*written);
  // Example failure: the slot is unmapped while the stream writes to it, which breaks the context.
  arena.reset();
  EXPECT_TRUE(succeeds(stream->synchronise()));
}

// --- Who copies ---

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
  source->cuda.is_range = is_range;
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

// --- Rigs ---

std::optional<PaintedCode> code_of(const Frame& frame) {
  const std::vector<std::byte> bytes = download(frame, kSmall);
  return read_code(
      luma_of(kSmall, *default_layout(kSmall.pixel_format, kSmall.width, kSmall.height), bytes));
}

RigConfig gpu_config(const std::string& sensors, BatchLayout layout) {
  RigConfig config = config_of(sensors);
  config.memory = "cuda";
  config.layout = layout;
  return config;
}

void expect_whole(const Batch& batch) {
  for (std::size_t i = 0; i < batch.frames.size(); ++i) {
    const Frame& frame = batch.frames[i];
    ASSERT_NE(frame.pixels, nullptr);
    const auto code = code_of(frame);
    ASSERT_TRUE(code) << "batch " << batch.number << ", frame " << i;
    EXPECT_EQ(code->sensor, i);
    EXPECT_EQ(code->sequence, frame.info.sequence);
  }
}

class GpuRig : public GpuMemory {};

TEST_F(GpuRig, EveryFrameIsUploadedOnceIntoItsSlot) {
  for (const BatchLayout layout : {BatchLayout::automatic, BatchLayout::contiguous}) {
    auto rig = started(gpu_config(times(4, "sim?realtime=false&render=code"), layout));
    ASSERT_NE(rig, nullptr);
    EXPECT_EQ(rig->frame_space(), MemorySpace::cuda);
    EXPECT_TRUE(rig->delivers_cuda());
    EXPECT_FALSE(rig->delivers_dmabufs());
    // Some are held, so that a slot that is filled too early shows.
    std::deque<Batch> held;
    for (int n = 0; n < 100; ++n) {
      held.push_back(next(*rig));
      const Batch& batch = held.back();
      ASSERT_TRUE(batch.contiguous());
      ASSERT_EQ(batch.frames.size(), 4u);
      for (std::size_t i = 0; i < 4; ++i) {
        const Frame& frame = batch.frames[i];
        ASSERT_EQ(frame.state, FrameState::fresh);
        EXPECT_EQ(frame.info.copies, 1u);
        EXPECT_EQ(frame.pixels->space(), MemorySpace::cuda);
        EXPECT_EQ(frame.pixels->fd_kind, FdKind::cuda);
        EXPECT_EQ(frame.pixels->data, batch.arena->slot(i).data);
      }
      if (held.size() < 3) continue;
      expect_whole(held.front());
      held.pop_front();
    }
    const RigStats stats = rig->stats();
    EXPECT_EQ(stats.batches, 100u);
    EXPECT_EQ(stats.by_reference, 0u);
    for (const auto& sensor : stats.sensors) {
      EXPECT_EQ(sensor.copies, 100u);
      EXPECT_NE(sensor.io.find("GPU memory"), std::string::npos) << sensor.io;
    }
    rig.reset();
    for (const Batch& batch : held) expect_whole(batch);
  }
}

TEST_F(GpuRig, ByReferenceFramesStayWhereTheirSensorHasThem) {
  auto rig =
      started(gpu_config(times(2, "sim?realtime=false&render=code"), BatchLayout::reference));
  ASSERT_NE(rig, nullptr);
  EXPECT_EQ(rig->frame_space(), MemorySpace::host);
  for (int n = 0; n < 10; ++n) {
    const Batch batch = next(*rig);
    EXPECT_FALSE(batch.contiguous());
    for (const Frame& frame : batch.frames) {
      EXPECT_EQ(frame.pixels->space(), MemorySpace::host);
      EXPECT_EQ(frame.info.copies, 0u);
    }
    expect_whole(batch);
  }
}

TEST_F(GpuRig, FramesAreMeteredBeforeTheyGoToTheGpu) {
  RigConfig config = gpu_config(times(2, "sim?realtime=false&render=code"), BatchLayout::automatic);
  config.light.always_meter = true;
  auto rig = started(std::move(config));
  ASSERT_NE(rig, nullptr);
  for (const Frame& frame : next(*rig).frames) EXPECT_TRUE(frame.metering);
}

TEST_F(GpuRig, MissingAndRepeatedFramesKeepTheirPlaces) {
  RigConfig config =
      gpu_config("sim?realtime=false&render=code&drop=0.3;sim?realtime=false&render=code",
                 BatchLayout::automatic);
  config.grouping.on_missing = OnMissing::repeat;
  auto rig = started(std::move(config));
  ASSERT_NE(rig, nullptr);
  int repeated = 0;
  for (int n = 0; n < 100; ++n) {
    const Batch batch = next(*rig);
    EXPECT_TRUE(batch.contiguous());
    for (std::size_t i = 0; i < 2; ++i) {
      const Frame& frame = batch.frames[i];
      if (!frame.pixels) continue;
      repeated += frame.state == FrameState::repeated;
      const auto code = code_of(frame);
      ASSERT_TRUE(code);
      EXPECT_EQ(code->sensor, i);
      EXPECT_EQ(code->sequence, frame.info.sequence);
    }
  }
  EXPECT_GT(repeated, 0);
}

TEST_F(GpuRig, StartsAgainAndAgainAndLeavesNothing) {
  auto rig = Rig::open(gpu_config(times(3, "sim?render=code"), BatchLayout::automatic));
  ASSERT_TRUE(succeeds(rig));
  Format fast = kSmall;
  fast.framerate = {100, 1};
  std::size_t fds = 0;
  std::size_t free = 0;
  for (int round = 0; round < 4; ++round) {
    ASSERT_TRUE(succeeds((*rig)->configure(fast)));
    ASSERT_TRUE(succeeds((*rig)->start()));
    for (int n = 0; n < 20; ++n) {
      const Batch batch = next(**rig);
      EXPECT_TRUE(batch.contiguous());
      for (std::size_t i = 0; i < batch.frames.size(); ++i) {
        if (!batch.frames[i].pixels) continue;
        const auto code = code_of(batch.frames[i]);
        ASSERT_TRUE(code);
        EXPECT_EQ(code->sensor, i);
      }
    }
    (*rig)->stop();
    if (round == 0) fds = num_open_fds();
    if (round == 0) free = device_->free_bytes();
  }
  EXPECT_EQ(num_open_fds(), fds);
  expect_free_as(free);
}

TEST_F(GpuRig, MoreBatchesThanTheGpuHoldsAreRefusedBeforeAnyIsTaken) {
  RigConfig config =
      gpu_config(times(64, "sim?realtime=false&render=stamp"), BatchLayout::automatic);
  config.max_batches = 64;
  auto rig = Rig::open(std::move(config));
  ASSERT_TRUE(succeeds(rig));
  // 64 batches of 64 frames of 64 MiB.
  const auto configured = (*rig)->configure({PixelFormat::bgrx, 4096, 4096, {30, 1}});
  EXPECT_TRUE(fails(configured, Errc::out_of_memory, "memory=cuda"));
}

TEST_F(GpuRig, ABrokenGpuIsToldAndLetGo) {
  const int status = run_in_child("InAChild.DISABLED_BreaksTheGpu");
  if (status == kCannotBeTried) GTEST_SKIP() << "this driver compiles no PTX";
  EXPECT_EQ(status, 0);
}

// A kernel that the GPU cannot go on from: the context is broken for good.
void break_context(const std::shared_ptr<CudaDevice>& device) {
  constexpr const char* kTrap =
      ".version 7.0\n.target sm_80\n.address_size 64\n"
      ".visible .entry break_it()\n{\n  trap;\n  ret;\n}\n";
  auto stream = CudaStream::make(device);
  ASSERT_TRUE(succeeds(stream));
  CudaScope scope(device->context());
  CUmodule module = nullptr;
  CUfunction function = nullptr;
  if (driver().cuModuleLoadDataEx(&module, kTrap, 0, nullptr, nullptr) != CUDA_SUCCESS ||
      driver().cuModuleGetFunction(&function, module, "break_it") != CUDA_SUCCESS)
    std::_Exit(kCannotBeTried);
  ASSERT_EQ(driver().cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, stream->get(), nullptr, nullptr),
            CUDA_SUCCESS);
  EXPECT_TRUE(fails(stream->synchronise(), Errc::device_lost));
}

// Run by the test above, for it leaves the process without a GPU.
TEST(InAChild, DISABLED_BreaksTheGpu) {
  auto device = CudaDevice::open();
  ASSERT_TRUE(succeeds(device));
  auto rig =
      started(gpu_config(times(3, "sim?realtime=false&render=code"), BatchLayout::automatic));
  ASSERT_NE(rig, nullptr);
  for (int n = 0; n < 5; ++n) expect_whole(next(*rig));
  Batch held = next(*rig);
  break_context(*device);
  for (int n = 0; n < 3; ++n) EXPECT_TRUE(fails(rig->next_batch(kLong), Errc::device_lost));
  const RigStats stats = rig->stats();
  EXPECT_EQ(stats.batches, 6u);
  EXPECT_EQ(stats.dropped_batches, 3u);
  for (const auto& sensor : stats.sensors) {
    EXPECT_EQ(sensor.frames, 6u);
    EXPECT_EQ(sensor.copies, 6u);
    EXPECT_EQ(sensor.drops[static_cast<std::size_t>(DropReason::flushed)], 3u);
  }
  rig->stop();
  held = {};
  rig.reset();
}

}  // namespace
}  // namespace lockstep
