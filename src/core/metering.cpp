// SPDX-License-Identifier: MIT
// What reading a picture costs is fetching its memory: a sample is a few pixels that lie in one cache line, the lines of
// a row are near each other, and a row is told to come before it is read. All that is worked out per sample is its
// colour; luma is only counted, and what the counts mean is worked out once at the end.
#include "lockstep/metering.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <string>

namespace lockstep {
namespace {

constexpr std::size_t kMostCodes = 1024;
constexpr std::size_t kPixels = Meter::kSamplePixels;

// The darkest and the brightest share that the trimmed mean leaves out.
constexpr double kTrimmed = 0.05;
// Colours are told from samples whose luma is above this and whose channels are all below that: noise brings what is
// clipped back a little, and near black it makes colours of its own. \units 1/255 of full range.
constexpr float kDarkColour = 16;
constexpr float kClippedColour = 250;

// How video is coded. \source ITU-R BT.709 and BT.601, quantisation; BT.2100 for 10 bits.
struct Coding {
  std::size_t num_codes;
  int black;
  int white;
  int no_colour;  // Of U and V; they reach as far on either side of it as `colour_reach`, for half the range.
  int colour_reach;
};

constexpr Coding kVideo = {256, 16, 235, 128, 112};
constexpr Coding kTenBits = {1024, 64, 940, 512, 448};
constexpr Coding kFull = {256, 0, 255, 0, 0};

constexpr const Coding& coding_of(PixelFormat format) {
  if (format == PixelFormat::p010_10le) return kTenBits;
  const bool full =
      format == PixelFormat::rgb || format == PixelFormat::bgrx || format == PixelFormat::rgba;
  return full ? kFull : kVideo;
}

// The share of full scale that a response, 0..1, stands for. \source ITU-R BT.709, opto-electronic transfer.
double light_of(double response) {
  return response < 0.081 ? response / 4.5 : std::pow((response + 0.099) / 1.099, 1 / 0.45);
}

// How the pixels of a format follow each other. \units bytes
struct Steps {
  std::size_t luma = 1;
  std::size_t chroma = 0;  // From one pair of pixels to the next; 0: there is none.
  std::size_t code = 1;    // Of one code value.
};

constexpr Steps steps_of(PixelFormat format) {
  switch (format) {
    case PixelFormat::nv12:
      return {1, 2, 1};
    case PixelFormat::i420:
      return {1, 1, 1};
    case PixelFormat::yuy2:
    case PixelFormat::uyvy:
      return {2, 4, 1};
    case PixelFormat::p010_10le:
      return {2, 4, 2};
    case PixelFormat::rgb:
      return {3, 0, 1};
    case PixelFormat::bgrx:
    case PixelFormat::rgba:
      return {4, 0, 1};
    case PixelFormat::gray8:
      return {1, 0, 1};
  }
  return {};
}

constexpr bool has_chroma_plane(PixelFormat format) {
  return format == PixelFormat::nv12 || format == PixelFormat::i420 ||
         format == PixelFormat::p010_10le;
}

template <std::size_t kBytes>
int code_at(const std::byte* at) {
  if constexpr (kBytes == 1) return std::to_integer<int>(*at);
  std::uint16_t word = 0;
  std::memcpy(&word, at, 2);
  return word >> 6;
}

// How much of [begin, end) lies in each of `count` equal parts of [0, 1): part first + i has shares[i].
struct Overlap {
  std::size_t first = 0;
  std::vector<double> shares;
};

Overlap overlap(double begin, double end, std::size_t count) {
  const double n = static_cast<double>(count);
  Overlap found;
  found.first = std::min(static_cast<std::size_t>(begin * n), count - 1);
  const auto last =
      std::clamp<std::size_t>(static_cast<std::size_t>(std::ceil(end * n)), found.first + 1, count);
  for (std::size_t part = found.first; part < last; ++part) {
    const double from = std::max(begin, static_cast<double>(part) / n);
    const double to = std::min(end, static_cast<double>(part + 1) / n);
    found.shares.push_back(std::max(to - from, 0.0));
  }
  return found;
}

std::vector<Overlap> overlaps(std::size_t cells, std::size_t count) {
  std::vector<Overlap> all;
  const double n = static_cast<double>(cells);
  for (std::size_t i = 0; i < cells; ++i)
    all.push_back(overlap(static_cast<double>(i) / n, static_cast<double>(i + 1) / n, count));
  return all;
}

// What the map says of each cell of the grid: its mean over the cell, so that no weight falls between two samples. All
// together are 1.
std::vector<double> cell_weights(const WeightMap& map, std::size_t columns, std::size_t rows) {
  const auto across = overlaps(columns, map.columns);
  const auto down = overlaps(rows, map.rows);
  std::vector<double> weights;
  double sum = 0;
  for (const Overlap& y : down) {
    for (const Overlap& x : across) {
      double weight = 0;
      for (std::size_t j = 0; j < y.shares.size(); ++j)
        for (std::size_t i = 0; i < x.shares.size(); ++i)
          weight += y.shares[j] * x.shares[i] *
                    double{map.weights[(y.first + j) * map.columns + x.first + i]};
      weights.push_back(weight);
      sum += weight;
    }
  }
  for (double& weight : weights) weight /= sum;
  return weights;
}

// The middle of part `index` of `count` of a side.
std::size_t middle(std::size_t index, std::size_t side, std::size_t count) {
  return (2 * index + 1) * side / (2 * count);
}

}  // namespace

WeightMap average_metering() { return {}; }

WeightMap centre_metering() {
  // What lies in the middle third counts four times as much as the rim.
  return {5, 5, {1, 1, 1, 1, 1,  //
                 1, 2, 3, 2, 1,  //
                 1, 3, 4, 3, 1,  //
                 1, 2, 3, 2, 1,  //
                 1, 1, 1, 1, 1}};
}

WeightMap spot_metering() {
  return {5, 5, {0, 0, 0, 0, 0,  //
                 0, 0, 0, 0, 0,  //
                 0, 0, 1, 0, 0,  //
                 0, 0, 0, 0, 0,  //
                 0, 0, 0, 0, 0}};
}

Result<void> check(const WeightMap& map) {
  const std::size_t wanted = map.columns * map.rows;
  if (map.columns > kMaxWeights || map.rows > kMaxWeights || wanted == 0 || wanted > kMaxWeights ||
      map.weights.size() != wanted)
    return Error{Errc::invalid_argument, 0,
                 std::to_string(map.weights.size()) + " metering weights for " +
                     std::to_string(map.columns) + " x " + std::to_string(map.rows) +
                     ", wanted as many as that, 1 to " + std::to_string(kMaxWeights)};
  float sum = 0;
  for (const float weight : map.weights) {
    if (!(weight >= 0 && std::isfinite(weight)))
      return Error{Errc::invalid_argument, 0,
                   "metering weight of " + std::to_string(weight) + ", wanted 0 or more"};
    sum += weight;
  }
  if (sum > 0) return {};
  return Error{Errc::invalid_argument, 0, "metering weights that are all 0, wanted one above"};
}

struct MeterTables {
  std::array<float, kMostCodes> light{};        // By luma code.
  std::array<std::uint8_t, kMostCodes> bin{};   // Of the histogram, by luma code.
  std::array<float, kMostCodes> light_steps{};  // By response, in so many steps.
  int red_weight = 0;                           // Of luma. \units 1/256
  int blue_weight = 0;
  float red_of_v = 0;  // U and V reach as far as the response does.
  float green_of_u = 0;
  float green_of_v = 0;
  float blue_of_u = 0;

