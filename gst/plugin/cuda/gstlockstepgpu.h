// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>

namespace lockstep {

/// Whether this plugin was built with GPU memory: with GStreamer 1.24 or newer, its CUDA library, and CUDA's headers.
#ifdef LOCKSTEP_HAVE_CUDA
inline constexpr bool kHasGpuMemory = true;
#else
inline constexpr bool kHasGpuMemory = false;
#endif

/// Answers a query for a GstCudaContext with that of GPU `ordinal`, the one that all our elements use, so that CUDA
/// elements next to ours use it too. False where the query is another, or there is no such GPU.
///
/// \thread  any; opens the GPU where nobody has yet.
bool answer_cuda_query(GstElement* element, GstQuery* query, int ordinal);

/// Tells the pipeline of that context. Does nothing without such a GPU.
void announce_cuda_context(GstElement* element, int ordinal);

}  // namespace lockstep
