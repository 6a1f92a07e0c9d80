#include "isoveil/tensor/dtype.h"

#include <ggml.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace isoveil {
namespace {

struct TypeRow {
  DType type;
  std::string_view name;
  int ggml;                      // -1: GGUF cannot hold it
  std::string_view safetensors;  // empty: safetensors cannot hold it
};

constexpr std::array kTypes = {
    TypeRow{DType::kF32, "F32", GGML_TYPE_F32, "F32"},
    TypeRow{DType::kF16, "F16", GGML_TYPE_F16, "F16"},
    TypeRow{DType::kBF16, "BF16", GGML_TYPE_BF16, "BF16"},
    TypeRow{DType::kF64, "F64", GGML_TYPE_F64, "F64"},
    TypeRow{DType::kI8, "I8", GGML_TYPE_I8, "I8"},
    TypeRow{DType::kI16, "I16", GGML_TYPE_I16, "I16"},
    TypeRow{DType::kI32, "I32", GGML_TYPE_I32, "I32"},
    TypeRow{DType::kI64, "I64", GGML_TYPE_I64, "I64"},
    TypeRow{DType::kU8, "U8", -1, "U8"},
    TypeRow{DType::kBool, "BOOL", -1, "BOOL"},
    TypeRow{DType::kQ4_0, "Q4_0", GGML_TYPE_Q4_0, ""},
    TypeRow{DType::kQ4_1, "Q4_1", GGML_TYPE_Q4_1, ""},
    TypeRow{DType::kQ5_0, "Q5_0", GGML_TYPE_Q5_0, ""},
    TypeRow{DType::kQ5_1, "Q5_1", GGML_TYPE_Q5_1, ""},
    TypeRow{DType::kQ8_0, "Q8_0", GGML_TYPE_Q8_0, ""},
    TypeRow{DType::kQ2_K, "Q2_K", GGML_TYPE_Q2_K, ""},
    TypeRow{DType::kQ3_K, "Q3_K", GGML_TYPE_Q3_K, ""},
    TypeRow{DType::kQ4_K, "Q4_K", GGML_TYPE_Q4_K, ""},
    TypeRow{DType::kQ5_K, "Q5_K", GGML_TYPE_Q5_K, ""},
    TypeRow{DType::kQ6_K, "Q6_K", GGML_TYPE_Q6_K, ""},
    TypeRow{DType::kIQ2_XXS, "IQ2_XXS", GGML_TYPE_IQ2_XXS, ""},
    TypeRow{DType::kIQ2_XS, "IQ2_XS", GGML_TYPE_IQ2_XS, ""},
    TypeRow{DType::kIQ2_S, "IQ2_S", GGML_TYPE_IQ2_S, ""},
    TypeRow{DType::kIQ3_XXS, "IQ3_XXS", GGML_TYPE_IQ3_XXS, ""},
    TypeRow{DType::kIQ3_S, "IQ3_S", GGML_TYPE_IQ3_S, ""},
    TypeRow{DType::kIQ1_S, "IQ1_S", GGML_TYPE_IQ1_S, ""},
    TypeRow{DType::kIQ1_M, "IQ1_M", GGML_TYPE_IQ1_M, ""},
    TypeRow{DType::kIQ4_NL, "IQ4_NL", GGML_TYPE_IQ4_NL, ""},
    TypeRow{DType::kIQ4_XS, "IQ4_XS", GGML_TYPE_IQ4_XS, ""},
    TypeRow{DType::kTQ1_0, "TQ1_0", GGML_TYPE_TQ1_0, ""},
    TypeRow{DType::kTQ2_0, "TQ2_0", GGML_TYPE_TQ2_0, ""},
    TypeRow{DType::kMXFP4, "MXFP4", GGML_TYPE_MXFP4, ""},
    TypeRow{DType::kNVFP4, "NVFP4", GGML_TYPE_NVFP4, ""},
    TypeRow{DType::kQ1_0, "Q1_0", GGML_TYPE_Q1_0, ""},
    TypeRow{DType::kQ2_0, "Q2_0", GGML_TYPE_Q2_0, ""},
    TypeRow{DType::kF8E4M3, "F8_E4M3", -1, "F8_E4M3"},
};

// The table stands in the order of the enum, so that a look-up in an inner loop costs nothing.
constexpr bool TableIsInOrder() {
  for (size_t i = 0; i < kTypes.size(); ++i) {
    if (static_cast<size_t>(kTypes[i].type) != i) return false;
  }
  return true;
}
static_assert(TableIsInOrder() && kTypes.size() == static_cast<size_t>(kLastDType) + 1);

const TypeRow& RowOf(DType type) { return kTypes[static_cast<size_t>(type)]; }

ggml_type Ggml(DType type) { return static_cast<ggml_type>(RowOf(type).ggml); }

// ggml's rows count with int, and its blocks must lie at their natural alignment, which a file does not
// promise: rows go through in pieces of this many elements, a multiple of every block.
constexpr size_t kPiece = 1 << 16;
static_assert(kPiece % 256 == 0);

bool IsAligned(DType type, const std::byte* address) {
  const uint64_t bytes = BlockBytes(type);
  const uint64_t natural = std::min<uint64_t>(bytes & (~bytes + 1), alignof(uint64_t));
  return reinterpret_cast<uintptr_t>(address) % natural == 0;
}

template <typename T>
void Convert(std::span<const std::byte> bytes, std::span<float> out) {
  for (size_t i = 0; i < out.size(); ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    out[i] = static_cast<float>(value);
  }
}

// Four bits of exponent with a bias of 7, three of mantissa, no infinities; all ones are not a number.
float FromE4M3(uint8_t bits) {
  const int exponent = bits >> 3 & 15;
  const auto mantissa = static_cast<float>(bits & 7);
  if ((bits & 0x7F) == 0x7F) return std::numeric_limits<float>::quiet_NaN();
  const float value = exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10);
  return (bits & 0x80) != 0 ? -value : value;
}

