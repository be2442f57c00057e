// SPDX-License-Identifier: MIT
// Sensors whose light is set together are a group: all of the rig, or each by itself. A group knows how bright the scene
// is to each sensor that is metered, from what the sensor's frames show and were exposed with; what to expose with next
// follows from that alone, and what is under way does not matter.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "core/exposure_split.h"
#include "core/light_filters.h"
#include "lockstep/light.h"

namespace lockstep {
namespace {

// Exposures leave so much of the frame duration for the readout to begin, and more where a servo shortens frames.
constexpr double kFrameMargin = 0.01;
constexpr double kAlignedMargin = 0.025;
// A frame duration this near to the frame rate's is one that a servo nudges.
constexpr double kNudged = 0.03;

// Changes of light smaller than this are let be. \units stops; 1 %
constexpr double kDeadBand = 0.0144;
// Most that one frame makes the next ones brighter.
constexpr double kMostBrighter = 32;
// What is clipped is taken to be so many times as bright as full scale where the picture is too bright by more than
// kTooBright times, in full from kFarTooBright on. Nearer to the target clipped is clipped: what stays so then, a lamp,
// would else be told from something brighter for good.
constexpr double kClippedLight = 6;
constexpr double kTooBright = 1.5;
constexpr double kFarTooBright = 3;
// Most of a picture's brightness that is taken for a lamp that stays.
constexpr double kMostLamp = 0.8;
// What the trimmed mean leaves out at the upper end.
constexpr double kTrimmedAbove = 0.05;

// Least share of the samples that tell a colour, and least brightness of a picture that does, of the target: in the dark
// it is noise that is seen.
constexpr double kLeastColour = 0.02;
constexpr double kDimColour = 0.3;
// What red and blue are of luma, between BT.601 and BT.709.
constexpr double kRedOfLuma = 0.25;
constexpr double kBlueOfLuma = 0.09;
// A sensor without frames counts on for so many batches.
constexpr unsigned kRemembered = 30;
// What was asked for already and not done is asked for again after so many batches, if it is off by so much.
constexpr unsigned kPatience = 30;
constexpr double kNotDone = 0.05;
// Exposure of sensors that neither tell nor can set theirs. \units ns
constexpr double kUntoldExposure = 1e7;

double half_period_of(Antiflicker antiflicker) {
  switch (antiflicker) {
    case Antiflicker::off:
      return 0;
    case Antiflicker::mains_50_hz:
      return 1e9 / 100;
    case Antiflicker::mains_60_hz:
      return 1e9 / 120;
  }
  return 0;
}

bool has_light(const SettingsCaps& caps) {
  return caps[Setting::exposure] || caps[Setting::analogue_gain] || caps[Setting::digital_gain];
}

bool is_gain(double value) { return std::isfinite(value) && value > 0; }

// Sensors by slot, and how much each counts in metering.
struct Member {
  std::size_t sensor = 0;
  double weight = 1;
};

// What is known of one sensor's view.
struct View {
  BrightnessFilter brightness;  // Trimmed mean for 1 ns at gains of 1.
  ColourFilter colour;
  double mean = 0;  // Of the last frame.
  double clipped = 0;
  double colour_share = 0;
  ExposureSplit exposed;
  double red_gain = 1;
  double blue_gain = 1;
  bool balanced = false;           // Whether its white balance can be set.
  unsigned age = kRemembered + 1;  // Batches since the last frame.

  bool known() const { return brightness.value() && age <= kRemembered; }

  // How much brighter white balance makes its picture.
  double brightening(double red, double blue) const {
    const double r = kRedOfLuma * std::exp2(-colour.red().value_or(0));
    const double b = kBlueOfLuma * std::exp2(-colour.blue().value_or(0));
    const double g = 1 - kRedOfLuma - kBlueOfLuma;
    return (r * red + g + b * blue) / (r + g + b);
  }
};

class Group {
 public:
  Group(const LightConfig& config, std::vector<Member> metered, std::vector<std::size_t> set)
      : config_(config), metered_(std::move(metered)), set_(std::move(set)) {
    views_.resize(metered_.size());
  }

