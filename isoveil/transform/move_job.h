// The moving half of MatrixJob: copies stored elements to new places, flipping signs and shifting
// exponents, without any arithmetic on values.
//
//   std::vector<int16_t> exponents = ...;   // log2 of |scale| by target column
//   Status s = MoveRow({.type = DType::kBF16, ...}, out);
//
// Works on the bits of IEEE-like floats (F16, BF16, F32, F64) and on whole blocks of block formats.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "isoveil/algebra/action.h"
#include "isoveil/tensor/slice.h"

namespace isoveil {

// A monomial action in the form that moving needs.
struct SignedMove {
  std::vector<uint32_t> source;
  std::vector<uint8_t> negative;  // 1 where the sign flips; empty if nowhere
  std::vector<int16_t> exponent;  // power of two; empty if all zero
};

// nullopt if the action is not monomial or scales by something else than signed powers of two.
std::optional<SignedMove> AsSignedMove(const Action& action);

// The move of whole blocks of `block` columns, or nullopt if it would break one or change a sign.
std::optional<std::vector<uint32_t>> AsBlockMove(const SignedMove& move, uint64_t block);

// Writes target row `row` of a plain type to `out` (source.cols.count elements).
// kUnsupported if an exponent leaves its range, so that bits would be lost; names the source row.
Status MoveRow(std::span<const std::byte> source_bytes, const Slice& source, const SignedMove& rows,
               const SignedMove& cols, uint64_t row, std::span<std::byte> out);

// The same for a block format, with `blocks` from AsBlockMove.
void MoveBlockRow(std::span<const std::byte> source_bytes, const Slice& source, uint64_t source_row,
                  std::span<const uint32_t> blocks, std::span<std::byte> out);

}  // namespace isoveil
