// The JSON header of a safetensors file, read as events: memory stays in proportion to the tensors, whatever
// the text holds.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "isoveil/tensor/tensor.h"

namespace isoveil {

struct SafetensorsHeader {
  struct Entry {
    TensorInfo info;
    std::array<uint64_t, 2> data_offsets = {};  // begin and end, from the start of the data
  };
  std::vector<Entry> tensors;  // in the order of the text
  std::map<std::string, std::string> metadata;
};

// Checks names, fields, types, and that each tensor's offsets span its bytes; not how tensors lie to each
// other. `name` stands for the file in errors.
Result<SafetensorsHeader> ParseSafetensorsHeader(std::string_view text, const std::string& name);

// The key of the metadata, which no tensor may have.
inline constexpr std::string_view kSafetensorsMetadata = "__metadata__";
inline constexpr uint64_t kMaxSafetensorsHeader = 100'000'000;
inline constexpr size_t kMaxSafetensorsName = 4096;
inline constexpr size_t kMaxSafetensorsDims = 8;

}  // namespace isoveil
