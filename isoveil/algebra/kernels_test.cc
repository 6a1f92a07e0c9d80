#include "isoveil/algebra/kernels.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

namespace isoveil {
namespace {

TEST(KernelsTest, EveryBf16SurvivesAWideningAndNarrowing) {
  std::vector<uint16_t> all(65536);
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint16_t>(i);
  std::vector<float> wide(all.size());
  WidenBf16(all.data(), wide.data(), all.size());
  std::vector<uint16_t> back(all.size());
  NarrowBf16(wide.data(), back.data(), wide.size());
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(std::bit_cast<uint32_t>(wide[i]), static_cast<uint32_t>(i) << 16);
    // A signalling NaN becomes quiet.
    if (!std::isnan(wide[i])) {
      EXPECT_EQ(back[i], i);
    } else {
      EXPECT_EQ(back[i], i | 0x40U);
    }
  }
}

TEST(KernelsTest, NarrowingRoundsToTheNearestAndTiesToEven) {
  std::mt19937 rng(1);
  for (int i = 0; i < 200000; ++i) {
    const float x = std::bit_cast<float>(static_cast<uint32_t>(rng()));
    if (!std::isfinite(x)) continue;
    uint16_t found = 0;
    NarrowBf16(&x, &found, 1);
    // The two neighbours by truncation; the nearer one must win, of equals the even one.
    const uint32_t bits = std::bit_cast<uint32_t>(x);
    const uint32_t remainder = bits & 0xffff;
    const auto low = static_cast<uint16_t>(bits >> 16);
    const auto high = static_cast<uint16_t>(low + 1);
    const uint16_t expected = remainder > 0x8000 ? high : remainder < 0x8000 ? low : (low % 2 == 0 ? low : high);
    ASSERT_EQ(found, expected) << bits;
  }
}

TEST(KernelsTest, OddLengthsAndUnalignedPointers) {
  std::vector<uint16_t> in(80);
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<uint16_t>(i * 257);
  for (size_t n = 0; n <= 70; ++n) {
    std::vector<uint32_t> source(n);
    for (size_t i = 0; i < n; ++i) source[i] = static_cast<uint32_t>((i * 31 + 7) % 79);
    std::vector<uint16_t> out(n + 2, 0xbeef);
    Gather16(in.data() + 1, source.data(), out.data() + 1, n);
    for (size_t i = 0; i < n; ++i) EXPECT_EQ(out[i + 1], in[source[i] + 1]);
    EXPECT_EQ(out.front(), 0xbeef);
    EXPECT_EQ(out.back(), 0xbeef);
  }
}

}  // namespace
}  // namespace isoveil
