// SPDX-License-Identifier: MIT
#include "sensor/options.h"

#include <gtest/gtest.h>

#include <array>
#include <string_view>
#include <vector>

#include "lockstep/format.h"
#include "result_testing.h"

namespace lockstep {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

SensorSpec sim(std::map<std::string, std::string> options) {
  return {"sim", "", std::move(options)};
}

TEST(Options, NotGivenReadAsTheirDefaults) {
  const SensorSpec spec = sim({});
  OptionReader options(spec);
  EXPECT_EQ(options.integer("seed", 0, 9, 7), 7);
  EXPECT_EQ(options.number("drop", 0, 1, 0.25), 0.25);
  EXPECT_TRUE(options.boolean("realtime", true));
  EXPECT_EQ(options.microseconds("jitter-us", {}, seconds(1), microseconds(3)), microseconds(3));
  EXPECT_EQ(options.size("size"), std::nullopt);
  EXPECT_EQ(options.text("name", "left"), "left");
  EXPECT_EQ(options.choice<int>("io", {{"mmap", 1}}, 2), 2);
  EXPECT_TRUE(succeeds(options.finish()));
}

TEST(Options, GivenReadAsWritten) {
  const SensorSpec spec = sim({{"seed", "-3"},
                               {"drop", "1e-2"},
                               {"realtime", "false"},
                               {"jitter-us", "0.5"},
                               {"size", "640x480"},
                               {"name", "a b"},
                               {"io", "mmap"}});
  OptionReader options(spec);
  EXPECT_EQ(options.integer("seed", -9, 9, 7), -3);
  EXPECT_EQ(options.number("drop", 0, 1, 0), 0.01);
  EXPECT_FALSE(options.boolean("realtime", true));
  EXPECT_EQ(options.microseconds("jitter-us", {}, seconds(1), {}), Nanoseconds(500));
  EXPECT_EQ(options.size("size"), (OptionReader::Size{640, 480}));
  EXPECT_EQ(options.text("name", ""), "a b");
  EXPECT_EQ(options.choice<int>("io", {{"dmabuf", 0}, {"mmap", 1}}, 2), 1);
  EXPECT_TRUE(succeeds(options.finish()));
}

TEST(Options, BooleansAreTrueFalseOneAndZero) {
  const std::pair<const char*, bool> spellings[] = {
      {"true", true}, {"1", true}, {"false", false}, {"0", false}};
  for (const auto& [text, value] : spellings) {
    const SensorSpec spec = sim({{"realtime", text}});
    OptionReader options(spec);
    EXPECT_EQ(options.boolean("realtime", !value), value) << text;
    EXPECT_TRUE(succeeds(options.finish())) << text;
  }
  const SensorSpec spec = sim({{"realtime", "yes"}});
  OptionReader options(spec);
  EXPECT_TRUE(options.boolean("realtime", true));
  EXPECT_TRUE(fails(options.finish(), Errc::invalid_argument,
                    "realtime=yes of sim, wanted one of true, false, 1, 0"));
}

TEST(Options, AtTheBoundsAreAllowedAndBeyondNot) {
  const auto read = [](const char* text) {
    const SensorSpec spec = sim({{"n", text}});
    OptionReader options(spec);
    options.integer("n", -2, 5, 0);
    return options.finish();
  };
  EXPECT_TRUE(succeeds(read("-2")));
  EXPECT_TRUE(succeeds(read("5")));
  EXPECT_TRUE(fails(read("-3"), Errc::invalid_argument, "n=-3 of sim, wanted a whole number"));
  EXPECT_TRUE(fails(read("6"), Errc::invalid_argument, "from -2 to 5"));
}

TEST(Options, NumbersMustBeWholeTexts) {
  for (const char* text : {"", "abc", "1x", " 1", "1 ", "0x1", "1.5", "99999999999999999999"}) {
    const SensorSpec spec = sim({{"n", text}});
    OptionReader options(spec);
    EXPECT_EQ(options.integer("n", 0, 1000, 4), 4) << text;
    EXPECT_TRUE(fails(options.finish(), Errc::invalid_argument)) << text;
  }
}

TEST(Options, NumbersMustBeFiniteAndInRange) {
  const auto read = [](const char* text) {
    const SensorSpec spec = sim({{"drop", text}});
    OptionReader options(spec);
    options.number("drop", 0, 1, 0);
    return options.finish();
  };
  for (const char* text : {"0", "1", "0.5", "1e-9"}) EXPECT_TRUE(succeeds(read(text))) << text;
  for (const char* text : {"nan", "inf", "-inf", "-1e-9", "1.0000001", "1,5", "1e999"})
    EXPECT_TRUE(fails(read(text), Errc::invalid_argument)) << text;
  EXPECT_TRUE(
      fails(read("1.5"), Errc::invalid_argument, "drop=1.5 of sim, wanted a number from 0 to 1"));
}

TEST(Options, DurationsAreInMicroseconds) {
  const auto read = [](const char* text) {
    const SensorSpec spec = sim({{"jitter-us", text}});
    OptionReader options(spec);
    options.microseconds("jitter-us", {}, seconds(1), {});
    return options.finish();
  };
  EXPECT_TRUE(succeeds(read("1000000")));
  EXPECT_TRUE(fails(read("1000000.5"), Errc::invalid_argument));
  EXPECT_TRUE(fails(read("abc"), Errc::invalid_argument,
                    "jitter-us=abc of sim, wanted a number from 0 to 1000000"));
}

TEST(Options, SizesAreTwoSidesWithinTheLimit) {
  const auto read = [](const std::string& text) {
    const SensorSpec spec = sim({{"size", text}});
    OptionReader options(spec);
    options.size("size");
    return options.finish();
  };
  const std::string most = std::to_string(kMaxSide);
  const std::string too_much = std::to_string(kMaxSide + 1);
  for (const std::string& text : {std::string("1x1"), most + "x" + most})
    EXPECT_TRUE(succeeds(read(text))) << text;
  for (const std::string& text :
       {std::string(""), std::string("640"), std::string("640x"), std::string("x480"),
        std::string("0x480"), std::string("640x480x1"), std::string("-1x1"), "1x" + too_much})
    EXPECT_TRUE(fails(read(text), Errc::invalid_argument, "as 1920x1080")) << text;
}

TEST(Options, SomeOfSeveralAreSeparatedByCommas) {
  constexpr std::array<std::string_view, 3> kNames = {"red", "green", "blue"};
  const std::pair<const char*, std::vector<bool>> spellings[] = {{"all", {true, true, true}},
                                                                 {"none", {false, false, false}},
                                                                 {"green", {false, true, false}},
                                                                 {"blue,red", {true, false, true}}};
  for (const auto& [text, named] : spellings) {
    const SensorSpec spec = sim({{"colours", text}});
    OptionReader options(spec);
    EXPECT_EQ(options.some_of("colours", kNames), named) << text;
    EXPECT_TRUE(succeeds(options.finish())) << text;
  }
  for (const char* text : {"", ",", "red,", "red, green", "all,red", "Red"}) {
    const SensorSpec spec = sim({{"colours", text}});
    OptionReader options(spec);
    options.some_of("colours", kNames);
    EXPECT_TRUE(fails(options.finish(), Errc::invalid_argument,
                      "wanted all, none, or some, separated by commas, of red, green, blue"));
  }
}

TEST(Options, NobodyAskedForListThoseThatThereAre) {
  const SensorSpec spec = sim({{"jiter-us", "5"}});
  OptionReader options(spec);
  options.number("drop", 0, 1, 0);
  options.microseconds("jitter-us", {}, seconds(1), {});
  EXPECT_TRUE(fails(options.finish(), Errc::invalid_argument,
                    "sim has no option \"jiter-us\"; there is: drop, jitter-us"));
}

TEST(Options, OfASensorThatTakesNoneAreRefused) {
  const SensorSpec spec{"v4l2", "/dev/video0", {{"a", "1"}}};
  EXPECT_TRUE(fails(OptionReader(spec).finish(), Errc::invalid_argument,
                    "v4l2:/dev/video0 has no option \"a\"; it takes none"));
}

TEST(Options, MessagesAreShortAndPrintable) {
  const SensorSpec spec{"v4l2", "a\nb", {{"n", "\t" + std::string(1000, 'x')}}};
  OptionReader options(spec);
  options.integer("n", 0, 1, 0);
  const auto read = options.finish();
  EXPECT_TRUE(fails(read, Errc::invalid_argument, "n=%09xxx"));
  EXPECT_TRUE(
      fails(read, Errc::invalid_argument, "xxx...xxxxxxxxxxxxxxxxxxx of v4l2:a%0Ab, wanted"));
}

TEST(Options, FirstBadValueIsTold) {
  const SensorSpec spec = sim({{"a", "x"}, {"b", "y"}});
  OptionReader options(spec);
  options.integer("b", 0, 1, 0);
  options.integer("a", 0, 1, 0);
  EXPECT_TRUE(fails(options.finish(), Errc::invalid_argument, "b=y"));
}

}  // namespace
}  // namespace lockstep
