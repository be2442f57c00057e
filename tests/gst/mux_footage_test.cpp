// SPDX-License-Identifier: MIT
// Real footage through real decoders: every frame of every batch is told by its pixels, as they are when its file is
// decoded alone.
#include <gst/gst.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "mux_pipeline.h"

namespace lockstep {
namespace {

constexpr GstClockTime kFilmPeriod = GST_SECOND / 10;  // Of vtest.avi.
// Frames that each stream is ahead of the first.
const std::vector<std::size_t> kAhead{0, 3, 10, 25};
const std::string kScaled =
    " ! videoscale ! videoconvert ! video/x-raw,format=NV12,width=320,height=240";

struct Film {
  std::vector<GstClockTime> times;
  std::vector<std::uint64_t> hashes;
  std::size_t size() const { return hashes.size(); }
};

std::string source_of(const std::string& file) {
  const std::map<std::string, std::string> decoders{{"vtest.avi", "avdec_msmpeg4"},
                                                    {"tree.avi", "avdec_cinepak"},
                                                    {"Megamind.avi", "avdec_mpeg4"},
                                                    {"Megamind_bugy.avi", "avdec_mpeg4"}};
  const char* folder = std::getenv("LOCKSTEP_FOOTAGE");
  return "filesrc location=" + std::string(folder ? folder : ".") + "/" + file + " ! avidemux ! " +
         decoders.at(file);
}

// What a branch brings when nothing else runs.
Film decode_alone(const std::string& branch) {
  Film film;
  MuxPipeline pipeline(branch + " ! fakesink name=end sync=false");
  pipeline.watch("end.sink", [&](GstPad* pad, GstBuffer* buffer) {
    const CapsPtr caps(gst_pad_get_current_caps(pad));
    film.times.push_back(GST_BUFFER_PTS(buffer));
    film.hashes.push_back(hash_of(buffer, info_of(buffer, caps.get())));
    return GST_PAD_PROBE_OK;
  });
  EXPECT_EQ(pipeline.run(), "EOS");
  return film;
}

class MuxFootage : public testing::Test {
 protected:
  void SetUp() override {
    const char* folder = std::getenv("LOCKSTEP_FOOTAGE");
    if (!folder || !std::filesystem::exists(std::filesystem::path(folder) / ".unpacked"))
      GTEST_SKIP() << "no footage in " << (folder ? folder : "LOCKSTEP_FOOTAGE")
                   << ": scripts/test fetches it";
    for (const char* decoder : {"avdec_msmpeg4", "avdec_mpeg4", "avdec_cinepak"})
      if (GstElementFactory* factory = gst_element_factory_find(decoder)) {
        gst_object_unref(factory);
      } else {
        GTEST_SKIP() << "no " << decoder << ": install gstreamer1.0-libav";
      }
  }

  // Runs a mux of these branches, and keeps what was in its batches.
  void mux(const std::string& properties, const std::vector<std::string>& branches,
           const std::function<void(MuxPipeline&)>& prepare = {}) {
    std::string line = "lockstepmux name=mux " + properties + " ! fakesink name=end sync=false ";
    for (std::size_t s = 0; s < branches.size(); ++s)
      line += branches[s] + " ! mux.sink_" + std::to_string(s) + " ";
    pipeline_ = std::make_unique<MuxPipeline>(line);
    if (prepare) prepare(*pipeline_);
    pipeline_->watch("end.sink", [this](GstPad*, GstBuffer* buffer) {
      batches_.push_back(look_at(buffer));
      return GST_PAD_PROBE_OK;
    });
    ASSERT_EQ(pipeline_->run(), "EOS");
    EXPECT_EQ(stats().of("batches"), batches_.size());
    EXPECT_EQ(stats().of("by-reference"), batches_.size() - num_contiguous());
    EXPECT_EQ(stats().of("copies"), num_copies());
    RecordProperty("batches", std::to_string(batches_.size()));
    RecordProperty("contiguous", std::to_string(num_contiguous()));
    RecordProperty("copies", std::to_string(num_copies()));
  }