  MeterTables(const Coding& coding, std::uint32_t height) {
    for (std::size_t code = 0; code < coding.num_codes; ++code) {
      const double response = std::clamp(
          (static_cast<double>(code) - coding.black) / (coding.white - coding.black), 0.0, 1.0);
      light[code] = static_cast<float>(light_of(response));
      bin[code] = static_cast<std::uint8_t>(std::lround(response * 255));
    }
    for (std::size_t i = 0; i < kMostCodes; ++i)
      light_steps[i] =
          static_cast<float>(light_of(static_cast<double>(i) / double{kMostCodes - 1}));
    const double red = height > 576 ? 0.2126 : 0.299;
    const double blue = height > 576 ? 0.0722 : 0.114;
    const double green = 1 - red - blue;
    red_weight = static_cast<int>(std::lround(256 * red));
    blue_weight = static_cast<int>(std::lround(256 * blue));
    red_of_v = static_cast<float>(2 * (1 - red));
    blue_of_u = static_cast<float>(2 * (1 - blue));
    green_of_v = static_cast<float>(-2 * red * (1 - red) / green);
    green_of_u = static_cast<float>(-2 * blue * (1 - blue) / green);
  }
};

namespace {

// What a sample of a few pixels shows. \units responses, 0..255
struct Sample {
  bool clipped = false;
  float luma = 0;
  float red = 0;
  float green = 0;
  float blue = 0;
};

// What is gathered while a picture is gone through.
struct Sums {
  // Weights by luma code. Neighbouring pixels are mostly alike, and adding to one number many times over takes longer
  // than adding to one of several.
  std::array<std::array<float, kMostCodes>, kPixels> codes;
  float red = 0;
  float green = 0;
  float blue = 0;
  float coloured = 0;

