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

// Against ldexp on floats, for all 16-bit patterns and many shifts.
TEST(KernelsTest, ShiftedExponentsAreExactProducts) {
  constexpr FloatBits kBf16{.fraction_bits = 7, .infinite = 0xff};
  for (int shift = -300; shift <= 300; shift += 7) {
    for (uint32_t bits = 0; bits < 65536; bits += 3) {
      auto value = static_cast<uint16_t>(bits);
      const auto exponent = static_cast<int16_t>(shift - 2);
      const float before = std::bit_cast<float>(bits << 16);
      const bool lossless = ShiftExponents(&value, &exponent, 2, kBf16, 1);
      const float expected = std::ldexp(before, shift);
      if (shift == 0 || before == 0 || !std::isfinite(before)) {
        ASSERT_TRUE(lossless);
        ASSERT_EQ(value, bits);
      } else if (std::isnormal(before) && std::isnormal(expected)) {
        ASSERT_TRUE(lossless) << bits << " " << shift;
        ASSERT_EQ(static_cast<uint32_t>(value) << 16, std::bit_cast<uint32_t>(expected));
      } else {
        ASSERT_FALSE(lossless) << bits << " " << shift;
      }
    }
  }
}

TEST(KernelsTest, OneLostValueAmongManyIsFound) {
  constexpr FloatBits kF32{.fraction_bits = 23, .infinite = 0xff};
  for (size_t lost = 0; lost < 37; ++lost) {
    std::vector<uint32_t> values(37, std::bit_cast<uint32_t>(1.5F));
    EXPECT_TRUE(ShiftExponents<uint32_t>(values.data(), nullptr, 3, kF32, values.size()));
    EXPECT_EQ(std::bit_cast<float>(values[lost]), 12.0F);
    values[lost] = std::bit_cast<uint32_t>(1e38F);
    EXPECT_FALSE(ShiftExponents<uint32_t>(values.data(), nullptr, 3, kF32, values.size()));
  }
}

TEST(KernelsTest, FlippedSignsAreTheProductOfBoth) {
  std::vector<uint64_t> values;
  std::vector<uint8_t> negative;
  for (int i = 0; i < 41; ++i) {
    values.push_back(std::bit_cast<uint64_t>(0.25 * (i - 20)));
    negative.push_back(i % 3 == 0);
  }
  FlipSigns(values.data(), negative.data(), true, values.size());
  for (int i = 0; i < 41; ++i) {
    const double expected = 0.25 * (i - 20) * (i % 3 == 0 ? 1 : -1);
    EXPECT_EQ(values[static_cast<size_t>(i)], std::bit_cast<uint64_t>(expected)) << i;
  }
  FlipSigns<uint64_t>(values.data(), nullptr, false, values.size());
  EXPECT_EQ(values[0], std::bit_cast<uint64_t>(-5.0));
}

TEST(KernelsTest, TransposesAnyShape) {
  for (const size_t rows : {1U, 3U, 16U, 17U, 40U}) {
    for (const size_t cols : {1U, 15U, 16U, 33U}) {
      std::vector<float> in(rows * (cols + 2));
      for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<float>(i);
      std::vector<float> out(cols * (rows + 1), -1.0F);
      Transpose(in.data(), cols + 2, rows, cols, out.data(), rows + 1);
      for (size_t c = 0; c < cols; ++c) {
        for (size_t r = 0; r < rows; ++r) ASSERT_EQ(out[c * (rows + 1) + r], in[r * (cols + 2) + c]);
        ASSERT_EQ(out[c * (rows + 1) + rows], -1.0F) << "beside the matrix";
      }
    }
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
