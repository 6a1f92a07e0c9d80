// Any bytes as a row of any type, at any alignment, and any floats quantised to it: nothing aborts, and what
// is written can be decoded to finite numbers.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "isoveil/tensor/dtype.h"
#include "tests/fuzz/require.h"

namespace isoveil {
namespace {

constexpr size_t kHeader = 3;  // type, alignment, kind of numbers

void Decode(DType type, size_t shift, std::span<const std::byte> bytes) {
  const size_t n_blocks = std::min<size_t>(bytes.size() / BlockBytes(type), 8);
  const size_t n_bytes = n_blocks * BlockBytes(type);
  std::vector<std::byte> shifted(shift + n_bytes);
  std::copy_n(bytes.begin(), n_bytes, shifted.begin() + static_cast<std::ptrdiff_t>(shift));
  std::vector<float> values(n_blocks * BlockSize(type));
  ToFloat(type, std::span(shifted).subspan(shift), values);
}

// Floats of any bits, or small integers at one scale, as weights are.
std::vector<float> Pattern(bool any_bits, int exponent, std::span<const std::byte> bytes) {
  std::vector<float> pattern;
  if (any_bits) {
    pattern.resize(bytes.size() / sizeof(float));
    if (!pattern.empty()) std::memcpy(pattern.data(), bytes.data(), pattern.size() * sizeof(float));
  } else {
    for (std::byte byte : bytes) pattern.push_back(std::ldexp(static_cast<float>(static_cast<int8_t>(byte)), exponent));
  }
  return pattern;
}

// The pattern is repeated to fill blocks, so that short inputs reach every format.
void Encode(DType type, size_t shift, std::span<const float> pattern) {
  if (pattern.empty()) return;
  std::vector<float> values(std::max<size_t>(BlockSize(type), 32));
  for (size_t i = 0; i < values.size(); ++i) values[i] = pattern[i % pattern.size()];
  std::vector<std::byte> out(shift + *RowBytes(type, values.size()));
  const Status status = FromFloat(type, values, std::span(out).subspan(shift));
  if (!status) {
    Require(!status.error().problem.empty(), "errors say what");
    return;
  }
  std::vector<float> back(values.size());
  ToFloat(type, std::span(out).subspan(shift), back);
  if (!IsBlockFormat(type)) return;
  Require(std::all_of(back.begin(), back.end(), [](float v) { return std::isfinite(v); }),
          "what was quantised is finite");
}

}  // namespace
}  // namespace isoveil

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using isoveil::DType;
  if (size < isoveil::kHeader) return 0;
  const auto type = static_cast<DType>(data[0] % (static_cast<int>(isoveil::kLastDType) + 1));
  const size_t shift = data[1] % 8;
  const int exponent = data[2] % 128 - 120;  // -120 to 7: to the edge of what a block holds
  const bool any_bits = data[2] >= 128;
  const auto bytes = std::as_bytes(std::span(data, size)).subspan(isoveil::kHeader);
  isoveil::Decode(type, shift, bytes);
  isoveil::Encode(type, shift, isoveil::Pattern(any_bits, exponent, bytes));
  return 0;
}
