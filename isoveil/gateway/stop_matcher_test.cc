#include "isoveil/gateway/stop_matcher.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace isoveil {
namespace {

std::string RandomText(std::mt19937& random, size_t max_size) {
  std::string text(random() % (max_size + 1), 'a');
  for (char& c : text) c = static_cast<char>('a' + random() % 2);
  return text;
}

// The text before the stop string that begins first.
std::string Reference(const std::string& text, const std::vector<std::string>& stops) {
  size_t begin = std::string::npos;
  for (const std::string& stop : stops) {
    if (!stop.empty()) begin = std::min(begin, text.find(stop));
  }
  return text.substr(0, begin);
}

TEST(StopMatcher, HoweverTheTextIsCutTheResultIsTheSame) {
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::string> stops;
    for (size_t n = random() % 4; n > 0; --n) stops.push_back(RandomText(random, 4));
    const std::string text = RandomText(random, 24);
    StopMatcher matcher(stops);
    std::string out;
    for (size_t at = 0; at < text.size();) {
      const size_t size = 1 + random() % 5;
      out += matcher.Append(std::string_view(text).substr(at, size));
      at += size;
      ASSERT_TRUE(Reference(text, stops).starts_with(out)) << text;
    }
    out += matcher.Finish();
    ASSERT_EQ(out, Reference(text, stops)) << text;
    ASSERT_EQ(matcher.matched(), out.size() < text.size());
  }
}

TEST(StopMatcher, HoldsBackOnlyWhatMayBeAStop) {
  StopMatcher matcher({"User:"});
  EXPECT_EQ(matcher.Append("Hello Us"), "Hello ");
  EXPECT_EQ(matcher.Append("ually"), "Usually");
  EXPECT_EQ(matcher.Append(" U"), " ");
  EXPECT_EQ(matcher.Append("ser: hi"), "");
  EXPECT_TRUE(matcher.matched());
  EXPECT_EQ(matcher.found(), "User:");
  EXPECT_EQ(matcher.Append("more"), "");
  EXPECT_EQ(matcher.Finish(), "");
}

}  // namespace
}  // namespace isoveil
