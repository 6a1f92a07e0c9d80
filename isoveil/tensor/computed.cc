#include "isoveil/tensor/computed.h"

#include <bit>
#include <cassert>
#include <cmath>

namespace isoveil {
namespace {

std::vector<float> Decoded(const TensorView& tensor) {
  std::vector<float> values(*ElementCount(tensor.info.shape));
  ToFloat(tensor.info.type, tensor.bytes, values);
  return values;
}

std::vector<float> Transposed(std::span<const float> values, uint64_t rows, uint64_t cols) {
  std::vector<float> out(values.size());
  for (uint64_t r = 0; r < rows; ++r) {
    for (uint64_t c = 0; c < cols; ++c) out[c * rows + r] = values[r * cols + c];
  }
  return out;
}

// fp32 whose last bit tells whether something was cut off, so that rounding it to a shorter type rounds the value once.
float CutWithSticky(double value) {
  const auto nearest = static_cast<float>(value);
  if (static_cast<double>(nearest) == value || !std::isfinite(nearest)) return nearest;
  const float cut = std::abs(static_cast<double>(nearest)) > std::abs(value) ? std::nextafter(nearest, 0.0F) : nearest;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(cut) | 1U);
}

Status Round(DType type, std::span<const double> values, std::span<std::byte> out) {
  const bool shorter = type == DType::kF16 || type == DType::kBF16;
  std::vector<float> floats;
  floats.reserve(values.size());
  for (const double value : values) floats.push_back(shorter ? CutWithSticky(value) : static_cast<float>(value));
  ISOVEIL_RETURN_IF_ERROR(FromFloat(type, floats, out));
  if (!FindNonFinite(type, out)) return Ok();
  return Fail(ErrorCode::kFormat, "", fmt::format("a computed value is not finite in {}", DTypeName(type)));
}

}  // namespace

TensorView Scaled(TensorView base, BlockScales scales) {
  TensorView scaled{{base.info.name, DType::kBF16, base.info.shape}, {}, nullptr};
  scaled.computed = std::make_shared<const Computation>(Computation{std::move(base), std::move(scales), std::nullopt});
  return scaled;
}

TensorView Merged(TensorView base, LowRankUpdate update) {
  TensorView merged{base.info, {}, nullptr};
  Computation how = base.computed ? *base.computed : Computation{std::move(base), std::nullopt, std::nullopt};
  how.update = std::move(update);
  merged.computed = std::make_shared<const Computation>(std::move(how));
  return merged;
}

std::vector<TensorView> StoredParts(const TensorView& tensor) {
  if (!tensor.computed) return {tensor};
  const Computation& how = *tensor.computed;
  std::vector<TensorView> parts = {how.base};
  if (how.scales) parts.push_back(how.scales->values);
  if (how.update) parts.insert(parts.end(), {how.update->a, how.update->b});
  return parts;
}

RowReader::RowReader(const TensorView& tensor) : info_(tensor.info), how_(tensor.computed) {
  assert(how_ != nullptr && info_.shape.size() == 2);
  if (how_->scales) scales_ = Decoded(how_->scales->values);
  if (!how_->update) return;
  const LowRankUpdate& update = *how_->update;
  rank_ = update.a.info.shape[0];
  left_ = Decoded(update.b);
  right_ = Decoded(update.a);
  if (update.transposed) {
    std::swap(left_, right_);
    left_ = Transposed(left_, rank_, update.a.info.shape[1]);
    right_ = Transposed(right_, update.b.info.shape[0], rank_);
  }
}

void RowReader::AddUpdate(uint64_t row, std::span<double> values) const {
  std::vector<double> sum(values.size());
  for (uint64_t k = 0; k < rank_; ++k) {
    const double factor = left_[row * rank_ + k];
    const float* right = right_.data() + k * values.size();
    for (size_t c = 0; c < values.size(); ++c) sum[c] += factor * static_cast<double>(right[c]);
  }
  for (size_t c = 0; c < values.size(); ++c) values[c] += how_->update->scale * sum[c];
}

Status RowReader::Read(uint64_t row, std::span<std::byte> out) const {
  const uint64_t cols = info_.shape[1];
  const DType stored = how_->base.info.type;
  const uint64_t row_bytes = *RowBytes(stored, cols);
  std::vector<float> base(cols);
  ToFloat(stored, how_->base.bytes.subspan(row * row_bytes, row_bytes), base);
  std::vector<double> values(base.begin(), base.end());
  if (how_->scales) {
    const uint64_t block = how_->scales->block_cols;
    const float* scales = scales_.data() + row / how_->scales->block_rows * ((cols + block - 1) / block);
    for (uint64_t c = 0; c < cols; ++c) values[c] *= static_cast<double>(scales[c / block]);
  }
  if (how_->update) AddUpdate(row, values);
  Status rounded = Round(info_.type, values, out);
  if (!rounded) {
    Error error = std::move(rounded).error();
    error.where = fmt::format("tensor {}, row {}", Quoted(info_.name), row);
    return tl::unexpected(std::move(error));
  }
  return rounded;
}

}  // namespace isoveil
