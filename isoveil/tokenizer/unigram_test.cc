// The parts of Unigram on hostile tables; tests/test_unigram.py compares the whole with Hugging Face's.
#include "isoveil/tokenizer/unigram.h"

#include <gtest/gtest.h>

#include <random>

#include "isoveil/base/utf8.h"

namespace isoveil {
namespace {

TEST(PrefixTable, FindsAllTokensThatATextBeginsWith) {
  PrefixTable table;
  const std::vector<std::pair<std::string, int32_t>> tokens = {{"he", 1}, {"hello", 2}, {"h", 3},  {"help", 4},
                                                               {"", 5},   {"\xff", 6},  {"he", 7}, {"world", 8}};
  for (const auto& [text, id] : tokens) table.Add(text, id);
  table.Finish();
  const auto found = [&](std::string_view text) {
    std::vector<std::pair<size_t, int32_t>> list;
    table.ForEach(text, [&](size_t length, int32_t id) { list.emplace_back(length, id); });
    return list;
  };
  using List = std::vector<std::pair<size_t, int32_t>>;
  EXPECT_EQ(found("hello!"), (List{{1, 3}, {2, 7}, {5, 2}}));
  EXPECT_EQ(found("hel"), (List{{1, 3}, {2, 7}}));
  EXPECT_EQ(found("\xffx"), (List{{1, 6}}));
  EXPECT_EQ(found("x"), List{});
  EXPECT_EQ(found(""), List{});
  EXPECT_EQ(table.Longest("helper"), (std::pair<int32_t, size_t>(4, 4)));
  EXPECT_EQ(table.Longest("x"), (std::pair<int32_t, size_t>(-1, 0)));
}

std::string Table(const std::vector<uint32_t>& units, const std::string& replacements) {
  std::string bytes;
  const auto put = [&](uint32_t word) {
    for (int i = 0; i < 4; ++i) bytes += static_cast<char>(word >> (8 * i) & 0xFF);
  };
  put(static_cast<uint32_t>(4 * units.size()));
  for (const uint32_t unit : units) put(unit);
  return bytes + replacements;
}

TEST(Charsmap, WhatIsNoTableIsRefused) {
  for (const std::string& bytes :
       {std::string(), std::string("abc"), std::string(4, '\0'), Table({1, 2}, "").substr(0, 9),
        std::string("\xff\xff\xff\xff", 4), std::string("\x03\0\0\0abc", 7), Table({1}, "\xff")}) {
    const auto map = Charsmap::Parse(bytes, "table");
    ASSERT_FALSE(map);
    EXPECT_EQ(map.error().code, ErrorCode::kFormat);
    EXPECT_TRUE(map.error().where.starts_with("table"));
  }
}

// Units that lead anywhere, and replacements of any length: no look-up leaves the table, and what comes is text.
TEST(Charsmap, RandomTablesGiveText) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::vector<uint32_t> units(1 + random() % 600);
    for (uint32_t& unit : units) {
      // A label that may be met, a leaf more often than not, an offset near by.
      unit = static_cast<uint32_t>(random() % 4 == 0 ? random()
                                                     : (random() % 128) | (random() % 2) << 8 | (random() % 512) << 10);
    }
    std::string replacements;
    for (size_t i = random() % 200; i > 0; --i) replacements += "ab\0\xc3\xa9"[random() % 3];
    const auto map = Charsmap::Parse(Table(units, replacements), "table");
    ASSERT_TRUE(map) << map.error().Message();
    std::string text;
    for (int i = 0; i < 200; ++i) text += static_cast<char>(1 + random() % 127);
    const auto made = map->Apply(text);
    if (made) {
      EXPECT_TRUE(IsUtf8(*made));
      EXPECT_LE(made->size(), Charsmap::MostOf(text) + replacements.size());
    }
  }
}

TEST(UnigramNormalizer, StepsAreTakenInTheirOrder) {
  const auto apply = [](const std::vector<std::string>& steps, std::string_view text) {
    return *UnigramNormalizer::Read(steps, "", "steps")->Apply(text);
  };
  EXPECT_EQ(apply({"nfkd", "strip_accents", "lowercase"}, "\u00c9\ufb01"), "efi");
  EXPECT_EQ(apply({"lowercase", "replace", "e", "ee"}, "Eel"), "eeeel");
  EXPECT_EQ(apply({"strip_left", "strip_right", "collapse_spaces", "_"}, "  a  b c   "), "a_b c");
  EXPECT_EQ(apply({}, " a "), " a ");
}

TEST(UnigramNormalizer, HostileStepsAreRefused) {
  const auto problem = [](const std::vector<std::string>& steps) {
    const auto read = UnigramNormalizer::Read(steps, "", "steps");
    return read ? "" : read.error().Message();
  };
  EXPECT_EQ(problem({"sing"}), "steps: the step 'sing' has no rule");
  EXPECT_EQ(problem({"replace", "a"}), "steps: ends within a step");
  EXPECT_EQ(problem({"replace", "", "a"}), "steps: replaces the empty text");
  EXPECT_EQ(problem({"collapse_spaces"}), "steps: ends within a step");
  EXPECT_EQ(problem({"charsmap"}), "steps: ends within its length");
  EXPECT_EQ(problem(std::vector<std::string>(33, "nfc")), "steps: has more than 32 steps");
  const auto doubling = UnigramNormalizer::Read({"replace", "a", std::string(100'000, 'a')}, "", "steps");
  ASSERT_TRUE(doubling);
  EXPECT_EQ(doubling->Apply(std::string(1000, 'a')).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace isoveil
