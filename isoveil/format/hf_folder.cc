#include "isoveil/format/hf_folder.h"

#include <algorithm>
#include <map>
#include <set>

#include "isoveil/base/folder.h"
#include "isoveil/base/strict_json.h"
#include "isoveil/format/hf_foreign.h"
#include "isoveil/format/hf_index.h"
#include "isoveil/format/lfs.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;
using Shards = std::vector<HfFolder::Shard>;

constexpr uint64_t kMaxConfig = 16 << 20;
constexpr uint64_t kMaxIndex = 64 << 20;
constexpr const char* kSingle = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";
constexpr const char* kVocabularyFiles[] = {"tokenizer.json", "tokenizer.model", "vocab.json",
                                            "vocab.txt",      "spiece.model",    "sentencepiece.bpe.model"};
constexpr const char* kOtherTokenizerFiles[] = {"tokenizer_config.json", "special_tokens_map.json",
                                                "added_tokens.json",     "merges.txt",
                                                "chat_template.jinja",   "chat_template.json"};

Result<std::string> ReadJsonText(const Path& path, uint64_t max_bytes) {
  ISOVEIL_ASSIGN_OR_RETURN(std::string text, ReadTextFile(path, max_bytes));
  ISOVEIL_RETURN_IF_ERROR(RefuseLfsPointer(std::as_bytes(std::span(text)), path.string()));
  return text;
}

Result<ordered_json> ReadJsonObject(const Path& path) {
  ISOVEIL_ASSIGN_OR_RETURN(const std::string text, ReadJsonText(path, kMaxConfig));
  ISOVEIL_ASSIGN_OR_RETURN(ordered_json json, ParseStrictJson(text, path.string()));
  if (!json.is_object()) return Fail(ErrorCode::kFormat, path.string(), "expected a JSON object");
  return json;
}

// Why a folder without the usual weights is refused.
Status NoWeights(const Path& folder) {
  ISOVEIL_RETURN_IF_ERROR(RefuseAdapter(folder));
  std::string other;
  for (const std::string& name : FileNames(folder)) {
    const std::string extension = Path(name).extension().string();
    if (extension == ".bin" || extension == ".pth" || extension == ".pt") {
      return Fail(ErrorCode::kUnsupported, folder.string(),
                  fmt::format("holds {}, a pickle, and no safetensors", Quoted(name)),
                  "convert it to safetensors: load the model with transformers, then "
                  "save_pretrained(safe_serialization=True)");
    }
    if (extension == ".safetensors") other = name;
  }
  if (!other.empty()) {
    return Fail(ErrorCode::kNotFound, folder.string(),
                fmt::format("holds {}, but neither {} nor {}", Quoted(other), kSingle, kIndex),
                "name the safetensors file itself if it is the whole model, or fetch the index");
  }
  return Fail(ErrorCode::kNotFound, folder.string(), fmt::format("holds neither {} nor {}", kSingle, kIndex),
              "give a folder with the model's weights");
}

Result<Shards> OpenSingle(const Path& path) {
  ISOVEIL_ASSIGN_OR_RETURN(SafetensorsFile file, SafetensorsFile::Open(path));
  Shards shards;
  shards.push_back({path, std::move(file)});
  return shards;
}

// Every tensor of the index is in its shard, and every tensor of a shard in the index.
Status CheckIndex(const HfIndex& index, const Shards& shards, const Path& path) {
  std::map<std::string, std::set<std::string_view>> found;
  for (const HfFolder::Shard& shard : shards) {
    auto& names = found[shard.path.filename().string()];
    for (const TensorView& tensor : shard.file.tensors()) names.insert(tensor.info.name);
  }
  constexpr const char* kHint = "index and shards are of different models; fetch them again";
  for (const auto& [tensor, shard] : index.shard_of) {
    if (found[shard].erase(tensor) == 0) {
      return Fail(ErrorCode::kMismatch, path.string(),
                  fmt::format("says that {} holds tensor {}, which it does not", Quoted(shard), Quoted(tensor)), kHint);
    }
  }
  for (const auto& [shard, left] : found) {
    if (!left.empty()) {
      return Fail(ErrorCode::kMismatch, path.string(),
                  fmt::format("does not name tensor {} of {}", Quoted(*left.begin()), Quoted(shard)), kHint);
    }
  }
  return Ok();
}

