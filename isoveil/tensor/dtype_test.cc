#include "isoveil/tensor/dtype.h"

#include <ggml.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <thread>
#include <vector>

namespace isoveil {
namespace {

std::vector<DType> AllTypes() {
  std::vector<DType> types;
  for (int i = 0; i <= static_cast<int>(kLastDType); ++i) types.push_back(static_cast<DType>(i));
  return types;
}

std::vector<float> Normals(size_t n, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(n);
  for (float& value : values) value = normal(random);
  return values;
}

template <typename T>
T RoundTo(DType type, float value) {
  T stored{};
  EXPECT_TRUE(FromFloat(type, {&value, 1}, std::as_writable_bytes(std::span(&stored, 1))));
  return stored;
}

TEST(DType, NamesAndNumbersLeadBackToTheType) {
  for (DType type : AllTypes()) {
    EXPECT_FALSE(DTypeName(type).empty());
    if (const auto number = GgmlType(type)) {
      EXPECT_EQ(DTypeFromGgml(*number).value(), type) << DTypeName(type);
      EXPECT_EQ(BlockBytes(type), ggml_type_size(static_cast<ggml_type>(*number)));
    }
    if (const auto name = SafetensorsName(type)) {
      EXPECT_EQ(DTypeFromSafetensors(*name).value(), type);
    }
    EXPECT_TRUE(GgmlType(type) || SafetensorsName(type)) << DTypeName(type) << " is in no format";
  }
}

TEST(DType, UnknownTypesAreNamed) {
  for (uint32_t number : {4u, 9u, 31u, 36u, 43u, 0xffffffffu}) {
    const auto type = DTypeFromGgml(number);
    ASSERT_FALSE(type) << number;
    EXPECT_EQ(type.error().code, ErrorCode::kUnsupported);
    EXPECT_NE(type.error().problem.find(fmt::format("{}", number)), std::string::npos);
  }
  EXPECT_NE(DTypeFromSafetensors("F8_E5M2").error().problem.find("F8_E5M2"), std::string::npos);
  EXPECT_FALSE(DTypeFromSafetensors(""));
}

TEST(DType, RowsAreWholeBlocks) {
  EXPECT_EQ(RowBytes(DType::kF32, 3), 12u);
  EXPECT_EQ(RowBytes(DType::kQ8_0, 64), 68u);
  EXPECT_EQ(RowBytes(DType::kQ8_0, 33), std::nullopt);
  EXPECT_EQ(RowBytes(DType::kQ4_K, 256), 144u);
  EXPECT_EQ(RowBytes(DType::kF32, uint64_t{1} << 62), std::nullopt);
  EXPECT_EQ(RowBytes(DType::kU8, ~uint64_t{0}), ~uint64_t{0});
}

TEST(DType, HalfRoundsToNearestEven) {
  EXPECT_EQ(RoundTo<uint16_t>(DType::kF16, 1.0F), 0x3c00);
  EXPECT_EQ(RoundTo<uint16_t>(DType::kF16, 1.0F + 0x1p-11F), 0x3c00);             // a tie, down to even
  EXPECT_EQ(RoundTo<uint16_t>(DType::kF16, 1.0F + 3 * 0x1p-11F), 0x3c02);         // a tie, up to even
  EXPECT_EQ(RoundTo<uint16_t>(DType::kF16, 1.0F + 0x1p-11F + 0x1p-20F), 0x3c01);  // above the tie
  EXPECT_EQ(RoundTo<uint16_t>(DType::kF16, 0x1p-24F), 0x0001);                    // the smallest subnormal
  EXPECT_EQ(RoundTo<uint16_t>(DType::kF16, 0x1p-25F), 0x0000);                    // a tie, down to zero
  EXPECT_EQ(RoundTo<uint16_t>(DType::kF16, -0.0F), 0x8000);
  EXPECT_EQ(RoundTo<uint16_t>(DType::kF16, 65520.0F), 0x7c00);
}

// The nearest of the three neighbours among all bf16 numbers, the even one of two at the same distance.
uint16_t NearestBf16(float value) {
  const auto at = [](uint32_t bits) { return static_cast<double>(std::bit_cast<float>(bits << 16)); };
  const uint32_t below = std::bit_cast<uint32_t>(value) >> 16;
  const double down = std::abs(at(below) - value);
  const double up = std::abs(at(below + 1) - value);
  return static_cast<uint16_t>(up < down || (up == down && below % 2 == 1) ? below + 1 : below);
}

TEST(DType, Bf16RoundsToNearestEven) {
  std::mt19937 random(7);
  for (int i = 0; i < 100000; ++i) {
    // Every third a tie; subnormals and both signs are among them. The largest exponents are left out.
    uint32_t bits = static_cast<uint32_t>(random());
    if (i % 3 == 0) bits = (bits & 0xffff0000) | 0x8000;
    if ((bits & 0x7f000000) == 0x7f000000) continue;
    const float value = std::bit_cast<float>(bits);
    ASSERT_EQ(RoundTo<uint16_t>(DType::kBF16, value), NearestBf16(value)) << std::hexfloat << value;
  }
}

TEST(DType, PlainFloatsKeepWhatTheyCanHold) {
  const std::vector<float> values = {0.0F, -0.0F, 1.0F, -1.5F, 0.15625F, 240.0F};
  for (DType type : {DType::kF32, DType::kF16, DType::kBF16, DType::kF64}) {
    std::vector<std::byte> bytes(*RowBytes(type, values.size()));
    ASSERT_TRUE(FromFloat(type, values, bytes));
    std::vector<float> back(values.size(), -1);
    ToFloat(type, bytes, back);
    EXPECT_EQ(back, values) << DTypeName(type);
    EXPECT_TRUE(std::signbit(back[1])) << DTypeName(type);
  }
}

TEST(DType, IntegersBecomeFloats) {
  const auto first = [](DType type, auto value) {
    float out = 0;
    ToFloat(type, std::as_bytes(std::span(&value, 1)), {&out, 1});
    return out;
  };
  EXPECT_EQ(first(DType::kI8, int8_t{-128}), -128.0F);
  EXPECT_EQ(first(DType::kU8, uint8_t{255}), 255.0F);
  EXPECT_EQ(first(DType::kBool, uint8_t{1}), 1.0F);
  EXPECT_EQ(first(DType::kI16, int16_t{-300}), -300.0F);
  EXPECT_EQ(first(DType::kI32, int32_t{1 << 20}), 1048576.0F);
  EXPECT_EQ(first(DType::kI64, int64_t{-5}), -5.0F);
}

TEST(DType, WhatCannotBeWrittenIsRefused) {
  const std::vector<float> values(256);
  for (DType type : {DType::kI32, DType::kU8, DType::kBool, DType::kIQ2_XXS, DType::kIQ2_XS, DType::kIQ2_S,
                     DType::kIQ3_XXS, DType::kIQ1_S, DType::kIQ1_M}) {
    std::vector<std::byte> bytes(*RowBytes(type, values.size()));
    const Status status = FromFloat(type, values, bytes);
    ASSERT_FALSE(status) << DTypeName(type);
    EXPECT_EQ(status.error().code, ErrorCode::kUnsupported);
  }
  std::vector<std::byte> bytes(35);
  EXPECT_EQ(FromFloat(DType::kQ8_0, std::span(values).first(32), bytes).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(FromFloat(DType::kQ8_0, std::span(values).first(33), bytes).error().code, ErrorCode::kInvalidArgument);
}

TEST(DType, BlocksRefuseWhatTheirScalesCannotHold) {
  for (float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(), -65536.0F}) {
    std::vector<float> values(256, 1.0F);
    values[77] = bad;
    std::vector<std::byte> bytes(*RowBytes(DType::kQ4_K, values.size()));
    const Status status = FromFloat(DType::kQ4_K, values, bytes);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::kFormat);
    EXPECT_NE(status.error().problem.find("value 77"), std::string::npos);
    values[77] = 65504.0F;
    EXPECT_TRUE(FromFloat(DType::kQ4_K, values, bytes));
  }
}

// The largest error of a round trip in units of the values' spread.
double RoundTripError(DType type, const std::vector<float>& values) {
  std::vector<std::byte> bytes(*RowBytes(type, values.size()));
  EXPECT_TRUE(FromFloat(type, values, bytes)) << DTypeName(type);
  std::vector<float> back(values.size());
  ToFloat(type, bytes, back);
  double worst = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(back[i]) - values[i]));
  }
  return worst;
}

