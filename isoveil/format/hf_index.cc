#include "isoveil/format/hf_index.h"

#include "isoveil/format/safetensors_header.h"
#include "isoveil/format/strict_json.h"
#include "isoveil/format/utf8.h"

namespace isoveil {
namespace {

using nlohmann::ordered_json;

constexpr size_t kMaxFileName = 255;

bool IsShardName(const std::string& file) {
  return IsCleanName(file, kMaxFileName) && file.find('/') == std::string::npos &&
         file.find('\\') == std::string::npos && file.ends_with(".safetensors");
}

Result<std::optional<uint64_t>> ReadTotalSize(const ordered_json& index, const std::string& name) {
  const auto metadata = index.find("metadata");
  if (metadata == index.end() || !metadata->is_object()) return std::optional<uint64_t>();
  const auto size = metadata->find("total_size");
  if (size == metadata->end()) return std::optional<uint64_t>();
  // Some writers compute it in floats.
  const double value = size->is_number() ? size->get<double>() : -1;
  if (value < 0 || value > 0x1p62) {
    return Fail(ErrorCode::kFormat, name + ": field 'metadata.total_size'", "expected a number of bytes");
  }
  if (size->is_number_float()) return std::optional<uint64_t>(static_cast<uint64_t>(value));
  return std::optional<uint64_t>(size->get<uint64_t>());
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
      return Fail(ErrorCode::kFormat, where,
                  fmt::format("{} is no safetensors file of this folder", Quoted(file)));
    }
    index.shard_of.emplace_back(tensor, file);
  }
  if (index.shard_of.empty()) return Fail(ErrorCode::kFormat, name, "names no tensors");
  ISOVEIL_ASSIGN_OR_RETURN(index.total_size, ReadTotalSize(json, name));
  return index;
}

}  // namespace isoveil
