// SPDX-License-Identifier: MIT
#include "sensor/sim/chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

#include "sensor/sim/random.h"
#include "support/mutex.h"

namespace lockstep {
namespace {

using namespace sim_chart;

constexpr double kMargin = 0.018;

// Draws things by number. Across, 0..1 is the picture's width; down, its height. Lengths that must
// keep their shape are in heights.
class Drawing {
 public:
  Drawing(std::vector<std::uint8_t>& numbers, std::size_t stride, double width, double height,
          double left, double top)
      : numbers_(numbers),
        stride_(stride),
        rows_(numbers.size() / stride),
        width_(width),
        height_(height),
        left_(left),
        top_(top) {}

  double aspect() const { return width_ / height_; }

  // Calls number_of(x, y) for each pixel of a rectangle, x and y from its upper left, 0..1.
  template <typename NumberOf>
  void shade(double x, double y, double width, double height, NumberOf number_of) {
    const Span columns = span(x * width_ + left_, width * width_, stride_);
    const Span rows = span(y * height_ + top_, height * height_, rows_);
    for (std::size_t row = rows.first; row < rows.last; ++row) {
      const double v = (static_cast<double>(row) + 0.5 - y * height_ - top_) / (height * height_);
      for (std::size_t column = columns.first; column < columns.last; ++column) {
        const double u =
            (static_cast<double>(column) + 0.5 - x * width_ - left_) / (width * width_);
        if (const int number = number_of(u, v); number >= 0)
          numbers_[row * stride_ + column] = static_cast<std::uint8_t>(number);
      }
    }
  }

  void rectangle(double x, double y, double width, double height, std::size_t number) {
    shade(x, y, width, height, [&](double, double) { return static_cast<int>(number); });
  }

  // Calls number_of(distance from the centre in radii, clockwise angle from the top in turns).
  template <typename NumberOf>
  void polar(double x, double y, double radius, NumberOf number_of) {
    const double across = radius / aspect();
    shade(x - across, y - radius, 2 * across, 2 * radius, [&](double u, double v) {
      const double distance = std::hypot(2 * u - 1, 2 * v - 1);
      if (distance > 1) return -1;
      const double turn = std::atan2(2 * u - 1, 1 - 2 * v) / kTurn;
      return static_cast<int>(number_of(distance, turn < 0 ? turn + 1 : turn));
    });
  }

  void disc(double x, double y, double radius, std::size_t number) {
    polar(x, y, radius, [&](double, double) { return number; });
  }

 private:
  struct Span {
    std::size_t first;
    std::size_t last;
  };

  // The pixels whose centres lie within.
  static Span span(double first, double length, std::size_t most) {
    const auto pixel = [&](double at) {
      return static_cast<std::size_t>(
          std::clamp(std::ceil(at - 0.5), 0.0, static_cast<double>(most)));
    };
    return {pixel(first), pixel(first + length)};
  }

