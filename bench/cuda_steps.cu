// SPDX-License-Identifier: MIT
// What a network's input takes where each step is a kernel of its own, as separate libraries have it: each reads what the
// one before wrote. One launch for all frames, written as one would write each by itself. And a copy, to compare with.
#include "cuda/kernels/device.h"

using lockstep::kernels::halves_of;

namespace {

__device__ unsigned char byte_of(float value) {
  return static_cast<unsigned char>(__float2uint_rn(fminf(fmaxf(value, 0.0f), 255.0f)));
}

__device__ uchar3 rgb_of(float y, float u, float v) {
  const float luma = 1.164384f * (y - 16.0f);
  return {byte_of(luma + 1.792741f * v), byte_of(luma - 0.213249f * u - 0.532909f * v),
          byte_of(luma + 2.112402f * u)};
}

}  // namespace

// NV12 without padding to packed RGB: four pixels of a row by each thread, with the chroma of each pair.
extern "C" __global__ void __launch_bounds__(256)
    convert(const unsigned char* frames, unsigned char* rgb, unsigned width, unsigned height) {
  const unsigned quads = width / 4;
  const unsigned index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= quads * height) return;
  const unsigned y = index / quads;
  const unsigned x = index % quads * 4;
  const unsigned char* luma_plane = frames + size_t{blockIdx.y} * width * height * 3 / 2;
  const unsigned char* chroma_plane = luma_plane + size_t{width} * height;
  const uchar4 luma = *reinterpret_cast<const uchar4*>(luma_plane + size_t{y} * width + x);
  const uchar4 chroma = *reinterpret_cast<const uchar4*>(chroma_plane + size_t{y / 2} * width + x);
  const float u0 = chroma.x - 128.0f;
  const float v0 = chroma.y - 128.0f;
  const float u1 = chroma.z - 128.0f;
  const float v1 = chroma.w - 128.0f;
  const uchar3 a = rgb_of(luma.x, u0, v0);
  const uchar3 b = rgb_of(luma.y, u0, v0);
  const uchar3 c = rgb_of(luma.z, u1, v1);
  const uchar3 d = rgb_of(luma.w, u1, v1);
  auto* to = reinterpret_cast<uchar4*>(rgb + ((size_t{blockIdx.y} * height + y) * width + x) * 3);
  to[0] = {a.x, a.y, a.z, b.x};
  to[1] = {b.y, b.z, c.x, c.y};
  to[2] = {c.z, d.x, d.y, d.z};
}

// Packed RGB to packed RGB of another size, bilinear: a pixel by each thread.
extern "C" __global__ void __launch_bounds__(256)
    resize(const unsigned char* from, unsigned char* to, unsigned width, unsigned height,
           unsigned to_width, unsigned to_height) {
  const unsigned x = blockIdx.x * 32 + threadIdx.x % 32;
  const unsigned y = blockIdx.y * 8 + threadIdx.x / 32;
  if (x >= to_width || y >= to_height) return;
  const float at_x = fmaxf((x + 0.5f) * width / to_width - 0.5f, 0.0f);
  const float at_y = fmaxf((y + 0.5f) * height / to_height - 0.5f, 0.0f);
  const unsigned x0 = static_cast<unsigned>(at_x);
  const unsigned y0 = static_cast<unsigned>(at_y);
  const unsigned x1 = min(x0 + 1, width - 1);
  const unsigned y1 = min(y0 + 1, height - 1);
  const float right = at_x - x0;
  const float bottom = at_y - y0;
  const unsigned char* picture = from + size_t{blockIdx.z} * width * height * 3;
  const unsigned char* row0 = picture + size_t{y0} * width * 3;
  const unsigned char* row1 = picture + size_t{y1} * width * 3;
  unsigned char* pixel = to + ((size_t{blockIdx.z} * to_height + y) * to_width + x) * 3;
#pragma unroll
  for (unsigned c = 0; c < 3; ++c) {
    const float top = row0[x0 * 3 + c] + right * (row0[x1 * 3 + c] - row0[x0 * 3 + c]);
    const float low = row1[x0 * 3 + c] + right * (row1[x1 * 3 + c] - row1[x0 * 3 + c]);
    pixel[c] = byte_of(top + bottom * (low - top));
  }
}

// Packed RGB to planar halves, in the middle of a square with bars: two pixels by each thread.
extern "C" __global__ void __launch_bounds__(256)
    normalise(const unsigned char* from, unsigned* tensor, unsigned side, unsigned content_height,
              float scale, float bar) {
  const unsigned pairs = side / 2;
  const unsigned index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= pairs * side) return;
  const unsigned y = index / pairs;
  const unsigned x = index % pairs * 2;
  const unsigned above = (side - content_height) / 2;
  const unsigned char* pixels =
      from + ((size_t{blockIdx.y} * content_height + (y - above)) * side + x) * 3;
  const bool is_bar = y < above || y >= above + content_height;
#pragma unroll
  for (unsigned c = 0; c < 3; ++c) {
    const float a = is_bar ? bar : pixels[c] * scale;
    const float b = is_bar ? bar : pixels[3 + c] * scale;
    tensor[(size_t{blockIdx.y} * 3 + c) * side * pairs + index] = halves_of(a, b);
  }
}

// The bytes of one block of memory to another: 16 at a time, 4 times by each thread.
extern "C" __global__ void __launch_bounds__(256)
    copy(const uint4* from, uint4* to, unsigned long long words) {
  constexpr unsigned kLoads = 4;
  const unsigned long long first = blockIdx.x * (kLoads * 256ull) + threadIdx.x;
  uint4 loaded[kLoads];
#pragma unroll
  for (unsigned i = 0; i < kLoads; ++i)
    if (first + i * 256 < words) loaded[i] = __ldg(from + first + i * 256);
#pragma unroll
  for (unsigned i = 0; i < kLoads; ++i)
    if (first + i * 256 < words) to[first + i * 256] = loaded[i];
}

// Holds the stream up for so long, so that the work behind it is all there when the GPU comes to it.
extern "C" __global__ void hold(unsigned long long nanoseconds) {
  unsigned long long begin;
  unsigned long long now;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(begin));
  do {
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
  } while (now - begin < nanoseconds);
}
