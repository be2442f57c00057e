// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "lockstep/frame.h"
#include "lockstep/memory.h"
#include "sensor/v4l2/device.h"
#include "sensor/v4l2/format.h"

namespace lockstep {

class V4l2Mappings;

/// The buffers of one stream in the driver, of one kind of memory. Gives them back when it goes.
///
/// The device must outlive it.
class V4l2Buffers {
 public:
  /// One frame that the driver has filled.
  struct Filled {
    std::uint32_t index = 0;
    std::uint32_t sequence = 0;
    std::uint32_t flags = 0;  ///< V4L2_BUF_FLAG_*.
    Nanoseconds stamp{0};     ///< The driver's; which clock say the flags.
    bool complete = true;     ///< As many bytes as a whole frame has.
  };

  /// Asks the driver for `count` buffers; with V4L2_MEMORY_MMAP they are its own, and mapped.
  ///
  /// \errors  busy           someone else streams from the device.
  ///          not_supported  no such I/O, or not so many buffers.
  ///          out_of_memory  the driver has none.
  static Result<V4l2Buffers> request(const V4l2Device& device, const V4l2Picture& picture,
                                     v4l2_memory memory, std::size_t count);

  ~V4l2Buffers();
  V4l2Buffers(V4l2Buffers&& other) noexcept;
  V4l2Buffers& operator=(V4l2Buffers&&) = delete;

  std::size_t count() const { return count_; }

  /// Gives a slot to the driver as buffer `index`.
  Result<void> queue(std::size_t index, const SlotView& slot);

  /// Gives one of the driver's own buffers back to it.
  Result<void> queue(std::size_t index);

  /// The next filled buffer, if there is one.
  Result<std::optional<Filled>> dequeue();

  /// One of the driver's own buffers, which goes back to it once the last reference is dropped;
  /// after the stream has ended it is only unmapped then.
  std::shared_ptr<const Pixels> lend(std::size_t index);

  Result<void> stream_on();

 private:
  V4l2Buffers(const V4l2Device& device, const V4l2Picture& picture, v4l2_memory memory)
      : device_(&device), picture_(picture), memory_(memory) {}

  const V4l2Device* device_;
  V4l2Picture picture_;
  v4l2_memory memory_;
  std::size_t count_ = 0;
  std::shared_ptr<V4l2Mappings> mappings_;  // of V4L2_MEMORY_MMAP, shared with what is lent
};

}  // namespace lockstep
