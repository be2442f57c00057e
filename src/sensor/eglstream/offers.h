// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "lockstep/eglstream.h"
#include "lockstep/result.h"
#include "sensor/eglstream/link.h"

namespace lockstep {

/// What a camera of that format and colour would greet with.
/// \errors  invalid_argument  EGLStreams cannot carry it.
Result<EglGreeting> greeting_of(const Format& format, ColourMatrix matrix, ColourRange range);

/// What was offered under that name. \errors not_found names what there is.
Result<OfferedEglStream> offered_egl_stream(const std::string& name);
/// The same for good: it serves once.
Result<OfferedEglStream> take_egl_stream(const std::string& name);
std::vector<std::string> offered_egl_streams();

}  // namespace lockstep
