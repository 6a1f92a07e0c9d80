#include "isoveil/apps/unround.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "isoveil/format/gguf.h"

namespace isoveil {
namespace {

constexpr size_t kPanel = 1 << 18;  // values

// Stored bits of the mantissa, or 0 if the values need all of fp32.
int MantissaBits(std::span<const std::byte> bytes) {
  uint32_t used = 0;
  for (size_t at = 0; at < bytes.size(); at += sizeof(uint32_t)) {
    uint32_t bits;
    std::memcpy(&bits, bytes.data() + at, sizeof(bits));
    used |= bits;
  }
  if ((used & 0xFFFF) == 0) return 7;
  return (used & 0x1FFF) == 0 ? 10 : 0;
}

// From -1/2 to 1/2; SplitMix64 of the place.
double Offset(uint64_t place) {
  uint64_t z = (place + 1) * 0x9E3779B97F4A7C15U;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53 - 0.5;
}

float Moved(float weight, int mantissa_bits, uint64_t place) {
  if (weight == 0 || !std::isfinite(weight)) return weight;
  return static_cast<float>(weight + std::ldexp(Offset(place), std::ilogb(weight) - mantissa_bits));
}

}  // namespace

Status Unround(const Path& gguf) {
  ISOVEIL_ASSIGN_OR_RETURN(const GgufFile file, GgufFile::Open(gguf));
  ISOVEIL_ASSIGN_OR_RETURN(const uint64_t size, FileSize(gguf));
  ISOVEIL_ASSIGN_OR_RETURN(const OutputFile out, OutputFile::Reopen(gguf, size));
  const std::byte* first = nullptr;
  for (const TensorView& tensor : file.tensors()) {
    if (first == nullptr || tensor.bytes.data() < first) first = tensor.bytes.data();
  }
  std::vector<float> panel;
  for (const TensorView& tensor : file.tensors()) {
    const int bits = tensor.info.type == DType::kF32 ? MantissaBits(tensor.bytes) : 0;
    if (bits == 0) continue;
    const auto offset = file.data_offset() + static_cast<uint64_t>(tensor.bytes.data() - first);
    const size_t n = tensor.bytes.size() / sizeof(float);
    for (size_t begin = 0; begin < n; begin += kPanel) {
      panel.resize(std::min(kPanel, n - begin));
      std::memcpy(panel.data(), tensor.bytes.data() + begin * sizeof(float), panel.size() * sizeof(float));
      for (size_t i = 0; i < panel.size(); ++i) panel[i] = Moved(panel[i], bits, offset + begin + i);
      ISOVEIL_RETURN_IF_ERROR(out.WriteAt(offset + begin * sizeof(float), std::as_bytes(std::span(panel))));
    }
  }
  return Ok();
}

}  // namespace isoveil
