// SPDX-License-Identifier: MIT
// What kernels are written in. Each kernel is a plain function of its parameters and of who runs it, so that a test can
// run all of its threads on the CPU, one after the other; there memory is the process's, and textures are emulated.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#define LOCKSTEP_DEVICE __device__ __forceinline__
#define LOCKSTEP_UNROLL _Pragma("unroll")
#define LOCKSTEP_LOOP _Pragma("unroll 1")
// By value and yet indexed where it lies, which takes compute capability 7.0.
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 700
#define LOCKSTEP_KERNEL_PARAMETER const __grid_constant__
#else
#define LOCKSTEP_KERNEL_PARAMETER const
#endif
#else
#include <cmath>
#include <cstring>
#define LOCKSTEP_DEVICE inline
#define LOCKSTEP_UNROLL
#define LOCKSTEP_LOOP
#endif

namespace lockstep::kernels {

/// An address of the GPU, or a texture object.
using Address = std::uint64_t;

/// Who runs: threadIdx.x, and blockIdx and gridDim.
struct Thread {
  unsigned index;
  unsigned block_x;
  unsigned block_y;
  unsigned block_z;
  unsigned grid_x;
};

/// 16 bytes of memory.
struct alignas(16) Word16 {
  std::uint32_t a, b, c, d;
};

/// What a texture has at one place, channel by channel; those that it lacks are not defined.
struct Texel {
  std::uint32_t x, y, z, w;
};

#if defined(__CUDACC__)

LOCKSTEP_DEVICE Thread this_thread() {
  return {threadIdx.x, blockIdx.x, blockIdx.y, blockIdx.z, gridDim.x};
}

template <typename Word>
LOCKSTEP_DEVICE Word load(Address address) {
  Word word;
  if constexpr (sizeof(Word) == 16) {
    asm volatile("ld.global.nc.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(word.a), "=r"(word.b), "=r"(word.c), "=r"(word.d)
                 : "l"(address));
  } else if constexpr (sizeof(Word) == 4) {
    asm("ld.global.nc.u32 %0, [%1];" : "=r"(word) : "l"(address));
  } else if constexpr (sizeof(Word) == 2) {
    asm("ld.global.nc.u16 %0, [%1];" : "=h"(word) : "l"(address));
  } else {
    std::uint32_t wide;
    asm("ld.global.nc.u8 %0, [%1];" : "=r"(wide) : "l"(address));
    word = static_cast<Word>(wide);
  }
  return word;
}

template <typename Word>
LOCKSTEP_DEVICE void store(Address address, Word word) {
  if constexpr (sizeof(Word) == 16) {
    asm volatile("st.global.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(address), "r"(word.a),
                 "r"(word.b), "r"(word.c), "r"(word.d)
                 : "memory");
  } else if constexpr (sizeof(Word) == 4) {
    asm volatile("st.global.u32 [%0], %1;" ::"l"(address), "r"(word) : "memory");
  } else if constexpr (sizeof(Word) == 2) {
    asm volatile("st.global.u16 [%0], %1;" ::"l"(address), "h"(word) : "memory");
  } else {
    const std::uint32_t wide = word;
    asm volatile("st.global.u8 [%0], %1;" ::"l"(address), "r"(wide) : "memory");
  }
}

// Both floats by one instruction.
LOCKSTEP_DEVICE void store_two(Address address, float first, float second) {
  asm volatile("st.global.v2.f32 [%0], {%1, %2};" ::"l"(address), "f"(first), "f"(second)
               : "memory");
}

LOCKSTEP_DEVICE Texel fetch(Address texture, unsigned x, unsigned y) {
  Texel texel;
  asm("tex.2d.v4.u32.f32 {%0, %1, %2, %3}, [%4, {%5, %6}];"
      : "=r"(texel.x), "=r"(texel.y), "=r"(texel.z), "=r"(texel.w)
      : "l"(texture), "f"(static_cast<float>(x) + 0.5f), "f"(static_cast<float>(y) + 0.5f));
  return texel;
}

LOCKSTEP_DEVICE std::uint32_t high_product(std::uint32_t a, std::uint32_t b) {
  return __umulhi(a, b);
}
LOCKSTEP_DEVICE std::uint32_t least(std::uint32_t a, std::uint32_t b) { return min(a, b); }
LOCKSTEP_DEVICE float multiply_add(float a, float b, float c) { return __fmaf_rn(a, b, c); }
/// Between 0 and 1.
LOCKSTEP_DEVICE float saturate(float value) { return __saturatef(value); }
LOCKSTEP_DEVICE int floor_of(float value) { return __float2int_rd(value); }
/// To the nearest whole number, and between 0 and 255.
LOCKSTEP_DEVICE std::uint32_t byte_of(float value) {
  return __float2uint_rn(fminf(fmaxf(value, 0.0f), 255.0f));
}
/// To the nearest whole number. \shape not negative.
LOCKSTEP_DEVICE std::uint32_t rounded(float value) { return __float2uint_rn(value); }
LOCKSTEP_DEVICE float float_of_bits(std::uint32_t bits) { return __uint_as_float(bits); }
LOCKSTEP_DEVICE std::uint32_t bits_of(float value) { return __float_as_uint(value); }
/// Byte `index` of a word, with the upper three of `above` over it.
LOCKSTEP_DEVICE std::uint32_t byte_below(std::uint32_t word, unsigned index, std::uint32_t above) {
  return __byte_perm(word, above, 0x7650u + index);
}

LOCKSTEP_DEVICE std::uint16_t half_of(float value) {
  std::uint16_t half;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half) : "f"(value));
  return half;
}
LOCKSTEP_DEVICE std::uint32_t halves_of(float low, float high) {
  std::uint32_t both;
#if __CUDA_ARCH__ >= 800
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
#else
  asm("{ .reg .f16 low, high; cvt.rn.f16.f32 low, %1; cvt.rn.f16.f32 high, %2; mov.b32 %0, {low, "
      "high}; }"
      : "=r"(both)
      : "f"(low), "f"(high));
#endif
  return both;
}

