#include "isoveil/transform/move_job.h"

#include <cmath>
#include <cstring>

#include "isoveil/algebra/kernels.h"

namespace isoveil {
namespace {

FloatBits BitsOf(DType type) {
  switch (type) {
    case DType::kF16: return {10, 0x1f};
    case DType::kBF16: return {7, 0xff};
    case DType::kF64: return {52, 0x7ff};
    default: return {23, 0xff};
  }
}

template <typename U>
void Gather(const std::byte* row, const StridedAxis& cols, std::span<const uint32_t> source, U* out) {
  for (size_t i = 0; i < source.size(); ++i) std::memcpy(&out[i], row + cols.Offset(source[i]), sizeof(U));
}

void Gather(const std::byte* row, const StridedAxis& cols, std::span<const uint32_t> source, uint16_t* out) {
  if (cols.stride == sizeof(uint16_t) && cols.run == 0) {
    Gather16(reinterpret_cast<const uint16_t*>(row), source.data(), out, source.size());
  } else {
    Gather<uint16_t>(row, cols, source, out);
  }
}

template <typename U>
Status MoveRowOf(std::span<const std::byte> source_bytes, const Slice& source, const SignedMove& rows,
                 const SignedMove& cols, uint64_t row, std::span<std::byte> out) {
  const uint64_t source_row = rows.source[row];
  const std::byte* begin = source_bytes.data() + source.offset + source.rows.Offset(source_row);
  U* values = reinterpret_cast<U*>(out.data());
  Gather(begin, source.cols, cols.source, values);
  const FloatBits bits = BitsOf(source.type);
  const bool negative = !rows.negative.empty() && rows.negative[row] != 0;
  const auto* col_negative = cols.negative.empty() ? nullptr : cols.negative.data();
  if (negative || col_negative != nullptr) FlipSigns(values, col_negative, negative, cols.source.size());
  const int row_exponent = rows.exponent.empty() ? 0 : rows.exponent[row];
  const auto* col_exponent = cols.exponent.empty() ? nullptr : cols.exponent.data();
  if (row_exponent == 0 && col_exponent == nullptr) return Ok();
  if (ShiftExponents(values, col_exponent, row_exponent, bits, cols.source.size())) return Ok();
  return Fail(ErrorCode::kUnsupported, fmt::format("row {}", source_row),
              fmt::format("a {} value lies too close to the limits of its exponent to be scaled by a power of two",
                          DTypeName(source.type)),
              "encrypt with --no-scale, which draws no powers of two");
}

}  // namespace

std::optional<SignedMove> AsSignedMove(const Action& action) {
  std::optional<Monomial> monomial = action.AsMonomial();
  if (!monomial) return std::nullopt;
  SignedMove move{.source = std::move(monomial->source), .negative = {}, .exponent = {}};
  std::vector<uint8_t> negative(move.source.size());
  std::vector<int16_t> exponent(move.source.size());
  bool any_negative = false;
  bool any_exponent = false;
  for (size_t i = 0; i < monomial->scale.size(); ++i) {
    int power = 0;
    if (std::abs(std::frexp(monomial->scale[i], &power)) != 0.5) return std::nullopt;
    negative[i] = std::signbit(monomial->scale[i]) ? 1 : 0;
    exponent[i] = static_cast<int16_t>(power - 1);
    any_negative |= negative[i] != 0;
    any_exponent |= exponent[i] != 0;
  }
  if (any_negative) move.negative = std::move(negative);
  if (any_exponent) move.exponent = std::move(exponent);
  return move;
}

std::optional<std::vector<uint32_t>> AsBlockMove(const SignedMove& move, uint64_t block) {
  if (!move.negative.empty() || !move.exponent.empty() || move.source.size() % block != 0) return std::nullopt;
  std::vector<uint32_t> blocks;
  for (size_t i = 0; i < move.source.size(); ++i) {
    if (i % block == 0) {
      if (move.source[i] % block != 0) return std::nullopt;
      blocks.push_back(static_cast<uint32_t>(move.source[i] / block));
    } else if (move.source[i] != move.source[i - 1] + 1) {
      return std::nullopt;
    }
  }
  return blocks;
}

Status MoveRow(std::span<const std::byte> source_bytes, const Slice& source, const SignedMove& rows,
               const SignedMove& cols, uint64_t row, std::span<std::byte> out) {
  switch (BlockBytes(source.type)) {
    case 2: return MoveRowOf<uint16_t>(source_bytes, source, rows, cols, row, out);
    case 4: return MoveRowOf<uint32_t>(source_bytes, source, rows, cols, row, out);
    default: return MoveRowOf<uint64_t>(source_bytes, source, rows, cols, row, out);
  }
}

void MoveBlockRow(std::span<const std::byte> source_bytes, const Slice& source, uint64_t source_row,
                  std::span<const uint32_t> blocks, std::span<std::byte> out) {
  const std::byte* row = source_bytes.data() + source.offset + source.rows.Offset(source_row);
  const uint64_t bytes = BlockBytes(source.type);
  for (size_t i = 0; i < blocks.size(); ++i) {
    std::memcpy(out.data() + i * bytes, row + blocks[i] * bytes, bytes);
  }
}

}  // namespace isoveil
