// Any bytes as a safetensors file: the reader answers, tensors cover the data exactly, what it accepts can be
// decoded, and laid out again and read again it is the same.
#include "isoveil/format/safetensors.h"
#include "tests/fuzz/require.h"

namespace isoveil {
namespace {

std::vector<TensorInfo> Infos(const SafetensorsFile& file) {
  std::vector<TensorInfo> infos;
  for (const TensorView& tensor : file.tensors()) infos.push_back(tensor.info);
  return infos;
}

void Check(std::span<const std::byte> bytes) {
  const auto file = SafetensorsFile::Parse(bytes, "fuzz");
  if (!file) {
    Require(!file.error().where.empty() && !file.error().problem.empty(), "errors say where and what");
    return;
  }
  for (size_t i = 0; i < file->tensors().size(); ++i) {
    const TensorView& tensor = file->tensors()[i];
    const std::byte* next =
        i + 1 < file->tensors().size() ? file->tensors()[i + 1].bytes.data() : bytes.data() + bytes.size();
    Require(tensor.bytes.data() + tensor.bytes.size() == next, "tensors cover the data");
    std::vector<float> values(*ElementCount(tensor.info.shape));
    ToFloat(tensor.info.type, tensor.bytes, values);
  }
  const auto layout = LayOutSafetensors(Infos(*file), file->metadata());
  Require(layout.has_value(), "what is read can be written");
  std::string text = layout->header;
  text.resize(layout->size);
  const auto again = SafetensorsFile::Parse(std::as_bytes(std::span(text)), "again");
  Require(again.has_value(), "what is written can be read");
  Require(Infos(*again) == Infos(*file) && again->metadata() == file->metadata(), "all survives");
}

}  // namespace
}  // namespace isoveil

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  isoveil::Check(std::as_bytes(std::span(data, size)));
  return 0;
}
