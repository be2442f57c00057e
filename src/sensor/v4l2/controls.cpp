// SPDX-License-Identifier: MIT
#include "sensor/v4l2/controls.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace lockstep {
namespace {

// Drivers that count forever would keep us forever.
constexpr std::size_t kMostControls = 1024;

bool holds_one_number(const v4l2_query_ext_ctrl& control) {
  if (control.flags & (V4L2_CTRL_FLAG_DISABLED | V4L2_CTRL_FLAG_WRITE_ONLY)) return false;
  if (control.nr_of_dims > 0) return false;
  switch (control.type) {
    case V4L2_CTRL_TYPE_INTEGER:
    case V4L2_CTRL_TYPE_INTEGER64:
    case V4L2_CTRL_TYPE_BOOLEAN:
    case V4L2_CTRL_TYPE_MENU:
    case V4L2_CTRL_TYPE_INTEGER_MENU:
    case V4L2_CTRL_TYPE_BITMASK:
      return true;
    default:
      return false;
  }
}

void take_over(const v4l2_query_ext_ctrl& query, V4l2Control& control) {
  control.type = query.type;
  control.flags = query.flags;
  control.min = query.minimum;
  control.max = query.maximum;
  control.step = std::max<std::int64_t>(static_cast<std::int64_t>(query.step), 1);
  control.default_value = query.default_value;
}

v4l2_ext_control with_value(const V4l2Control& control, std::int64_t value) {
  v4l2_ext_control entry{};
  entry.id = control.id;
  if (control.type == V4L2_CTRL_TYPE_INTEGER64) {
    entry.value64 = value;
  } else {
    entry.value = static_cast<__s32>(value);
  }
  return entry;
}

v4l2_ext_controls all_of(std::vector<v4l2_ext_control>& entries) {
  v4l2_ext_controls all{};
  all.which = V4L2_CTRL_WHICH_CUR_VAL;
  all.count = static_cast<__u32>(entries.size());
  all.controls = entries.data();
  all.error_idx = all.count;  // not touched where the call is refused as a whole
  return all;
}

std::string text_of(const V4l2Assignment& assignment) {
  return assignment.control->name + " to " + std::to_string(assignment.value);
}

// Which control it was that a failed write is due to; nullptr: not known.
const V4l2Assignment* culprit(const V4l2Call& call, const std::vector<V4l2Assignment>& assignments,
                              int failed, std::size_t error_index) {
  if (error_index < assignments.size()) return &assignments[error_index];
  // Validation failed, and does not tell where. A try does, but for grabbed ones.
  for (const V4l2Assignment& one : assignments) {
    V4l2Control now = *one.control;
    requery(call, now);
    if (failed == EBUSY ? now.flags & V4L2_CTRL_FLAG_GRABBED : now.flags & V4L2_CTRL_FLAG_READ_ONLY)
      return &one;
    std::vector<v4l2_ext_control> entry = {with_value(now, one.value)};
    v4l2_ext_controls all = all_of(entry);
    if (call(VIDIOC_TRY_EXT_CTRLS, &all) == failed) return &one;
  }
  return nullptr;
}

Errc code_of_errno(int failed) {
  switch (failed) {
    case EINVAL:
    case ERANGE:
      return Errc::invalid_argument;
    case EBUSY:
      return Errc::busy;
    case ENODEV:
      return Errc::device_lost;
    default:
      return Errc::io;
  }
}

}  // namespace

std::vector<V4l2Control> find_v4l2_controls(const V4l2Call& call) {
  std::vector<V4l2Control> controls;
  v4l2_query_ext_ctrl query{};
  query.id = V4L2_CTRL_FLAG_NEXT_CTRL;
  while (controls.size() < kMostControls && !call(VIDIOC_QUERY_EXT_CTRL, &query)) {
    if (holds_one_number(query)) {
      V4l2Control control;
      control.id = query.id;
      control.name = std::string(query.name, strnlen(query.name, sizeof query.name));
      take_over(query, control);
      control.value = control.default_value;
      // One that cannot be read just now is listed as it is by default.
      (void)read_v4l2_controls(call, {&control});
      controls.push_back(std::move(control));
    }
    query.id |= V4L2_CTRL_FLAG_NEXT_CTRL;
  }
  return controls;
}

void requery(const V4l2Call& call, V4l2Control& control) {
  v4l2_query_ext_ctrl query{};
  query.id = control.id;
  if (!call(VIDIOC_QUERY_EXT_CTRL, &query)) take_over(query, control);
}

Result<void> read_v4l2_controls(const V4l2Call& call, const std::vector<V4l2Control*>& controls) {
  std::vector<v4l2_ext_control> entries;
  for (const V4l2Control* control : controls) entries.push_back(with_value(*control, 0));
  v4l2_ext_controls all = all_of(entries);
  if (int failed = call(VIDIOC_G_EXT_CTRLS, &all))
    return Error{Errc::io, failed, std::string("read controls: ") + std::strerror(failed)};
  for (std::size_t i = 0; i < controls.size(); ++i)
    controls[i]->value = controls[i]->type == V4L2_CTRL_TYPE_INTEGER64
                             ? std::int64_t{entries[i].value64}
                             : entries[i].value;
  return {};
}

Result<void> write_v4l2_controls(const V4l2Call& call,
                                 const std::vector<V4l2Assignment>& assignments,
                                 const std::string& path) {
  std::vector<v4l2_ext_control> entries;
  for (const V4l2Assignment& one : assignments)
    entries.push_back(with_value(*one.control, one.value));
  v4l2_ext_controls all = all_of(entries);
  const int failed = call(VIDIOC_S_EXT_CTRLS, &all);
  if (!failed) return {};

  std::string what;
  if (const V4l2Assignment* one = culprit(call, assignments, failed, all.error_idx)) {
    what = text_of(*one);
  } else {
    for (const V4l2Assignment& each : assignments)
      what += (what.empty() ? "" : ", ") + text_of(each);
  }
  Error error = system_error(failed, "set " + what + " on " + path);
  error.code = code_of_errno(failed);
  return error;
}

}  // namespace lockstep