  explicit Sums(std::size_t num_codes) {
    for (auto& lane : codes) std::fill_n(lane.begin(), num_codes, 0.0F);
  }

  void count(std::size_t pixel, int code, float weight) {
    codes[pixel][static_cast<std::size_t>(code)] += weight;
  }

  void add_colour(const MeterTables& tables, const Sample& sample, float weight) {
    if (sample.clipped || sample.luma < kDarkColour ||
        std::max({sample.red, sample.green, sample.blue}) > kClippedColour)
      return;
    const auto light = [&](float response) {
      constexpr float kStep = static_cast<float>(kMostCodes - 1) / 255;
      return tables.light_steps[static_cast<std::size_t>(std::max(response, 0.0F) * kStep + 0.5F)];
    };
    red += weight * light(sample.red);
    green += weight * light(sample.green);
    blue += weight * light(sample.blue);
    coloured += weight;
  }
};

template <std::size_t kRed, std::size_t kStep>
Sample read_rgb(const std::byte* at, std::size_t count, const MeterTables& tables, float weight,
                Sums& sums) {
  int luma = 0;
  int red = 0;
  int green = 0;
  int blue = 0;
  int brightest = 0;
  for (std::size_t i = 0; i < count; ++i, at += kStep) {
    const int r = code_at<1>(at + kRed);
    const int g = code_at<1>(at + 1);
    const int b = code_at<1>(at + 2 - kRed);
    const int code =
        (256 * g + tables.red_weight * (r - g) + tables.blue_weight * (b - g) + 128) >> 8;
    sums.count(i, code, weight);
    brightest = std::max({brightest, r, g, b});
    luma += code;
    red += r;
    green += g;
    blue += b;
  }
  const float share = 1.0F / static_cast<float>(count);
  return {brightest >= kFull.white, static_cast<float>(luma) * share,
          static_cast<float>(red) * share, static_cast<float>(green) * share,
          static_cast<float>(blue) * share};
}

template <std::size_t kStep, std::size_t kBytes>
float mean_code(const std::byte* at, std::size_t count) {
  int sum = 0;
  for (std::size_t i = 0; i < count; ++i, at += kStep) sum += code_at<kBytes>(at);
  return static_cast<float>(sum) / static_cast<float>(count);
}

// `u_at` and `v_at` are not looked at where the format has no colour.
template <PixelFormat kFormat>
Sample read_yuv(const std::byte* at, const std::byte* u_at, const std::byte* v_at,
                std::size_t count, const MeterTables& tables, float weight, Sums& sums) {
  constexpr Coding kCoding = coding_of(kFormat);
  constexpr Steps kSteps = steps_of(kFormat);
  constexpr float kStretch = 255.0F / static_cast<float>(kCoding.white - kCoding.black);
  int sum = 0;
  int brightest = 0;
  for (std::size_t i = 0; i < count; ++i, at += kSteps.luma) {
    const int code = code_at<kSteps.code>(at);
    sums.count(i, code, weight);
    brightest = std::max(brightest, code);
    sum += code;
  }
  const float code = static_cast<float>(sum) / static_cast<float>(count);
  const float luma = (code - static_cast<float>(kCoding.black)) * kStretch;
  float u = 0;
  float v = 0;
  if constexpr (kSteps.chroma > 0) {
    constexpr float kReach = 255.0F / static_cast<float>(2 * kCoding.colour_reach);
    const std::size_t pairs = (count + 1) / 2;
    constexpr auto kNoColour = static_cast<float>(kCoding.no_colour);
    u = (mean_code<kSteps.chroma, kSteps.code>(u_at, pairs) - kNoColour) * kReach;
    v = (mean_code<kSteps.chroma, kSteps.code>(v_at, pairs) - kNoColour) * kReach;
  }
  return {brightest >= kCoding.white, luma, luma + tables.red_of_v * v,
          luma + tables.green_of_u * u + tables.green_of_v * v, luma + tables.blue_of_u * u};
}

// The mean of `light` by `codes`, whose sum is `total`, without a share at either end.
double trimmed_mean(std::span<const float> codes, std::span<const float> light, double total) {
  const double begin = kTrimmed * total;
  const double end = (1 - kTrimmed) * total;
  double passed = 0;
  double sum = 0;
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const double from = std::max(passed, begin);
    passed += double{codes[i]};
    const double to = std::min(passed, end);
    if (to > from) sum += (to - from) * double{light[i]};
  }
  return sum / (end - begin);
}

// `count` pixels are in a sample.
Metering metering_of(Sums& sums, const Coding& coding, const MeterTables& tables,
                     std::size_t count) {
  Metering metering;
  double total = 0;
  double dark = 0;
  double bright = 0;
  for (std::size_t code = 0; code < coding.num_codes; ++code) {
    float& weight = sums.codes[0][code];
    for (std::size_t i = 1; i < kPixels; ++i) weight += sums.codes[i][code];
    if (weight == 0) continue;
    metering.histogram[tables.bin[code]] += weight;
    metering.mean += double{weight} * double{tables.light[code]};
    total += double{weight};
    if (code <= static_cast<std::size_t>(coding.black)) dark += double{weight};
    if (code >= static_cast<std::size_t>(coding.white)) bright += double{weight};
  }
  // What adding up has lost of 1 is made good.
  for (float& bin : metering.histogram) bin = static_cast<float>(double{bin} / total);
  metering.mean /= total;
  metering.clipped_dark = dark / total;
  metering.clipped_bright = bright / total;
  metering.trimmed_mean =
      trimmed_mean(std::span(sums.codes[0]).first(coding.num_codes), tables.light, total);
  metering.colour_share = std::min(double{sums.coloured} * static_cast<double>(count), 1.0);
  if (sums.coloured > 0) {
    metering.red = double{sums.red / sums.coloured};
    metering.green = double{sums.green / sums.coloured};
    metering.blue = double{sums.blue / sums.coloured};
  }
  return metering;
}

bool fits(const Layout& layout, const Layout& least) {
  if (layout.num_planes != least.num_planes) return false;
  for (std::size_t p = 0; p < least.num_planes; ++p)
    if (layout.planes[p].row_bytes < least.planes[p].row_bytes ||
        layout.planes[p].rows < least.planes[p].rows)
      return false;
  return true;
}

}  // namespace

