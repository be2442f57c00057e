// SPDX-License-Identifier: MIT
// Everything but the counting of pictures happens in the main loop's thread: messages of the
// pipeline, signals and the progress line. The streaming threads only count, log the light, and end
// the stream when enough is captured.
#include "record.h"

#include <fmt/format.h>
#include <glib-unix.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <set>
#include <utility>

#include "exit_status.h"
#include "light_log.h"
#include "light_meta.h"
#include "output.h"
#include "output_file.h"
#include "progress.h"
#include "record_pipeline.h"
#include "recording_reader.h"
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

Result<OutputFile> open_output(const RecordOptions& options) {
  const fs::path file(options.file);
  const std::string act = "record to " + options.file;
  std::error_code error;
  if (file.extension() != ".mkv")
    return Error{Errc::invalid_argument, 0, act + ", wanted a name that ends in .mkv (Matroska)"};
  // A pipe would wait for its reader, and no Matroska file can be finished in one.
  if (fs::exists(file, error) && !fs::is_regular_file(file, error))
    return Error{Errc::invalid_argument, 0, act + ": it is not a file"};
  return OutputFile::open(options.file, options.overwrite, act);
}

// The log of light that was asked for; null if none was.
Result<std::unique_ptr<LightLog>> open_log(const RecordOptions& options) {
  const std::string& log = options.light.log;
  if (log.empty()) return std::unique_ptr<LightLog>();
  std::error_code error;
  if (fs::equivalent(log, options.file, error))
    return Error{Errc::invalid_argument, 0,
                 "write the light log " + log + ": the recording goes there; choose another name"};
  return LightLog::create(log, options.overwrite);
}