TEST(DType, QuantisingComesBackClose) {
  const std::vector<float> values = Normals(4096);
  EXPECT_LT(RoundTripError(DType::kQ8_0, values), 0.03);
  EXPECT_LT(RoundTripError(DType::kQ6_K, values), 0.15);
  EXPECT_LT(RoundTripError(DType::kQ5_K, values), 0.25);
  EXPECT_LT(RoundTripError(DType::kQ4_K, values), 0.5);
  EXPECT_LT(RoundTripError(DType::kQ4_0, values), 0.7);
  // Long rows go through in pieces; a slip at a seam would shift all that follows.
  const std::vector<float> many = Normals((1 << 17) + 96);
  EXPECT_LT(RoundTripError(DType::kQ8_0, many), 0.03);
  EXPECT_LT(RoundTripError(DType::kF16, many), 0.003);
  EXPECT_LT(RoundTripError(DType::kBF16, many), 0.02);
}

TEST(DType, AlignmentDoesNotMatter) {
  for (DType type : AllTypes()) {
    if (!IsPlainFloat(type) && !IsBlockFormat(type)) continue;
    // Two pieces and a bit, so that the seams between pieces are crossed.
    const size_t n = IsPlainFloat(type) || type == DType::kQ8_0 ? (1 << 17) + 256 : 512;
    const std::vector<float> values = Normals(n);
    const uint64_t size = *RowBytes(type, n);
    std::vector<std::byte> aligned(size);
    std::vector<std::byte> odd(size + 1);
    const Status status = FromFloat(type, values, aligned);
    if (!status) continue;
    ASSERT_TRUE(FromFloat(type, values, std::span(odd).subspan(1)));
    EXPECT_TRUE(std::equal(aligned.begin(), aligned.end(), odd.begin() + 1)) << DTypeName(type);
    std::vector<float> from_aligned(n);
    std::vector<float> from_odd(n);
    ToFloat(type, aligned, from_aligned);
    ToFloat(type, std::span(odd).subspan(1), from_odd);
    EXPECT_EQ(from_aligned, from_odd) << DTypeName(type);
  }
}

