#include "isoveil/tensor/tensor.h"

#include "isoveil/base/checked.h"

namespace isoveil {

std::string ShapeName(std::span<const uint64_t> shape) {
  return fmt::format("[{}]", fmt::join(shape.begin(), shape.end(), ", "));
}

std::optional<uint64_t> ElementCount(std::span<const uint64_t> shape) { return CheckedProduct(shape); }

std::optional<uint64_t> TensorBytes(DType type, std::span<const uint64_t> shape) {
  if (shape.empty()) return RowBytes(type, 1);
  const auto row = RowBytes(type, shape.back());
  const auto rows = CheckedProduct(shape.first(shape.size() - 1));
  if (!row || !rows) return std::nullopt;
  return CheckedMul(*row, *rows);
}

}  // namespace isoveil
