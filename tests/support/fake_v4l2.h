// SPDX-License-Identifier: MIT
#pragma once

#include <linux/videodev2.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sensor/v4l2/controls.h"

namespace lockstep {

/// Stands for a driver that has controls, as the kernel's own framework treats them: all values of one call are first
/// limited to the present ranges, then set one by one.
class FakeV4l2 {
 public:
  explicit FakeV4l2(std::vector<V4l2Control> controls) {
    for (V4l2Control& control : controls) controls_[control.id] = std::move(control);
  }

  V4l2Call call() {
    return [this](unsigned long request, void* argument) { return answer(request, argument); };
  }

  V4l2Control& operator[](std::uint32_t id) { return controls_.at(id); }

  /// The longest exposure is so many lines shorter than the frame, from now on.
  void tie_exposure(std::int64_t height, std::int64_t margin) {
    height_ = height;
    margin_ = margin;
    follow_blanking();
  }

  struct Refusal {
    int os_error = 0;
    bool by_validation = true;  ///< Before anything was set; else when the hardware is reached.
  };
  std::map<std::uint32_t, Refusal> refusals;
  std::optional<int> no_writes;  ///< errno of VIDIOC_S_EXT_CTRLS, whatever it is to set.
  std::optional<int> gone;       ///< errno of every call.
  bool silent = false;           ///< VIDIOC_G_EXT_CTRLS fails.
  int coarseness = 1;            ///< Values are rounded down to multiples of it by the hardware.
  std::vector<std::vector<std::uint32_t>> writes;  ///< The controls of each VIDIOC_S_EXT_CTRLS.

 private:
  int answer(unsigned long request, void* argument) {
    if (gone) return *gone;
    switch (request) {
      case VIDIOC_QUERY_EXT_CTRL:
        return query(*static_cast<v4l2_query_ext_ctrl*>(argument));
      case VIDIOC_G_EXT_CTRLS:
        return silent ? EIO : get(*static_cast<v4l2_ext_controls*>(argument));
      case VIDIOC_S_EXT_CTRLS:
        return set(*static_cast<v4l2_ext_controls*>(argument));
      case VIDIOC_TRY_EXT_CTRLS:
        return validate(*static_cast<v4l2_ext_controls*>(argument));
      default:
        return ENOTTY;
    }
  }

  int query(v4l2_query_ext_ctrl& query) {
    const bool next = query.id & V4L2_CTRL_FLAG_NEXT_CTRL;
    const std::uint32_t id = query.id & ~V4L2_CTRL_FLAG_NEXT_CTRL;
    const auto found = next ? controls_.upper_bound(id) : controls_.find(id);
    if (found == controls_.end()) return EINVAL;
    const V4l2Control& control = found->second;
    query = {};
    query.id = control.id;
    query.type = control.type;
    query.flags = control.flags;
    query.minimum = control.min;
    query.maximum = control.max;
    query.step = static_cast<__u64>(control.step);
    query.default_value = control.default_value;
    std::snprintf(query.name, sizeof query.name, "%s", control.name.c_str());
    return 0;
  }

  static std::vector<v4l2_ext_control*> entries(v4l2_ext_controls& all) {
    std::vector<v4l2_ext_control*> each;
    for (std::uint32_t i = 0; i < all.count; ++i) each.push_back(all.controls + i);
    return each;
  }

  int get(v4l2_ext_controls& all) {
    for (v4l2_ext_control* entry : entries(all)) {
      const V4l2Control& control = controls_.at(entry->id);
      if (control.type == V4L2_CTRL_TYPE_INTEGER64) {
        entry->value64 = control.value;
      } else {
        entry->value = static_cast<__s32>(control.value);
      }
    }
    return 0;
  }

  int validate(v4l2_ext_controls& all) {
    all.error_idx = 0;
    for (v4l2_ext_control* entry : entries(all)) {
      const auto refusal = refusals.find(entry->id);
      if (refusal != refusals.end() && refusal->second.by_validation)
        return refusal->second.os_error;
      const V4l2Control& control = controls_.at(entry->id);
      const auto value = std::clamp<std::int64_t>(entry->value, control.min, control.max);
      entry->value = static_cast<__s32>(value);
      ++all.error_idx;
    }
    return 0;
  }

  int set(v4l2_ext_controls& all) {
    if (no_writes) return *no_writes;
    writes.emplace_back();
    for (v4l2_ext_control* entry : entries(all)) writes.back().push_back(entry->id);
    if (int failed = validate(all)) {
      all.error_idx = all.count;
      return failed;
    }
    all.error_idx = 0;
    for (v4l2_ext_control* entry : entries(all)) {
      const auto refusal = refusals.find(entry->id);
      if (refusal != refusals.end()) return refusal->second.os_error;
      controls_.at(entry->id).value = entry->value / coarseness * coarseness;
      if (entry->id == V4L2_CID_VBLANK) follow_blanking();
      ++all.error_idx;
    }
    return 0;
  }

  void follow_blanking() {
    if (!margin_) return;
    V4l2Control& exposure = controls_.at(V4L2_CID_EXPOSURE);
    exposure.max = height_ + controls_.at(V4L2_CID_VBLANK).value - *margin_;
    exposure.value = std::min(exposure.value, exposure.max);
  }

  std::map<std::uint32_t, V4l2Control> controls_;
  std::int64_t height_ = 0;
  std::optional<std::int64_t> margin_;
};

}  // namespace lockstep
