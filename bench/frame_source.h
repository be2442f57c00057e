// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>

namespace lockstep::bench {

/// Makes the element `lockstepframesource` known to this process: a source that costs next to nothing, so that what
/// comes after it can be measured.
///
/// Every frame is a new buffer around prepared pixels, which are written once: those of `num-prepared` frames in turn,
/// so that they can be too many for the cache, as a camera's are. With `slots=true` it takes the
/// buffers of the pool that downstream offers instead, and stamps the frame's number into each. `caps` is what it
/// sends, `num-buffers` how much; with `is-live=true` each frame comes at its time. `lose-each=n` leaves out every n-th
/// frame.
void register_frame_source();

/// What one frame has cost the thread that brought it, the first tenth of them taken out: all that was done in its
/// push, downstream as well. \units seconds of CPU time.
/// \thread  any, once the source has ended.
double cpu_seconds_per_frame(GstElement* frame_source);

}  // namespace lockstep::bench
