// SPDX-License-Identifier: MIT
#include "sensor/sim/scene.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "sensor/sim/response.h"

namespace lockstep {
namespace {

constexpr std::size_t kBands = 32;
constexpr std::size_t kNoiseLength = 1 << 14;
// Signals beyond this are as overexposed as they get: noise cannot bring them back.
constexpr int kBrightest = 2 * kSimFullScale;
// Signals stay within the tables: noise reaches 3.5 standard deviations.
constexpr double kMostNoise = 1024;

// Responses to whole signals, and signals to responses in as many steps.
struct Curves {
  std::array<float, kSimFullScale + 1> response;
  std::array<std::int16_t, kSimFullScale + 1> signal;

  Curves() {
    for (int i = 0; i <= kSimFullScale; ++i) {
      const double share = static_cast<double>(i) / kSimFullScale;
      response[static_cast<std::size_t>(i)] = static_cast<float>(sim_response(share));
      signal[static_cast<std::size_t>(i)] =
          static_cast<std::int16_t>(std::lround(sim_signal(share) * kSimFullScale));
    }
  }
};

const Curves& curves() {
  static const Curves curves;
  return curves;
}

int signal_of(float share) {
  return static_cast<int>(std::min(share * kSimFullScale + 0.5F, float{kBrightest}));
}

// The sum of four even chances is close to a normal distribution, and has an end on either side.
std::vector<float> standard_normal(const SimRandom& random, std::size_t length) {
  std::vector<float> values(length);
  for (std::size_t i = 0; i < length; ++i) {
    double sum = -2;
    for (std::uint64_t part = 0; part < 4; ++part) sum += random.uniform(part, i);
    values[i] = static_cast<float>(sum * std::numbers::sqrt3);
  }
  return values;
}

// One plane's row: kStep bytes from pixel to pixel.
template <std::size_t kStep>
void look_up(std::span<const std::uint8_t> numbers, const std::array<std::int16_t, 256>& tones,
             const std::int16_t* noise, const SimCodes<std::uint8_t>& codes, std::byte* out) {
  const std::uint8_t* const zero = codes.zero();
  for (std::size_t x = 0; x < numbers.size(); ++x)
    out[x * kStep] = std::byte{zero[tones[numbers[x]] + noise[x]]};
}

void look_up_ten_bits(std::span<const std::uint8_t> numbers,
                      const std::array<std::int16_t, 256>& tones, const std::int16_t* noise,
                      std::byte* out) {
  const std::uint16_t* const zero = sim_ten_bit_codes().zero();
  for (std::size_t x = 0; x < numbers.size(); ++x) {
    const auto code = static_cast<std::uint16_t>(zero[tones[numbers[x]] + noise[x]] << 6);
    std::memcpy(out + 2 * x, &code, 2);
  }
}

// The colour of every second pixel, kStep bytes from one to the next.
template <std::size_t kStep>
void look_up_chroma(std::span<const std::uint8_t> numbers, const SimScene::Tones& tones,
                    std::byte* u, std::byte* v) {
  for (std::size_t x = 0; x < numbers.size(); x += 2) {
    u[x / 2 * kStep] = static_cast<std::byte>(tones.u[numbers[x]] >> 2);
    v[x / 2 * kStep] = static_cast<std::byte>(tones.v[numbers[x]] >> 2);
  }
}

void look_up_ten_bit_chroma(std::span<const std::uint8_t> numbers, const SimScene::Tones& tones,
                            std::byte* out) {
  for (std::size_t x = 0; x < numbers.size(); x += 2) {
    const std::array<std::uint16_t, 2> uv = {static_cast<std::uint16_t>(tones.u[numbers[x]] << 6),
                                             static_cast<std::uint16_t>(tones.v[numbers[x]] << 6)};
    std::memcpy(out + 2 * x, uv.data(), 4);
  }
}

}  // namespace

SimScene::SimScene(const SimOptions& options, std::uint32_t sensor, const Format& format,
                   const Layout& layout)
    : format_(format),
      layout_(layout),
      sensor_(sensor),
      random_(SimRandom(options.seed).bits(1, sensor)),
      light_(options.lighting),
      chart_(SimChart::shared(format.width, format.height)),
      red_weight_(sim_colorimetry(format).matrix == ColourMatrix::bt709 ? 0.2126 : 0.299),
      blue_weight_(sim_colorimetry(format).matrix == ColourMatrix::bt709 ? 0.0722 : 0.114),
      noise_(options.noise),
      normal_(standard_normal(random_, kNoiseLength + format.width)) {
  // Neighbours look from different sides.
  const double angle = 2.4 * sensor;
  const auto shifted = [](std::size_t margin, double by) {
    return static_cast<std::size_t>(std::lround(static_cast<double>(margin) * (1 + by)));
  };
  view_x_ = shifted(chart_->margin_x(), std::cos(angle));
  view_y_ = shifted(chart_->margin_y(), std::sin(angle));
}

void SimScene::draw(const SimShot& shot, std::span<std::byte> slot) {
  scale_noise(shot.settings);
  const std::size_t bands = shot.readout > Nanoseconds(0) ? kBands : 1;
  for (std::size_t band = 0; band < bands; ++band) {
    const std::size_t first = format_.height * band / bands;
    const std::size_t last = format_.height * (band + 1) / bands;
    if (first == last) continue;
    SimExposure exposure;
    exposure.begin = shot.exposed + shot.readout * static_cast<std::int64_t>(band) / kBands;
    exposure.frame_begin = shot.exposed;
    exposure.stream_begin = shot.stream_begin;
    exposure.settings = shot.settings;
    exposure.sensor = sensor_;
    const Tones tones = tones_of(light_.gather(exposure));
    for (std::size_t row = first; row < last; ++row) {
      draw_row(tones, shot.info.sequence, row, slot.data());
      if (row % 2 == 0) draw_chroma_row(tones, row, slot.data());
    }
  }
}

SimScene::Tones SimScene::tones_of(const SimColours& colours) const {
  const Curves& curve = curves();
  const double green_weight = 1 - red_weight_ - blue_weight_;
  Tones tones;
  for (std::size_t i = 0; i < colours.size(); ++i) {
    const int red = signal_of(colours[i].red);
    const int green = signal_of(colours[i].green);
    const int blue = signal_of(colours[i].blue);
    const auto response = [&](int signal) {
      return double{curve.response[static_cast<std::size_t>(std::min(signal, kSimFullScale))]};
    };
    const double luma = red_weight_ * response(red) + green_weight * response(green) +
                        blue_weight_ * response(blue);
    const int least = std::min({red, green, blue});
    tones.red[i] = static_cast<std::int16_t>(red);
    tones.green[i] = static_cast<std::int16_t>(green);
    tones.blue[i] = static_cast<std::int16_t>(blue);
    // Noise goes to luma as to a grey pixel as bright.
    tones.luma[i] = least >= kSimFullScale
                        ? static_cast<std::int16_t>(least)
                        : curve.signal[static_cast<std::size_t>(luma * kSimFullScale + 0.5)];
    const double u = (response(blue) - luma) / (2 * (1 - blue_weight_));
    const double v = (response(red) - luma) / (2 * (1 - red_weight_));
    tones.u[i] = static_cast<std::uint16_t>(512.5 + 896 * u);
    tones.v[i] = static_cast<std::uint16_t>(512.5 + 896 * v);
  }
  return tones;
}

void SimScene::scale_noise(const Settings& settings) {
  const double scale = std::min(
      noise_ / 255 * kSimFullScale * settings.analogue_gain * settings.digital_gain, kMostNoise);
  if (scale == noise_scale_) return;
  noise_scale_ = scale;
  noise_table_.resize(normal_.size());
  for (std::size_t i = 0; i < normal_.size(); ++i)
    noise_table_[i] = static_cast<std::int16_t>(std::lround(normal_[i] * scale));
}

const std::int16_t* SimScene::noise_row(std::uint64_t frame, std::size_t row) const {
  return &noise_table_[random_.bits(frame, row) % kNoiseLength];
}

std::span<const std::uint8_t> SimScene::numbers(std::size_t row) const {
  return {chart_->row(view_y_ + row) + view_x_, format_.width};
}

void SimScene::draw_row(const Tones& tones, std::uint64_t frame, std::size_t row,
                        std::byte* slot) const {
  const auto pixels = numbers(row);
  const std::int16_t* noise = noise_row(frame, row);
  std::byte* out = slot + layout_.planes[0].offset_bytes + row * layout_.planes[0].stride_bytes;
  const auto draw_colours = [&]<std::size_t kStep>(std::size_t red, std::size_t blue) {
    const auto& codes = sim_full_codes();
    look_up<kStep>(pixels, tones.green, noise, codes, out + 1);
    look_up<kStep>(pixels, tones.red, noise_row(frame, row + format_.height), codes, out + red);
    look_up<kStep>(pixels, tones.blue, noise_row(frame, row + 2 * format_.height), codes,
                   out + blue);
  };
  switch (format_.pixel_format) {
    case PixelFormat::nv12:
    case PixelFormat::i420:
    case PixelFormat::gray8:
      look_up<1>(pixels, tones.luma, noise, sim_video_codes(), out);
      return;
    case PixelFormat::p010_10le:
      look_up_ten_bits(pixels, tones.luma, noise, out);
      return;
    case PixelFormat::yuy2:
      look_up<2>(pixels, tones.luma, noise, sim_video_codes(), out);
      look_up_chroma<4>(pixels, tones, out + 1, out + 3);
      return;
    case PixelFormat::uyvy:
      look_up<2>(pixels, tones.luma, noise, sim_video_codes(), out + 1);
      look_up_chroma<4>(pixels, tones, out, out + 2);
      return;
    case PixelFormat::rgb:
      draw_colours.operator()<3>(0, 2);
      return;
    case PixelFormat::bgrx:
      draw_colours.operator()<4>(2, 0);
      return;
    case PixelFormat::rgba:
      draw_colours.operator()<4>(0, 2);
      for (std::size_t x = 0; x < pixels.size(); ++x) out[x * 4 + 3] = std::byte{255};
      return;
  }
}

void SimScene::draw_chroma_row(const Tones& tones, std::size_t row, std::byte* slot) const {
  const auto pixels = numbers(row);
  const auto plane_row = [&](std::size_t plane) {
    return slot + layout_.planes[plane].offset_bytes + row / 2 * layout_.planes[plane].stride_bytes;
  };
  switch (format_.pixel_format) {
    case PixelFormat::nv12:
      look_up_chroma<2>(pixels, tones, plane_row(1), plane_row(1) + 1);
      return;
    case PixelFormat::i420:
      look_up_chroma<1>(pixels, tones, plane_row(1), plane_row(2));
      return;
    case PixelFormat::p010_10le:
      look_up_ten_bit_chroma(pixels, tones, plane_row(1));
      return;
    case PixelFormat::yuy2:
    case PixelFormat::uyvy:
    case PixelFormat::rgb:
    case PixelFormat::bgrx:
    case PixelFormat::rgba:
    case PixelFormat::gray8:
      return;
  }
}

}  // namespace lockstep
