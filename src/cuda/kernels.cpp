// SPDX-License-Identifier: MIT
#include "lockstep/cuda_kernels.h"

#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cuda/driver.h"
#include "cuda/kernels/images.h"
#include "cuda/plan.h"
#include "cuda/textures.h"
#include "support/mutex.h"

namespace lockstep {
namespace {

std::string driver_version() {
  int version = 0;
  loaded_cuda_driver().cuDriverGetVersion(&version);
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

Error cannot_load(CUresult failed, const CudaDevice& device, const char* log) {
  Error error = cuda_error(failed, "load the GPU kernels on " + device.name());
  if (failed == CUDA_ERROR_UNSUPPORTED_PTX_VERSION)
    error.what += "; they were made by CUDA " + std::string(kernels::kMadeByCuda) +
                  ", and the driver is of CUDA " + driver_version() +
                  "; install a newer driver, or build with an older nvcc";
  if (failed == CUDA_ERROR_NO_BINARY_FOR_GPU || failed == CUDA_ERROR_INVALID_PTX)
    error.what += "; they take compute capability " + std::string(kernels::kMadeForCompute) +
                  ", a driver of CUDA " + std::string(kernels::kMadeByCuda) +
                  " and this one is of " + driver_version();
  if (*log != '\0') error.what += std::string("; its compiler says: ") + log;
  return error;
}

Result<CUmodule> load_module(const CudaDevice& device, const char* image) {
  // Where the driver's compiler says what is wrong with an image.
  std::array<char, 4096> log{};
  std::array options = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  // The driver takes numbers as pointers of that value.
  std::array<void*, 2> values = {log.data(), reinterpret_cast<void*>(log.size() - 1)};
  CUmodule module = nullptr;
  if (const CUresult failed = loaded_cuda_driver().cuModuleLoadDataEx(
          &module, image, static_cast<unsigned>(options.size()), options.data(), values.data()))
    return cannot_load(failed, device, log.data());
  return module;
}

// The kernels of one image. They are compiled by the driver when the first of them is asked for, which takes a part of a
// second where it has none of them from before.
class Module {
 public:
  Module(std::shared_ptr<CudaDevice> device, const char* image)
      : device_(std::move(device)), image_(image) {}
  ~Module() {
    if (!module_) return;
    CudaScope scope(device_->context());
    loaded_cuda_driver().cuModuleUnload(module_);
  }
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  // With the device's context current.
  Result<CUfunction> function(const std::string& name) {
    MutexLock lock(mutex_);
    CUfunction& known = functions_[name];
    if (known) return known;
    if (!module_) {
      auto loaded = load_module(*device_, image_);
      if (!loaded) return std::move(loaded).error();
      module_ = *loaded;
    }
    if (const CUresult failed =
            loaded_cuda_driver().cuModuleGetFunction(&known, module_, name.c_str())) {
      known = nullptr;
      return cuda_error(failed, "find the kernel " + name);
    }
    return known;
  }

 private:
  const std::shared_ptr<CudaDevice> device_;
  const char* const image_;
  Mutex mutex_;
  CUmodule module_ = nullptr;  // changed under the mutex only
  std::map<std::string, CUfunction> functions_ LOCKSTEP_GUARDED_BY(mutex_);
};

template <typename Parameters>
Result<void> launch(CUfunction function, const Launch<Parameters>& what, CUstream stream,
                    const std::string& act) {
  if (what.grid[0] == 0) return {};
  void* parameters[] = {const_cast<Parameters*>(&what.parameters)};
  if (const CUresult failed = loaded_cuda_driver().cuLaunchKernel(
          function, what.grid[0], what.grid[1], what.grid[2], kernels::kThreads, 1, 1, 0, stream,
          parameters, nullptr))
    return cuda_error(failed, act);
  return {};
}

const char* name_of(TensorKernel kernel) {
  switch (kernel) {
    case TensorKernel::half_planar:
      return "tensor_half_planar";
    case TensorKernel::aligned:
      return "tensor_aligned";
    case TensorKernel::any:
      break;
  }
  return "tensor_any";
}

}  // namespace

struct CudaKernels::State {
  explicit State(std::shared_ptr<CudaDevice> on)
      : device(std::move(on)),
        gather_module(device, kernels::kGatherImage),
        tensor_module(device, kernels::kTensorImage),
        tile_module(device, kernels::kTileImage),
        textures(device) {}
  ~State();

  const std::shared_ptr<CudaDevice> device;
  Module gather_module;
  Module tensor_module;
  Module tile_module;
  TextureCache textures;