bool is_ignored(int signal) {
  struct sigaction action {};
  return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

// One run of the pipeline, from start to a finished file.
class Recording {
 public:
  Recording(const RecordOptions& options, OutputFile file, RecordPipeline pipeline,
            std::unique_ptr<LightLog> log);
  ~Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  int run();

 private:
  static GstPadProbeReturn on_captured(GstPad* pad, GstPadProbeInfo* info, gpointer self);
  static GstPadProbeReturn on_encoded(GstPad* pad, GstPadProbeInfo* info, gpointer self);
  static gboolean on_message(GstBus* bus, GstMessage* message, gpointer self);
  static gboolean on_interrupt(gpointer self);
  static gboolean on_hangup(gpointer self);
  static gboolean on_progress(gpointer self);
  static gboolean on_give_up(gpointer self);

  void watch(GstElement* element, GstPadProbeCallback callback);
  void handle(GstMessage* message);
  void handle_element_message(const GstStructure& message);
  void handle_error(GstMessage* message);
  void check_file();
  void say(const std::string& text);
  void log_light(GstBuffer* buffer);
  void end_log(const std::string& failure);
  bool is_last(const GstBuffer* buffer, GstPad* pad);
  bool has_run_dry() const;
  void end_stream(GstElement* element);
  std::optional<std::uint64_t> wanted_pictures() const;
  std::chrono::duration<double> elapsed() const { return SteadyClock::now() - started_; }
  int finish();
  void finish_log();
  std::uint64_t pictures_in_file();

  const RecordOptions& options_;
  OutputFile file_;
  RecordPipeline pipeline_;
  GMainLoop* loop_ = g_main_loop_new(nullptr, FALSE);
  SteadyClock::time_point started_ = SteadyClock::now();
  ProgressLine progress_;
  std::optional<std::string> error_;  // The first; what follows is its consequence.
  bool log_failed_ = false;
  bool ending_ = false;    // The stream was asked to end.
  bool finished_ = false;  // All of it is in the file.
  int interrupts_ = 0;
  guint num_sensors_ = 0;
  std::set<guint> lost_;  // Sensors that deliver nothing.

  std::atomic<std::uint64_t> encoded_{0};
  std::atomic<GstClockTime> captured_{0};         // From the first batch to the end of the last.
  std::atomic<GstClockTime> period_{0};           // 0: not known yet.
  std::atomic<SteadyClock::rep> captured_at_;     // When the last batch came, or all began.
  GstClockTime first_pts_ = GST_CLOCK_TIME_NONE;  // Source's streaming thread.
  // Source's streaming thread, and the main loop's once that has ended. Null: none was asked for.
  std::unique_ptr<LightLog> log_;
};

Recording::Recording(const RecordOptions& options, OutputFile file, RecordPipeline pipeline,
                     std::unique_ptr<LightLog> log)
    : options_(options),
      file_(std::move(file)),
      pipeline_(std::move(pipeline)),
      captured_at_(started_.time_since_epoch().count()),
      log_(std::move(log)) {
  g_object_get(pipeline_.source, "num-sensors", &num_sensors_, nullptr);
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
  captured_at_ = SteadyClock::now().time_since_epoch().count();
  if (!options_.duration_s) return false;
  const auto wanted = static_cast<GstClockTime>(*options_.duration_s * GST_SECOND);
  return captured_ + period_ / 2 >= wanted;
}

// Whether all that was asked for would be captured by now if a sensor were left to do it: without one, capture time goes
// on by the clock.
bool Recording::has_run_dry() const {
  if (!options_.duration_s || lost_.size() < num_sensors_) return false;
  const std::chrono::duration<double> since =
      SteadyClock::now().time_since_epoch() - SteadyClock::duration(captured_at_);
  return static_cast<double>(captured_) / GST_SECOND + since.count() >= *options_.duration_s;
}

void Recording::end_stream(GstElement* element) {
  if (std::exchange(ending_, true)) return;
  gst_element_send_event(element, gst_event_new_eos());
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
      finished_ = true;
      g_main_loop_quit(loop_);
      break;
    case GST_MESSAGE_ERROR:
      handle_error(message);
      break;
    case GST_MESSAGE_WARNING:
      say("warning: " + message_text(message));
      break;
    case GST_MESSAGE_ELEMENT:
      handle_element_message(*gst_message_get_structure(message));
      break;
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

void Recording::handle_element_message(const GstStructure& message) {
  guint sensor = 0;
  if (!gst_structure_get_uint(&message, "sensor", &sensor)) return;
  if (gst_structure_has_name(&message, "lockstep-sensor-lost")) lost_.insert(sensor);
  if (!gst_structure_has_name(&message, "lockstep-sensor-back")) return;
  lost_.erase(sensor);
  say(fmt::format("sensor {} ({}) is back", sensor, gst_structure_get_string(&message, "name")));
}

// Only the first error is reported. Unless the file itself is in trouble what is under way is still
// written to it, so that it plays.
void Recording::handle_error(GstMessage* message) {
  if (error_) return;
  error_ = message_text(message);
  if (GST_MESSAGE_SRC(message) == GST_OBJECT(pipeline_.sink)) {
    error_ = "write " + options_.file + ": " + *error_;
    g_main_loop_quit(loop_);
    return;
  }
  end_stream(pipeline_.pipeline.get());
  g_timeout_add(kFinishMs, on_give_up, this);
}

// What is written to a file that has lost its name is lost with it.
void Recording::check_file() {
  if (error_ || file_.is_in_place()) return;
  error_ = "record to " + options_.file + ": the file was removed or replaced meanwhile";
  g_main_loop_quit(loop_);
}

gboolean Recording::on_give_up(gpointer self) {
  g_main_loop_quit(static_cast<Recording*>(self)->loop_);
  return G_SOURCE_REMOVE;
}

gboolean Recording::on_interrupt(gpointer self) {
  auto* recording = static_cast<Recording*>(self);
  if (++recording->interrupts_ > 1) {
    g_main_loop_quit(recording->loop_);
    return G_SOURCE_CONTINUE;
  }
  recording->say("finishing the file; once more to abort");
  recording->end_stream(recording->pipeline_.pipeline.get());
  return G_SOURCE_CONTINUE;
}

// The terminal is gone. It may be said several times, by the terminal and by the shell, and aborts nothing.
gboolean Recording::on_hangup(gpointer self) {
  auto* recording = static_cast<Recording*>(self);
  if (!recording->ending_) recording->say("finishing the file");
  recording->end_stream(recording->pipeline_.pipeline.get());
  return G_SOURCE_CONTINUE;
}

gboolean Recording::on_progress(gpointer self) {
  auto* recording = static_cast<Recording*>(self);
  recording->progress_.show({.pictures = recording->encoded_,
                             .wanted = recording->wanted_pictures(),
                             .elapsed = recording->elapsed(),
                             .file_bytes = recording->file_.size_bytes()});
  recording->check_file();
  if (recording->has_run_dry()) recording->end_stream(recording->pipeline_.source);
  return G_SOURCE_CONTINUE;
}

void Recording::say(const std::string& text) {
  progress_.clear();
  report("record", text);
}

int Recording::run() {
  g_unix_signal_add(SIGINT, on_interrupt, this);
  g_unix_signal_add(SIGTERM, on_interrupt, this);
  if (!is_ignored(SIGHUP)) g_unix_signal_add(SIGHUP, on_hangup, this);  // nohup is obeyed.
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
  check_file();

  if (error_) say(*error_);
  finish_log();
  const std::uint64_t pictures = pictures_in_file();
  if (pictures > 0) {
    print_line(fmt::format("{}: {} pictures, {:.1f} s captured, {}, in {:.1f} s", options_.file,
                           pictures, static_cast<double>(captured_) / GST_SECOND,
                           size_text(file_.size_bytes()), elapsed().count()));
    if (stats) print_text(stats_text(*stats));
  } else {
    if (!error_) say("no picture was recorded");
    file_.discard();
  }
  if (interrupts_ > 1) return kAborted;
  return error_ || log_failed_ || pictures == 0 ? kFailed : kDone;
}

// What was not finished is read back: the muxer and the sink may hold back, and the disk refuse, what was encoded.
std::uint64_t Recording::pictures_in_file() {
  if (encoded_ == 0 || !file_.is_in_place()) return 0;
  return finished_ ? encoded_.load() : count_pictures(options_.file);
}

void Recording::finish_log() {
  if (!log_) return;
  if (const auto finished = log_->finish(); !finished && !log_failed_)
    end_log(finished.error().what);
}

}  // namespace

int run_record(const RecordOptions& options) {
  // Neither a reader of the log nor one of what is printed must end the recording by going away.
  std::signal(SIGPIPE, SIG_IGN);
  gst_init(nullptr, nullptr);
  const auto refuse = [](const Error& error) {
    report("record", error.what);
    return kCannot;
  };
  auto file = open_output(options);
  if (!file) return refuse(file.error());
  auto pipeline = build_record_pipeline(options);
  if (!pipeline) return refuse(pipeline.error());
  auto log = open_log(options);
  if (!log) return refuse(log.error());
  return Recording(options, *std::move(file), *std::move(pipeline), *std::move(log)).run();
}

}  // namespace lockstep::tools