Result<Shards> OpenSharded(const Path& folder, const HfIndex& index) {
  std::set<std::string> names;
  for (const auto& [tensor, shard] : index.shard_of) names.insert(shard);
  Shards shards;
  for (const std::string& name : names) {
    Result<SafetensorsFile> file = SafetensorsFile::Open(folder / name);
    if (!file && file.error().code == ErrorCode::kNotFound) {
      return Fail(ErrorCode::kNotFound, (folder / name).string(), fmt::format("is named by {} and missing", kIndex),
                  "fetch the missing shard");
    }
    if (!file) return tl::unexpected(std::move(file).error());
    shards.push_back({folder / name, *std::move(file)});
  }
  ISOVEIL_RETURN_IF_ERROR(CheckIndex(index, shards, folder / kIndex));
  return shards;
}

bool NamesShard(const HfIndex& index, const std::string& file) {
  return std::any_of(index.shard_of.begin(), index.shard_of.end(),
                     [&](const auto& entry) { return entry.second == file; });
}

Result<Shards> OpenWeights(const Path& folder, const std::string& weights) {
  const bool has_index = FileExists(folder / kIndex);
  const bool has_single = FileExists(folder / kSingle);
  if (weights.empty() && has_index && has_single) {
    return Fail(ErrorCode::kFormat, folder.string(), fmt::format("holds both {} and {}", kSingle, kIndex),
                "name the file to read, or remove the other");
  }
  if (has_index) {
    ISOVEIL_ASSIGN_OR_RETURN(const std::string text, ReadJsonText(folder / kIndex, kMaxIndex));
    ISOVEIL_ASSIGN_OR_RETURN(const HfIndex index, ParseHfIndex(text, (folder / kIndex).string()));
    if (weights.empty() || NamesShard(index, weights)) return OpenSharded(folder, index);
  }
  if (!weights.empty()) return OpenSingle(folder / weights);
  if (has_single) return OpenSingle(folder / kSingle);
  return tl::unexpected(NoWeights(folder).error());
}

}  // namespace

Result<HfFolder> HfFolder::Open(const Path& folder, const std::string& weights) {
  HfFolder hf;
  hf.path_ = folder;
  ISOVEIL_ASSIGN_OR_RETURN(hf.config_, ReadJsonObject(folder / "config.json"));
  ISOVEIL_RETURN_IF_ERROR(RefuseQuantized(hf.config_, folder));
  if (FileExists(folder / "generation_config.json")) {
    ISOVEIL_ASSIGN_OR_RETURN(hf.generation_config_, ReadJsonObject(folder / "generation_config.json"));
  }
  ISOVEIL_ASSIGN_OR_RETURN(hf.sentence_, SentenceModules::Read(folder));
  ISOVEIL_ASSIGN_OR_RETURN(hf.shards_, OpenWeights(folder, weights));
  return hf;
}

std::vector<Path> HfFolder::tokenizer_files() const {
  std::vector<Path> files;
  for (const char* name : kVocabularyFiles) {
    if (FileExists(path_ / name)) files.push_back(path_ / name);
  }
  for (const char* name : kOtherTokenizerFiles) {
    if (FileExists(path_ / name)) files.push_back(path_ / name);
  }
  return files;
}

std::vector<Path> HfFolder::text_files() const {
  std::vector<Path> files = tokenizer_files();
  for (const char* name : {"config.json", "generation_config.json"}) {
    if (FileExists(path_ / name)) files.push_back(path_ / name);
  }
  for (Path& path : SentenceModules::Files(path_)) files.push_back(std::move(path));
  return files;
}

bool HfFolder::has_tokenizer() const {
  return std::any_of(std::begin(kVocabularyFiles), std::end(kVocabularyFiles),
                     [&](const char* name) { return FileExists(path_ / name); });
}

}  // namespace isoveil