  Result<std::vector<KernelSource>> sources_of(std::span<const CudaPicture> pictures,
                                               TextureCache::Textures& used);
};

// Kernels may still run, and their code is about to go.
CudaKernels::State::~State() {
  CudaScope scope(device->context());
  loaded_cuda_driver().cuCtxSynchronize();
}

Result<std::vector<KernelSource>> CudaKernels::State::sources_of(
    std::span<const CudaPicture> pictures, TextureCache::Textures& used) {
  std::vector<KernelSource> sources(pictures.size());
  // Too many are refused later; there is no use in making textures of them.
  if (pictures.size() > kMaxPictures) return sources;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    auto source = textures.source_of(pictures[i], used);
    if (!source) return std::move(source).error();
    sources[i] = *source;
  }
  return sources;
}

CudaKernels::CudaKernels(std::unique_ptr<State> state) : state_(std::move(state)) {}
CudaKernels::~CudaKernels() = default;

Result<std::shared_ptr<CudaKernels>> CudaKernels::load(std::shared_ptr<CudaDevice> device) {
  static Mutex mutex;
  static std::map<int, std::weak_ptr<CudaKernels>> loaded;
  MutexLock lock(mutex);
  std::weak_ptr<CudaKernels>& known = loaded[device->ordinal()];
  if (auto shared = known.lock()) return shared;
  CudaScope scope(device->context());
  auto state = std::make_unique<State>(device);
  // What can be wrong with one of the modules is wrong with all.
  if (auto gather = state->gather_module.function("gather"); !gather)
    return std::move(gather).error();
  std::shared_ptr<CudaKernels> made(new CudaKernels(std::move(state)));
  known = made;
  return made;
}

void CudaKernels::forget_arrays() { state_->textures.clear(); }

Result<void> CudaKernels::gather(std::span<const CudaPicture> from, std::span<const CudaPicture> to,
                                 CUstream stream) {
  CudaScope scope(state_->device->context());
  TextureCache::Textures textures;
  auto sources = state_->sources_of(from, textures);
  if (!sources) return std::move(sources).error();
  auto launches = plan_gather(*sources, to);
  if (!launches) return std::move(launches).error();
  auto function = state_->gather_module.function("gather");
  if (!function) return std::move(function).error();
  Result<void> launched;
  for (auto one = launches->begin(); launched && one != launches->end(); ++one)
    launched =
        launch(*function, *one, stream, "gather " + std::to_string(from.size()) + " pictures");
  auto kept = state_->textures.keep(std::move(textures), stream);
  return launched ? std::move(kept) : std::move(launched);
}

Result<void> CudaKernels::tile(std::span<const Tile> tiles, const CudaPicture& mosaic,
                               CUstream stream, ColourMatrix matrix, ColourRange range) {
  CudaScope scope(state_->device->context());
  std::vector<CudaPicture> pictures;
  for (const Tile& tile : tiles) pictures.push_back(tile.picture);
  TextureCache::Textures textures;
  auto sources = state_->sources_of(pictures, textures);
  if (!sources) return std::move(sources).error();
  std::vector<TileSource> placed;
  for (std::size_t i = 0; i < tiles.size(); ++i) placed.push_back({(*sources)[i], tiles[i].place});
  auto plan = plan_tile(placed, mosaic, matrix, range);
  if (!plan) return std::move(plan).error();
  auto function = state_->tile_module.function("tile");
  if (!function) return std::move(function).error();
  auto launched =
      launch(*function, *plan, stream, "tile " + std::to_string(tiles.size()) + " pictures");
  auto kept = state_->textures.keep(std::move(textures), stream);
  return launched ? std::move(kept) : std::move(launched);
}

Result<void> CudaKernels::fill(const CudaPicture& picture, const Rectangle& place,
                               std::array<std::uint8_t, 3> colour, CUstream stream) {
  CudaScope scope(state_->device->context());
  auto plan = plan_fill(picture, place, colour);
  if (!plan) return std::move(plan).error();
  auto function = state_->tile_module.function("fill");
  if (!function) return std::move(function).error();
  return launch(*function, *plan, stream, "fill a part of a picture");
}

Result<void> CudaKernels::to_tensor(std::span<const CudaPicture> frames, const TensorSpec& spec,
                                    std::uintptr_t tensor, CUstream stream) {
  CudaScope scope(state_->device->context());
  TextureCache::Textures textures;
  auto sources = state_->sources_of(frames, textures);
  if (!sources) return std::move(sources).error();
  auto plan = plan_tensor(*sources, spec, tensor);
  if (!plan) return std::move(plan).error();
  auto function = state_->tensor_module.function(name_of(plan->kernel));
  if (!function) return std::move(function).error();
  auto launched = launch(*function, *plan, stream,
                         "make a tensor of " + std::to_string(frames.size()) + " frames");
  auto kept = state_->textures.keep(std::move(textures), stream);
  return launched ? std::move(kept) : std::move(launched);
}

}  // namespace lockstep
