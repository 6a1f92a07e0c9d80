// Arithmetic on sizes that come from a file: every sum and product is checked.
//
//   auto bytes = CheckedMul(count, element_size);
//   if (!bytes) return Fail(ErrorCode::kFormat, where, "the size overflows");
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace isoveil {

[[nodiscard]] inline std::optional<uint64_t> CheckedAdd(uint64_t a, uint64_t b) {
  uint64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

[[nodiscard]] inline std::optional<uint64_t> CheckedMul(uint64_t a, uint64_t b) {
  uint64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

// The product of all factors; 1 when there are none.
[[nodiscard]] inline std::optional<uint64_t> CheckedProduct(std::span<const uint64_t> factors) {
  std::optional<uint64_t> product = 1;
  for (uint64_t factor : factors) {
    if (product) product = CheckedMul(*product, factor);
  }
  return product;
}

// `value` rounded up to a multiple of `alignment`, a power of two.
[[nodiscard]] inline std::optional<uint64_t> CheckedAlign(uint64_t value, uint64_t alignment) {
  const auto padded = CheckedAdd(value, alignment - 1);
  if (!padded) return std::nullopt;
  return *padded & ~(alignment - 1);
}

}  // namespace isoveil
