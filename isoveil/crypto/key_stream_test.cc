#include "isoveil/crypto/key_stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "isoveil/crypto/hash.h"

namespace isoveil {
namespace {

// The stream of a key whose bytes are all `fill`.
KeyStream Stream(int fill = 0) {
  SecretBytes key = *SecretBytes::Allocate(32);
  std::ranges::fill(key.InsecureMutableBytes(), static_cast<std::byte>(fill));
  return KeyStream(std::move(key));
}

std::vector<uint64_t> Words(KeyStream stream, size_t n) {
  std::vector<uint64_t> words(n);
  for (uint64_t& word : words) word = stream.Next();
  return words;
}

// Pearson's statistic of `counts` against equal expectations; its mean is the number of cells less one.
double ChiSquare(const std::vector<uint64_t>& counts) {
  double total = 0;
  for (const uint64_t count : counts) total += static_cast<double>(count);
  const double expected = total / static_cast<double>(counts.size());
  double sum = 0;
  for (const uint64_t count : counts) {
    const double off = static_cast<double>(count) - expected;
    sum += off * off / expected;
  }
  return sum;
}

// RFC 8439, appendix A.1, test vectors 1 and 2: the zero key and nonce, block counters 0 and 1.
TEST(KeyStream, IsChaCha20) {
  const std::vector<uint64_t> words = Words(Stream(), 16);
  EXPECT_EQ(Hex(std::as_bytes(std::span(words))),
            "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
            "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"
            "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
            "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f");
}

TEST(KeyStream, GoesOnAfterAMoveAndNeverRepeatsABlock) {
  KeyStream stream = Stream();
  std::vector<uint64_t> words;
  for (int i = 0; i < 100; ++i) words.push_back(stream.Next());
  KeyStream moved = std::move(stream);
  for (int i = 0; i < 900; ++i) words.push_back(moved.Next());
  EXPECT_EQ(words, Words(Stream(), 1000));
  std::ranges::sort(words);
  EXPECT_EQ(std::ranges::adjacent_find(words), words.end());
}

TEST(KeyStreamDeathTest, WantsAKeyOf32Bytes) { EXPECT_DEATH(KeyStream(*SecretBytes::Allocate(31)), ""); }

TEST(KeyStream, UniformStaysBelowItsBound) {
  KeyStream stream = Stream();
  for (const uint64_t n : {uint64_t{1}, uint64_t{2}, uint64_t{3}, uint64_t{1} << 63, UINT64_MAX}) {
    for (int i = 0; i < 1000; ++i) ASSERT_LT(stream.Uniform(n), n);
  }
}

// For n = 3 2^62 a quarter of all words lies in the incomplete multiple. Without rejection the lowest third
// of the range would come twice as often as each other third.
TEST(KeyStream, UniformHasNoModuloBias) {
  const uint64_t n = uint64_t{3} << 62;
  KeyStream stream = Stream();
  std::vector<uint64_t> thirds(3);
  for (int i = 0; i < 30000; ++i) ++thirds[stream.Uniform(n) >> 62];
  EXPECT_LT(ChiSquare(thirds), 14);  // 99.9 % of two degrees of freedom
}

TEST(KeyStream, UniformIsUniform) {
  for (const uint64_t n : {2, 6, 7, 100}) {
    KeyStream stream = Stream(static_cast<int>(n));
    std::vector<uint64_t> counts(n);
    for (uint64_t i = 0; i < 1000 * n; ++i) ++counts[stream.Uniform(n)];
    const auto cells = static_cast<double>(n);
    EXPECT_LT(ChiSquare(counts), cells - 1 + 4 * std::sqrt(2 * cells)) << n;
  }
}

TEST(KeyStream, UnitLiesInItsIntervalAndIsUniform) {
  KeyStream stream = Stream();
  std::vector<uint64_t> counts(50);
  for (int i = 0; i < 50000; ++i) {
    const double u = stream.Unit();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    ASSERT_EQ(std::ldexp(u, 53), std::floor(std::ldexp(u, 53)));
    ++counts[static_cast<size_t>(u * 50)];
  }
  EXPECT_LT(ChiSquare(counts), 49 + 4 * 10);
}

// Moments of 10^5 draws; a standard error of the mean is 0.003, of the variance 0.0045, of the kurtosis
// 0.016.
TEST(KeyStream, NormalHasTheMomentsOfAStandardNormal) {
  KeyStream stream = Stream();
  constexpr int kDraws = 100000;
  double sum = 0;
  double squares = 0;
  double fourths = 0;
  double neighbours = 0;
  double last = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = stream.Normal();
    sum += x;
    squares += x * x;
    fourths += x * x * x * x;
    neighbours += x * last;
    last = x;
  }
  EXPECT_NEAR(sum / kDraws, 0, 0.013);
  EXPECT_NEAR(squares / kDraws, 1, 0.018);
  EXPECT_NEAR(fourths / kDraws, 3, 0.13);
  EXPECT_NEAR(neighbours / kDraws, 0, 0.013);
}

TEST(KeyStream, NormalUsesBothValuesOfAPair) {
  KeyStream stream = Stream();
  KeyStream units = Stream();
  const double u1 = units.Unit();
  const double u2 = units.Unit();
  const double first = stream.Normal();
  const double second = stream.Normal();
  EXPECT_NEAR(std::hypot(first, second), std::sqrt(-2 * std::log(1 - u1)), 1e-14);
  EXPECT_NEAR(std::remainder(std::atan2(second, first) - 2 * M_PI * u2, 2 * M_PI), 0, 1e-14);
  EXPECT_EQ(stream.Next(), units.Next());
}

}  // namespace
}  // namespace isoveil
