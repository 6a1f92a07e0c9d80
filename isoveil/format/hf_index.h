// model.safetensors.index.json: which shard of a Hugging Face folder holds which tensor.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "isoveil/base/result.h"

namespace isoveil {

struct HfIndex {
  // (tensor, file name), in the order of the file. "metadata.total_size" is not read: merged models carry wrong
  // ones, and no engine looks.
  std::vector<std::pair<std::string, std::string>> shard_of;
};

// kFormat for malformed text and for shard names that would leave the folder. `name` stands for the file.
Result<HfIndex> ParseHfIndex(std::string_view text, const std::string& name);

}  // namespace isoveil
