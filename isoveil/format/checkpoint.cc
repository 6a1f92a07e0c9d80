#include "isoveil/format/checkpoint.h"

#include <algorithm>

namespace isoveil {
namespace {

// The GGUF model in a folder: its only file, or the first of its only split.
Result<std::optional<Path>> FindGguf(const Path& folder) {
  std::vector<Path> found;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.ends_with(".gguf")) continue;
    const bool later_shard =
        name.find("-of-") != std::string::npos && name.find("-00001-of-") == std::string::npos;
    if (!later_shard) found.push_back(entry.path());
  }
  if (found.empty()) return std::optional<Path>();
  if (found.size() == 1) return std::optional<Path>(found.front());
  std::sort(found.begin(), found.end());
  return Fail(ErrorCode::kInvalidArgument, folder.string(),
              fmt::format("holds {} GGUF models, such as {}", found.size(),
                          Quoted(found.front().filename().string())),
              "name one of the files");
}

}  // namespace

Result<Checkpoint> Checkpoint::Open(const Path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    if (std::filesystem::exists(path / "config.json", ignored)) return FromHf(path);
    ISOVEIL_ASSIGN_OR_RETURN(const std::optional<Path> gguf, FindGguf(path));
    if (gguf) return FromGguf(*gguf);
    return Fail(ErrorCode::kUnsupported, path.string(), "holds neither a config.json nor a GGUF file",
                "give a GGUF file or a Hugging Face folder with safetensors");
  }
  if (path.extension() == ".safetensors") {
    const Path folder = path.has_parent_path() ? path.parent_path() : Path(".");
    if (std::filesystem::exists(folder / "config.json", ignored)) return FromHf(folder);
    return Fail(ErrorCode::kUnsupported, path.string(), "has no config.json beside it",
                "give the whole Hugging Face folder");
  }
  return FromGguf(path);
}

Result<Checkpoint> Checkpoint::FromGguf(const Path& path) {
  ISOVEIL_ASSIGN_OR_RETURN(GgufModel model, GgufModel::Open(path));
  Checkpoint checkpoint;
  checkpoint.gguf_ = std::make_shared<const GgufModel>(std::move(model));
  for (const auto& shard : checkpoint.gguf_->shards()) checkpoint.AddShard(shard.path, shard.file.tensors());
  return checkpoint;
}

Result<Checkpoint> Checkpoint::FromHf(const Path& folder) {
  ISOVEIL_ASSIGN_OR_RETURN(HfFolder hf, HfFolder::Open(folder));
  Checkpoint checkpoint;
  checkpoint.hf_ = std::make_shared<const HfFolder>(std::move(hf));
  for (const auto& shard : checkpoint.hf_->shards()) checkpoint.AddShard(shard.path, shard.file.tensors());
  return checkpoint;
}

void Checkpoint::AddShard(const Path& path, std::span<const TensorView> tensors) {
  Shard shard{path.filename().string(), path, {}};
  for (const TensorView& tensor : tensors) {
    shard.tensors.push_back(tensor.info);
    tensors_.push_back(tensor);
  }
  shards_.push_back(std::move(shard));
}

uint64_t Checkpoint::total_bytes() const {
  uint64_t total = 0;
  for (const TensorView& tensor : tensors_) total += tensor.bytes.size();
  return total;
}

}  // namespace isoveil
