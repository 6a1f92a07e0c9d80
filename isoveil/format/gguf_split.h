// Names of the files of a split GGUF model, as llama.cpp's gguf-split gives them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace isoveil {

// "llama-00002-of-00003.gguf" is {"llama", 2, 3}.
struct SplitName {
  std::string stem;
  uint64_t number = 0;  // from 1
  uint64_t count = 0;
};

// Nullopt for a name of another form.
std::optional<SplitName> ParseSplitName(std::string_view file_name);

std::string FormatSplitName(const SplitName& name);

}  // namespace isoveil
