#include "isoveil/base/strict_json.h"

#include <gtest/gtest.h>

#include <chrono>

namespace isoveil {
namespace {

std::string ProblemOf(std::string_view text, int max_depth = 64) {
  const auto json = ParseStrictJson(text, "f", max_depth);
  return json ? "" : json.error().Message();
}

TEST(StrictJson, BuildsWhatNlohmannBuilds) {
  for (const char* text : {"{}", "[]", "null", "1", "-1", "1.5", "\"a\\u00e4\\n\"", "[[],{},[{}]]",
                           R"({"b":1,"a":[true,false,null,{"x":[1,2]}],"c":{"b":"b","d":18446744073709551615}})"}) {
    const auto json = ParseStrictJson(text, "f");
    ASSERT_TRUE(json) << text << ": " << json.error().Message();
    EXPECT_EQ(*json, nlohmann::ordered_json::parse(text)) << text;
    EXPECT_EQ(json->dump(), nlohmann::ordered_json::parse(text).dump()) << text;
  }
}

TEST(StrictJson, RefusesEqualKeys) {
  EXPECT_EQ(ProblemOf(R"({"a":1,"a":1})"), "f: key 'a' occurs twice");
  EXPECT_EQ(ProblemOf(R"({"a":1,"\u0061":1})"), "f: key 'a' occurs twice");
  EXPECT_EQ(ProblemOf(R"({"x":[{"a":1,"b":2,"a":3}]})"), "f: key 'a' occurs twice");
  // Equal keys of different objects are fine.
  EXPECT_EQ(ProblemOf(R"({"a":{"a":1},"b":{"a":1},"c":[{"a":1},{"a":1}]})"), "");
}

TEST(StrictJson, RefusesEqualKeysAmongMany) {
  std::string text = "{\"twice\":0";
  for (int i = 0; i < 40; ++i) text += fmt::format(",\"key {}\":{}", i, i);
  EXPECT_EQ(ProblemOf(text + "}"), "");
  EXPECT_EQ(ProblemOf(text + ",\"twice\":1}"), "f: key 'twice' occurs twice");
}

TEST(StrictJson, TheLastOfEqualKeysCountsIfAskedFor) {
  const char* text = R"({"a":1,"b":[{"c":1,"c":2}],"a":{"d":3},"e":4,"a":5})";
  const auto json = ParseStrictJson(text, "f", 64, EqualKeys::kLastCounts);
  ASSERT_TRUE(json);
  EXPECT_EQ(json->dump(), R"({"a":5,"b":[{"c":2}],"e":4})");
  EXPECT_EQ(*json, nlohmann::ordered_json::parse(text));
}

TEST(StrictJson, NamesTheOffset) {
  EXPECT_EQ(ProblemOf("{\"a\":1,}"), "f: offset 8: is no well-formed JSON");
  EXPECT_EQ(ProblemOf(""), "f: offset 1: is no well-formed JSON");
  EXPECT_EQ(ProblemOf("{} {}"), "f: offset 4: is no well-formed JSON");
  EXPECT_EQ(ProblemOf("NaN").substr(0, 9), "f: offset");
  EXPECT_EQ(ProblemOf("[1e999]"), "f: offset 6: a number is out of range");
  EXPECT_EQ(ProblemOf("\"\xff\"").substr(0, 9), "f: offset");
}

TEST(StrictJson, BoundsDepth) {
  EXPECT_EQ(ProblemOf(std::string(3, '[') + std::string(3, ']'), 3), "");
  EXPECT_EQ(ProblemOf(std::string(4, '[') + std::string(4, ']'), 3), "f: is nested deeper than 3");
  EXPECT_EQ(ProblemOf(R"({"a":{"a":{"a":{}}}})", 3), "f: is nested deeper than 3");
}

TEST(StrictJson, BoundsTheNumberOfValues) {
  std::string text = "[0";
  for (int i = 0; i < (16 << 20); ++i) text += ",0";
  EXPECT_EQ(ProblemOf(text + "]"), "f: holds more than 16777216 values");
}

// A vocabulary of 256k pieces is one object.
TEST(StrictJson, LargeObjectsTakeLinearTime) {
  std::string text = "{\"piece\":0";
  for (int i = 0; i < 300000; ++i) text += fmt::format(",\"piece {}\":{}", i, i);
  const auto start = std::chrono::steady_clock::now();
  const auto json = ParseStrictJson(text + "}", "f");
  ASSERT_TRUE(json);
  EXPECT_EQ(json->size(), 300001u);
  // A tenth of a second; a search for each key takes minutes.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(15));
}

}  // namespace
}  // namespace isoveil
