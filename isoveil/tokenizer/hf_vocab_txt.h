// The tokenizer.json that transformers makes of a folder of BERT or MPNet with nothing but vocab.txt, one token a line.
//
//   files.tokenizer = TokenizerFromVocabTxt(text, files.config, files.special, ".../vocab.txt");
//
// tokenizer_config.json says the rest: do_lower_case, strip_accents, tokenize_chinese_chars and the names of the
// special tokens, each with the default of its class.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "isoveil/base/result.h"

namespace isoveil {

// kUnsupported for a tokenizer_class whose vocab.txt means something else; kFormat where a special token is missing.
Result<nlohmann::ordered_json> TokenizerFromVocabTxt(std::string_view text, const nlohmann::ordered_json& config,
                                                     const nlohmann::ordered_json& special, const std::string& where);

}  // namespace isoveil
