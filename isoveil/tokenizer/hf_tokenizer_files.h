// tokenizer.json, or BERT's vocab.txt where there is none (hf_vocab_txt.h), and the files beside it.
//
//   ISOVEIL_ASSIGN_OR_RETURN(const HfTokenizerFiles files, HfTokenizerFiles::Read("Llama-3.2-1B"));
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "isoveil/base/file.h"
#include "isoveil/base/result.h"

namespace isoveil {

struct HfTokenizerFiles {
  std::string where;  // the path of tokenizer.json or vocab.txt
  nlohmann::ordered_json tokenizer;
  // Empty objects where a file is missing.
  nlohmann::ordered_json config;      // tokenizer_config.json
  nlohmann::ordered_json special;     // special_tokens_map.json
  nlohmann::ordered_json model;       // config.json
  nlohmann::ordered_json generation;  // generation_config.json
  std::string chat_template;          // chat_template.jinja, chat_template.json or tokenizer_config.json

  // kNotFound without either, kFormat for what is no JSON object.
  static Result<HfTokenizerFiles> Read(const Path& folder);
  // The same from texts, by the names of their files in `folder`.
  using Texts = std::map<std::string, std::string, std::less<>>;
  static Result<HfTokenizerFiles> Parse(const Texts& texts, const Path& folder);
};

}  // namespace isoveil
