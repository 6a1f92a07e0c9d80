#include "isoveil/tensor/tensor.h"

#include <gtest/gtest.h>

namespace isoveil {
namespace {

constexpr uint64_t kMax = ~uint64_t{0};

TEST(Tensor, ShapesAreNamed) {
  EXPECT_EQ(ShapeName(Shape{4096, 11008}), "[4096, 11008]");
  EXPECT_EQ(ShapeName(Shape{}), "[]");
}

TEST(Tensor, ElementsAreCountedOrOverflow) {
  EXPECT_EQ(ElementCount(Shape{}), 1u);
  EXPECT_EQ(ElementCount(Shape{3, 0, 5}), 0u);
  EXPECT_EQ(ElementCount(Shape{3, 4, 5}), 60u);
  EXPECT_EQ(ElementCount(Shape{uint64_t{1} << 32, uint64_t{1} << 32}), std::nullopt);
}

TEST(Tensor, BytesAreCountedOrOverflow) {
  EXPECT_EQ(TensorBytes(DType::kF16, Shape{3, 5}), 30u);
  EXPECT_EQ(TensorBytes(DType::kF64, Shape{}), 8u);
  EXPECT_EQ(TensorBytes(DType::kF32, Shape{0, 4}), 0u);
  EXPECT_EQ(TensorBytes(DType::kU8, Shape{kMax}), kMax);
  EXPECT_EQ(TensorBytes(DType::kI16, Shape{kMax}), std::nullopt);
  EXPECT_EQ(TensorBytes(DType::kF32, Shape{uint64_t{1} << 31, uint64_t{1} << 31}), std::nullopt);
}

TEST(Tensor, BlocksRunAlongTheLastAxis) {
  EXPECT_EQ(TensorBytes(DType::kQ8_0, Shape{3, 64}), 3 * 68u);
  EXPECT_EQ(TensorBytes(DType::kQ8_0, Shape{64, 3}), std::nullopt);
  EXPECT_EQ(TensorBytes(DType::kQ8_0, Shape{}), std::nullopt);
}

}  // namespace
}  // namespace isoveil
