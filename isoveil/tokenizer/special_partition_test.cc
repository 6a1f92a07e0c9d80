#include "isoveil/tokenizer/special_partition.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <random>

namespace isoveil {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\n'; }

// llama.cpp's way: one token after the other, the longest first, in what is still text.
std::vector<TextSpan> CutOneByOne(std::string_view text, std::vector<SpecialToken> tokens, bool parse_special,
                                  const std::vector<size_t>& barriers) {
  std::sort(tokens.begin(), tokens.end(),
            [](const SpecialToken& a, const SpecialToken& b) { return a.text.size() > b.text.size(); });
  std::vector<TextSpan> spans;
  if (!text.empty()) spans.push_back({std::nullopt, 0, text.size()});
  for (const SpecialToken& token : tokens) {
    if (!parse_special && !token.always) continue;
    std::vector<TextSpan> next;
    for (const TextSpan& span : spans) {
      if (span.token) {
        next.push_back(span);
        continue;
      }
      size_t begin = span.begin;
      const size_t end = span.begin + span.length;
      for (size_t at = begin; at + token.text.size() <= end;) {
        const size_t after = at + token.text.size();
        const bool barred =
            std::any_of(barriers.begin(), barriers.end(), [&](size_t b) { return b >= at && b < after; });
        if (barred || text.substr(at, token.text.size()) != token.text) {
          ++at;
          continue;
        }
        size_t left = at;
        while (token.strips_left && left > begin && IsSpace(text[left - 1])) --left;
        if (left > begin) next.push_back({std::nullopt, begin, left - begin});
        next.push_back({token.id, at, token.text.size()});
        begin = after;
        while (token.strips_right && begin < end && IsSpace(text[begin])) ++begin;
        at = begin;
      }
      if (begin < end) next.push_back({std::nullopt, begin, end - begin});
    }
    spans = std::move(next);
  }
  return spans;
}

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  size_t Below(size_t n) { return engine_() % n; }
  bool Flag() { return engine_() % 2 == 0; }
  std::string Text(size_t most) {
    std::string text(Below(most + 1), ' ');
    for (char& c : text) c = "ab \n"[Below(4)];
    return text;
  }
  std::vector<SpecialToken> Tokens() {
    std::vector<SpecialToken> tokens;
    for (size_t i = Below(40); i > 0; --i) {
      std::string text = Text(6) + "ab \n"[Below(4)];
      if (std::any_of(tokens.begin(), tokens.end(), [&](const SpecialToken& t) { return t.text == text; })) continue;
      tokens.push_back({static_cast<PlainId>(tokens.size()), std::move(text), Flag(), Below(4) == 0, Below(4) == 0});
    }
    return tokens;
  }
  std::vector<size_t> Barriers(size_t size) {
    std::vector<size_t> barriers;
    for (size_t at = 0; at < size; ++at) {
      if (Below(10) == 0) barriers.push_back(at);
    }
    return barriers;
  }

 private:
  std::mt19937 engine_;
};

TEST(SpecialPartition, CutsAsOneTokenAfterTheOtherDoes) {
  Random random(20261201);
  for (int round = 0; round < 2'000; ++round) {
    const std::vector<SpecialToken> tokens = random.Tokens();
    const SpecialPartition partition(tokens);
    for (int i = 0; i < 10; ++i) {
      const std::string text = random.Text(60);
      const auto barriers = random.Flag() ? random.Barriers(text.size()) : std::vector<size_t>();
      for (const bool parse_special : {true, false}) {
        ASSERT_EQ(partition.Cut(text, parse_special, barriers), CutOneByOne(text, tokens, parse_special, barriers))
            << text;
      }
    }
  }
}

// A vocabulary such as Gemma's: runs of new lines, and thousands of control tokens.
TEST(SpecialPartition, TakesLinearTime) {
  std::vector<SpecialToken> tokens;
  const auto add = [&](std::string text) {
    tokens.push_back({static_cast<PlainId>(tokens.size()), std::move(text), true});
  };
  for (size_t n = 1; n < 32; ++n) add(std::string(n, '\n'));
  for (int i = 0; i < 6'000; ++i) add(fmt::format("<unused{}>", i));
  const SpecialPartition partition(tokens);
  for (const std::string part : {"\n", "<", "\na", "<unused7>\n", "<unused", "\n\n<"}) {
    std::string text;
    while (text.size() < 2'000'000) text += part;
    const auto start = std::chrono::steady_clock::now();
    EXPECT_FALSE(partition.Cut(text, true).empty());
    // Half a second; one token after the other takes minutes for some.
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20)) << part;
  }
}

}  // namespace
}  // namespace isoveil
