#include "isoveil/reference/reround.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <vector>

#include "isoveil/format/checkpoint.h"

namespace isoveil {
namespace {

constexpr size_t kPanel = 1 << 18;  // values: whole blocks of every type

// Its own inverse. In double, so that what is rounded is the type's and not fp32's.
void ReflectPairs(double degrees, std::span<float> values) {
  const double angle = degrees * std::numbers::pi / 180;
  const double c = std::cos(angle), s = std::sin(angle);
  for (size_t i = 0; i + 1 < values.size(); i += 2) {
    const double a = values[i], b = values[i + 1];
    values[i] = static_cast<float>(a * c + b * s);
    values[i + 1] = static_cast<float>(a * s - b * c);
  }
}

Status RoundReflected(DType type, double degrees, std::span<float> values, std::vector<std::byte>& bytes) {
  ReflectPairs(degrees, values);
  bytes.resize(RowBytes(type, values.size()).value());
  ISOVEIL_RETURN_IF_ERROR(FromFloat(type, values, bytes));
  ToFloat(type, bytes, values);
  ReflectPairs(degrees, values);
  return Ok();
}

bool IsRounded(DType type, Rerounded types) {
  if (types == Rerounded::kFloats && IsBlockFormat(type)) return false;
  std::vector<float> zeros(BlockSize(type));
  std::vector<std::byte> bytes(BlockBytes(type));
  return FromFloat(type, zeros, bytes).has_value();
}

Status ReroundFile(const Path& path, const Checkpoint& stored, const Rerounding& how) {
  ISOVEIL_ASSIGN_OR_RETURN(const GgufFile file, GgufFile::Open(path));
  ISOVEIL_ASSIGN_OR_RETURN(const uint64_t size, FileSize(path));
  ISOVEIL_ASSIGN_OR_RETURN(const OutputFile out, OutputFile::Reopen(path, size));
  const std::byte* first = nullptr;
  for (const TensorView& tensor : file.tensors()) {
    if (first == nullptr || tensor.bytes.data() < first) first = tensor.bytes.data();
  }
  std::vector<float> panel;
  std::vector<std::byte> bytes;
  for (const TensorView& tensor : file.tensors()) {
    const TensorView* original = stored.FindTensor(tensor.info.name);
    if (original == nullptr || tensor.info.type != DType::kF32 || tensor.info.shape.size() < 2) continue;
    if (!IsRounded(original->info.type, how.types)) continue;
    const auto offset = file.data_offset() + static_cast<uint64_t>(tensor.bytes.data() - first);
    const size_t n = tensor.bytes.size() / sizeof(float);
    for (size_t begin = 0; begin < n; begin += kPanel) {
      panel.resize(std::min(kPanel, n - begin));
      std::memcpy(panel.data(), tensor.bytes.data() + begin * sizeof(float), panel.size() * sizeof(float));
      ISOVEIL_RETURN_IF_ERROR(RoundReflected(original->info.type, how.degrees, panel, bytes));
      ISOVEIL_RETURN_IF_ERROR(out.WriteAt(offset + begin * sizeof(float), std::as_bytes(std::span(panel))));
    }
  }
  return Ok();
}

}  // namespace

Status Reround(const Path& widened, const Path& stored, const Rerounding& how) {
  ISOVEIL_ASSIGN_OR_RETURN(const Checkpoint original, Checkpoint::Open(stored));
  ISOVEIL_ASSIGN_OR_RETURN(const Checkpoint wide, Checkpoint::Open(widened));
  for (const Checkpoint::Shard& shard : wide.shards()) ISOVEIL_RETURN_IF_ERROR(ReroundFile(shard.path, original, how));
  return Ok();
}

}  // namespace isoveil