void ConvertE4M3(std::span<const std::byte> bytes, std::span<float> out) {
  static const std::array<float, 256> kValues = [] {
    std::array<float, 256> values = {};
    for (size_t i = 0; i < values.size(); ++i) values[i] = FromE4M3(static_cast<uint8_t>(i));
    return values;
  }();
  for (size_t i = 0; i < out.size(); ++i) out[i] = kValues[static_cast<uint8_t>(bytes[i])];
}

// ggml decodes one piece.
void Decode(DType type, std::span<const std::byte> bytes, std::span<float> out) {
  const auto n = static_cast<int64_t>(out.size());
  const auto to_float = ggml_get_type_traits(Ggml(type))->to_float;
  if (IsAligned(type, bytes.data())) return to_float(bytes.data(), out.data(), n);
  const std::vector<std::byte> aligned(bytes.begin(), bytes.end());
  to_float(aligned.data(), out.data(), n);
}

// ggml rounds one piece. The reference row of BF16 is taken because the fast one flushes subnormals on some
// machines, and the same model and key must give the same file everywhere.
void Encode(DType type, std::span<const float> values, std::byte* out) {
  const auto n = static_cast<int64_t>(values.size());
  switch (type) {
    case DType::kF16: ggml_fp32_to_fp16_row(values.data(), reinterpret_cast<ggml_fp16_t*>(out), n); return;
    case DType::kBF16: ggml_fp32_to_bf16_row_ref(values.data(), reinterpret_cast<ggml_bf16_t*>(out), n); return;
    default: ggml_quantize_chunk(Ggml(type), values.data(), out, 0, 1, n, nullptr);
  }
}

// The largest half float, which is the type of the blocks' scales. Beyond it scales are infinite, and ggml
// aborts the process in the searches of some formats.
constexpr float kLargestInBlock = 65504.0F;

