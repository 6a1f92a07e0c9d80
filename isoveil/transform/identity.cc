#include "isoveil/transform/identity.h"

#include <algorithm>
#include <map>

#include "isoveil/base/parallel.h"
#include "isoveil/crypto/hash.h"

namespace isoveil {
namespace {

constexpr uint64_t kSample = 4096;
constexpr uint64_t kChunk = 16 << 20;

class LengthPrefixed {
 public:
  void Number(uint64_t value) {
    std::array<std::byte, 8> bytes = {};
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(value >> (8 * i));
    hasher_.Update(bytes);
  }
  void Bytes(std::span<const std::byte> bytes) {
    Number(bytes.size());
    hasher_.Update(bytes);
  }
  void Text(std::string_view text) { Bytes(std::as_bytes(std::span(text))); }
  Hash256 Finish() { return hasher_.Finish(); }

 private:
  Hasher hasher_;
};

Status AddFolder(const HfFolder& folder, LengthPrefixed& hash) {
  std::vector<Path> files = folder.text_files();
  std::sort(files.begin(), files.end());
  for (const Path& path : files) {
    ISOVEIL_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
    hash.Text(path.filename().string());
    hash.Bytes(file.bytes());
  }
  return Ok();
}

Status AddMetadata(const GgufMetadata& metadata, LengthPrefixed& hash) {
  GgufMetadata whole;
  for (const auto& [key, value] : metadata) {
    if (!key.starts_with("split.")) whole.Set(key, value);
  }
  ISOVEIL_ASSIGN_OR_RETURN(const FileLayout layout, LayOutGguf(whole, {}));
  hash.Text(layout.header);
  return Ok();
}

}  // namespace

Result<ModelIdentity> IdentifyModel(const Checkpoint& checkpoint) {
  std::map<std::string_view, const TensorView*> by_name;
  std::vector<TensorView> stored;
  for (const TensorView& tensor : checkpoint.tensors()) {
    for (TensorView& part : StoredParts(tensor)) stored.push_back(std::move(part));
  }
  for (const TensorView& tensor : stored) by_name[tensor.info.name] = &tensor;
  LengthPrefixed hash;
  hash.Text("isoveil-model-2");
  hash.Number(by_name.size());
  for (const auto& [name, tensor] : by_name) {
    hash.Text(name);
    hash.Text(DTypeName(tensor->info.type));
    hash.Number(tensor->info.shape.size());
    for (const uint64_t dim : tensor->info.shape) hash.Number(dim);
    const uint64_t sample = std::min<uint64_t>(kSample, tensor->bytes.size());
    hash.Bytes(tensor->bytes.first(sample));
    hash.Bytes(tensor->bytes.last(sample));
  }
  ISOVEIL_RETURN_IF_ERROR(checkpoint.hf() != nullptr ? AddFolder(*checkpoint.hf(), hash)
                                                     : AddMetadata(checkpoint.gguf()->metadata(), hash));
  if (checkpoint.lora() != nullptr) hash.Text(checkpoint.lora()->config());
  return hash.Finish();
}

Result<std::string> TreeHash(const Path& path, unsigned threads) {
  ISOVEIL_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
  const uint64_t n_chunks = (file.bytes().size() + kChunk - 1) / kChunk;
  std::vector<Hash256> chunks(n_chunks);
  ISOVEIL_RETURN_IF_ERROR(RunParallel(n_chunks, threads, [&](size_t i, unsigned) -> Status {
    const uint64_t begin = i * kChunk;
    const uint64_t size = std::min(kChunk, file.bytes().size() - begin);
    chunks[i] = Sha256(file.bytes().subspan(begin, size));
    file.Release(begin, size);
    return Ok();
  }));
  return Hex(Sha256(std::as_bytes(std::span(chunks))));
}

}  // namespace isoveil
