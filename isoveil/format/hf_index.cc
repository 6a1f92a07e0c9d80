#include "isoveil/format/hf_index.h"

#include "isoveil/base/strict_json.h"
#include "isoveil/base/utf8.h"
#include "isoveil/format/safetensors_header.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

constexpr size_t kMaxFileName = 255;

bool IsShardName(const std::string& file) {
  return IsCleanName(file, kMaxFileName) && file.find('/') == std::string::npos &&
         file.find('\\') == std::string::npos && file.ends_with(".safetensors");
}

}  // namespace

Result<HfIndex> ParseHfIndex(std::string_view text, const std::string& name) {
  ISOVEIL_ASSIGN_OR_RETURN(const ordered_json json, ParseStrictJson(text, name));
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object()) {
    return Fail(ErrorCode::kFormat, name, "expected an object in field 'weight_map'");
  }
  HfIndex index;
  for (const auto& [tensor, shard] : json["weight_map"].items()) {
    const std::string where = fmt::format("{}: tensor {}", name, Quoted(tensor));
    if (!IsCleanName(tensor, kMaxSafetensorsName)) {
      return Fail(ErrorCode::kFormat, where, "the name is not clean UTF-8");
    }
    if (!shard.is_string()) return Fail(ErrorCode::kFormat, where, "expected a file name");
    const auto& file = shard.get_ref<const std::string&>();
    if (!IsShardName(file)) {
      return Fail(ErrorCode::kFormat, where, fmt::format("{} is no safetensors file of this folder", Quoted(file)));
    }
    index.shard_of.emplace_back(tensor, file);
  }
  if (index.shard_of.empty()) return Fail(ErrorCode::kFormat, name, "names no tensors");
  return index;
}

}  // namespace isoveil
