#include "isoveil/tokenizer/text_rules.h"

#include <gtest/gtest.h>

#include "isoveil/base/utf8.h"
#include "isoveil/tokenizer/nfc.h"

namespace isoveil {
namespace {

// "text|#7|text": special tokens by number.
std::string Show(const Result<std::vector<TextSection>>& sections) {
  if (!sections) return "error";
  std::string out;
  for (const TextSection& section : *sections) {
    if (!out.empty()) out += "|";
    out += section.token ? fmt::format("#{}", Value(*section.token)) : section.text;
  }
  return out;
}

TEST(TextRules, TheLongestSpecialAtTheLeftWins) {
  TextRules rules;
  // In an order that no sorting helps with.
  rules.AddSpecial("<a", PlainId{1}, false);
  rules.AddSpecial("<abc>", PlainId{3}, false);
  rules.AddSpecial("<ab", PlainId{2}, false);
  rules.AddSpecial("bcd", PlainId{4}, true);
  rules.AddSpecial("", PlainId{5}, true);
  EXPECT_EQ(Show(rules.Apply("<abc><ab<a", true)), "#3|#2|#1");
  EXPECT_EQ(Show(rules.Apply("x<abx", true)), "x|#2|x");
  // llama.cpp would take the longer "bcd" first.
  EXPECT_EQ(Show(rules.Apply("<abcd", true)), "#2|cd");
  // Also where "<ab" is not asked for.
  EXPECT_EQ(Show(rules.Apply("<abcd bcd", false)), "<abcd |#4");
  EXPECT_EQ(Show(rules.Apply("", true)), "");
  EXPECT_EQ(Show(rules.Apply("<", true)), "<");
}

TEST(TextRules, NormalFormStopsAtSpecials) {
  TextRules rules;
  rules.nfc = true;
  rules.AddSpecial("<s>", PlainId{1}, false);
  rules.AddSpecial("e\xcc\x81!", PlainId{2}, true);
  EXPECT_EQ(Show(rules.Apply("e\xcc\x81", true)), "\xc3\xa9");
  // The accent after a special token joins nothing.
  EXPECT_EQ(Show(rules.Apply("<s>\xcc\x81", true)), "#1|\xcc\x81");
  EXPECT_EQ(Show(rules.Apply("e<s>\xcc\x81", false)), "e<s>\xcc\x81");
  // A special token is found in the text as it came.
  EXPECT_EQ(Show(rules.Apply("e\xcc\x81!", false)), "#2");
  EXPECT_EQ(Show(rules.Apply("\xff", false)), "error");
}

TEST(TextRules, SpacesBeforeText) {
  TextRules rules;
  rules.AddSpecial("<s>", PlainId{1}, false);
  rules.space_prefix = SpacePrefix::kFirst;
  EXPECT_EQ(Show(rules.Apply("a<s>b", true)), " a|#1|b");
  EXPECT_EQ(Show(rules.Apply("<s>b", true)), "#1|b");
  EXPECT_EQ(Show(rules.Apply("<s>b", false)), " <s>b");
  EXPECT_EQ(Show(rules.Apply(" a", true)), " a");
  EXPECT_EQ(Show(rules.Apply("\xe2\x96\x81"
                             "a",
                             true)),
            "\xe2\x96\x81"
            "a");
  EXPECT_EQ(Show(rules.Apply("", true)), "");
  rules.space_prefix = SpacePrefix::kEach;
  EXPECT_EQ(Show(rules.Apply("a<s>b<s> c", true)), " a|#1| b|#1| c");
  rules.space_prefix = SpacePrefix::kNone;
  EXPECT_EQ(Show(rules.Apply("a<s>b", true)), "a|#1|b");
}

TEST(TextRules, ManySpecialsCostLittle) {
  TextRules rules;
  for (int32_t id = 0; id < 50000; ++id) rules.AddSpecial(fmt::format("<unused{}>", id), PlainId{id}, false);
  const std::string text(2 << 20, '<');
  EXPECT_EQ(Show(rules.Apply(text, true)), text);
}

TEST(Nfc, ComposesAsUnicodeSays) {
  EXPECT_EQ(*ToNfc(""), "");
  EXPECT_EQ(*ToNfc("plain"), "plain");
  EXPECT_EQ(*ToNfc(std::string_view("a\0b", 3)), std::string("a\0b", 3));
  EXPECT_EQ(*ToNfc("A\xcc\x8a"), "\xc3\x85");
  EXPECT_EQ(*ToNfc("\xe2\x84\xab"), "\xc3\x85");                              // ANGSTROM SIGN
  EXPECT_EQ(*ToNfc("\xe1\x84\x80\xe1\x85\xa1"), "\xea\xb0\x80");              // Hangul
  EXPECT_EQ(*ToNfc("a\xcc\x88\xcc\xa3"), "\xe1\xba\xa1\xcc\x88");             // marks in canonical order
  EXPECT_EQ(*ToNfc("\xef\xac\x81"), "\xef\xac\x81");                          // compatibility is left alone
  EXPECT_EQ(*ToNfc("\xe0\xa4\x95\xe0\xa4\xbc"), "\xe0\xa4\x95\xe0\xa4\xbc");  // excluded from composition
  EXPECT_FALSE(ToNfc("\xff"));
  EXPECT_FALSE(ToNfc("\xed\xa0\x80"));
}

TEST(Utf8, RepairsMaximalSubparts) {
  const std::string bad = "\xef\xbf\xbd";
  EXPECT_EQ(RepairUtf8("ok \xf0\x9f\x99\x82"), "ok \xf0\x9f\x99\x82");
  EXPECT_EQ(RepairUtf8("\xf0\x9f\x99"), bad);
  EXPECT_EQ(RepairUtf8("\xf0\x9f\x99x"), bad + "x");
  EXPECT_EQ(RepairUtf8("\xc0\xaf"), bad + bad);
  EXPECT_EQ(RepairUtf8("\xed\xa0\x80"), bad + bad + bad);
  EXPECT_EQ(RepairUtf8("\xf4\x90\x80\x80"), bad + bad + bad + bad);
  // Table 3-8 of the Unicode Standard.
  EXPECT_EQ(RepairUtf8("a\xf1\x80\x80\xe1\x80\xc2"
                       "b\x80"
                       "c\x80\xbf"
                       "d"),
            "a" + bad + bad + bad + "b" + bad + "c" + bad + bad + "d");
}

}  // namespace
}  // namespace isoveil