TEST(DType, ManyThreadsQuantiseAlike) {
  const std::vector<float> values = Normals(512);
  for (DType type : {DType::kQ4_K, DType::kIQ3_S}) {
    std::vector<std::vector<std::byte>> outputs(4, std::vector<std::byte>(*RowBytes(type, values.size())));
    std::vector<std::thread> threads;
    for (auto& output : outputs) {
      threads.emplace_back([&] { EXPECT_TRUE(FromFloat(type, values, output)); });
    }
    for (std::thread& thread : threads) thread.join();
    for (const auto& output : outputs) EXPECT_EQ(output, outputs.front()) << DTypeName(type);
  }
}

TEST(FindNonFinite, FindsTheElementInPlainFloats) {
  std::vector<float> values(1000, 1.5F);
  for (const DType type : {DType::kF32, DType::kF16, DType::kBF16}) {
    std::vector<std::byte> bytes(*RowBytes(type, values.size()));
    for (const float bad : {INFINITY, -INFINITY, NAN}) {
      values[777] = bad;
      ASSERT_TRUE(FromFloat(type, values, bytes));
      EXPECT_EQ(FindNonFinite(type, bytes), 777U) << DTypeName(type);
      values[777] = -0.0F;
      ASSERT_TRUE(FromFloat(type, values, bytes));
      EXPECT_EQ(FindNonFinite(type, bytes), std::nullopt) << DTypeName(type);
    }
  }
}

TEST(FindNonFinite, FindsTheBlockByItsScale) {
  // Q8_0: a half-precision scale, then 32 bytes.
  std::vector<std::byte> bytes(10 * BlockBytes(DType::kQ8_0));
  EXPECT_EQ(FindNonFinite(DType::kQ8_0, bytes), std::nullopt);
  bytes[7 * BlockBytes(DType::kQ8_0) + 1] = std::byte{0x7c};
  EXPECT_EQ(FindNonFinite(DType::kQ8_0, bytes), 7U * 32);
  EXPECT_EQ(FindNonFinite(DType::kQ8_0, std::span(bytes).first(7 * BlockBytes(DType::kQ8_0))), std::nullopt);
}

TEST(FindNonFinite, ReadsEveryType) {
  for (int t = 0; t <= static_cast<int>(DType::kMXFP4); ++t) {
    const auto type = static_cast<DType>(t);
    const std::vector<std::byte> zeros(4 * BlockBytes(type));
    EXPECT_EQ(FindNonFinite(type, zeros), std::nullopt) << DTypeName(type);
  }
}

}  // namespace
}  // namespace isoveil