  std::vector<std::uint8_t>& numbers_;
  std::size_t stride_;
  std::size_t rows_;
  double width_;
  double height_;
  double left_;
  double top_;
};

// One of `range` by `share` of it, 0..1, with the steps between neighbours broken up by chance.
std::size_t blended(Range range, double share, std::uint64_t pixel) {
  static const SimRandom random(0);
  const double place = std::clamp(share, 0.0, 1.0) * static_cast<double>(range.count - 1);
  return range.first +
         std::min(static_cast<std::size_t>(place + random.uniform(0, pixel)), range.count - 1);
}

// A wall with light from the upper right, and a fine grid on it, square at 16:9.
void draw_backdrop(Drawing& drawing) {
  constexpr double kWhole = 1 + 2 * kMargin;
  constexpr double kCell = 1 / 33.6;
  constexpr double kLine = 0.0014;
  std::uint64_t pixel = 0;
  const auto draw = [&](double x, double y, double width, double height, double lighter) {
    drawing.shade(x, y, width, height, [&](double u, double v) {
      const double away = std::hypot(x + u * width - 0.68, (y + v * height - 0.33) * 0.8);
      return static_cast<int>(blended(kBackdrop, 1 - 1.25 * away + lighter, pixel++));
    });
  };
  draw(-kMargin, -kMargin, kWhole, kWhole, 0);
  for (double x = 0; x < 1 + kMargin; x += kCell) draw(x, -kMargin, kLine, kWhole, 0.16);
  for (double y = 0; y < 1 + kMargin; y += kCell * 16 / 9)
    draw(-kMargin, y, kWhole, kLine * 16 / 9, 0.16);
}

void draw_ring(Drawing& drawing, double x, double y, double radius, double lamp, Range lamps) {
  for (std::size_t i = 0; i < lamps.count; ++i) {
    const double angle = kTurn * static_cast<double>(i) / static_cast<double>(lamps.count);
    drawing.disc(x + radius * std::sin(angle) / drawing.aspect(), y - radius * std::cos(angle),
                 lamp, lamps.first + i);
  }
}

// Two rings of lamps that run around, by which a picture shows when and how long it was exposed,
// about a wheel of colours that turns.
void draw_dial(Drawing& drawing) {
  const double x = 0.625;
  const double y = 0.43;
  const double radius = std::min(0.395, 0.21 * drawing.aspect());
  drawing.disc(x, y, radius * 1.0, kRim);
  drawing.disc(x, y, radius * 0.985, kPanel);
  draw_ring(drawing, x, y, radius * 0.905, radius * 0.045, kSlowRing);
  draw_ring(drawing, x, y, radius * 0.765, radius * 0.038, kFastRing);
  for (int mark = 0; mark < 10; ++mark) {
    const double angle = kTurn * mark / 10;
    drawing.disc(x + radius * 0.836 * std::sin(angle) / drawing.aspect(),
                 y - radius * 0.836 * std::cos(angle), radius * 0.012, kWhite);
  }
  drawing.disc(x, y, radius * 0.72, kGlass);
  drawing.disc(x, y, radius * 0.66, kWheelRim);
  std::uint64_t pixel = 0;
  drawing.polar(x, y, radius * 0.64, [&](double distance, double turn) -> std::size_t {
    if (distance < 0.16) return kHub;
    if (distance < 0.19) return kWheelRim;
    const double sector = turn * static_cast<double>(kWheel.count);
    const double jitter = SimRandom(1).uniform(0, pixel++);
    return kWheel.first + static_cast<std::size_t>(sector + jitter) % kWheel.count;
  });
}

// Segments a to g of a digit, as rectangles in a cell of 1 x 1.
struct Segment {
  double x, y, width, height;
};
constexpr std::array<Segment, kSegments> kSegmentPlaces = {{{0.18, 0.00, 0.64, 0.13},
                                                            {0.78, 0.07, 0.22, 0.40},
                                                            {0.78, 0.53, 0.22, 0.40},
                                                            {0.18, 0.87, 0.64, 0.13},
                                                            {0.00, 0.53, 0.22, 0.40},
                                                            {0.00, 0.07, 0.22, 0.40},
                                                            {0.18, 0.435, 0.64, 0.13}}};

void draw_digit(Drawing& drawing, double x, double y, double width, double height,
                std::size_t first) {
  for (std::size_t s = 0; s < kSegments; ++s) {
    const Segment& place = kSegmentPlaces[s];
    drawing.rectangle(x + place.x * width, y + place.y * height, place.width * width,
                      place.height * height, first + s);
  }
}

// The sensor's number, and the time.
void draw_display(Drawing& drawing) {
  drawing.rectangle(0.026, 0.283, 0.228, 0.124, kRim);
  drawing.rectangle(0.028, 0.287, 0.224, 0.116, kPanel);
  const double width = 0.0165;
  const double height = 0.076;
  double x = 0.0455;
  for (std::size_t digit = 0; digit < 2; ++digit, x += 0.024)
    draw_digit(drawing, x, 0.307, width, height, kSensorDigits.first + digit * kSegments);
  x += 0.017;
  for (std::size_t digit = 0; digit < 5; ++digit, x += 0.024) {
    draw_digit(drawing, x, 0.307, width, height, kTimeDigits.first + digit * kSegments);
    if (digit != 1) continue;
    drawing.disc(x + 0.0265, 0.378, 0.0075, kPoint);
    x += 0.0125;
  }
}

// Black and white spokes that meet at a point: where they blur tells the sharpness.
void draw_star(Drawing& drawing) {
  const double radius = std::min(0.185, 0.105 * drawing.aspect());
  drawing.disc(0.14, 0.62, radius * 1.02, kRim);
  drawing.polar(0.14, 0.62, radius, [](double distance, double turn) {
    if (distance < 0.07) return kPanel;
    return static_cast<int>(turn * 72) % 2 == 0 ? kBlack : kWhite;
  });
}

void draw_patches(Drawing& drawing) {
  drawing.rectangle(0.872, 0.05, 0.104, 0.755, kPanel);
  for (std::size_t i = 0; i < kPatches.count; ++i)
    drawing.rectangle(0.8765 + 0.0485 * static_cast<double>(i % 2),
                      0.058 + 0.0825 * static_cast<double>(i / 2), 0.0465, 0.078,
                      kPatches.first + i);
}

void draw_wedge(Drawing& drawing) {
  drawing.rectangle(0.026, 0.862, 0.948, 0.096, kPanel);
  const double step = 0.94 / static_cast<double>(kWedge.count);
  for (std::size_t i = 0; i < kWedge.count; ++i)
    drawing.rectangle(0.03 + step * static_cast<double>(i), 0.869, step, 0.082, kWedge.first + i);
}

}  // namespace

SimChart::SimChart(std::uint32_t width, std::uint32_t height)
    : margin_x_(static_cast<std::size_t>(std::ceil(width * kMargin))),
      margin_y_(static_cast<std::size_t>(std::ceil(height * kMargin))),
      stride_(width + 2 * margin_x_),
      numbers_(stride_ * (height + 2 * margin_y_)) {
  Drawing drawing(numbers_, stride_, width, height, static_cast<double>(margin_x_),
                  static_cast<double>(margin_y_));
  draw_backdrop(drawing);
  draw_dial(drawing);
  draw_display(drawing);
  draw_star(drawing);
  draw_patches(drawing);
  draw_wedge(drawing);
}

std::shared_ptr<const SimChart> SimChart::shared(std::uint32_t width, std::uint32_t height) {
  static Mutex mutex;
  static std::map<std::pair<std::uint32_t, std::uint32_t>, std::weak_ptr<const SimChart>> charts;
  MutexLock lock(mutex);
  std::erase_if(charts, [](const auto& entry) { return entry.second.expired(); });
  auto& known = charts[{width, height}];
  auto chart = known.lock();
  if (!chart) known = chart = std::make_shared<SimChart>(width, height);
  return chart;
}

}  // namespace lockstep