// The formats that llama-quantize refuses without an importance matrix.
bool NeedsImportanceMatrix(DType type) {
  switch (type) {
    case DType::kIQ1_S:
    case DType::kIQ1_M:
    case DType::kIQ2_XXS:
    case DType::kIQ2_XS:
    case DType::kIQ2_S:
    case DType::kIQ3_XXS: return true;
    default: return false;
  }
}

bool CanWrite(DType type) { return IsPlainFloat(type) || (IsBlockFormat(type) && !NeedsImportanceMatrix(type)); }

}  // namespace

std::string_view DTypeName(DType type) { return RowOf(type).name; }

Result<DType> DTypeFromGgml(uint32_t ggml_type) {
  for (const TypeRow& row : kTypes) {
    if (row.ggml >= 0 && static_cast<uint32_t>(row.ggml) == ggml_type) return row.type;
  }
  return Fail(ErrorCode::kUnsupported, "tensor type", fmt::format("ggml type {} is not known", ggml_type),
              "newer than this version, or removed from GGUF: convert the unquantised checkpoint again");
}

std::optional<uint32_t> GgmlType(DType type) {
  const int ggml = RowOf(type).ggml;
  if (ggml < 0) return std::nullopt;
  return static_cast<uint32_t>(ggml);
}

Result<DType> DTypeFromSafetensors(std::string_view name) {
  for (const TypeRow& row : kTypes) {
    if (!row.safetensors.empty() && row.safetensors == name) return row.type;
  }
  return Fail(ErrorCode::kUnsupported, "tensor type", fmt::format("safetensors type {} is not known", Quoted(name)),
              "convert the checkpoint to F32, F16 or BF16");
}

std::optional<std::string_view> SafetensorsName(DType type) {
  const std::string_view name = RowOf(type).safetensors;
  if (name.empty()) return std::nullopt;
  return name;
}

uint64_t BlockSize(DType type) { return RowOf(type).ggml < 0 ? 1 : static_cast<uint64_t>(ggml_blck_size(Ggml(type))); }

uint64_t BlockBytes(DType type) { return RowOf(type).ggml < 0 ? 1 : ggml_type_size(Ggml(type)); }

bool IsBlockFormat(DType type) { return BlockSize(type) > 1; }

bool IsPlainFloat(DType type) {
  return type == DType::kF32 || type == DType::kF16 || type == DType::kBF16 || type == DType::kF64;
}

std::optional<uint64_t> RowBytes(DType type, uint64_t n) {
  const uint64_t block = BlockSize(type);
  uint64_t bytes = 0;
  if (n % block != 0 || __builtin_mul_overflow(n / block, BlockBytes(type), &bytes)) return std::nullopt;
  return bytes;
}

void ToFloat(DType type, std::span<const std::byte> bytes, std::span<float> out) {
  assert(RowBytes(type, out.size()) == bytes.size());
  switch (type) {
    case DType::kF32: return Convert<float>(bytes, out);
    case DType::kF64: return Convert<double>(bytes, out);
    case DType::kI8: return Convert<int8_t>(bytes, out);
    case DType::kI16: return Convert<int16_t>(bytes, out);
    case DType::kI32: return Convert<int32_t>(bytes, out);
    case DType::kI64: return Convert<int64_t>(bytes, out);
    case DType::kU8:
    case DType::kBool: return Convert<uint8_t>(bytes, out);
    case DType::kF8E4M3: return ConvertE4M3(bytes, out);
    default: break;
  }
  while (!out.empty()) {
    const size_t n = std::min(out.size(), kPiece);
    const size_t n_bytes = n / BlockSize(type) * BlockBytes(type);
    Decode(type, bytes.first(n_bytes), out.first(n));
    bytes = bytes.subspan(n_bytes);
    out = out.subspan(n);
  }
}

