// SPDX-License-Identifier: MIT
#include "gstlockstepgpu.h"

#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "gstlockstepgpuhandles.h"

namespace lockstep {
namespace {

struct Registry {
  std::mutex mutex;
  std::map<int, std::unique_ptr<Gpu>> gpus;  // by number; under the mutex
};

// Never freed: memories may outlive any element, and the driver may be gone before our destructors.
Registry& registry() {
  static auto* const all = new Registry;
  return *all;
}

Result<std::unique_ptr<Gpu>> make_gpu(std::shared_ptr<CudaDevice> device) {
  const std::string name = device->name();
  if (!gst_cuda_load_library())
    return Error{Errc::not_supported, 0,
                 "GStreamer's CUDA library does not find the driver that " + name + " has"};
  gst_cuda_memory_init_once();
  CUdevice handle = 0;
  if (CuDeviceGet(&handle, device->ordinal()) != CUDA_SUCCESS)
    return Error{Errc::io, 0, "find " + name + " for GStreamer"};
  auto gpu = std::make_unique<Gpu>();
  gpu->context = gst_cuda_context_new_wrapped(device->context(), handle);
  if (!gpu->context) return Error{Errc::io, 0, "share the context on " + name + " with GStreamer"};
  GST_OBJECT_FLAG_SET(gpu->context, GST_OBJECT_FLAG_MAY_BE_LEAKED);
  gpu->stream = gst_cuda_stream_new(gpu->context);
  if (!gpu->stream) return Error{Errc::io, 0, "make a stream on " + name};
  GST_MINI_OBJECT_FLAG_SET(gpu->stream, GST_MINI_OBJECT_FLAG_MAY_BE_LEAKED);
  gpu->device = std::move(device);
  return gpu;
}

bool asks_for_cuda(GstQuery* query) {
  const gchar* type = nullptr;
  return GST_QUERY_TYPE(query) == GST_QUERY_CONTEXT && gst_query_parse_context_type(query, &type) &&
         g_str_equal(type, GST_CUDA_CONTEXT_TYPE);
}

// The context that the peer of a pad knows of; null if none. Owned by the caller.
GstCudaContext* context_of_peer(GstPad* pad) {
  GstQuery* query = gst_query_new_context(GST_CUDA_CONTEXT_TYPE);
  GstContext* context = nullptr;
  GstCudaContext* found = nullptr;
  if (gst_pad_peer_query(pad, query)) gst_query_parse_context(query, &context);
  if (context)
    gst_structure_get(gst_context_get_structure(context), GST_CUDA_CONTEXT_TYPE,
                      GST_TYPE_CUDA_CONTEXT, &found, nullptr);
  gst_query_unref(query);
  return found;
}

}  // namespace

Result<const Gpu*> gpu_of(std::shared_ptr<CudaDevice> device) {
  Registry& known = registry();
  std::lock_guard lock(known.mutex);
  std::unique_ptr<Gpu>& gpu = known.gpus[device->ordinal()];
  if (gpu) return gpu.get();
  auto made = make_gpu(std::move(device));
  if (!made) return std::move(made).error();
  gpu = *std::move(made);
  return gpu.get();
}

Result<const Gpu*> open_gpu(int ordinal) {
  auto device = CudaDevice::open(ordinal);
  if (!device) return std::move(device).error();
  return gpu_of(*std::move(device));
}

Result<const Gpu*> gpu_upstream(GstPad* sink) {
  GstCudaContext* context = context_of_peer(sink);
  if (context) {
    Registry& known = registry();
    std::lock_guard lock(known.mutex);
    const Gpu* found = nullptr;
    for (const auto& [ordinal, gpu] : known.gpus)
      if (gpu && gpu->context == context) found = gpu.get();
    gst_object_unref(context);
    if (found) return found;
  }
  return open_gpu(0);
}

bool answer_cuda_query(GstElement* element, GstQuery* query, int ordinal) {
  if (!asks_for_cuda(query)) return false;
  auto gpu = open_gpu(ordinal);
  return gpu && gst_cuda_handle_context_query(element, query, (*gpu)->context);
}

void announce_cuda_context(GstElement* element, int ordinal) {
  auto gpu = open_gpu(ordinal);
  if (!gpu) return;
  GstContext* context = gst_context_new_cuda_context((*gpu)->context);
  gst_element_post_message(element, gst_message_new_have_context(GST_OBJECT(element), context));
}

}  // namespace lockstep
