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

/// Of a picture whose samples are read one by one: how. Its arrays must have the channels of its planes.
Result<kernels::Access> check_access(const KernelSource& source, const std::string& act);

/// Whether each pair of luma, each pair of chroma and each pixel of 4 bytes can be written by one store.
bool pairs_are_aligned(const CudaPicture& target);

}  // namespace lockstep
