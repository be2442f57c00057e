// SPDX-License-Identifier: MIT
// Lent buffers outlive the stream: whoever holds one also holds the mappings, and these know whether
// the driver still wants buffers back. A mapping keeps the device file in use even when it is
// closed, so the driver's buffers are always given up by VIDIOC_REQBUFS and not by close() alone.
#include "sensor/v4l2/buffers.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include "support/mutex.h"

namespace lockstep {
namespace {

// A v4l2_buffer together with the planes that it points to on multi-planar devices.
struct RawBuffer {
  RawBuffer(const V4l2Device& device, v4l2_memory memory, std::size_t index,
            std::size_t num_parts) {
    buffer.type = device.buffer_type();
    buffer.memory = memory;
    buffer.index = static_cast<__u32>(index);
    if (!device.multiplanar()) return;
    buffer.m.planes = planes.data();
    buffer.length = static_cast<__u32>(num_parts);
  }
  RawBuffer(const RawBuffer&) = delete;
  RawBuffer& operator=(const RawBuffer&) = delete;

  bool multiplanar() const { return buffer.type == V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE; }

  void place(std::size_t part, const SlotView& slot, const V4l2Picture::Part& where) {
    const auto length = static_cast<__u32>(where.size_bytes);
    const auto address = reinterpret_cast<unsigned long>(slot.data + where.offset_bytes);
    if (multiplanar()) {
      v4l2_plane& plane = planes[part];
      plane.length = length;
      if (buffer.memory == V4L2_MEMORY_DMABUF) plane.m.fd = slot.fd;
      if (buffer.memory == V4L2_MEMORY_USERPTR) plane.m.userptr = address;
    } else {
      buffer.length = length;
      if (buffer.memory == V4L2_MEMORY_DMABUF) buffer.m.fd = slot.fd;
      if (buffer.memory == V4L2_MEMORY_USERPTR) buffer.m.userptr = address;
    }
  }

  std::size_t used_bytes(std::size_t part) const {
    return multiplanar() ? planes[part].bytesused : buffer.bytesused;
  }
  std::size_t length(std::size_t part) const {
    return multiplanar() ? planes[part].length : buffer.length;
  }
  std::uint32_t map_offset(std::size_t part) const {
    return multiplanar() ? planes[part].m.mem_offset : buffer.m.offset;
  }

  v4l2_buffer buffer{};
  std::array<v4l2_plane, VIDEO_MAX_PLANES> planes{};
};

const char* name_of(v4l2_memory memory) {
  return memory == V4L2_MEMORY_DMABUF    ? "dmabuf"
         : memory == V4L2_MEMORY_USERPTR ? "userptr"
                                         : "mmap";
}

}  // namespace

/// The driver's own buffers in our address space, the parts of each side by side.
class V4l2Mappings {
 public:
  static Result<std::shared_ptr<V4l2Mappings>> make(const V4l2Device& device,
                                                    const V4l2Picture& picture, std::size_t count) {
    auto mappings = std::make_shared<V4l2Mappings>(device, picture);
    for (std::size_t index = 0; index < count; ++index)
      if (auto mapped = mappings->map(device, index); !mapped) return std::move(mapped).error();
    return mappings;
  }

  V4l2Mappings(const V4l2Device& device, const V4l2Picture& picture)
      : device_(&device), picture_(picture) {}
  V4l2Mappings(const V4l2Mappings&) = delete;
  V4l2Mappings& operator=(const V4l2Mappings&) = delete;
  ~V4l2Mappings() {
    for (void* base : bases_) munmap(base, picture_.slot_bytes);
  }

  std::byte* data(std::size_t index) const { return static_cast<std::byte*>(bases_[index]); }
  std::size_t size_bytes() const { return picture_.slot_bytes; }

  // Whoever drops a frame may do so in any thread and at any time; from end_stream() on the driver
  // takes nothing back.
  void give_back(std::size_t index) {
    MutexLock lock(mutex_);
    // If the driver refuses, the device is lost, and the next dequeue() says so.
    if (device_ != nullptr) (void)queue(*device_, index);
  }
  void end_stream() {
    MutexLock lock(mutex_);
    device_ = nullptr;
  }

  int queue(const V4l2Device& device, std::size_t index) const {
    RawBuffer raw(device, V4L2_MEMORY_MMAP, index, picture_.parts.size());
    return device.call(VIDIOC_QBUF, &raw.buffer);
  }

 private:
  Result<void> map(const V4l2Device& device, std::size_t index) {
    RawBuffer raw(device, V4L2_MEMORY_MMAP, index, picture_.parts.size());
    if (int failed = device.call(VIDIOC_QUERYBUF, &raw.buffer))
      return device.error(failed, "look up a buffer of");
    void* base = mmap(nullptr, picture_.slot_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) return device.error(errno, "make room for a buffer of");
    bases_.push_back(base);
    for (std::size_t p = 0; p < picture_.parts.size(); ++p) {
      const V4l2Picture::Part& part = picture_.parts[p];
      if (raw.length(p) < part.size_bytes)
        return Error{Errc::not_supported, 0,
                     "the driver's buffer of " + std::to_string(raw.length(p)) +
                         " bytes is too small on " + device.path()};
      void* place = static_cast<std::byte*>(base) + part.offset_bytes;
      if (mmap(place, part.size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, device.fd(),
               raw.map_offset(p)) == MAP_FAILED)
        return device.error(errno, "map a buffer of");
    }
    return {};
  }

