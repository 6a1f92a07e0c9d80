// Which of llama.cpp's pre-tokenizers splits text as a tokenizer.json says.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "isoveil/base/result.h"

namespace isoveil {

struct PreTokenizer {
  std::string_view name;  // of tokenizer.ggml.pre
  bool ignore_merges;     // llama.cpp takes whole words of the vocabulary at once with this name
};

// `pre_tokenizer` and model.ignore_merges of a byte-level BPE tokenizer.json. kUnsupported quotes the regular
// expression that no pre-tokenizer of llama.cpp matches.
Result<PreTokenizer> FindPreTokenizer(const nlohmann::ordered_json& pre_tokenizer, bool ignore_merges,
                                      const std::string& where);

}  // namespace isoveil