  SettingsChange decide(const LightReport& report, bool others_changed);

 private:
  SettingsChange first_settings(const LightReport& report) const;
  bool look(const LightReport& report);
  bool look(const LightReport::PerSensor& sensor, bool untold, View& view) const;
  double doubt_of_clipped() const;
  double share_that_brightens() const;
  std::optional<double> wanted_total() const;
  ExposureLimits limits(const LightReport& report) const;
  double longest_exposure(const LightReport& report) const;
  std::optional<SettingRange> range(const LightReport& report, Setting setting) const;
  void decide_exposure(const LightReport& report);
  void decide_balance(const LightReport& report);
  SettingsChange what_differs(const LightReport& report);
  const LightReport::PerSensor* first_with(const LightReport& report, Setting setting) const;

  LightConfig config_;
  std::vector<Member> metered_;
  std::vector<std::size_t> set_;
  std::vector<View> views_;  // Of metered_.

  std::optional<double> settled_;  // The total that split_ is of. \units stops
  ExposureLimits limits_;
  ExposureSplit split_;
  SettingsChange decided_;  // What every sensor should be set to.
  SettingsChange asked_;    // What was asked for last.
  unsigned patience_ = 0;
  unsigned first_patience_ = 0;
};

// Frames of a camera that does not tell its settings say nothing until it is set to something. A usual exposure then, at
// gains of 1, for all of the group.
SettingsChange Group::first_settings(const LightReport& report) const {
  const bool untold = std::any_of(set_.begin(), set_.end(), [&](std::size_t i) {
    const LightReport::PerSensor& sensor = report.sensors[i];
    return sensor.caps && !sensor.caps->reports && has_light(*sensor.caps) &&
           sensor.info.settings_state == SettingsState::unknown &&
           sensor.state == FrameState::fresh;
  });
  SettingsChange first;
  if (!untold) return first;
  const ExposureLimits now = limits(report);
  const double exposure = std::min(kUntoldExposure, now.max_exposure);
  if (now.exposure) first.set(Setting::exposure, nearest(*now.exposure, exposure));
  for (const Setting gain : {Setting::analogue_gain, Setting::digital_gain})
    if (const auto allowed = range(report, gain)) first.set(gain, nearest(*allowed, 1));
  if (config_.white_balance)
    for (const Setting gain : {Setting::red_gain, Setting::blue_gain})
      if (const auto allowed = range(report, gain)) first.set(gain, nearest(*allowed, 1));
  return first;
}

// Whether something new was seen.
bool Group::look(const LightReport& report) {
  // Exposures that nobody knows count as all the same, if there are no others.
  const bool untold = std::none_of(report.sensors.begin(), report.sensors.end(), [](const auto& s) {
    return s.info.settings.exposure > Nanoseconds(0) || (s.caps && (*s.caps)[Setting::exposure]);
  });
  for (std::size_t i = 0; i < metered_.size(); ++i) {
    View& view = views_[i];
    const std::size_t sensor = metered_[i].sensor;
    const bool seen = sensor < report.sensors.size() && look(report.sensors[sensor], untold, view);
    view.age = seen ? 0 : std::min(view.age + 1, kRemembered + 1);
    if (view.age <= kRemembered) continue;
    view.brightness.restart();
    view.colour.restart();
  }
  const double doubt = doubt_of_clipped();
  const double unclipped = share_that_brightens();
  bool any = false;
  for (View& view : views_) {
    if (view.age > 0) continue;
    const double mean = unclipped * view.mean + doubt * (kClippedLight - 1) * view.clipped;
    view.brightness.add(
        std::log2(mean / view.exposed.total() / view.brightening(view.red_gain, view.blue_gain)));
    any = true;
  }
  return any;
}

// Where pictures are too dark, what is clipped in them, a lamp, stays as it is however much brighter they become: all of
// what is missing must come from the rest. So much of the mean is to be believed in then that target / mean does that.
double Group::share_that_brightens() const {
  double sum = 0;
  double mean = 0;
  double clipped = 0;
  for (std::size_t i = 0; i < views_.size(); ++i) {
    if (views_[i].age > 0) continue;
    sum += metered_[i].weight;
    mean += metered_[i].weight * views_[i].mean;
    clipped += metered_[i].weight * views_[i].clipped;
  }
  if (!(sum > 0)) return 1;
  mean /= sum;
  clipped = std::min({clipped / sum, kMostLamp * config_.target, kMostLamp * mean});
  if (mean >= config_.target) return 1;
  return (mean - clipped) / (config_.target - clipped) * config_.target / mean;
}

// How much of what clipping may hide is to be believed in, by how bright the pictures are that came in now.
double Group::doubt_of_clipped() const {
  double sum = 0;
  double mean = 0;
  for (std::size_t i = 0; i < views_.size(); ++i) {
    if (views_[i].age > 0) continue;
    sum += metered_[i].weight;
    mean += metered_[i].weight * views_[i].mean;
  }
  if (!(sum > 0)) return 0;
  const double times = mean / sum / config_.target;
  return std::clamp((times - kTooBright) / (kFarTooBright - kTooBright), 0.0, 1.0);
}

bool Group::look(const LightReport::PerSensor& sensor, bool untold, View& view) const {
  if (sensor.state != FrameState::fresh || !sensor.metering || !sensor.caps) return false;
  const SettingsState state = sensor.info.settings_state;
  if (state == SettingsState::unknown) return false;
  if (state == SettingsState::changing && !sensor.caps->reports) return false;
  const Settings& settings = sensor.info.settings;
  const double exposure = untold ? kUntoldExposure : static_cast<double>(settings.exposure.count());
  const ExposureSplit exposed{exposure, settings.analogue_gain, settings.digital_gain};
  const Metering& metering = *sensor.metering;
  if (!is_gain(exposed.total()) || !is_gain(settings.red_gain) || !is_gain(settings.blue_gain) ||
      !std::isfinite(metering.trimmed_mean))
    return false;

  view.exposed = exposed;
  view.red_gain = settings.red_gain;
  view.blue_gain = settings.blue_gain;
  view.balanced = (*sensor.caps)[Setting::red_gain] && (*sensor.caps)[Setting::blue_gain];
  view.mean = std::max(metering.trimmed_mean, config_.target / kMostBrighter);
  const double clipped = (metering.clipped_bright - kTrimmedAbove) / (1 - 2 * kTrimmedAbove);
  view.clipped = std::isfinite(clipped) ? std::clamp(clipped, 0.0, 1.0) : 0;
  view.colour_share = 0;
  if (metering.colour_share >= kLeastColour && view.mean >= kDimColour * config_.target) {
    view.colour_share = metering.colour_share;
    view.colour.add(metering.red / settings.red_gain, metering.green,
                    metering.blue / settings.blue_gain);
  }
  return true;
}

// Exposure times gains that bring the metered sensors to the target. \units stops
std::optional<double> Group::wanted_total() const {
  const auto& red = decided_[Setting::red_gain];
  const auto& blue = decided_[Setting::blue_gain];
  double sum = 0;
  double mean = 0;  // Of the pictures for 1 ns at gains of 1.
  for (std::size_t i = 0; i < views_.size(); ++i) {
    const View& view = views_[i];
    if (!view.known()) continue;
    const bool changes = view.balanced && red && blue;
    const double brightening = view.brightening(changes ? *red : view.red_gain,  //
                                                changes ? *blue : view.blue_gain);
    sum += metered_[i].weight;
    mean += metered_[i].weight * std::exp2(*view.brightness.value()) * brightening;
  }
  if (!(sum > 0)) return std::nullopt;
  return std::log2(config_.target * sum / mean);
}

double Group::longest_exposure(const LightReport& report) const {
  double frame = std::numeric_limits<double>::infinity();
  const double usual = static_cast<double>(report.frame_period.count());
  for (const std::size_t i : set_) {
    const auto own = static_cast<double>(report.sensors[i].wanted.frame_duration.count());
    const bool other = own > 0 && (usual <= 0 || std::abs(own / usual - 1) > kNudged);
    if (other) frame = std::min(frame, own);
    if (!other && usual > 0) frame = std::min(frame, usual);
  }
  const double margin = config_.align_exposures ? kAlignedMargin : kFrameMargin;
  const double longest = frame * (1 - margin);
  if (config_.max_exposure <= Nanoseconds(0)) return longest;
  return std::min(longest, static_cast<double>(config_.max_exposure.count()));
}

std::optional<SettingRange> Group::range(const LightReport& report, Setting setting) const {
  std::vector<SettingsCaps> caps;
  for (const std::size_t i : set_)
    if (report.sensors[i].caps) caps.push_back(*report.sensors[i].caps);
  return common_range(caps, setting);
}

ExposureLimits Group::limits(const LightReport& report) const {
  ExposureLimits limits;
  limits.exposure = range(report, Setting::exposure);
  limits.analogue_gain = range(report, Setting::analogue_gain);
  limits.digital_gain = range(report, Setting::digital_gain);
  limits.max_exposure = longest_exposure(report);
  limits.max_gain = config_.max_gain;
  limits.half_period = half_period_of(config_.antiflicker);
  return limits;
}

void Group::decide_exposure(const LightReport& report) {
  const auto total = wanted_total();
  if (!total) return;
  const ExposureLimits now = limits(report);
  if (!now.exposure && !now.analogue_gain && !now.digital_gain) return;
  if (settled_ && std::abs(*total - *settled_) < kDeadBand && now == limits_) return;

  ExposureSplit present = split_;
  if (!settled_) {
    const auto seen =
        std::find_if(views_.begin(), views_.end(), [](const View& view) { return view.known(); });
    present = seen->exposed;
  }
  split_ = split_exposure(std::exp2(*total), now, present);
  settled_ = total;
  limits_ = now;
  if (now.exposure) decided_.set(Setting::exposure, split_.exposure);
  if (now.analogue_gain) decided_.set(Setting::analogue_gain, split_.analogue_gain);
  if (now.digital_gain) decided_.set(Setting::digital_gain, split_.digital_gain);
}

void Group::decide_balance(const LightReport& report) {
  double sum = 0;
  double red = 0;
  double blue = 0;
  for (std::size_t i = 0; i < views_.size(); ++i) {
    const View& view = views_[i];
    if (!view.known() || !view.colour.red() || !view.colour.blue()) continue;
    const double weight = metered_[i].weight * view.colour_share;
    sum += weight;
    red += weight * *view.colour.red();
    blue += weight * *view.colour.blue();
  }
  if (!(sum > 0) || !std::isfinite(red + blue)) return;
  for (const auto& [setting, stops] :
       {std::pair{Setting::red_gain, red / sum}, {Setting::blue_gain, blue / sum}}) {
    const auto allowed = range(report, setting);
    const auto* sensor = first_with(report, setting);
    if (!allowed || !sensor) continue;
    const double present = decided_[setting].value_or(value_of(sensor->wanted, setting));
    decided_[setting] = next_balance(is_gain(present) ? present : 1, std::exp2(stops), *allowed);
  }
}

const LightReport::PerSensor* Group::first_with(const LightReport& report, Setting setting) const {
  for (const std::size_t i : set_)
    if (report.sensors[i].caps && (*report.sensors[i].caps)[setting]) return &report.sensors[i];
  return nullptr;
}

// What was decided and is not wanted of a sensor already. Drivers round: what was asked for is not asked for again, but
// now and then where it is far from done.
SettingsChange Group::what_differs(const LightReport& report) {
  SettingsChange change;
  const bool impatient = patience_ == 0;
  for (const Setting setting : kSettings) {
    const auto& value = decided_[setting];
    if (!value) continue;
    const bool asked_before = asked_[setting] == value;
    const double let_be = asked_before ? kNotDone : 1e-6;
    if (asked_before && !impatient) continue;
    for (const std::size_t i : set_) {
      const LightReport::PerSensor& sensor = report.sensors[i];
      if (!sensor.caps || !(*sensor.caps)[setting]) continue;
      if (i < config_.overrides.size() && config_.overrides[i][setting]) continue;
      const double wanted = value_of(sensor.wanted, setting);
      if (std::abs(wanted - *value) > let_be * *value) change[setting] = value;
    }
  }
  return change;
}

SettingsChange Group::decide(const LightReport& report, bool others_changed) {
  std::erase_if(set_, [&](std::size_t i) { return i >= report.sensors.size(); });
  if (patience_ > 0) --patience_;
  if (others_changed) patience_ = 0;
  if (set_.empty()) return {};
  if (first_patience_ > 0) {
    --first_patience_;
  } else if (const SettingsChange first = first_settings(report); !first.empty()) {
    first_patience_ = kPatience;
    return first;
  }
  if (!look(report)) return {};
  // First white balance, which makes pictures brighter or darker.
  if (config_.white_balance) decide_balance(report);
  decide_exposure(report);
  const SettingsChange change = what_differs(report);
  if (!change.empty()) {
    asked_.merge(change);
    patience_ = kPatience;
  }
  return change;
}

class AutoLight final : public LightAlgorithm {
 public:
  explicit AutoLight(const LightConfig& config) : config_(config) {}

