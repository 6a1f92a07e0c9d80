// Any bytes as a GGUF file: the reader answers, its spans lie inside the file, what it accepts can be
// decoded, and laid out again and read again it is the same.
#include <algorithm>

#include "isoveil/format/gguf.h"
#include "tests/fuzz/require.h"

namespace isoveil {
namespace {

std::vector<TensorInfo> Infos(const GgufFile& file) {
  std::vector<TensorInfo> infos;
  for (const TensorView& tensor : file.tensors()) infos.push_back(tensor.info);
  return infos;
}

void DecodeBegin(const TensorView& tensor) {
  const uint64_t n = std::min<uint64_t>(*ElementCount(tensor.info.shape), BlockSize(tensor.info.type));
  std::vector<float> values(n);
  ToFloat(tensor.info.type, tensor.bytes.first(*RowBytes(tensor.info.type, n)), values);
}

void UseMetadata(const GgufMetadata& metadata) {
  for (const auto& [key, value] : metadata) {
    Require(metadata.Find(key) == &value, "keys are unique");
    (void)metadata.GetUnsigned(key);
    (void)metadata.GetSigned(key);
    (void)metadata.GetFloat(key);
    (void)metadata.GetString(key);
    (void)metadata.GetStrings(key);
    (void)metadata.GetIntegers(key);
    (void)metadata.GetFloats(key);
  }
}

void Check(std::span<const std::byte> bytes) {
  const auto file = GgufFile::Parse(bytes, "fuzz");
  if (!file) {
    Require(!file.error().where.empty() && !file.error().problem.empty(), "errors say where and what");
    return;
  }
  for (const TensorView& tensor : file->tensors()) {
    Require(tensor.bytes.data() >= bytes.data() + file->data_offset() &&
                tensor.bytes.data() + tensor.bytes.size() <= bytes.data() + bytes.size(),
            "tensors lie in the data");
    DecodeBegin(tensor);
  }
  UseMetadata(file->metadata());
  const auto layout = LayOutGguf(file->metadata(), Infos(*file));
  Require(layout.has_value(), "what is read can be written");
  if (layout->size > 64 << 20) return;
  std::string text = layout->header;
  text.resize(layout->size);
  const auto again = GgufFile::Parse(std::as_bytes(std::span(text)), "again");
  Require(again.has_value(), "what is written can be read");
  Require(Infos(*again) == Infos(*file), "tensors survive");
  Require(again->alignment() == file->alignment(), "the alignment survives");
  const auto once_more = LayOutGguf(again->metadata(), Infos(*again));
  Require(once_more.has_value() && once_more->header == layout->header, "writing is stable");
}

}  // namespace
}  // namespace isoveil

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  isoveil::Check(std::as_bytes(std::span(data, size)));
  return 0;
}
