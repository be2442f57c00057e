// SPDX-License-Identifier: MIT
#include "lockstep/sensor_spec.h"

#include <gtest/gtest.h>

#include "result_testing.h"

namespace lockstep {
namespace {

std::string many(std::size_t count) {
  std::string list = "sim";
  for (std::size_t i = 1; i < count; ++i) list += ";sim";
  return list;
}

void expect_reads(std::string_view text, const SensorSpec& wanted) {
  auto spec = parse_sensor_spec(text);
  ASSERT_TRUE(succeeds(spec)) << text;
  EXPECT_EQ(*spec, wanted) << text;
}

TEST(SensorSpec, ReadsKindDeviceAndOptions) {
  expect_reads("sim", {"sim", "", {}});
  expect_reads("v4l2:/dev/video0", {"v4l2", "/dev/video0", {}});
  expect_reads("sim?seed=1", {"sim", "", {{"seed", "1"}}});
  expect_reads("v4l2:/dev/video0?io=dmabuf&a-b_C=2",
               {"v4l2", "/dev/video0", {{"io", "dmabuf"}, {"a-b_C", "2"}}});
}

TEST(SensorSpec, DevicesMayContainColonsAndEqualSigns) {
  expect_reads("v4l2:/dev/v4l/by-path/pci-0000:00:14.0-usb-0:1:1.0-video-index0",
               {"v4l2", "/dev/v4l/by-path/pci-0000:00:14.0-usb-0:1:1.0-video-index0", {}});
  expect_reads("v4l2:a=b&c", {"v4l2", "a=b&c", {}});
}

TEST(SensorSpec, ValuesMayBeEmptyOrContainTheSignsOfOtherParts) {
  expect_reads("sim?a=", {"sim", "", {{"a", ""}}});
  expect_reads("sim?a=b=c:d?e", {"sim", "", {{"a", "b=c:d?e"}}});
}

TEST(SensorSpec, PercentStandsForAByteInDevicesAndValues) {
  expect_reads("v4l2:a%3Fb%3bc?x=%26%25%0a%ff", {"v4l2", "a?b;c", {{"x", "&%\n\xff"}}});
}

TEST(SensorSpec, BadNamesSayWhatStandsWhereAndWhatWasWanted) {
  const std::pair<const char*, const char*> names[] = {
      {"", "empty sensor name, wanted a name as"},
      {" sim", "has \" \" at character 1, wanted a kind of sensor first"},
      {":/dev/video0", "has \":\" at character 1, wanted a kind"},
      {"/dev/video0", "has \"/\" at character 1, wanted a kind of sensor first, as in v4l2:/dev"},
      {"?a=1", "has \"?\" at character 1, wanted a kind"},
      {"si m", "has \" \" at character 3, wanted a colon or question mark"},
      {"sim%41", "has \"%\" at character 4, wanted a colon or question mark"},
      {"v4l2:", "has the end, wanted a device after the colon"},
      {"v4l2:?io=mmap", "has \"?\" at character 6, wanted a device after the colon"},
      {"sim?", "has the end, wanted an option as name=value"},
      {"sim?a=1&", "has the end, wanted an option as name=value"},
      {"sim?&a=1", "has \"&\" at character 5, wanted an option as name=value"},
      {"sim?=1", "has \"=\" at character 5, wanted an option as name=value"},
      {"sim?a", "has the end, wanted = and a value"},
      {"sim?a&b=1", "has \"&\" at character 6, wanted = and a value"},
      {"sim?a b=1", "has \" \" at character 6, wanted = and a value"},
      {"sim?a=1&b=2&a=3", "has \"a\" at character 13, wanted each option once, a is there twice"},
      {"sim;sim", "has \";\" at character 4, wanted one sensor"},
      {"v4l2:a%", "has \"%\" at character 7, wanted two hexadecimal digits"},
      {"v4l2:a%4", "has \"%\" at character 7, wanted two hexadecimal digits"},
      {"v4l2:a%4?x=1", "has \"%\" at character 7, wanted two hexadecimal digits"},
      {"sim?a=%zz", "has \"%\" at character 7, wanted two hexadecimal digits"},
      {"v4l2:a%00", "has \"%\" at character 7, wanted any byte but 0"},
      {"v4l2:a\nb", "name \"v4l2:a%0Ab\" has \"%0A\" at character 7, wanted a printable character"},
      {"sim?a=\x7f", "has \"%7F\" at character 7, wanted a printable character"},
  };
  for (const auto& [name, text] : names)
    EXPECT_TRUE(fails(parse_sensor_spec(name), Errc::invalid_argument, text)) << name;
}

TEST(SensorSpec, ByteZeroIsAControlCharacter) {
  EXPECT_TRUE(fails(parse_sensor_spec(std::string_view("v4l2:a\0b", 8)), Errc::invalid_argument,
                    "has \"%00\" at character 7"));
}

TEST(SensorSpec, MessagesStayShortForLongNames) {
  auto spec = parse_sensor_spec("/" + std::string(100'000, 'x'));
  ASSERT_TRUE(fails(spec, Errc::invalid_argument, "xxx...xxx"));
  EXPECT_LT(spec.error().what.size(), 250u);
}

TEST(SensorSpec, AnEndlessNameIsRefused) {
  const std::string longest = "v4l2:/" + std::string(kMaxSensorName - 5, 'x');
  EXPECT_TRUE(succeeds(parse_sensor_spec(longest)));
  EXPECT_TRUE(fails(parse_sensor_spec(longest + "x"), Errc::invalid_argument,
                    "has 8193 bytes, wanted no more than 8192"));
  EXPECT_TRUE(fails(parse_sensor_list("sim;" + longest + "x"), Errc::invalid_argument,
                    "sensor 2 of 2: sensor name \"v4l2:/x"));
  // Escapes do not count: the longest name can be written back whatever its bytes are.
  const SensorSpec escaped{"v4l2", std::string(kMaxSensorName - 4, '\xff'), {}};
  expect_reads(to_string(escaped), escaped);
}

TEST(SensorSpec, IsWrittenInPrintableCharacters) {
  EXPECT_EQ(to_string(SensorSpec{"v4l2", "/dev/x\x1b[31m\nFAKE", {{"input", "\xff\u009b"}}}),
            "v4l2:/dev/x%1B[31m%0AFAKE?input=%FF%C2%9B");
  EXPECT_EQ(to_string(SensorSpec{"v4l2", "/dev/Gerät", {}}), "v4l2:/dev/Gerät");
}

TEST(SensorSpec, WrittenReadsBackTheSame) {
  const SensorSpec specs[] = {
      {"sim", "", {}},
      {"v4l2", "/dev/video0", {{"io", "dmabuf"}}},
      {"v4l2", " a;b?c&d=e%f:g\t\x7f\xff\u009b\u202eä ", {{"x", " ;?&=%:\n\x01"}, {"y", ""}}},
  };
  for (const SensorSpec& spec : specs) {
    const std::string text = to_string(spec);
    expect_reads(text, spec);
    auto list = parse_sensor_list(text + ";" + text);
    ASSERT_TRUE(succeeds(list)) << text;
    EXPECT_EQ(*list, (std::vector{spec, spec}));
  }
  EXPECT_EQ(to_string(specs[1]), "v4l2:/dev/video0?io=dmabuf");
}

TEST(SensorList, IsSeparatedBySemicolonsWithBlanksIgnored) {
  auto list = parse_sensor_list(" sim?seed=1 ;\n v4l2:/dev/my cam\t");
  ASSERT_TRUE(succeeds(list));
  EXPECT_EQ(*list,
            (std::vector<SensorSpec>{{"sim", "", {{"seed", "1"}}}, {"v4l2", "/dev/my cam", {}}}));
}

TEST(SensorList, WithoutASensorIsAnInvalidArgument) {
  for (const char* text : {"", " ", "\n\t"})
    EXPECT_TRUE(fails(parse_sensor_list(text), Errc::invalid_argument, "no sensor named"));
}

TEST(SensorList, TellsWhichNameIsWrong) {
  EXPECT_TRUE(
      fails(parse_sensor_list("sim;"), Errc::invalid_argument, "sensor 2 of 2: empty sensor name"));
  EXPECT_TRUE(fails(parse_sensor_list(";;sim"), Errc::invalid_argument,
                    "sensor 1 of 3: empty sensor name"));
  EXPECT_TRUE(fails(parse_sensor_list("sim; sim?x ;sim"), Errc::invalid_argument,
                    "sensor 2 of 3: sensor name \"sim?x\" has the end, wanted ="));
}

TEST(SensorList, HoldsSixtyFourSensorsAndNoMore) {
  auto most = parse_sensor_list(many(64));
  ASSERT_TRUE(succeeds(most));
  EXPECT_EQ(most->size(), 64u);
  EXPECT_TRUE(fails(parse_sensor_list(many(65)), Errc::invalid_argument,
                    "65 sensors named, wanted 1 to 64"));
}

}  // namespace
}  // namespace lockstep
