#include <algorithm>
#include <cstring>
#include <set>

#include "isoveil/base/checked.h"
#include "isoveil/base/utf8.h"
#include "isoveil/format/gguf.h"
#include "isoveil/format/gguf_wire.h"

namespace isoveil {
namespace {

class Bytes {
 public:
  template <typename T>
  void Put(T value) {
    const size_t at = text_.size();
    text_.resize(at + sizeof(T));
    std::memcpy(text_.data() + at, &value, sizeof(T));
  }
  void PutString(std::string_view text) {
    Put<uint64_t>(text.size());
    text_ += text;
  }
  std::string& text() { return text_; }

 private:
  std::string text_;
};

template <typename T>
constexpr uint32_t kTypeNumber = 0;
template <>
constexpr uint32_t kTypeNumber<uint8_t> = 0;
template <>
constexpr uint32_t kTypeNumber<int8_t> = 1;
template <>
constexpr uint32_t kTypeNumber<uint16_t> = 2;
template <>
constexpr uint32_t kTypeNumber<int16_t> = 3;
template <>
constexpr uint32_t kTypeNumber<uint32_t> = 4;
template <>
constexpr uint32_t kTypeNumber<int32_t> = 5;
template <>
constexpr uint32_t kTypeNumber<float> = 6;
template <>
constexpr uint32_t kTypeNumber<bool> = 7;
template <>
constexpr uint32_t kTypeNumber<std::string> = 8;
template <>
constexpr uint32_t kTypeNumber<uint64_t> = 10;
template <>
constexpr uint32_t kTypeNumber<int64_t> = 11;
template <>
constexpr uint32_t kTypeNumber<double> = 12;

void PutElement(Bytes& out, const std::string& value) { out.PutString(value); }
void PutElement(Bytes& out, bool value) { out.Put<uint8_t>(value ? 1 : 0); }
template <typename T>
void PutElement(Bytes& out, T value) {
  out.Put(value);
}

template <typename T>
void PutValue(Bytes& out, const T& value) {
  out.Put(kTypeNumber<T>);
  PutElement(out, value);
}

template <typename T>
void PutValue(Bytes& out, const std::vector<T>& list) {
  out.Put(gguf::kArrayType);
  out.Put(kTypeNumber<T>);
  out.Put<uint64_t>(list.size());
  for (const T& value : list) PutElement(out, value);
}

Result<uint32_t> Alignment(const GgufMetadata& metadata) {
  if (metadata.Find(gguf::kAlignmentKey) == nullptr) return uint32_t{gguf::kDefaultAlignment};
  ISOVEIL_ASSIGN_OR_RETURN(const uint64_t alignment, metadata.GetUnsigned(gguf::kAlignmentKey));
  if (gguf::IsValidAlignment(alignment)) return static_cast<uint32_t>(alignment);
  return Fail(ErrorCode::kInvalidArgument, fmt::format("key {}", Quoted(gguf::kAlignmentKey)),
              fmt::format("expected a power of two up to {}, found {}", gguf::kMaxAlignment, alignment));
}

Status PutMetadata(Bytes& out, const GgufMetadata& metadata) {
  std::set<std::string_view> keys;
  for (const auto& [key, value] : metadata) {
    if (!IsCleanName(key, gguf::kMaxKeyBytes) || !keys.insert(key).second) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("key {}", Quoted(key)),
                  "is not clean UTF-8, or occurs twice");
    }
    out.PutString(key);
    std::visit([&](const auto& v) { PutValue(out, v); }, value);
  }
  return Ok();
}

// What a reader would refuse.
Status CheckTensor(const TensorInfo& tensor) {
  const std::string where = fmt::format("tensor {}", Quoted(tensor.name));
  if (!IsCleanName(tensor.name, gguf::kMaxTensorNameBytes)) {
    return Fail(ErrorCode::kInvalidArgument, where, "the name is not clean UTF-8");
  }
  if (!GgmlType(tensor.type)) {
    return Fail(ErrorCode::kUnsupported, where, fmt::format("GGUF cannot hold {}", DTypeName(tensor.type)));
  }
  const bool has_zero = std::find(tensor.shape.begin(), tensor.shape.end(), 0) != tensor.shape.end();
  if (tensor.shape.empty() || tensor.shape.size() > gguf::kMaxDims || has_zero) {
    return Fail(ErrorCode::kUnsupported, where,
                fmt::format("GGUF holds 1 to {} dimensions above 0, not {}", gguf::kMaxDims, ShapeName(tensor.shape)));
  }
  if (!TensorBytes(tensor.type, tensor.shape)) {
    return Fail(
        ErrorCode::kInvalidArgument, where,
        fmt::format("shape {} of {} overflows or breaks its blocks", ShapeName(tensor.shape), DTypeName(tensor.type)));
  }
  return Ok();
}

void PutTensor(Bytes& out, const TensorInfo& tensor, uint64_t offset) {
  out.PutString(tensor.name);
  out.Put(static_cast<uint32_t>(tensor.shape.size()));
  for (auto dim = tensor.shape.rbegin(); dim != tensor.shape.rend(); ++dim) out.Put<uint64_t>(*dim);
  out.Put(*GgmlType(tensor.type));
  out.Put<uint64_t>(offset);
}

}  // namespace

Result<FileLayout> LayOutGguf(const GgufMetadata& metadata, std::span<const TensorInfo> tensors) {
  ISOVEIL_ASSIGN_OR_RETURN(const uint32_t alignment, Alignment(metadata));
  Bytes out;
  out.Put(gguf::kMagic);
  out.Put(gguf::kVersion);
  out.Put<uint64_t>(tensors.size());
  out.Put<uint64_t>(metadata.size());
  ISOVEIL_RETURN_IF_ERROR(PutMetadata(out, metadata));

  FileLayout layout;
  std::set<std::string_view> names;
  uint64_t end = 0;  // of the data, a multiple of the alignment
  for (const TensorInfo& tensor : tensors) {
    ISOVEIL_RETURN_IF_ERROR(CheckTensor(tensor));
    const std::string where = fmt::format("tensor {}", Quoted(tensor.name));
    if (!names.insert(tensor.name).second) {
      return Fail(ErrorCode::kInvalidArgument, where, "the name occurs twice");
    }
    PutTensor(out, tensor, end);
    layout.offsets.push_back(end);
    const auto next = CheckedAdd(end, *TensorBytes(tensor.type, tensor.shape));
    const auto aligned = next ? CheckedAlign(*next, alignment) : std::nullopt;
    if (!aligned) return Fail(ErrorCode::kInvalidArgument, where, "the size of the file overflows");
    end = *aligned;
  }
  out.text().resize(*CheckedAlign(out.text().size(), alignment));
  layout.header = std::move(out.text());
  for (uint64_t& offset : layout.offsets) offset += layout.header.size();
  const auto size = CheckedAdd(layout.header.size(), end);
  if (!size) return Fail(ErrorCode::kInvalidArgument, "file", "its size overflows");
  layout.size = *size;
  return layout;
}

}  // namespace isoveil
