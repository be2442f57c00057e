// SPDX-License-Identifier: MIT
// Compiled once for many sources, which include what they use all the same: they compile without it (-Db_pch=false).
#include <fmt/format.h>
#include <gst/gst.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>