  Mutex mutex_;
  const V4l2Device* device_ LOCKSTEP_GUARDED_BY(mutex_);  // null once the stream has ended
  const V4l2Picture picture_;
  std::vector<void*> bases_;
};

Result<V4l2Buffers> V4l2Buffers::request(const V4l2Device& device, const V4l2Picture& picture,
                                         v4l2_memory memory, std::size_t count) {
  v4l2_requestbuffers asked{};
  asked.count = static_cast<__u32>(count);
  asked.type = device.buffer_type();
  asked.memory = memory;
  const std::string act = "get " + std::to_string(count) + " " + name_of(memory) + " buffers from";
  if (int failed = device.call(VIDIOC_REQBUFS, &asked)) return device.error(failed, act);
  V4l2Buffers buffers(device, picture, memory);
  buffers.count_ = asked.count;
  if (asked.count < count && memory != V4L2_MEMORY_MMAP)
    return Error{Errc::not_supported, 0,
                 act + " " + device.path() + ": it has room for " + std::to_string(asked.count) +
                     "; ask for fewer batches (max-batches)"};
  if (memory != V4L2_MEMORY_MMAP) return buffers;

  auto mappings = V4l2Mappings::make(device, picture, asked.count);
  if (!mappings) return std::move(mappings).error();
  buffers.mappings_ = *std::move(mappings);
  return buffers;
}

V4l2Buffers::V4l2Buffers(V4l2Buffers&& other) noexcept
    : device_(std::exchange(other.device_, nullptr)),
      picture_(std::move(other.picture_)),
      memory_(other.memory_),
      count_(other.count_),
      mappings_(std::move(other.mappings_)) {}

V4l2Buffers::~V4l2Buffers() {
  if (device_ == nullptr) return;
  if (mappings_) mappings_->end_stream();
  // Both fail once the device is gone, and then there is nothing to give back.
  std::uint32_t type = device_->buffer_type();
  (void)device_->call(VIDIOC_STREAMOFF, &type);
  v4l2_requestbuffers none{};
  none.type = type;
  none.memory = memory_;
  (void)device_->call(VIDIOC_REQBUFS, &none);
}

Result<void> V4l2Buffers::queue(std::size_t index, const SlotView& slot) {
  RawBuffer raw(*device_, memory_, index, picture_.parts.size());
  for (std::size_t p = 0; p < picture_.parts.size(); ++p) raw.place(p, slot, picture_.parts[p]);
  if (int failed = device_->call(VIDIOC_QBUF, &raw.buffer))
    return device_->error(failed, "give a " + std::string(name_of(memory_)) + " slot of " +
                                      std::to_string(slot.size_bytes) + " bytes to");
  return {};
}

Result<void> V4l2Buffers::queue(std::size_t index) {
  if (int failed = mappings_->queue(*device_, index))
    return device_->error(failed, "give a buffer back to");
  return {};
}

Result<std::optional<V4l2Buffers::Filled>> V4l2Buffers::dequeue() {
  RawBuffer raw(*device_, memory_, 0, picture_.parts.size());
  if (int failed = device_->call(VIDIOC_DQBUF, &raw.buffer)) {
    if (failed == EAGAIN) return std::optional<Filled>();
    return device_->error(failed, "take a frame from");
  }
  Filled filled{raw.buffer.index, raw.buffer.sequence, raw.buffer.flags, Nanoseconds(0), true};
  filled.stamp = std::chrono::seconds(raw.buffer.timestamp.tv_sec) +
                 std::chrono::microseconds(raw.buffer.timestamp.tv_usec);
  for (std::size_t p = 0; p < picture_.parts.size(); ++p)
    if (raw.used_bytes(p) < picture_.parts[p].filled_bytes) filled.complete = false;
  return std::optional(filled);
}

std::shared_ptr<const Pixels> V4l2Buffers::lend(std::size_t index) {
  struct Loan {
    Loan(std::shared_ptr<V4l2Mappings> from, std::size_t which)
        : mappings(std::move(from)), index(which) {
      pixels.data = mappings->data(index);
      pixels.size_bytes = mappings->size_bytes();
    }
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    ~Loan() { mappings->give_back(index); }

    std::shared_ptr<V4l2Mappings> mappings;
    std::size_t index;
    Pixels pixels;
  };
  auto loan = std::make_shared<Loan>(mappings_, index);
  return std::shared_ptr<const Pixels>(loan, &loan->pixels);
}

Result<void> V4l2Buffers::stream_on() {
  std::uint32_t type = device_->buffer_type();
  if (int failed = device_->call(VIDIOC_STREAMON, &type))
    return device_->error(failed, "start streaming from");
  return {};
}

}  // namespace lockstep
