// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "lockstep/colour.h"
#include "lockstep/cuda.h"
#include "lockstep/export.h"
#include "lockstep/format.h"
#include "lockstep/frame.h"
#include "lockstep/mosaic.h"
#include "lockstep/result.h"

namespace lockstep {

/// A picture in GPU memory, as kernels read or write it.
///
/// \shape  planes as PixelFormat says, each of rows of strides[p] bytes; where `are_arrays` is set planes are CUarrays of
///         one, two or four channels, and strides mean nothing.
struct CudaPicture {
  PixelFormat pixel_format = PixelFormat::nv12;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::array<std::uintptr_t, kMaxPlanes>
      planes{};  ///< Device addresses (CUdeviceptr), or CUarrays.
  std::array<std::size_t, kMaxPlanes> strides{};
  bool are_arrays = false;
};

/// The picture that a frame in GPU memory is. `pixels.cuda` must be set.
LOCKSTEP_API CudaPicture cuda_picture(const Pixels& pixels, const Layout& layout,
                                      PixelFormat format, std::uint32_t width,
                                      std::uint32_t height);

/// What values a tensor has.
enum class TensorType : std::uint8_t {
  uint8,    ///< Rounded to the nearest and clamped to 0..255.
  float16,  ///< IEEE 754 half.
  float32,
};

/// In which order.
enum class TensorOrder : std::uint8_t {
  nchw,  ///< Planar: frames x 3 x height x width.
  nhwc,  ///< Packed: frames x height x width x 3.
};

/// What becomes of frames on their way into a tensor: scaled, converted to RGB, and each channel c to
/// (value - mean[c]) * scale[c], with values of 0..255.
struct TensorSpec {
  std::uint32_t width = 640;
  std::uint32_t height = 640;
  TensorType type = TensorType::float16;
  TensorOrder order = TensorOrder::nchw;
  bool bgr = false;  ///< Blue first.
  /// Keeps the shape of the picture, in the middle of the tensor, with bars of `bar` on both sides. Else it is stretched.
  bool letterbox = true;
  std::array<float, 3> bar{
      114, 114, 114};  ///< Of the bars, per channel in the tensor's order; before mean and scale.
  std::array<float, 3> mean{};                ///< Per channel, in the tensor's order.
  std::array<float, 3> scale{1, 1, 1};        ///< Per channel, in the tensor's order.
  ColourMatrix matrix = ColourMatrix::bt709;  ///< Of YUV frames; as their caps say.
  ColourRange range = ColourRange::video;
};

/// Bytes of the tensor of that many frames. \units bytes.
LOCKSTEP_API std::size_t tensor_bytes(const TensorSpec& spec, std::size_t num_frames);

/// The part of the tensor's width x height that the picture covers; all of it without `letterbox`.
LOCKSTEP_API Rectangle tensor_content(const TensorSpec& spec, std::uint32_t width,
                                      std::uint32_t height);

/// The kernels of the GPU part, each one launch for a whole batch. They order nothing: whoever calls them sees to it with
/// fences (CudaFence) that the frames are there, and are not written to before the kernel is done.
///
/// \thread  any; calls for one stream one at a time.
class LOCKSTEP_API CudaKernels {
 public:
  /// Most pictures of one call.
  static constexpr std::size_t kMaxPictures = 64;

  /// The kernels on that GPU, shared by all who ask. The driver compiles those that gather now, those for tiles and for
  /// tensors when they are first called for: once, up to a second each, where it has them from no earlier run.
  ///
  /// \errors  not_supported  this build has no kernels (no nvcc), or the driver is too old for what nvcc made of them.
  static Result<std::shared_ptr<CudaKernels>> load(std::shared_ptr<CudaDevice> device);
  ~CudaKernels();
  CudaKernels(const CudaKernels&) = delete;
  CudaKernels& operator=(const CudaKernels&) = delete;

  /// Forgets the CUDA arrays that it was given: textures of them are kept, by their handles. Whoever destroys arrays that
  /// kernels were given calls it then, before others can have the same handles. Waits for nothing.
  void forget_arrays();

  /// Copies picture i of `from` to picture i of `to`, all planes of all of them by one launch. (Where they lie in memory in
  /// more than eight ways, as told by strides, alignment and size, by more.)
  ///
  /// \shape   pairs of the same format and size; any strides and alignment; `from` may be arrays, `to` may not.
  /// \errors  invalid_argument  pictures that do not pair, none, or more than kMaxPictures.
  ///          device_lost       the GPU's context is broken.
  Result<void> gather(std::span<const CudaPicture> from, std::span<const CudaPicture> to,
                      CUstream stream);

  /// One tile of a mosaic.
  struct Tile {
    CudaPicture picture;
    Rectangle place;  ///< Begins at an even pixel each way.
  };

  /// Scales each picture into its place, bilinear, by one launch. What lies outside of all places stays as it is; where a
  /// place has an odd side, the chroma that its last pixels share with what is beside it is its own. Places may be empty.
  ///
  /// \shape   pictures in NV12, P010_10LE, BGRx, RGBA or GRAY8; the mosaic, no arrays, in the same format, or in RGBA where
  ///          they are NV12 or P010 (converted by `matrix` and `range`).
  /// \errors  invalid_argument  formats that do not go together, places that reach beyond the mosaic, none, or too many.
  ///          device_lost       the GPU's context is broken.
  Result<void> tile(std::span<const Tile> tiles, const CudaPicture& mosaic, CUstream stream,
                    ColourMatrix matrix = ColourMatrix::bt709,
                    ColourRange range = ColourRange::video);

  /// Fills a rectangle with one colour, given in 8 bits in the order of the format's components (Y U V, or R G B); alpha, and
  /// what is not used, become 255.
  ///
  /// \shape   a picture of any format, not in arrays.
  /// \errors  invalid_argument  a place that reaches beyond the picture, or begins within the pixels that share chroma.
  ///          device_lost       the GPU's context is broken.
  Result<void> fill(const CudaPicture& picture, const Rectangle& place,
                    std::array<std::uint8_t, 3> colour, CUstream stream);

  /// Makes the input tensor of a network of frames, wherever each lies, in one pass and by one launch: scaled (bilinear,
  /// between the centres of pixels, as OpenCV's INTER_LINEAR), converted to RGB, mean taken off, scaled, and bars filled.
  /// Chroma lies in the middle of the four pixels that share it; colours are clamped to 0..255 and not rounded on the way.
  /// Frames whose chroma has an odd address or stride (P010: not a multiple of 4), or of two pixels a row, take longer.
  ///
  /// \shape   frames in NV12 or P010_10LE, of any sizes, arrays or not; `tensor` a device address of tensor_bytes(), aligned
  ///          to 16 bytes.
  /// \errors  invalid_argument  another format, an address that is not aligned, no frame, or too many.
  ///          device_lost       the GPU's context is broken.
  Result<void> to_tensor(std::span<const CudaPicture> frames, const TensorSpec& spec,
                         std::uintptr_t tensor, CUstream stream);

 private:
  struct State;
  explicit CudaKernels(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace lockstep