  // Every batch must be of the frames that `ahead` tells, none of them lost, each once.
  void expect_in_step(const std::vector<Film>& films, const std::vector<std::size_t>& ahead) {
    std::size_t num_batches = 0;
    for (std::size_t s = 0; s < films.size(); ++s)
      num_batches = std::max(num_batches, films[s].size() - ahead[s]);
    ASSERT_EQ(batches_.size(), num_batches);
    for (std::size_t b = 0; b < num_batches; ++b) {
      ASSERT_EQ(batches_[b].slots.size(), films.size());
      EXPECT_EQ(batches_[b].pts, b * kFilmPeriod);
      for (std::size_t s = 0; s < films.size(); ++s) {
        SCOPED_TRACE("batch " + std::to_string(b) + ", slot " + std::to_string(s));
        expect_frame(batches_[b], s, films[s], b + ahead[s], b * kFilmPeriod);
      }
    }
    for (guint s = 0; s < films.size(); ++s) {
      EXPECT_EQ(stats().of(s, "frames"), films[s].size() - ahead[s]) << s;
      EXPECT_EQ(stats().of(s, "missing"), num_batches - films[s].size() + ahead[s]) << s;
    }
  }

  static void expect_frame(const MuxedBatch& batch, std::size_t s, const Film& film,
                           std::size_t number, GstClockTime pts) {
    const MuxedBatch::Slot& slot = batch.slots[s];
    if (number >= film.size()) {
      EXPECT_EQ(slot.state, GST_LOCKSTEP_FRAME_MISSING);
      return;
    }
    ASSERT_EQ(slot.state, GST_LOCKSTEP_FRAME_FRESH);
    EXPECT_EQ(slot.pts, pts);
    EXPECT_EQ(slot.hash, film.hashes[number]);
    EXPECT_EQ(slot.block_hash, batch.contiguous ? slot.hash : 0u);
  }

  std::size_t num_contiguous() const {
    return static_cast<std::size_t>(std::count_if(batches_.begin(), batches_.end(),
                                                  [](const auto& b) { return b.contiguous; }));
  }
  std::size_t num_copies() const {
    std::size_t copies = 0;
    for (const MuxedBatch& batch : batches_)
      for (const auto& slot : batch.slots) copies += slot.copies;
    return copies;
  }
  Stats stats() const { return pipeline_->stats(); }