#else  // on the CPU

/// What stands for a texture object: its address is the Address.
struct EmulatedTexture {
  const std::uint8_t* data;
  std::size_t stride;
  unsigned width;
  unsigned height;
  unsigned channels;
  unsigned sample_bytes;
};

template <typename Word>
Word load(Address address) {
  Word word;
  std::memcpy(&word, reinterpret_cast<const void*>(address), sizeof word);
  return word;
}

template <typename Word>
void store(Address address, Word word) {
  std::memcpy(reinterpret_cast<void*>(address), &word, sizeof word);
}

inline void store_two(Address address, float first, float second) {
  store(address, first);
  store(address + sizeof first, second);
}

inline Texel fetch(Address texture, unsigned x, unsigned y) {
  const auto& from = *reinterpret_cast<const EmulatedTexture*>(texture);
  if (x >= from.width) x = from.width - 1;
  if (y >= from.height) y = from.height - 1;
  std::uint32_t values[4] = {0xdeadbeef, 0xdeadbeef, 0xdeadbeef, 0xdeadbeef};
  for (unsigned c = 0; c < from.channels; ++c) {
    values[c] = 0;
    std::memcpy(
        &values[c],
        from.data + y * from.stride + (x * from.channels + c) * std::size_t{from.sample_bytes},
        from.sample_bytes);
  }
  return {values[0], values[1], values[2], values[3]};
}

inline std::uint32_t high_product(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::uint32_t>(std::uint64_t{a} * b >> 32);
}
inline std::uint32_t least(std::uint32_t a, std::uint32_t b) { return a < b ? a : b; }
inline float multiply_add(float a, float b, float c) { return std::fma(a, b, c); }
inline float saturate(float value) { return value > 0 ? (value < 1 ? value : 1.0f) : 0.0f; }
inline int floor_of(float value) { return static_cast<int>(std::floor(value)); }
inline std::uint32_t byte_of(float value) {
  return static_cast<std::uint32_t>(
      std::nearbyint(value > 0 ? (value < 255 ? value : 255.0f) : 0.0f));
}
inline std::uint32_t rounded(float value) {
  return static_cast<std::uint32_t>(std::nearbyint(value));
}
inline float float_of_bits(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
inline std::uint32_t bits_of(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

inline std::uint32_t byte_below(std::uint32_t word, unsigned index, std::uint32_t above) {
  return (word >> 8 * index & 0xff) | (above & ~0xffu);
}

inline std::uint16_t half_of(float value) {
  const auto sign = static_cast<std::uint16_t>(std::signbit(value) ? 0x8000 : 0);
  const float size = std::fabs(value);
  if (std::isnan(value)) return 0x7fff;
  if (size >= 65520.0f) return sign | 0x7c00;
  if (size == 0) return sign;
  int exponent = 0;
  std::frexp(size, &exponent);
  // The step between halves there: 2^-24 where they are subnormal.
  const int step = exponent < -13 ? -24 : exponent - 11;
  const auto steps = static_cast<std::uint32_t>(std::nearbyint(std::ldexp(size, -step)));
  // Steps count on from one exponent to the next, also where rounding goes up to it.
  return static_cast<std::uint16_t>(
      sign + (step == -24 ? steps : (static_cast<std::uint32_t>(step + 24) << 10) + steps));
}
inline std::uint32_t halves_of(float low, float high) {
  return half_of(low) | static_cast<std::uint32_t>(half_of(high)) << 16;
}

#endif

}  // namespace lockstep::kernels
