#include "isoveil/base/result.h"

#include <gtest/gtest.h>

#include "isoveil/base/checked.h"

namespace isoveil {
namespace {

Result<int> Half(int value) {
  if (value % 2 != 0) {
    return Fail(ErrorCode::kFormat, "value", fmt::format("expected an even number, found {}", value), "double it");
  }
  return value / 2;
}

Result<int> Quarter(int value) {
  ISOVEIL_ASSIGN_OR_RETURN(const int half, Half(value));
  return Half(half);
}

TEST(ResultTest, AssignOrReturnPassesValuesAndErrors) {
  EXPECT_EQ(*Quarter(8), 2);
  const auto failed = Quarter(6);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kFormat);
  EXPECT_EQ(failed.error().Message(), "value: expected an even number, found 3");
  EXPECT_EQ(failed.error().hint, "double it");
}

TEST(ResultTest, QuotedIsSafeToPrint) {
  EXPECT_EQ(Quoted("a\x1b[31m'\\\n"), "'a\\x1b[31m\\x27\\x5c\\x0a'");
  EXPECT_EQ(Quoted(std::string(100, 'x')), "'" + std::string(80, 'x') + "...'");
}

TEST(CheckedTest, FindsEveryOverflow) {
  constexpr uint64_t kMax = ~uint64_t{0};
  EXPECT_EQ(CheckedAdd(kMax - 1, 1), kMax);
  EXPECT_FALSE(CheckedAdd(kMax, 1));
  EXPECT_EQ(CheckedMul(1ULL << 32, (1ULL << 32) - 1), kMax - ((1ULL << 32) - 1));
  EXPECT_FALSE(CheckedMul(1ULL << 32, 1ULL << 32));
  const uint64_t overflowing[] = {1ULL << 40, 1ULL << 24, 0};
  EXPECT_FALSE(CheckedProduct(overflowing)) << "an overflow is not undone by a later zero";
  EXPECT_EQ(CheckedProduct({}), 1);
  EXPECT_EQ(CheckedAlign(33, 32), 64);
  EXPECT_EQ(CheckedAlign(64, 32), 64);
  EXPECT_FALSE(CheckedAlign(kMax, 32));
}

}  // namespace
}  // namespace isoveil