Result<Meter> Meter::make(const Format& format, const Layout& layout, const WeightMap& map) {
  if (auto valid = check(map); !valid) return valid.error();
  const auto least = default_layout(format.pixel_format, format.width, format.height);
  if (!least) return least.error();
  if (!fits(layout, *least))
    return Error{Errc::invalid_argument, 0, "meter " + to_string(format) + " by another's layout"};

  Meter meter;
  meter.format_ = format.pixel_format;
  meter.tables_ =
      std::make_shared<const MeterTables>(coding_of(format.pixel_format), format.height);
  const std::size_t width = format.width;
  const std::size_t height = format.height;
  meter.sample_pixels_ = std::min(kPixels, width);
  const std::size_t columns = std::min(kGridColumns, width / meter.sample_pixels_);
  const std::size_t rows = std::min(kGridRows, height);
  const Steps steps = steps_of(format.pixel_format);
  for (std::size_t row = 0; row < rows; ++row)
    meter.rows_.push_back(row_offset(format.pixel_format, layout, middle(row, height, rows)));
  for (std::size_t column = 0; column < columns; ++column) {
    const std::size_t centre = middle(column, width, columns);
    const std::size_t left = centre - std::min(centre, meter.sample_pixels_ / 2);
    // Pairs of pixels share their colour: samples begin with a whole pair.
    const std::size_t pair = std::min(left, width - meter.sample_pixels_) / 2;
    meter.columns_.push_back({2 * pair * steps.luma, pair * steps.chroma, pair * steps.chroma});
  }
  for (const double weight : cell_weights(map, columns, rows))
    meter.weights_.push_back(
        static_cast<float>(weight / static_cast<double>(meter.sample_pixels_)));
  return meter;
}

