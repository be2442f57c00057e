// SPDX-License-Identifier: MIT
// Everything but the counting of pictures happens in the main loop's thread: messages of the
// pipeline, signals and the progress line. The streaming threads only count, log the light, and end
// the stream when enough is captured.
#include "record.h"

#include <fmt/format.h>
#include <glib-unix.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <utility>

#include "exit_status.h"
#include "light_log.h"
#include "light_meta.h"
#include "progress.h"
#include "record_pipeline.h"
#include "stats_text.h"

namespace lockstep::tools {
namespace {

namespace fs = std::filesystem;
using SteadyClock = std::chrono::steady_clock;

constexpr guint kProgressMs = 100;
// How long the file may take to be finished after an error.
constexpr guint kFinishMs = 3000;
// The message by which a streaming thread tells that the log cannot be written, and its text.
constexpr const char* kLogFailed = "light-log-failed";
constexpr const char* kText = "text";

Result<void> check_output(const RecordOptions& options) {
  const fs::path file(options.file);
  std::error_code error;
  if (file.extension() != ".mkv")
    return Error{Errc::invalid_argument, 0,
                 "record to " + options.file + ", wanted a name that ends in .mkv (Matroska)"};
  const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  if (!fs::is_directory(folder, error))
    return Error{Errc::not_found, 0,
                 "record to " + options.file + ": there is no folder " + folder.string() +
                     "; make it first"};
  if (access(folder.c_str(), W_OK) != 0)
    return system_error(errno, "record into the folder " + folder.string());
  if (!fs::exists(file, error)) return {};
  if (!fs::is_regular_file(file, error))
    return Error{Errc::invalid_argument, 0, "record to " + options.file + ": it is not a file"};
  if (!options.overwrite)
    return Error{Errc::busy, 0,
                 "record to " + options.file +
                     ": it is there already; choose another name or give --overwrite"};
  return {};
}

// The log of light that was asked for; null if none was.
Result<std::unique_ptr<LightLog>> open_log(const RecordOptions& options) {
  const std::string& log = options.light.log;
  if (log.empty()) return std::unique_ptr<LightLog>();
  std::error_code error;
  if (fs::weakly_canonical(log, error) == fs::weakly_canonical(options.file, error))
    return Error{Errc::invalid_argument, 0,
                 "write the light log " + log + ": the recording goes there; choose another name"};
  // A reader of a pipe who goes away must not end the recording.
  std::signal(SIGPIPE, SIG_IGN);
  return LightLog::create(log, options.overwrite);
}

std::uint64_t size_of(const std::string& file) {
  std::error_code error;
  const auto size = fs::file_size(file, error);
  return error ? 0 : size;
}

// One run of the pipeline, from start to a finished file.
class Recording {
 public:
  Recording(const RecordOptions& options, RecordPipeline pipeline, std::unique_ptr<LightLog> log);
  ~Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  int run();

 private:
  static GstPadProbeReturn on_captured(GstPad* pad, GstPadProbeInfo* info, gpointer self);
  static GstPadProbeReturn on_encoded(GstPad* pad, GstPadProbeInfo* info, gpointer self);
  static gboolean on_message(GstBus* bus, GstMessage* message, gpointer self);
  static gboolean on_signal(gpointer self);
  static gboolean on_progress(gpointer self);
  static gboolean on_give_up(gpointer self);

  void watch(GstElement* element, GstPadProbeCallback callback);
  void handle(GstMessage* message);
  void handle_error(GstMessage* message);
  void say(const std::string& text);
  void log_light(GstBuffer* buffer);
  void end_log(const std::string& failure);
  bool is_last(const GstBuffer* buffer, GstPad* pad);
  std::optional<std::uint64_t> wanted_pictures() const;
  std::chrono::duration<double> elapsed() const { return SteadyClock::now() - started_; }
  int finish();
  void finish_log();

  const RecordOptions& options_;
  RecordPipeline pipeline_;
  GMainLoop* loop_ = g_main_loop_new(nullptr, FALSE);
  SteadyClock::time_point started_ = SteadyClock::now();
  ProgressLine progress_;
  std::optional<std::string> error_;  // The first; what follows is its consequence.
  bool log_failed_ = false;
  int interrupts_ = 0;

