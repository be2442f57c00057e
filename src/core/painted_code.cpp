// SPDX-License-Identifier: MIT
#include "lockstep/painted_code.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

namespace lockstep {
namespace {

constexpr std::size_t kNumCells = kCodeColumns * kCodeRows;
constexpr std::size_t kFixedCells = 16;
constexpr int kSensorBits = 6;
constexpr int kSequenceBits = 24;
constexpr int kCapturedBits = 40;
constexpr int kRevisionBits = 12;
constexpr std::size_t kDataBits = kSensorBits + kSequenceBits + kCapturedBits + kRevisionBits;
constexpr int kCrcBits = 30;
static_assert(kFixedCells + kDataBits + kCrcBits == kNumCells);

// Least difference of white and black that a reader believes, of 255.
constexpr double kLeastContrast = 24;
// A cell closer than this to the middle between black and white is in doubt; 1 is black or white.
constexpr double kDoubt = 0.9;
// So many of the most doubtful cells are tried, and so many of them at once. 2325 tries against
// 30 bits of check sum: a wrong code passes for right once in half a million.
constexpr std::size_t kMostDoubtful = 24;
constexpr int kMostTurned = 3;

using Cells = std::array<bool, kNumCells>;

// Every second cell is white.
bool fixed_cell(std::size_t index) { return index % 2 == 0; }

std::uint32_t crc_of(const Cells& cells) {
  constexpr std::uint32_t kMask = (1U << kCrcBits) - 1;
  std::uint32_t crc = kMask;
  for (std::size_t i = kFixedCells; i < kFixedCells + kDataBits; ++i) {
    const bool carry = ((crc >> (kCrcBits - 1)) != 0) != cells[i];
    crc = ((crc << 1) ^ (carry ? 0x2030b9c7 : 0)) & kMask;
  }
  return crc;
}

void put(Cells& cells, std::size_t& at, std::uint64_t value, int bits) {
  for (int bit = bits - 1; bit >= 0; --bit) cells[at++] = ((value >> bit) & 1) != 0;
}

std::uint64_t take(const Cells& cells, std::size_t& at, int bits) {
  std::uint64_t value = 0;
  for (int bit = 0; bit < bits; ++bit) value = value << 1 | (cells[at++] ? 1 : 0);
  return value;
}

Cells cells_of(const PaintedCode& code) {
  Cells cells{};
  for (std::size_t i = 0; i < kFixedCells; ++i) cells[i] = fixed_cell(i);
  std::size_t at = kFixedCells;
  put(cells, at, code.sensor, kSensorBits);
  put(cells, at, code.sequence, kSequenceBits);
  put(cells, at, code.captured_us, kCapturedBits);
  put(cells, at, code.settings_revision, kRevisionBits);
  put(cells, at, crc_of(cells), kCrcBits);
  return cells;
}

// The first pixel of cell `index` when `side` pixels are `cells_per_side` cells.
std::size_t edge(std::size_t index, std::size_t side, std::size_t cells_per_side) {
  return (index * side + cells_per_side / 2) / cells_per_side;
}

// The bytes of one black, white and colourless sample. Black and white are those of video range in
// YUV and the extremes in RGB.
struct SampleBytes {
  std::array<std::uint8_t, 4> bytes;
  std::size_t size;
};

struct Samples {
  SampleBytes black;
  SampleBytes white;
  SampleBytes chroma;  // Of the planes after the first; size 0 where there is none.
};

Samples samples_of(PixelFormat format) {
  switch (format) {
    case PixelFormat::nv12:
      return {{{16}, 1}, {{235}, 1}, {{128, 128}, 2}};
    case PixelFormat::i420:
      return {{{16}, 1}, {{235}, 1}, {{128}, 1}};
    case PixelFormat::yuy2:
      return {{{16, 128}, 2}, {{235, 128}, 2}, {{}, 0}};
    case PixelFormat::uyvy:
      return {{{128, 16}, 2}, {{128, 235}, 2}, {{}, 0}};
    case PixelFormat::rgb:
      return {{{0, 0, 0}, 3}, {{255, 255, 255}, 3}, {{}, 0}};
    case PixelFormat::bgrx:
    case PixelFormat::rgba:
      return {{{0, 0, 0, 255}, 4}, {{255, 255, 255, 255}, 4}, {{}, 0}};
    case PixelFormat::gray8:
      return {{{16}, 1}, {{235}, 1}, {{}, 0}};
    case PixelFormat::p010_10le:
      return {{{0, 16}, 2}, {{0, 235}, 2}, {{0, 128, 0, 128}, 4}};
  }
  return {};
}

void fill(std::span<std::byte> row, std::size_t first, std::size_t last,
          const SampleBytes& sample) {
  for (std::size_t x = first; x < last; ++x)
    std::memcpy(&row[x * sample.size], sample.bytes.data(), sample.size);
}

void copy_rows(std::span<const std::byte> row, const Plane& plane, std::size_t first,
               std::size_t last, std::span<std::byte> frame) {
  for (std::size_t y = first; y < last; ++y)
    std::memcpy(&frame[plane.offset_bytes + y * plane.stride_bytes], row.data(), row.size());
}

struct Area {
  double left, right, top, bottom;
};

// The mean over an area whose borders may lie within pixels; those count by the part inside.
double mean_of(const LumaView& picture, const Area& area) {
  double sum = 0;
  double weight = 0;
  for (auto y = static_cast<std::size_t>(area.top); static_cast<double>(y) < area.bottom; ++y) {
    const auto top = static_cast<double>(y);
    const double rows = std::min(area.bottom, top + 1) - std::max(area.top, top);
    for (auto x = static_cast<std::size_t>(area.left); static_cast<double>(x) < area.right; ++x) {
      const auto left = static_cast<double>(x);
      const double part = rows * (std::min(area.right, left + 1) - std::max(area.left, left));
      const std::byte value = picture.bytes[y * picture.stride_bytes + x * picture.pixel_bytes];
      sum += part * std::to_integer<int>(value);
      weight += part;
    }
  }
  return sum / weight;
}

// The brightness of each cell's inner half, which its neighbours do not blur into.
std::array<double, kNumCells> brightness_of_cells(const LumaView& picture) {
  const double width = static_cast<double>(picture.width) / kCodeWidthInCells;
  const double height = static_cast<double>(picture.height) / kCodeHeightInCells;
  std::array<double, kNumCells> brightness{};
  for (std::size_t i = 0; i < kNumCells; ++i) {
    const auto column = static_cast<double>(i % kCodeColumns);
    const auto row = static_cast<double>(i / kCodeColumns);
    brightness[i] = mean_of(picture, {(column + 0.25) * width, (column + 0.75) * width,
                                      (row + 0.25) * height, (row + 0.75) * height});
  }
  return brightness;
}

bool is_whole(const Cells& cells) {
  std::size_t at = kFixedCells + kDataBits;
  return take(cells, at, kCrcBits) == crc_of(cells);
}

// Turns up to `most` of `doubtful` over, in every combination until the check sum is right.
bool mend(Cells& cells, std::span<const std::size_t> doubtful, int most) {
  if (is_whole(cells)) return true;
  for (std::size_t i = 0; most > 0 && i < doubtful.size(); ++i) {
    cells[doubtful[i]] = !cells[doubtful[i]];
    if (mend(cells, doubtful.subspan(i + 1), most - 1)) return true;
    cells[doubtful[i]] = !cells[doubtful[i]];
  }
  return false;
}

std::optional<Cells> cells_in(const LumaView& picture) {
  const auto brightness = brightness_of_cells(picture);
  std::array<double, 2> sum{};
  for (std::size_t i = 0; i < kFixedCells; ++i) sum[fixed_cell(i)] += brightness[i];
  const double middle = (sum[0] + sum[1]) / kFixedCells;
  const double contrast = (sum[1] - sum[0]) / (kFixedCells / 2);
  if (contrast < kLeastContrast) return std::nullopt;

  Cells cells{};
  std::vector<std::size_t> doubtful;
  const auto certainty = [&](std::size_t i) { return std::abs(brightness[i] - middle); };
  for (std::size_t i = 0; i < kNumCells; ++i) {
    cells[i] = brightness[i] > middle;
    if (i < kFixedCells && cells[i] != fixed_cell(i)) return std::nullopt;
    if (i >= kFixedCells && certainty(i) < kDoubt * contrast / 2) doubtful.push_back(i);
  }
  std::sort(doubtful.begin(), doubtful.end(),
            [&](std::size_t a, std::size_t b) { return certainty(a) < certainty(b); });
  doubtful.resize(std::min(doubtful.size(), kMostDoubtful));
  if (!mend(cells, doubtful, kMostTurned)) return std::nullopt;
  return cells;
}

bool is_within_bytes(const LumaView& picture) {
  const std::size_t last_row = (picture.height - 1) * picture.stride_bytes;
  return picture.bytes.size() > last_row + (picture.width - 1) * picture.pixel_bytes;
}

}  // namespace

bool has_room_for_code(std::uint32_t width, std::uint32_t height) {
  return width >= 2 * kCodeWidthInCells && height >= 2 * kCodeHeightInCells;
}

void paint_code(const PaintedCode& code, const Format& format, const Layout& layout,
                std::span<std::byte> frame) {
  if (!has_room_for_code(format.width, format.height)) return;
  const Cells cells = cells_of(code);
  const Samples samples = samples_of(format.pixel_format);
  // The outer edges are even, so that the chroma of two pixels never belongs to code and picture.
  const auto right = (edge(kCodeColumns, format.width, kCodeWidthInCells) + 1) / 2 * 2;
  const auto bottom = (edge(kCodeRows, format.height, kCodeHeightInCells) + 1) / 2 * 2;

  std::vector<std::byte> row(right * samples.black.size);
  for (std::size_t r = 0; r < kCodeRows; ++r) {
    for (std::size_t c = 0; c < kCodeColumns; ++c) {
      const bool last = c + 1 == kCodeColumns;
      fill(row, edge(c, format.width, kCodeWidthInCells),
           last ? right : edge(c + 1, format.width, kCodeWidthInCells),
           cells[r * kCodeColumns + c] ? samples.white : samples.black);
    }
    copy_rows(row, layout.planes[0], edge(r, format.height, kCodeHeightInCells),
              r + 1 == kCodeRows ? bottom : edge(r + 1, format.height, kCodeHeightInCells), frame);
  }
  row.resize(right / 2 * samples.chroma.size);
  fill(row, 0, right / 2, samples.chroma);
  for (std::size_t p = 1; p < layout.num_planes; ++p)
    copy_rows(row, layout.planes[p], 0, bottom / 2, frame);
}

std::optional<PaintedCode> read_code(const LumaView& picture) {
  if (!has_room_for_code(picture.width, picture.height) || !is_within_bytes(picture))
    return std::nullopt;
  const auto cells = cells_in(picture);
  if (!cells) return std::nullopt;
  PaintedCode code;
  std::size_t at = kFixedCells;
  code.sensor = static_cast<std::uint8_t>(take(*cells, at, kSensorBits));
  code.sequence = static_cast<std::uint32_t>(take(*cells, at, kSequenceBits));
  code.captured_us = take(*cells, at, kCapturedBits);
  code.settings_revision = static_cast<std::uint16_t>(take(*cells, at, kRevisionBits));
  return code;
}

LumaView luma_of(const Format& format, const Layout& layout, std::span<const std::byte> frame) {
  std::size_t first = layout.planes[0].offset_bytes;
  switch (format.pixel_format) {
    case PixelFormat::uyvy:
    case PixelFormat::rgb:
    case PixelFormat::bgrx:
    case PixelFormat::rgba:
    case PixelFormat::p010_10le:
      ++first;
      break;
    case PixelFormat::nv12:
    case PixelFormat::i420:
    case PixelFormat::yuy2:
    case PixelFormat::gray8:
      break;
  }
  return {frame.subspan(std::min(first, frame.size())), format.width, format.height,
          layout.planes[0].stride_bytes, samples_of(format.pixel_format).black.size};
}

}  // namespace lockstep
