#include <cstring>

#include "isoveil/base/checked.h"
#include "isoveil/format/gguf.h"

namespace isoveil {
namespace {

constexpr uint32_t kVersion = 3;
constexpr uint32_t kArrayType = 9;

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
  out.Put(kArrayType);
  out.Put(kTypeNumber<T>);
  out.Put<uint64_t>(list.size());
  for (const T& value : list) PutElement(out, value);
}

}  // namespace

Result<FileLayout> LayOutGguf(const GgufMetadata& metadata, std::span<const TensorInfo> tensors,
                              uint32_t alignment) {
  Bytes out;
  out.Put<uint32_t>(0x46554747);
  out.Put(kVersion);
  out.Put<uint64_t>(tensors.size());
  out.Put<uint64_t>(metadata.size());
  for (const auto& [key, value] : metadata) {
    out.PutString(key);
    std::visit([&](const auto& v) { PutValue(out, v); }, value);
  }
  FileLayout layout;
  uint64_t end = 0;
  for (const TensorInfo& tensor : tensors) {
    const std::string where = fmt::format("tensor {}", Quoted(tensor.name));
    const auto type = GgmlType(tensor.type);
    if (!type)
      return Fail(ErrorCode::kUnsupported, where, fmt::format("GGUF cannot hold {}", DTypeName(tensor.type)));
    out.PutString(tensor.name);
    out.Put(static_cast<uint32_t>(tensor.shape.size()));
    for (auto dim = tensor.shape.rbegin(); dim != tensor.shape.rend(); ++dim) out.Put<uint64_t>(*dim);
    out.Put(*type);
    const auto begin = CheckedAlign(end, alignment);
    const auto bytes = TensorBytes(tensor.type, tensor.shape);
    const auto next = begin && bytes ? CheckedAdd(*begin, *bytes) : std::nullopt;
    if (!next) return Fail(ErrorCode::kFormat, where, "its size overflows");
    out.Put<uint64_t>(*begin);
    layout.offsets.push_back(*begin);
    end = *next;
  }
  out.text().resize(*CheckedAlign(out.text().size(), alignment));
  layout.header = std::move(out.text());
  for (uint64_t& offset : layout.offsets) offset += layout.header.size();
  const auto size = CheckedAlign(end, alignment);
  if (!size) return Fail(ErrorCode::kFormat, "file", "its size overflows");
  layout.size = layout.header.size() + *size;
  return layout;
}

}  // namespace isoveil