  std::atomic<std::uint64_t> encoded_{0};
  std::atomic<GstClockTime> captured_{0};         // From the first batch to the end of the last.
  std::atomic<GstClockTime> period_{0};           // 0: not known yet.
  GstClockTime first_pts_ = GST_CLOCK_TIME_NONE;  // Source's streaming thread.
  // Source's streaming thread, and the main loop's once that has ended. Null: none was asked for.
  std::unique_ptr<LightLog> log_;
};

Recording::Recording(const RecordOptions& options, RecordPipeline pipeline,
                     std::unique_ptr<LightLog> log)
    : options_(options), pipeline_(std::move(pipeline)), log_(std::move(log)) {
  watch(pipeline_.source, on_captured);
  watch(pipeline_.parser, on_encoded);
  const Owned<GstBus> bus(gst_element_get_bus(pipeline_.pipeline.get()));
  gst_bus_add_watch(bus.get(), on_message, this);
}

Recording::~Recording() {
  pipeline_.pipeline.reset();
  g_main_loop_unref(loop_);
}

void Recording::watch(GstElement* element, GstPadProbeCallback callback) {
  const Owned<GstPad> pad(gst_element_get_static_pad(element, "src"));
  gst_pad_add_probe(pad.get(), GST_PAD_PROBE_TYPE_BUFFER, callback, this, nullptr);
}

GstPadProbeReturn Recording::on_encoded(GstPad*, GstPadProbeInfo*, gpointer self) {
  ++static_cast<Recording*>(self)->encoded_;
  return GST_PAD_PROBE_OK;
}

GstPadProbeReturn Recording::on_captured(GstPad* pad, GstPadProbeInfo* info, gpointer self) {
  auto* recording = static_cast<Recording*>(self);
  if (recording->log_) recording->log_light(GST_PAD_PROBE_INFO_BUFFER(info));
  // The source sends the end itself once this batch has gone, before it takes another.
  if (recording->is_last(GST_PAD_PROBE_INFO_BUFFER(info), pad))
    gst_element_send_event(recording->pipeline_.source, gst_event_new_eos());
  return GST_PAD_PROBE_OK;
}

void Recording::log_light(GstBuffer* buffer) {
  const GstLockstepBatchMeta* meta = gst_buffer_get_lockstep_batch_meta(buffer);
  if (!meta) return;
  if (const auto added = log_->add(light_row(*meta)); !added)
    gst_element_post_message(
        pipeline_.source,
        gst_message_new_application(GST_OBJECT(pipeline_.source),
                                    gst_structure_new(kLogFailed, kText, G_TYPE_STRING,
                                                      added.error().what.c_str(), nullptr)));
}

void Recording::end_log(const std::string& failure) {
  log_failed_ = true;
  say(failure + "; the log ends there, the recording goes on");
}

// Whether with this batch as much is captured as was asked for.
bool Recording::is_last(const GstBuffer* buffer, GstPad* pad) {
  const GstClockTime pts = GST_BUFFER_PTS(buffer);
  if (!GST_CLOCK_TIME_IS_VALID(pts)) return false;
  if (!GST_CLOCK_TIME_IS_VALID(first_pts_)) {
    first_pts_ = pts;
    const Owned<GstCaps> caps(gst_pad_get_current_caps(pad));
    gint numerator = 0;
    gint denominator = 0;
    if (caps &&
        gst_structure_get_fraction(gst_caps_get_structure(caps.get(), 0), "framerate", &numerator,
                                   &denominator) &&
        numerator > 0)
      period_ = gst_util_uint64_scale_int(GST_SECOND, denominator, numerator);
  }
  captured_ = pts - first_pts_ + period_;
  if (!options_.duration_s) return false;
  const auto wanted = static_cast<GstClockTime>(*options_.duration_s * GST_SECOND);
  return captured_ + period_ / 2 >= wanted;
}

std::optional<std::uint64_t> Recording::wanted_pictures() const {
  if (options_.batches) return options_.batches;
  if (!options_.duration_s || period_ == 0) return std::nullopt;
  return static_cast<std::uint64_t>(*options_.duration_s * GST_SECOND) / period_;
}

gboolean Recording::on_message(GstBus*, GstMessage* message, gpointer self) {
  static_cast<Recording*>(self)->handle(message);
  return G_SOURCE_CONTINUE;
}

void Recording::handle(GstMessage* message) {
  switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_EOS:
      g_main_loop_quit(loop_);
      break;
    case GST_MESSAGE_ERROR:
      handle_error(message);
      break;
    case GST_MESSAGE_WARNING:
      say("warning: " + message_text(message));
      break;
    case GST_MESSAGE_ELEMENT: {
      const GstStructure* structure = gst_message_get_structure(message);
      guint sensor = 0;
      if (gst_structure_has_name(structure, "lockstep-sensor-back") &&
          gst_structure_get_uint(structure, "sensor", &sensor))
        say(fmt::format("sensor {} ({}) is back", sensor,
                        gst_structure_get_string(structure, "name")));
      break;
    }
    case GST_MESSAGE_APPLICATION: {
      const GstStructure* structure = gst_message_get_structure(message);
      if (gst_structure_has_name(structure, kLogFailed))
        end_log(gst_structure_get_string(structure, kText));
      break;
    }
    default:
      break;
  }
}

// Only the first error is told. Unless the file itself is in trouble what is under way is still
// written to it, so that it plays.
void Recording::handle_error(GstMessage* message) {
  if (error_) return;
  error_ = message_text(message);
  if (GST_MESSAGE_SRC(message) == GST_OBJECT(pipeline_.sink)) {
    error_ = "write " + options_.file + ": " + *error_;
    g_main_loop_quit(loop_);
    return;
  }
  gst_element_send_event(pipeline_.pipeline.get(), gst_event_new_eos());
  g_timeout_add(kFinishMs, on_give_up, this);
}

gboolean Recording::on_give_up(gpointer self) {
  g_main_loop_quit(static_cast<Recording*>(self)->loop_);
  return G_SOURCE_REMOVE;
}

gboolean Recording::on_signal(gpointer self) {
  auto* recording = static_cast<Recording*>(self);
  if (++recording->interrupts_ > 1) {
    g_main_loop_quit(recording->loop_);
    return G_SOURCE_CONTINUE;
  }
  recording->say("finishing the file; once more to abort");
  gst_element_send_event(recording->pipeline_.pipeline.get(), gst_event_new_eos());
  return G_SOURCE_CONTINUE;
}

gboolean Recording::on_progress(gpointer self) {
  auto* recording = static_cast<Recording*>(self);
  recording->progress_.show({.pictures = recording->encoded_,
                             .wanted = recording->wanted_pictures(),
                             .elapsed = recording->elapsed(),
                             .file_bytes = size_of(recording->options_.file)});
  return G_SOURCE_CONTINUE;
}

void Recording::say(const std::string& text) {
  progress_.clear();
  fmt::print(stderr, "lockstep record: {}\n", text);
}

int Recording::run() {
  g_unix_signal_add(SIGINT, on_signal, this);
  g_unix_signal_add(SIGTERM, on_signal, this);
  g_timeout_add(kProgressMs, on_progress, this);
  // Where it fails the error is on the bus, which the loop reads.
  if (gst_element_set_state(pipeline_.pipeline.get(), GST_STATE_PLAYING) ==
      GST_STATE_CHANGE_FAILURE)
    g_timeout_add(kProgressMs, on_give_up, this);
  g_main_loop_run(loop_);
  return finish();
}

int Recording::finish() {
  progress_.clear();
  GstStructure* stats = nullptr;
  g_object_get(pipeline_.source, "stats", &stats, nullptr);
  const Owned<GstStructure> stats_guard(stats);
  gst_element_set_state(pipeline_.pipeline.get(), GST_STATE_NULL);

  if (error_) say(*error_);
  finish_log();
  if (encoded_ == 0) {
    if (!error_) say("no picture was recorded");
    // Only a file that is ours for certain is taken away.
    if (std::error_code error; !options_.overwrite) fs::remove(options_.file, error);
    return kFailed;
  }
  const double wall_s = elapsed().count();
  fmt::print("{}: {} pictures, {:.1f} s captured, {}, in {:.1f} s\n", options_.file,
             encoded_.load(), static_cast<double>(captured_) / 1e9,
             size_text(size_of(options_.file)), wall_s);
  if (stats) fmt::print("{}", stats_text(*stats));
  if (interrupts_ > 1) return kAborted;
  return error_ || log_failed_ ? kFailed : kDone;
}

void Recording::finish_log() {
  if (!log_) return;
  if (const auto finished = log_->finish(); !finished && !log_failed_)
    end_log(finished.error().what);
}

}  // namespace

int run_record(const RecordOptions& options) {
  gst_init(nullptr, nullptr);
  const auto refuse = [](const Error& error) {
    fmt::print(stderr, "lockstep record: {}\n", error.what);
    return kCannot;
  };
  if (auto checked = check_output(options); !checked) return refuse(checked.error());
  auto pipeline = build_record_pipeline(options);
  if (!pipeline) return refuse(pipeline.error());
  auto log = open_log(options);
  if (!log) return refuse(log.error());
  return Recording(options, *std::move(pipeline), *std::move(log)).run();
}

}  // namespace lockstep::tools
