// SPDX-License-Identifier: MIT
// Compiled once for many sources, which include what they use all the same: they compile without it (-Db_pch=false).
#include <gst/base/gstaggregator.h>
#include <gst/gst.h>
#include <gst/video/video.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>
