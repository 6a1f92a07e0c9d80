// Element types of stored tensors: plain floats, integers, and ggml's block formats.
//
//   ISOVEIL_ASSIGN_OR_RETURN(DType type, DTypeFromGgml(id));
//   uint64_t row = *RowBytes(type, n_columns);      // nullopt unless whole blocks fill the row
//
// A block format packs `BlockSize(type)` consecutive elements of the last axis into `BlockBytes(type)`
// bytes; a plain type is a block of one. The block arithmetic is ggml's own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "isoveil/base/result.h"

namespace isoveil {

enum class DType : uint8_t {
  kF32,
  kF16,
  kBF16,
  kF64,
  kI8,
  kI16,
  kI32,
  kI64,
  kU8,
  kBool,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ8_0,
  kQ2_K,
  kQ3_K,
  kQ4_K,
  kQ5_K,
  kQ6_K,
  kIQ2_XXS,
  kIQ2_XS,
  kIQ2_S,
  kIQ3_XXS,
  kIQ3_S,
  kIQ1_S,
  kIQ1_M,
  kIQ4_NL,
  kIQ4_XS,
  kTQ1_0,
  kTQ2_0,
  kMXFP4,
  kNVFP4,
  kQ1_0,
  kQ2_0,
  kF8E4M3,
};
inline constexpr DType kLastDType = DType::kF8E4M3;

// "F32", "BF16", "Q4_K": the name used in messages and manifests.
std::string_view DTypeName(DType type);

// The type of a ggml_type number; kUnsupported for numbers this version does not know.
Result<DType> DTypeFromGgml(uint32_t ggml_type);
// The ggml_type number, or nullopt for types GGUF cannot hold (Bool, U8, F8_E4M3).
std::optional<uint32_t> GgmlType(DType type);

// The type of a safetensors name such as "BF16"; kUnsupported for others (F8_E5M2, ...).
Result<DType> DTypeFromSafetensors(std::string_view name);
// The safetensors name, or nullopt for block formats.
std::optional<std::string_view> SafetensorsName(DType type);

uint64_t BlockSize(DType type);   // elements in a block
uint64_t BlockBytes(DType type);  // bytes of a block
bool IsBlockFormat(DType type);   // BlockSize > 1
bool IsPlainFloat(DType type);    // F32, F16, BF16, F64

// Bytes of `n` consecutive elements, or nullopt if `n` is not a whole number of blocks or overflows.
std::optional<uint64_t> RowBytes(DType type, uint64_t n);

// Decodes `out.size()` elements to fp32. `bytes` holds exactly those elements, at any alignment. Integers
// are converted.
void ToFloat(DType type, std::span<const std::byte> bytes, std::span<float> out);

// Rounds to the type, to nearest even for plain floats; block formats are quantised by ggml without an
// importance matrix. kUnsupported for types that cannot be written (integers; IQ1, IQ2 and IQ3_XXS, which
// need the matrix), kFormat for NaN or magnitudes above 65504 in a block format, kInvalidArgument if `bytes`
// has not the size of the values. Safe to call from many threads.
Status FromFloat(DType type, std::span<const float> values, std::span<std::byte> bytes);

// The index of an element that is infinite or not a number; nullopt if there is none. Reads plain floats as fast as
// memory gives them, and of block formats the scales. `bytes` are whole blocks.
std::optional<uint64_t> FindNonFinite(DType type, std::span<const std::byte> bytes);

}  // namespace isoveil