Meter::Offset Meter::row_offset(PixelFormat format, const Layout& layout, std::size_t y) {
  const auto begin = [&](std::size_t plane, std::size_t row) {
    return layout.planes[plane].offset_bytes + row * layout.planes[plane].stride_bytes;
  };
  const std::size_t first = begin(0, y);
  switch (format) {
    case PixelFormat::nv12:
      return {first, begin(1, y / 2), begin(1, y / 2) + 1};
    case PixelFormat::p010_10le:
      return {first, begin(1, y / 2), begin(1, y / 2) + 2};
    case PixelFormat::i420:
      return {first, begin(1, y / 2), begin(2, y / 2)};
    case PixelFormat::yuy2:
      return {first, first + 1, first + 3};
    case PixelFormat::uyvy:
      return {first + 1, first, first + 2};
    case PixelFormat::rgb:
    case PixelFormat::bgrx:
    case PixelFormat::rgba:
    case PixelFormat::gray8:
      return {first, first, first};
  }
  return {};
}

template <PixelFormat kFormat>
Metering Meter::measure_as(const std::byte* pixels) const {
  const MeterTables& tables = *tables_;
  const std::size_t count = sample_pixels_;
  Sums sums(coding_of(kFormat).num_codes);
  const float* next_weight = weights_.data();
  for (std::size_t y = 0; y < rows_.size(); ++y) {
    const Offset& row = rows_[y];
    const Offset& next_row = rows_[std::min(y + 1, rows_.size() - 1)];
    for (const Offset& column : columns_) {
      const float weight = *next_weight++;
      if (weight == 0) continue;
      const std::byte* at = pixels + row.luma + column.luma;
      // Costs are a third less than without.
      __builtin_prefetch(pixels + next_row.luma + column.luma);
      if constexpr (has_chroma_plane(kFormat)) __builtin_prefetch(pixels + next_row.u + column.u);
      Sample sample;
      if constexpr (kFormat == PixelFormat::rgb)
        sample = read_rgb<0, 3>(at, count, tables, weight, sums);
      else if constexpr (kFormat == PixelFormat::bgrx)
        sample = read_rgb<2, 4>(at, count, tables, weight, sums);
      else if constexpr (kFormat == PixelFormat::rgba)
        sample = read_rgb<0, 4>(at, count, tables, weight, sums);
      else
        sample = read_yuv<kFormat>(at, pixels + row.u + column.u, pixels + row.v + column.v, count,
                                   tables, weight, sums);
      sums.add_colour(tables, sample, weight);
    }
  }
  return metering_of(sums, coding_of(kFormat), tables, count);
}

Metering Meter::measure(const std::byte* pixels) const {
  switch (format_) {
    case PixelFormat::nv12:
      return measure_as<PixelFormat::nv12>(pixels);
    case PixelFormat::i420:
      return measure_as<PixelFormat::i420>(pixels);
    case PixelFormat::yuy2:
      return measure_as<PixelFormat::yuy2>(pixels);
    case PixelFormat::uyvy:
      return measure_as<PixelFormat::uyvy>(pixels);
    case PixelFormat::rgb:
      return measure_as<PixelFormat::rgb>(pixels);
    case PixelFormat::bgrx:
      return measure_as<PixelFormat::bgrx>(pixels);
    case PixelFormat::rgba:
      return measure_as<PixelFormat::rgba>(pixels);
    case PixelFormat::gray8:
      return measure_as<PixelFormat::gray8>(pixels);
    case PixelFormat::p010_10le:
      return measure_as<PixelFormat::p010_10le>(pixels);
  }
  return {};
}

}  // namespace lockstep
