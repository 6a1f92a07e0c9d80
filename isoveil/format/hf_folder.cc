#include "isoveil/format/hf_folder.h"

#include <algorithm>
#include <map>
#include <set>

#include "isoveil/format/strict_json.h"
#include "isoveil/format/utf8.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

constexpr uint64_t kMaxConfig = 16 << 20;
constexpr uint64_t kMaxIndex = 256 << 20;
constexpr const char* kSingle = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";
constexpr const char* kTokenizerFiles[] = {"tokenizer.json",
                                           "tokenizer_config.json",
                                           "special_tokens_map.json",
                                           "added_tokens.json",
                                           "chat_template.jinja",
                                           "chat_template.json",
                                           "vocab.json",
                                           "merges.txt",
                                           "tokenizer.model"};

bool Exists(const Path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

Result<ordered_json> ReadJsonObject(const Path& path) {
  ISOVEIL_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path, kMaxConfig));
  ISOVEIL_ASSIGN_OR_RETURN(ordered_json json, ParseStrictJson(text, path.string()));
  if (!json.is_object()) return Fail(ErrorCode::kFormat, path.string(), "expected a JSON object");
  return json;
}

tl::unexpected<Error> NoWeights(const Path& folder) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string extension = entry.path().extension().string();
    if (extension == ".bin" || extension == ".pth" || extension == ".pt") {
      return Fail(
          ErrorCode::kUnsupported, folder.string(),
          fmt::format("holds {}, a pickle, and no safetensors", Quoted(entry.path().filename().string())),
          "convert it: load the model with transformers and save_pretrained(safe_serialization=True)");
    }
  }
  return Fail(ErrorCode::kNotFound, folder.string(), fmt::format("holds neither {} nor {}", kSingle, kIndex),
              "give a folder with the model's weights");
}

// Every tensor of the index in its shard, every tensor of a shard in the index.
Status CheckIndex(const std::vector<std::pair<std::string, std::string>>& index,
                  const std::vector<HfFolder::Shard>& shards, const Path& path) {
  std::map<std::string, std::set<std::string>> found;
  for (const HfFolder::Shard& shard : shards) {
    auto& names = found[shard.path.filename().string()];
    for (const TensorView& tensor : shard.file.tensors()) names.insert(tensor.info.name);
  }
  for (const auto& [tensor, shard] : index) {
    if (found[shard].erase(tensor) == 0) {
      return Fail(
          ErrorCode::kFormat, path.string(),
          fmt::format("says that {} holds tensor {}, which it does not", Quoted(shard), Quoted(tensor)));
    }
  }
  for (const auto& [shard, left] : found) {
    if (!left.empty()) {
      return Fail(ErrorCode::kFormat, path.string(),
                  fmt::format("does not name tensor {} of {}", Quoted(*left.begin()), Quoted(shard)));
    }
  }
  return Ok();
}

Result<std::vector<HfFolder::Shard>> OpenSharded(const Path& folder) {
  const Path path = folder / kIndex;
  ISOVEIL_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path, kMaxIndex));
  ISOVEIL_ASSIGN_OR_RETURN(const auto index, ParseIndex(text, path.string()));
  std::set<std::string> names;
  for (const auto& [tensor, shard] : index) names.insert(shard);
  std::vector<HfFolder::Shard> shards;
  for (const std::string& name : names) {
    Result<SafetensorsFile> file = SafetensorsFile::Open(folder / name);
    if (!file && file.error().code == ErrorCode::kNotFound) {
      return Fail(ErrorCode::kNotFound, (folder / name).string(),
                  fmt::format("is named by {} and missing", kIndex), "fetch the missing shard");
    }
    if (!file) return tl::unexpected(file.error());
    shards.push_back({folder / name, *std::move(file)});
  }
  ISOVEIL_RETURN_IF_ERROR(CheckIndex(index, shards, path));
  return shards;
}

}  // namespace

Result<std::vector<std::pair<std::string, std::string>>> ParseIndex(std::string_view text,
                                                                    const std::string& name) {
  ISOVEIL_ASSIGN_OR_RETURN(const ordered_json json, ParseStrictJson(text, name));
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object()) {
    return Fail(ErrorCode::kFormat, name, "expected an object 'weight_map'");
  }
  std::vector<std::pair<std::string, std::string>> index;
  for (const auto& [tensor, shard] : json["weight_map"].items()) {
    if (!shard.is_string()) {
      return Fail(ErrorCode::kFormat, name, fmt::format("tensor {}: expected a file name", Quoted(tensor)));
    }
    const auto file = shard.get<std::string>();
    if (!IsCleanName(file, 255) || file.find('/') != std::string::npos || !file.ends_with(".safetensors")) {
      return Fail(
          ErrorCode::kFormat, name,
          fmt::format("tensor {}: {} is no safetensors file of this folder", Quoted(tensor), Quoted(file)));
    }
    index.emplace_back(tensor, file);
  }
  if (index.empty()) return Fail(ErrorCode::kFormat, name, "names no tensors");
  return index;
}

Result<HfFolder> HfFolder::Open(const Path& folder) {
  HfFolder hf;
  hf.path_ = folder;
  ISOVEIL_ASSIGN_OR_RETURN(hf.config_, ReadJsonObject(folder / "config.json"));
  if (Exists(folder / "generation_config.json")) {
    ISOVEIL_ASSIGN_OR_RETURN(hf.generation_config_, ReadJsonObject(folder / "generation_config.json"));
  }
  if (Exists(folder / kIndex)) {
    ISOVEIL_ASSIGN_OR_RETURN(hf.shards_, OpenSharded(folder));
  } else if (Exists(folder / kSingle)) {
    ISOVEIL_ASSIGN_OR_RETURN(SafetensorsFile file, SafetensorsFile::Open(folder / kSingle));
    hf.shards_.push_back({folder / kSingle, std::move(file)});
  } else {
    return NoWeights(folder);
  }
  return hf;
}

std::vector<Path> HfFolder::tokenizer_files() const {
  std::vector<Path> files;
  for (const char* name : kTokenizerFiles) {
    if (Exists(path_ / name)) files.push_back(path_ / name);
  }
  return files;
}

}  // namespace isoveil
