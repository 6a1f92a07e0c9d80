#include "isoveil/format/checkpoint.h"

#include <algorithm>

#include "isoveil/base/folder.h"
#include "isoveil/format/gguf_split.h"
#include "isoveil/format/hf_foreign.h"
#include "isoveil/format/hf_fp8.h"
#include "isoveil/format/lfs.h"

namespace isoveil {
namespace {

constexpr const char* kAccepted =
    "give a GGUF file (of a split, the first), or a Hugging Face folder with config.json and safetensors";

// The GGUF model in a folder: its only file, or the first of its only split.
Result<std::optional<Path>> FindGguf(const Path& folder) {
  std::vector<std::string> found;
  for (std::string& name : FileNames(folder)) {
    const auto split = ParseSplitName(name);
    if (name.ends_with(".gguf") && (!split || split->number == 1)) found.push_back(std::move(name));
  }
  if (found.empty()) return std::optional<Path>();
  if (found.size() == 1) return std::optional<Path>(folder / found.front());
  return Fail(ErrorCode::kInvalidArgument, folder.string(),
              fmt::format("holds {} GGUF models, such as {} and {}", found.size(), Quoted(found[0]), Quoted(found[1])),
              "name one of the files");
}

bool HasHfWeights(const Path& folder) {
  return FileExists(folder / "config.json") &&
         (FileExists(folder / "model.safetensors") || FileExists(folder / "model.safetensors.index.json"));
}

Status CheckMagic(const Path& path) {
  ISOVEIL_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
  ISOVEIL_RETURN_IF_ERROR(RefuseLfsPointer(file.bytes(), path.string()));
  constexpr std::string_view kMagic = "GGUF";
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  if (text.starts_with(kMagic)) return Ok();
  return Fail(ErrorCode::kUnsupported, path.string(),
              fmt::format("is neither GGUF nor safetensors: it begins with {}", Quoted(text.substr(0, 8))), kAccepted);
}

}  // namespace

Result<Checkpoint> Checkpoint::Open(const Path& path, const Path& lora) {
  ISOVEIL_ASSIGN_OR_RETURN(Checkpoint checkpoint, OpenModel(path));
  if (lora.empty()) return checkpoint;
  if (checkpoint.hf() == nullptr) {
    return Fail(ErrorCode::kUnsupported, path.string(), "is GGUF, into which no LoRA adapter is merged here",
                "name the Hugging Face folder of the model, or merge with llama.cpp: llama-export-lora -m MODEL --lora "
                "ADAPTER.gguf "
                "-o MERGED.gguf");
  }
  ISOVEIL_ASSIGN_OR_RETURN(LoraAdapter adapter, LoraAdapter::Open(lora));
  ISOVEIL_ASSIGN_OR_RETURN(checkpoint.tensors_, adapter.MergedWith(checkpoint.tensors_));
  checkpoint.lora_ = std::make_shared<const LoraAdapter>(std::move(adapter));
  return checkpoint;
}

std::vector<Path> Checkpoint::weight_files() const {
  std::vector<Path> files;
  for (const Shard& shard : shards_) files.push_back(shard.path);
  if (lora_) files.push_back(lora_->weights());
  return files;
}

Result<Checkpoint> Checkpoint::OpenModel(const Path& path) {
  if (IsFolder(path)) return FromFolder(path);
  if (const auto size = FileSize(path); !size) {
    if (size.error().code != ErrorCode::kNotFound) return tl::unexpected(size.error());
    return Fail(ErrorCode::kNotFound, path.string(), "there is no such file or folder", kAccepted);
  }
  if (path.extension() == ".safetensors") {
    const Path folder = path.has_parent_path() ? path.parent_path() : Path(".");
    if (FileExists(folder / "config.json")) return FromHf(folder, path.filename().string());
    return Fail(ErrorCode::kUnsupported, path.string(), "has no config.json beside it",
                "give the whole Hugging Face folder");
  }
  // Any name will do for a GGUF file that is one.
  if (path.extension() != ".gguf") ISOVEIL_RETURN_IF_ERROR(CheckMagic(path));
  return FromGguf(path);
}

Result<Checkpoint> Checkpoint::FromFolder(const Path& folder) {
  if (HasHfWeights(folder)) return FromHf(folder, "");
  ISOVEIL_ASSIGN_OR_RETURN(const std::optional<Path> gguf, FindGguf(folder));
  if (gguf) return FromGguf(*gguf);
  // Says what is missing.
  if (FileExists(folder / "config.json")) return FromHf(folder, "");
  ISOVEIL_RETURN_IF_ERROR(RefuseAdapter(folder));
  return Fail(ErrorCode::kUnsupported, folder.string(), "holds neither a config.json nor a GGUF file", kAccepted);
}

Result<Checkpoint> Checkpoint::FromGguf(const Path& path) {
  ISOVEIL_ASSIGN_OR_RETURN(GgufModel model, GgufModel::Open(path));
  Checkpoint checkpoint;
  checkpoint.gguf_ = std::make_shared<const GgufModel>(std::move(model));
  for (const auto& shard : checkpoint.gguf_->shards()) checkpoint.AddShard(shard.path, shard.file.tensors());
  return checkpoint;
}

Result<Checkpoint> Checkpoint::FromHf(const Path& folder, const std::string& weights) {
  ISOVEIL_ASSIGN_OR_RETURN(HfFolder hf, HfFolder::Open(folder, weights));
  Checkpoint checkpoint;
  checkpoint.hf_ = std::make_shared<const HfFolder>(std::move(hf));
  std::vector<TensorView> stored;
  std::map<std::string, Path> shard_of;
  for (const auto& shard : checkpoint.hf_->shards()) {
    for (const TensorView& tensor : shard.file.tensors()) {
      stored.push_back(tensor);
      shard_of.emplace(tensor.info.name, shard.path);
    }
  }
  ISOVEIL_ASSIGN_OR_RETURN(const std::vector<TensorView> tensors,
                           WithScales(std::move(stored), checkpoint.hf_->config()));
  for (const auto& shard : checkpoint.hf_->shards()) {
    std::vector<TensorView> held;
    for (const TensorView& tensor : tensors) {
      if (shard_of.at(tensor.info.name) == shard.path) held.push_back(tensor);
    }
    checkpoint.AddShard(shard.path, held);
  }
  return checkpoint;
}

void Checkpoint::AddShard(const Path& path, std::span<const TensorView> tensors) {
  Shard shard{path.filename().string(), path, {}};
  for (const TensorView& tensor : tensors) {
    shard.tensors.push_back(tensor.info);
    place_.emplace(tensor.info.name, Place{tensors_.size(), shards_.size()});
    tensors_.push_back(tensor);
  }
  shards_.push_back(std::move(shard));
}

const TensorView* Checkpoint::FindTensor(std::string_view name) const {
  const auto it = place_.find(name);
  return it == place_.end() ? nullptr : &tensors_[it->second.tensor];
}

std::optional<size_t> Checkpoint::ShardOf(std::string_view name) const {
  const auto it = place_.find(name);
  if (it == place_.end()) return std::nullopt;
  return it->second.shard;
}

void Checkpoint::Release(const TensorView& tensor) const {
  const auto shard = ShardOf(tensor.info.name);
  if (!shard) return;
  if (gguf_) gguf_->shards()[*shard].file.Release(tensor.bytes);
  if (hf_) hf_->shards()[*shard].file.Release(tensor.bytes);
}

uint64_t Checkpoint::total_bytes() const {
  uint64_t total = 0;
  for (const TensorView& tensor : tensors_) total += StoredParts(tensor).front().bytes.size();
  return total;
}

}  // namespace isoveil
