// SPDX-License-Identifier: MIT
#include "lockstep/cuda_kernels.h"

#include <array>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "cuda/driver.h"
#include "cuda/kernels/images.h"
#include "cuda/plan.h"
#include "cuda/textures.h"
#include "support/mutex.h"

namespace lockstep {
namespace {

// A module of kernels in a context. Owns it.
class Module {
 public:
  // What the driver's compiler says of an image that it cannot take.
  using Log = std::array<char, 4096>;

  static Result<Module> load(std::shared_ptr<CudaDevice> device, const char* image);
  ~Module() {
    if (!module_) return;
    CudaScope scope(device_->context());
    loaded_cuda_driver().cuModuleUnload(module_);
  }
  Module(Module&& other) noexcept
      : device_(std::move(other.device_)), module_(std::exchange(other.module_, nullptr)) {}
  Module& operator=(Module&&) = delete;

  Result<CUfunction> function(const std::string& name) const {
    CUfunction found = nullptr;
    if (const CUresult failed =
            loaded_cuda_driver().cuModuleGetFunction(&found, module_, name.c_str()))
      return cuda_error(failed, "find the kernel " + name);
    return found;
  }

 private:
  Module(std::shared_ptr<CudaDevice> device, CUmodule module)
      : device_(std::move(device)), module_(module) {}

  std::shared_ptr<CudaDevice> device_;
  CUmodule module_;
};

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

Result<Module> Module::load(std::shared_ptr<CudaDevice> device, const char* image) {
  CudaScope scope(device->context());
  Log log{};
  std::array options = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  // The driver takes numbers as pointers of that value.
  std::array<void*, 2> values = {log.data(), reinterpret_cast<void*>(log.size() - 1)};
  CUmodule module = nullptr;
  if (const CUresult failed = loaded_cuda_driver().cuModuleLoadDataEx(
          &module, image, static_cast<unsigned>(options.size()), options.data(), values.data()))
    return cannot_load(failed, *device, log.data());
  return Module(std::move(device), module);
}

template <typename Parameters>
Result<void> launch(CUfunction function, const Launch<Parameters>& what, CUstream stream,
                    const std::string& act) {
  void* parameters[] = {const_cast<Parameters*>(&what.parameters)};
  if (const CUresult failed = loaded_cuda_driver().cuLaunchKernel(
          function, what.grid[0], what.grid[1], what.grid[2], kernels::kThreads, 1, 1, 0, stream,
          parameters, nullptr))
    return cuda_error(failed, act);
  return {};
}

std::string setting(const char* variable, const char* otherwise) {
  const char* value = std::getenv(variable);
  return value && *value ? value : otherwise;
}

}  // namespace

struct CudaKernels::State {
  State(std::shared_ptr<CudaDevice> on, Module with_gather)
      : device(std::move(on)), gather_module(std::move(with_gather)), textures(device) {}

  const std::shared_ptr<CudaDevice> device;
  const Module gather_module;
  CUfunction gather = nullptr;
  GatherTuning gather_tuning;
  TextureCache textures;

  Result<void> find_functions();
  Result<std::vector<KernelSource>> sources_of(std::span<const CudaPicture> pictures,
                                               TextureCache::Textures& used);
};

Result<void> CudaKernels::State::find_functions() {
  const std::string variant = setting("LOCKSTEP_GATHER", "4");
  auto function = gather_module.function("gather_" + variant);
  if (!function) return std::move(function).error();
  gather = *function;
  gather_tuning.words_per_thread = static_cast<unsigned>(std::atoi(variant.c_str()));
  gather_tuning.max_blocks =
      static_cast<unsigned>(std::atoi(setting("LOCKSTEP_GATHER_BLOCKS", "0").c_str()));
  return {};
}

Result<std::vector<KernelSource>> CudaKernels::State::sources_of(
    std::span<const CudaPicture> pictures, TextureCache::Textures& used) {
  std::vector<KernelSource> sources;
  if (pictures.size() > kMaxPictures) {
    // Refused later; no use in making textures.
    sources.resize(pictures.size());
    return sources;
  }
  sources.reserve(pictures.size());
  for (const CudaPicture& picture : pictures) {
    auto source = textures.source_of(picture, used);
    if (!source) return std::move(source).error();
    sources.push_back(*source);
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
  auto gather = Module::load(device, kernels::kGatherImage);
  if (!gather) return std::move(gather).error();
  auto state = std::make_unique<State>(device, *std::move(gather));
  CudaScope scope(device->context());
  if (auto found = state->find_functions(); !found) return std::move(found).error();
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
  auto launches = plan_gather(*sources, to, state_->gather_tuning);
  if (!launches) return std::move(launches).error();
  Result<void> launched;
  for (auto one = launches->begin(); launched && one != launches->end(); ++one)
    launched =
        launch(state_->gather, *one, stream, "gather " + std::to_string(from.size()) + " pictures");
  auto kept = state_->textures.keep(std::move(textures), stream);
  return launched ? std::move(kept) : std::move(launched);
}

Result<void> CudaKernels::tile(std::span<const Tile>, const CudaPicture&, CUstream, ColourMatrix,
                               ColourRange) {
  return Error{Errc::not_supported, 0, "no kernel for tiles yet"};
}
Result<void> CudaKernels::fill(const CudaPicture&, const Rectangle&, std::array<std::uint8_t, 3>,
                               CUstream) {
  return Error{Errc::not_supported, 0, "no kernel for fills yet"};
}
Result<void> CudaKernels::to_tensor(std::span<const CudaPicture>, const TensorSpec&, std::uintptr_t,
                                    CUstream) {
  return Error{Errc::not_supported, 0, "no kernel for tensors yet"};
}

}  // namespace lockstep
