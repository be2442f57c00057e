// SPDX-License-Identifier: MIT
// What every kernel asks of its pictures.
#pragma once

#include <string>
#include <string_view>

#include "cuda/plan.h"

namespace lockstep {

inline Error invalid(std::string what) { return Error{Errc::invalid_argument, 0, std::move(what)}; }

/// "1920x1080 NV12", for messages.
std::string text_of(const CudaPicture& picture);

/// Not none, and not more than kMaxPictures.
Result<void> check_count(const std::string& act, const std::string& what, std::size_t count);

/// Whether the picture can be read: its size, its addresses and strides, or its arrays. Answers rows and bytes of its
/// planes. `act` begins the error's text.
Result<Layout> check_source(const KernelSource& source, const std::string& act);

/// The same of a picture in memory that is written to.
Result<Layout> check_target(const CudaPicture& target, const std::string& act);

}  // namespace lockstep
