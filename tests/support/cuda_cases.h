// SPDX-License-Identifier: MIT
// Random work for the GPU's kernels, and whether what they made of it is what their twins make. Who runs the kernels is
// left open: a GPU, or the CPU thread by thread.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "cuda/plan.h"
#include "lockstep/cuda_kernels.h"

namespace lockstep {

/// Bytes that begin where the GPU's memory does: aligned to 256.
class AlignedBytes {
 public:
  explicit AlignedBytes(std::size_t size);
  AlignedBytes(const AlignedBytes& other);
  AlignedBytes(AlignedBytes&&) noexcept = default;
  AlignedBytes& operator=(AlignedBytes&&) noexcept = default;

  std::byte* data() { return data_.get(); }
  const std::byte* data() const { return data_.get(); }
  std::size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(std::byte* data) const;
  };
  std::unique_ptr<std::byte, Free> data_;
  std::size_t size_;
};

/// Pictures in one piece of memory. Their planes are offsets into it; those that are arrays are meant to be made arrays of
/// what lies there, and have strides all the same.
struct Pictures {
  AlignedBytes memory{0};
  std::vector<CudaPicture> pictures;
  std::vector<std::array<ArrayShape, kMaxPlanes>> arrays;  ///< Of those that are arrays, what of.

  /// The same with addresses in place of offsets, as if memory began there.
  std::vector<CudaPicture> at(std::uintptr_t begin) const;
  /// The same in this memory, as the CPU sees it.
  std::vector<CudaPicture> here() const;
};

/// Runs kernels. What is written to is answered as it is afterwards, all of the memory.
class KernelRunner {
 public:
  virtual ~KernelRunner() = default;

  virtual Result<AlignedBytes> gather(const Pictures& from, const Pictures& to) = 0;
  /// `mosaic` has one picture.
  virtual Result<AlignedBytes> tile(const Pictures& from, std::span<const Rectangle> places,
                                    const Pictures& mosaic, ColourMatrix matrix,
                                    ColourRange range) = 0;
  virtual Result<AlignedBytes> fill(const Pictures& picture, const Rectangle& place,
                                    std::array<std::uint8_t, 3> colour) = 0;
  /// The tensor begins at `offset` of `memory`.
  virtual Result<AlignedBytes> to_tensor(const Pictures& frames, const TensorSpec& spec,
                                         const AlignedBytes& memory, std::size_t offset) = 0;
};

struct Size {
  std::uint32_t width;
  std::uint32_t height;
};

/// How the pictures of a case lie in memory.
enum class Lie {
  tight,    ///< Rows adjoin, addresses are whole.
  pitched,  ///< Strides are multiples of 256, addresses too.
  words,    ///< Strides and addresses are multiples of 4, and no more.
  odd,      ///< Neither is a multiple of anything.
  any,      ///< One of these, each.
};

/// Makes pictures of random content, in memory of random content.
class CaseMaker {
 public:
  explicit CaseMaker(std::uint32_t seed) : random_(seed) {}

  std::uint32_t up_to(std::uint32_t most);  ///< From 0 on.
  void fill_random(AlignedBytes& bytes);
  /// Adds a picture after those that there are.
  CudaPicture place(PixelFormat format, std::uint32_t width, std::uint32_t height, Lie lie,
                    std::size_t& end);
  /// Some of them arrays, such as producers make of the format.
  Pictures make(PixelFormat format, std::span<const Size> sizes, Lie lie,
                unsigned arrays_of_100 = 0);
  Pictures make(PixelFormat format, std::size_t count, Size size, Lie lie,
                unsigned arrays_of_100 = 0);
  /// Makes the elements of arrays any that their rows can be made of.
  void make_arrays_strange(Pictures& pictures);
  /// A rectangle that begins at even pixels.
  Rectangle part_of(Size size);

 private:
  std::mt19937 random_;
};

/// A seed that is new each time, or that of the environment variable LOCKSTEP_SEED; named in failures.
std::uint32_t fresh_seed();
#define LOCKSTEP_FRESH_SEED(name)                      \
  const std::uint32_t name = ::lockstep::fresh_seed(); \
  SCOPED_TRACE("LOCKSTEP_SEED=" + std::to_string(name))

/// Each holds if the kernel does what its twin does, to the tolerance that is told there, and nothing outside.
void expect_gathers(KernelRunner& runner, const Pictures& from, const Pictures& to);
void expect_tiles(KernelRunner& runner, const Pictures& from, std::span<const Rectangle> places,
                  const Pictures& mosaic, ColourMatrix matrix, ColourRange range);
void expect_fills(KernelRunner& runner, const Pictures& picture, const Rectangle& place,
                  std::array<std::uint8_t, 3> colour);
void expect_tensor(KernelRunner& runner, const Pictures& frames, const TensorSpec& spec,
                   std::uint32_t seed);

/// The same for work of all kinds: each format, each way to lie, arrays among the rest.
void expect_gathers_all(KernelRunner& runner, std::uint32_t seed, std::span<const Size> sizes,
                        std::span<const std::size_t> counts);
void expect_tiles_all(KernelRunner& runner, std::uint32_t seed, std::span<const Size> sizes,
                      std::span<const Size> mosaics, std::span<const std::size_t> counts);
void expect_fills_all(KernelRunner& runner, std::uint32_t seed, std::span<const Size> sizes);
void expect_tensors_all(KernelRunner& runner, std::uint32_t seed, std::span<const Size> sizes,
                        std::span<const Size> tensors, std::span<const std::size_t> counts);

}  // namespace lockstep
