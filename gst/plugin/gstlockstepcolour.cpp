// SPDX-License-Identifier: MIT
//
// With the same primaries and the same transfer, samples of one matrix are a linear function of those of another: no
// detour by RGB, which would clip what lies outside of it, and no rounding on the way. A colour difference becomes one of
// the colour differences alone; luma takes a little of both.
#include "gstlockstepcolour.h"

#include <algorithm>
#include <cmath>

namespace lockstep {
namespace {

GstVideoColorMatrix video_matrix(ColourMatrix matrix) {
  switch (matrix) {
    case ColourMatrix::bt601:
      return GST_VIDEO_COLOR_MATRIX_BT601;
    case ColourMatrix::bt709:
      return GST_VIDEO_COLOR_MATRIX_BT709;
    case ColourMatrix::bt2020:
      return GST_VIDEO_COLOR_MATRIX_BT2020;
    case ColourMatrix::smpte240m:
      return GST_VIDEO_COLOR_MATRIX_SMPTE240M;
  }
  return GST_VIDEO_COLOR_MATRIX_UNKNOWN;
}

GstVideoTransferFunction video_transfer(ColourTransfer transfer) {
  switch (transfer) {
    case ColourTransfer::bt601:
      return GST_VIDEO_TRANSFER_BT601;
    case ColourTransfer::bt709:
      return GST_VIDEO_TRANSFER_BT709;
    case ColourTransfer::bt2020:
      return GST_VIDEO_TRANSFER_BT2020_12;
    case ColourTransfer::srgb:
      return GST_VIDEO_TRANSFER_SRGB;
    case ColourTransfer::adobe_rgb:
      return GST_VIDEO_TRANSFER_ADOBERGB;
    case ColourTransfer::smpte240m:
      return GST_VIDEO_TRANSFER_SMPTE240M;
    case ColourTransfer::smpte2084:
      return GST_VIDEO_TRANSFER_SMPTE2084;
    case ColourTransfer::linear:
      return GST_VIDEO_TRANSFER_GAMMA10;
  }
  return GST_VIDEO_TRANSFER_UNKNOWN;
}

GstVideoColorPrimaries video_primaries(ColourPrimaries primaries) {
  switch (primaries) {
    case ColourPrimaries::bt709:
      return GST_VIDEO_COLOR_PRIMARIES_BT709;
    case ColourPrimaries::smpte170m:
      return GST_VIDEO_COLOR_PRIMARIES_SMPTE170M;
    case ColourPrimaries::smpte240m:
      return GST_VIDEO_COLOR_PRIMARIES_SMPTE240M;
    case ColourPrimaries::bt470m:
      return GST_VIDEO_COLOR_PRIMARIES_BT470M;
    case ColourPrimaries::bt470bg:
      return GST_VIDEO_COLOR_PRIMARIES_BT470BG;
    case ColourPrimaries::bt2020:
      return GST_VIDEO_COLOR_PRIMARIES_BT2020;
    case ColourPrimaries::adobe_rgb:
      return GST_VIDEO_COLOR_PRIMARIES_ADOBERGB;
    case ColourPrimaries::dci_p3:
      return GST_VIDEO_COLOR_PRIMARIES_SMPTERP431;
  }
  return GST_VIDEO_COLOR_PRIMARIES_UNKNOWN;
}

using Matrix = std::array<std::array<double, 3>, 3>;

Matrix operator*(const Matrix& a, const Matrix& b) {
  Matrix product{};
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 3; ++j)
      for (std::size_t k = 0; k < 3; ++k) product[i][j] += a[i][k] * b[k][j];
  return product;
}

struct LumaWeights {
  double red = 0;
  double blue = 0;
};

Matrix rgb_of_yuv(const LumaWeights& by) {
  const double green = 1 - by.red - by.blue;
  return {{{1, 0, 2 - 2 * by.red},
           {1, -by.blue * (2 - 2 * by.blue) / green, -by.red * (2 - 2 * by.red) / green},
           {1, 2 - 2 * by.blue, 0}}};
}

Matrix yuv_of_rgb(const LumaWeights& by) {
  const double green = 1 - by.red - by.blue;
  const double u = 1 / (2 - 2 * by.blue);
  const double v = 1 / (2 - 2 * by.red);
  return {{{by.red, green, by.blue},
           {-by.red * u, -green * u, (1 - by.blue) * u},
           {(1 - by.red) * v, -green * v, -by.blue * v}}};
}

// The identity where there is no matrix to speak of, or the same.
Matrix between_matrices(const GstVideoInfo& from, const GstVideoInfo& to) {
  LumaWeights before;
  LumaWeights after;
  if (from.colorimetry.matrix == to.colorimetry.matrix || !GST_VIDEO_INFO_IS_YUV(&from) ||
      !gst_video_color_matrix_get_Kr_Kb(from.colorimetry.matrix, &before.red, &before.blue) ||
      !gst_video_color_matrix_get_Kr_Kb(to.colorimetry.matrix, &after.red, &after.blue))
    return {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
  return yuv_of_rgb(after) * rgb_of_yuv(before);
}

struct Levels {
  explicit Levels(const GstVideoInfo& info) {
    gst_video_color_range_offsets(info.colorimetry.range, info.finfo, offset.data(), scale.data());
  }
  std::array<gint, GST_VIDEO_MAX_COMPONENTS> offset{};
  std::array<gint, GST_VIDEO_MAX_COMPONENTS> scale{};
};

bool same_range(const GstVideoColorimetry& a, const GstVideoColorimetry& b) {
  return a.range == b.range || a.range == GST_VIDEO_COLOR_RANGE_UNKNOWN ||
         b.range == GST_VIDEO_COLOR_RANGE_UNKNOWN;
}

// The samples of one component of a picture.
struct Component {
  Component(const PictureView& picture, guint index) {
    const GstVideoFormatInfo* format = picture.format;
    const auto in_plane = static_cast<guint>(GST_VIDEO_FORMAT_INFO_PLANE(format, index));
    const PlaneView plane = plane_of(picture, in_plane);
    std::size_t channel = 0;
    for (guint c = 0; c < index; ++c)
      channel += static_cast<guint>(GST_VIDEO_FORMAT_INFO_PLANE(format, c)) == in_plane;
    first = plane.data + plane.channels[channel].offset * plane.sample_bytes;
    stride = plane.stride;
    step = plane.channels[channel].step;
    width = plane.channels[channel].width;
    height = plane.height;
  }
  template <typename Sample>
  Sample* row(std::size_t y) const {
    return reinterpret_cast<Sample*>(first + y * stride);
  }

  guint8* first = nullptr;
  std::size_t stride = 0;
  std::size_t step = 0;  // \units samples
  std::size_t width = 0;
  std::size_t height = 0;
};

constexpr bool is_same_curve(GstVideoTransferFunction a, GstVideoTransferFunction b) {
  const auto is_bt709 = [](GstVideoTransferFunction transfer) {
    return transfer == GST_VIDEO_TRANSFER_BT709 || transfer == GST_VIDEO_TRANSFER_BT601 ||
           transfer == GST_VIDEO_TRANSFER_BT2020_10 || transfer == GST_VIDEO_TRANSFER_BT2020_12;
  };
  return a == b || a == GST_VIDEO_TRANSFER_UNKNOWN || b == GST_VIDEO_TRANSFER_UNKNOWN ||
         (is_bt709(a) && is_bt709(b));
}

constexpr bool is_same_primaries(GstVideoColorPrimaries a, GstVideoColorPrimaries b) {
  const auto is_smpte = [](GstVideoColorPrimaries primaries) {
    return primaries == GST_VIDEO_COLOR_PRIMARIES_SMPTE170M ||
           primaries == GST_VIDEO_COLOR_PRIMARIES_SMPTE240M;
  };
  return a == b || a == GST_VIDEO_COLOR_PRIMARIES_UNKNOWN ||
         b == GST_VIDEO_COLOR_PRIMARIES_UNKNOWN || (is_smpte(a) && is_smpte(b));
}

}  // namespace

GstVideoColorimetry video_colorimetry(const Colorimetry& colorimetry, PixelFormat format) {
  return {colorimetry.range == ColourRange::full ? GST_VIDEO_COLOR_RANGE_0_255
                                                 : GST_VIDEO_COLOR_RANGE_16_235,
          is_rgb(format) ? GST_VIDEO_COLOR_MATRIX_RGB : video_matrix(colorimetry.matrix),
          video_transfer(colorimetry.transfer), video_primaries(colorimetry.primaries)};
}

std::string to_string(const GstVideoColorimetry& colorimetry) {
  const CharsPtr text(gst_video_colorimetry_to_string(&colorimetry));
  return text ? text.get() : "0:0:0:0";
}

CapsPtr explicit_caps(const GstCaps* caps, const GstVideoInfo& info) {
  CapsPtr complete(gst_caps_copy(caps));
  gst_caps_set_simple(complete.get(), "colorimetry", G_TYPE_STRING,
                      to_string(info.colorimetry).c_str(), "pixel-aspect-ratio", GST_TYPE_FRACTION,
                      GST_VIDEO_INFO_PAR_N(&info), GST_VIDEO_INFO_PAR_D(&info), nullptr);
  return complete;
}

std::optional<Recolouring> Recolouring::between(const GstVideoInfo& from, const GstVideoInfo& to) {
  const Matrix matrix = between_matrices(from, to);
  const bool same_matrix = matrix == Matrix{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
  if (same_matrix && same_range(from.colorimetry, to.colorimetry)) return std::nullopt;
  const Levels before(from);
  const Levels after(to);
  Recolouring recolouring;
  recolouring.most_ = (1 << GST_VIDEO_INFO_COMP_DEPTH(&from, 0)) - 1;
  for (std::size_t i = 0; i < 3; ++i) {
    recolouring.constant_[i] = after.offset[i];
    for (std::size_t j = 0; j < 3; ++j) {
      // Grey has one component only.
      const double part =
          before.scale[j] == 0 ? 0 : matrix[i][j] * after.scale[i] / before.scale[j];
      recolouring.matrix_[i][j] = part;
      recolouring.constant_[i] -= part * before.offset[j];
    }
  }
  return recolouring;
}

template <typename Sample, int kShift>
void Recolouring::apply_as(const PictureView& picture) const {
  constexpr int kFraction = 14;
  const auto fixed = [](double value) {
    return static_cast<std::int32_t>(std::lround(value * (1 << kFraction)));
  };
  const GstVideoFormatInfo* format = picture.format;
  const guint count = std::min(3, static_cast<int>(GST_VIDEO_FORMAT_INFO_N_COMPONENTS(format)));
  // The first component is converted by what the others were; they are by each other.
  std::array<Component, 3> components{Component(picture, 0),
                                      Component(picture, count > 1 ? 1u : 0u),
                                      Component(picture, count > 2 ? 2u : 0u)};
  const auto code = [](Sample sample) { return static_cast<std::int32_t>(sample >> kShift); };
  const auto sample = [most = most_](std::int32_t sum) {
    return static_cast<Sample>(std::clamp(sum >> kFraction, 0, most) << kShift);
  };
  const auto of = [&](std::size_t i, std::size_t j) { return fixed(matrix_[i][j]); };
  const auto constant = [&](std::size_t i) { return fixed(constant_[i] + 0.5); };

  const auto across = static_cast<unsigned>(GST_VIDEO_FORMAT_INFO_W_SUB(format, count > 1 ? 1 : 0));
  const auto down = static_cast<unsigned>(GST_VIDEO_FORMAT_INFO_H_SUB(format, count > 1 ? 1 : 0));
  const auto [luma, u, v] = components;
  for (std::size_t y = 0; y < luma.height; ++y) {
    auto* lumas = luma.row<Sample>(y);
    const auto* us = u.row<Sample>(y >> down);
    const auto* vs = v.row<Sample>(y >> down);
    const std::int32_t own = of(0, 0);
    const std::int32_t of_u = count > 1 ? of(0, 1) : 0;
    const std::int32_t of_v = count > 2 ? of(0, 2) : 0;
    const std::int32_t rest = constant(0);
    for (std::size_t x = 0; x < luma.width; ++x)
      lumas[x * luma.step] =
          sample(own * code(lumas[x * luma.step]) + of_u * code(us[(x >> across) * u.step]) +
                 of_v * code(vs[(x >> across) * v.step]) + rest);
  }
  if (count < 3) return;
  for (std::size_t y = 0; y < u.height; ++y) {
    auto* us = u.row<Sample>(y);
    auto* vs = v.row<Sample>(y);
    const std::int32_t uu = of(1, 1), uv = of(1, 2), vu = of(2, 1), vv = of(2, 2);
    const std::int32_t rest_u = constant(1), rest_v = constant(2);
    for (std::size_t x = 0; x < u.width; ++x) {
      const std::int32_t before_u = code(us[x * u.step]);
      const std::int32_t before_v = code(vs[x * v.step]);
      us[x * u.step] = sample(uu * before_u + uv * before_v + rest_u);
      vs[x * v.step] = sample(vu * before_u + vv * before_v + rest_v);
    }
  }
}

void Recolouring::apply(const PictureView& picture) const {
  if (GST_VIDEO_FORMAT_INFO_DEPTH(picture.format, 0) > 8) {
    apply_as<std::uint16_t, 6>(picture);
  } else {
    apply_as<std::uint8_t, 0>(picture);
  }
}

std::string beyond_recolouring(const GstVideoColorimetry& from, const GstVideoColorimetry& to) {
  const bool transfer = !is_same_curve(from.transfer, to.transfer);
  const bool primaries = !is_same_primaries(from.primaries, to.primaries);
  if (transfer && primaries) return "transfer and primaries";
  return transfer ? "transfer" : primaries ? "primaries" : "";
}

}  // namespace lockstep