  std::vector<SettingsChange> decide(const LightReport& report) override {
    if (report.sensors.empty()) return {};
    if (num_sensors_ != report.sensors.size()) form_groups(report);
    const bool others_changed = report.latest_revision > revision_ + (asked_ ? 1 : 0);
    std::vector<SettingsChange> changes;
    for (Group& group : groups_) changes.push_back(group.decide(report, others_changed));
    asked_ = std::any_of(changes.begin(), changes.end(),
                         [](const SettingsChange& change) { return !change.empty(); });
    revision_ = report.latest_revision;
    if (!asked_) changes.clear();
    return changes;
  }

 private:
  void form_groups(const LightReport& report);

  LightConfig config_;
  std::size_t num_sensors_ = 0;
  std::vector<Group> groups_;
  std::uint32_t revision_ = std::numeric_limits<std::uint32_t>::max() - 1;
  bool asked_ = false;  // In the batch before.
};

void AutoLight::form_groups(const LightReport& report) {
  num_sensors_ = report.sensors.size();
  groups_.clear();
  std::vector<std::size_t> all(num_sensors_);
  std::iota(all.begin(), all.end(), std::size_t{0});
  if (config_.mode == LightMode::independent) {
    for (const std::size_t i : all) groups_.push_back({config_, {{i, 1}}, {i}});
    return;
  }
  if (config_.mode == LightMode::follow) {
    groups_.push_back({config_, {{config_.leader, 1}}, all});
    return;
  }
  std::vector<Member> metered;
  for (const std::size_t i : all) {
    const double weight = i < config_.weights.size() ? config_.weights[i] : 1;
    const SettingsCaps* caps = report.sensors[i].caps;
    if (weight > 0 && caps && has_light(*caps)) metered.push_back({i, weight});
  }
  groups_.push_back({config_, metered, all});
}

}  // namespace

std::unique_ptr<LightAlgorithm> make_light_algorithm(const LightConfig& config) {
  switch (config.mode) {
    case LightMode::manual:
    case LightMode::application:
      return nullptr;
    case LightMode::shared:
    case LightMode::follow:
    case LightMode::independent:
      return std::make_unique<AutoLight>(config);
  }
  return nullptr;
}

}  // namespace lockstep
