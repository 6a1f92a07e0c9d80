// model.safetensors.index.json: which shard of a Hugging Face folder holds which tensor.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "isoveil/base/result.h"

namespace isoveil {

struct HfIndex {
  std::vector<std::pair<std::string, std::string>> shard_of;  // (tensor, file name), in the order of the file
  std::optional<uint64_t> total_size;                         // bytes of all tensors, if the file says so
};

// kFormat for malformed text and for shard names that would leave the folder. `name` stands for the file.
Result<HfIndex> ParseHfIndex(std::string_view text, const std::string& name);

}  // namespace isoveil