Status FromFloat(DType type, std::span<const float> values, std::span<std::byte> bytes) {
  if (!CanWrite(type)) {
    return Fail(ErrorCode::kUnsupported, "", fmt::format("{} cannot be written from fp32", DTypeName(type)),
                "start from the unquantised checkpoint");
  }
  if (RowBytes(type, values.size()) != bytes.size()) {
    return Fail(ErrorCode::kInvalidArgument, "",
                fmt::format("{} values of {} do not fill {} bytes", values.size(), DTypeName(type), bytes.size()));
  }
  if (type == DType::kF32) {
    if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
    return Ok();
  }
  if (type == DType::kF64) {
    for (size_t i = 0; i < values.size(); ++i) {
      const double value = values[i];
      std::memcpy(bytes.data() + i * sizeof(value), &value, sizeof(value));
    }
    return Ok();
  }
  if (IsBlockFormat(type)) {
    const auto bad =
        std::find_if(values.begin(), values.end(), [](float v) { return !(std::abs(v) <= kLargestInBlock); });
    if (bad != values.end()) {
      return Fail(ErrorCode::kFormat, "",
                  fmt::format("value {} is {}; expected at most {} in magnitude for {}", bad - values.begin(), *bad,
                              kLargestInBlock, DTypeName(type)),
                  "the weights are damaged; check the source");
    }
  }
  std::vector<std::byte> aligned;
  while (!values.empty()) {
    const size_t n = std::min(values.size(), kPiece);
    const size_t n_bytes = n / BlockSize(type) * BlockBytes(type);
    if (IsAligned(type, bytes.data())) {
      Encode(type, values.first(n), bytes.data());
    } else {
      aligned.resize(n_bytes);
      Encode(type, values.first(n), aligned.data());
      std::memcpy(bytes.data(), aligned.data(), n_bytes);
    }
    bytes = bytes.subspan(n_bytes);
    values = values.subspan(n);
  }
  return Ok();
}

namespace {

// Whether one of the values has all bits of its exponent set. No branch in the loop: compilers make vectors of it.
template <typename U>
bool AnyNonFinite(std::span<const std::byte> bytes, U exponent) {
  U any = 0;
  for (size_t i = 0; i + sizeof(U) <= bytes.size(); i += sizeof(U)) {
    U value;
    std::memcpy(&value, bytes.data() + i, sizeof(U));
    any |= static_cast<U>((value & exponent) == exponent);
  }
  return any != 0;
}

bool MayHoldNonFinite(DType type, std::span<const std::byte> bytes) {
  switch (type) {
    case DType::kF8E4M3: return AnyNonFinite<uint8_t>(bytes, 0x7f);
    case DType::kF16: return AnyNonFinite<uint16_t>(bytes, 0x7c00);
    case DType::kBF16: return AnyNonFinite<uint16_t>(bytes, 0x7f80);
    case DType::kF32: return AnyNonFinite<uint32_t>(bytes, 0x7f800000);
    case DType::kF64: return AnyNonFinite<uint64_t>(bytes, 0x7ff0000000000000);
    default: break;
  }
  if (!IsBlockFormat(type)) return false;
  if (IsAligned(type, bytes.data())) return !ggml_validate_row_data(Ggml(type), bytes.data(), bytes.size());
  const std::vector<std::byte> aligned(bytes.begin(), bytes.end());
  return !ggml_validate_row_data(Ggml(type), aligned.data(), aligned.size());
}

}  // namespace

std::optional<uint64_t> FindNonFinite(DType type, std::span<const std::byte> bytes) {
  if (!MayHoldNonFinite(type, bytes)) return std::nullopt;
  const uint64_t block = BlockBytes(type);
  for (uint64_t b = 0; (b + 1) * block <= bytes.size(); ++b) {
    const auto one = bytes.subspan(b * block, block);
    if (MayHoldNonFinite(type, one)) return b * BlockSize(type);
  }
  return 0;
}

}  // namespace isoveil