  std::unique_ptr<MuxPipeline> pipeline_;
  std::vector<MuxedBatch> batches_;
};

// The same film four times, each stream some frames ahead of the others.
std::vector<std::string> four_times(const std::string& rest) {
  std::vector<std::string> branches;
  for (std::size_t s = 0; s < kAhead.size(); ++s)
    branches.push_back(source_of("vtest.avi") + " name=decoder" + std::to_string(s) + rest);
  return branches;
}

// Frames that are ahead are left out before anything is asked for a slot to put them in.
void cut(MuxPipeline& pipeline) {
  for (std::size_t s = 0; s < kAhead.size(); ++s) {
    const std::string source = "decoder" + std::to_string(s) + ".src";
    gst_pad_set_offset(pipeline.pad(source), -static_cast<gint64>(kAhead[s] * kFilmPeriod));
    pipeline.watch(source, [left = kAhead[s]](GstPad*, GstBuffer*) mutable {
      if (left == 0) return GST_PAD_PROBE_OK;
      --left;
      return GST_PAD_PROBE_DROP;
    });
  }
}

// Frames that are ahead come, with times before the beginning.
void shift(MuxPipeline& pipeline) {
  for (std::size_t s = 0; s < kAhead.size(); ++s)
    gst_pad_set_offset(pipeline.pad("mux.sink_" + std::to_string(s)),
                       -static_cast<gint64>(kAhead[s] * kFilmPeriod));
}

TEST_F(MuxFootage, NoTwoFramesOfTheFilmAreAlike) {
  const Film film = decode_alone(source_of("vtest.avi"));
  EXPECT_EQ(film.size(), 795u);
  EXPECT_EQ(std::set(film.hashes.begin(), film.hashes.end()).size(), film.size());
  for (std::size_t n = 0; n < film.size(); ++n) EXPECT_EQ(film.times[n], n * kFilmPeriod);
}

TEST_F(MuxFootage, ConvertersWriteEachFrameIntoItsSlot) {
  const std::string rest = " ! videoconvert ! video/x-raw,format=NV12";
  const Film film = decode_alone(source_of("vtest.avi") + rest);
  ASSERT_NO_FATAL_FAILURE(mux("", four_times(rest), cut));
  expect_in_step(std::vector<Film>(4, film), kAhead);
  EXPECT_EQ(num_contiguous(), batches_.size());
  EXPECT_EQ(num_copies(), 0u);
  for (guint s = 0; s < 4; ++s)
    EXPECT_EQ(stats().text(s, "io"), "in place (the frames lie in slots of a batch)");
}

TEST_F(MuxFootage, DecodersWriteIntoTheSlots) {
  const Film film = decode_alone(source_of("vtest.avi"));
  ASSERT_NO_FATAL_FAILURE(mux("", four_times(""), shift));
  expect_in_step(std::vector<Film>(4, film), kAhead);
  // A decoder takes a slot to try it before it begins, which puts it out of step at first.
  EXPECT_GT(num_contiguous(), batches_.size() * 9 / 10);
  EXPECT_EQ(num_copies(), 0u);
  for (guint s = 0; s < 4; ++s) {
    EXPECT_EQ(stats().drops(s, "clipped"), kAhead[s]);
    EXPECT_EQ(stats().text(s, "io"), "in place (the frames lie in slots of a batch)");
  }
}

TEST_F(MuxFootage, ContiguousCopiesOnlyFramesThatLieElsewhere) {
  const Film film = decode_alone(source_of("vtest.avi"));
  std::vector<std::string> branches = four_times("");
  branches[2] += " ! identity drop-allocation=true";
  ASSERT_NO_FATAL_FAILURE(mux("layout=contiguous", branches, shift));
  expect_in_step(std::vector<Film>(4, film), kAhead);
  EXPECT_EQ(num_contiguous(), batches_.size());
  EXPECT_EQ(stats().of(2, "copies"), film.size() - kAhead[2]);
  for (guint s : {0u, 1u, 3u}) EXPECT_LT(stats().of(s, "copies"), batches_.size() / 10) << s;
  for (const MuxedBatch& batch : batches_)
    for (const auto& slot : batch.slots) EXPECT_LE(slot.copies, 1u);
}

TEST_F(MuxFootage, ByReferenceNothingIsCopied) {
  const Film film = decode_alone(source_of("vtest.avi"));
  ASSERT_NO_FATAL_FAILURE(mux("layout=reference", four_times(""), shift));
  expect_in_step(std::vector<Film>(4, film), kAhead);
  EXPECT_EQ(num_contiguous(), 0u);
  EXPECT_EQ(num_copies(), 0u);
  for (guint s = 0; s < 4; ++s)
    EXPECT_EQ(stats().text(s, "io"), "by reference (the frames lie in memory of upstream)");
}

TEST_F(MuxFootage, OfAStreamThatBeginsLaterTheFirstSlotsAreMissing) {
  const Film film = decode_alone(source_of("vtest.avi"));
  ASSERT_NO_FATAL_FAILURE(mux("", four_times(""), [](MuxPipeline& pipeline) {
    gst_pad_set_offset(pipeline.pad("mux.sink_1"), 7 * kFilmPeriod);
  }));
  ASSERT_EQ(batches_.size(), film.size() + 7);
  for (std::size_t b = 0; b < batches_.size(); ++b) {
    SCOPED_TRACE(b);
    for (std::size_t s : {0u, 2u, 3u}) expect_frame(batches_[b], s, film, b, b * kFilmPeriod);
    if (b < 7) {
      EXPECT_EQ(batches_[b].slots[1].state, GST_LOCKSTEP_FRAME_MISSING);
    } else {
      expect_frame(batches_[b], 1, film, b - 7, b * kFilmPeriod);
    }
  }
  EXPECT_EQ(stats().of(1, "missing"), 7u);
}

const std::vector<std::string> kFilms{"vtest.avi", "tree.avi", "Megamind.avi", "Megamind_bugy.avi"};

TEST_F(MuxFootage, FourFilmsAtOneRate) {
  std::vector<std::string> branches;
  std::vector<Film> films;
  for (const std::string& film : kFilms) {
    branches.push_back(source_of(film) + " ! videorate" + kScaled + ",framerate=10/1");
    films.push_back(decode_alone(branches.back()));
  }
  ASSERT_NO_FATAL_FAILURE(mux("", branches));
  expect_in_step(films, {0, 0, 0, 0});
  EXPECT_EQ(num_contiguous(), batches_.size());
  EXPECT_EQ(num_copies(), 0u);
}

TEST_F(MuxFootage, TheSlowerOfTwoRatesSetsThePace) {
  const std::string slow =
      source_of("vtest.avi") + " ! videorate drop-only=true ! video/x-raw,framerate=5/1";
  const Film film = decode_alone(source_of("vtest.avi"));
  const Film slow_film = decode_alone(slow);
  ASSERT_NO_FATAL_FAILURE(mux("", {source_of("vtest.avi"), slow}));
  ASSERT_EQ(batches_.size(), slow_film.size());
  for (std::size_t b = 0; b < batches_.size(); ++b) {
    SCOPED_TRACE(b);
    const GstClockTime pts = slow_film.times[b];
    expect_frame(batches_[b], 0, film, pts / kFilmPeriod, pts);
    expect_frame(batches_[b], 1, slow_film, b, pts);
  }
  EXPECT_EQ(stats().drops(0, "surplus"), film.size() - slow_film.size());
}

// Their times are as real cameras' and editors' are: uneven, and now and then one twice. What a batch must keep to does
// not depend on how sets are found: each frame is its slot's, at the time that its film tells, in order, and not far from
// the others; and none is lost uncounted.
TEST_F(MuxFootage, FourFilmsAtTheirOwnRates) {
  std::vector<std::string> branches;
  std::vector<Film> films;
  for (const std::string& film : kFilms) {
    branches.push_back(source_of(film) + kScaled);
    films.push_back(decode_alone(branches.back()));
  }
  constexpr GstClockTime kTolerance = 20 * GST_MSECOND;
  ASSERT_NO_FATAL_FAILURE(mux("sync-tolerance=" + std::to_string(kTolerance), branches));
  std::vector<std::size_t> next(films.size(), 0);
  for (std::size_t b = 0; b < batches_.size(); ++b) {
    GstClockTime first = GST_CLOCK_TIME_NONE;
    GstClockTime last = 0;
    for (std::size_t s = 0; s < films.size(); ++s) {
      const MuxedBatch::Slot& slot = batches_[b].slots[s];
      if (slot.state == GST_LOCKSTEP_FRAME_MISSING) continue;
      const Film& film = films[s];
      std::size_t number = next[s];
      while (number < film.size() &&
             (film.times[number] != slot.pts || film.hashes[number] != slot.hash))
        ++number;
      ASSERT_LT(number, film.size()) << "batch " << b << ", slot " << s;
      next[s] = number + 1;
      first = std::min(first, slot.pts);
      last = std::max(last, slot.pts);
    }
    EXPECT_LE(last - first, kTolerance) << b;
  }
  for (guint s = 0; s < films.size(); ++s) {
    EXPECT_EQ(stats().of(s, "frames") + stats().of(s, "drops"), films[s].size()) << s;
  }
}

TEST_F(MuxFootage, AMosaicOfItIsRecordedWhole) {
  const std::string file =
      (std::filesystem::temp_directory_path() / ("mosaic-" + std::to_string(getpid()) + ".webm"))
          .string();
  std::string line =
      "lockstepmux name=mux ! queue ! locksteptiler width=640 height=480 rows=2 columns=2 "
      "! videoconvert ! video/x-raw,format=I420 ! vp8enc deadline=1 cpu-used=16 threads=2 "
      "! webmmux ! filesink location=" +
      file + " ";
  for (const std::string& branch : four_times(" ! identity eos-after=91"))
    line += branch + " ! mux. ";
  {
    MuxPipeline pipeline(line);
    shift(pipeline);
    ASSERT_EQ(pipeline.run(), "EOS");
    EXPECT_EQ(pipeline.stats().of("batches"), 90u);
  }
  const Film recording = decode_alone("filesrc location=" + file + " ! matroskademux ! vp8dec");
  std::filesystem::remove(file);
  EXPECT_EQ(recording.size(), 90u);
  for (std::size_t n = 1; n < recording.size(); ++n)
    EXPECT_NE(recording.hashes[n], recording.hashes[n - 1]) << n;
}

}  // namespace
}  // namespace lockstep
