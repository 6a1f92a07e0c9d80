// Every id that stands in a configuration goes through here.
//
//   ISOVEIL_RETURN_IF_ERROR(EncryptIdFields(cipher, IdFormat::kHfConfig, config, "config.json"));
//   ISOVEIL_RETURN_IF_ERROR(EncryptIdFields(cipher, metadata, "model.gguf"));
//
// One forgotten place silently breaks a model (a plain `eos_token_id` never stops it) or tells the server
// which id is which. So the fields are a declared table, one for each format, and a field that looks
// like ids ("..._token_id", "..._token_ids", "..._tokens_ids", "..._token_index", "suppress_tokens", ...)
// but is not in the table is kUnsupported by its name, at any depth. Nothing is written when anything
// fails.
//
// The tables know single ids, lists, lists of lists, lists of [position, id] pairs, and the two spellings
// of `sequence_bias`. null, empty lists and Hugging Face's -1 ("none") are left as they are; an id
// outside the vocabulary is kFormat, except where Hugging Face puts stray ids in practice:
// `pad_token_id` beyond the table is dropped from the result.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

#include "isoveil/base/result.h"
#include "isoveil/format/gguf.h"
#include "isoveil/package/vocab_cipher.h"

namespace isoveil {

enum class IdFormat {
  kHfConfig,            // config.json, with its nested text_config and the like
  kHfGenerationConfig,  // generation_config.json
};

// How the ids of one field are laid out.
enum class IdShape {
  kIds,            // an id, a list of ids, or null
  kIdLists,        // [[id, ...], ...]: bad_words_ids, force_words_ids
  kPositionPairs,  // [[position, id], ...]: forced_decoder_ids; the position is no id
  kSequenceBias,   // [[[id, ...], bias], ...]
  kNotIds,         // looks like ids, but counts or names something else
};

struct IdField {
  std::string_view name;
  IdShape shape;
};

// The tables, for the manual and the tests. The fields of GGUF have their full key.
std::span<const IdField> HfIdFields();
std::span<const IdField> GgufIdFields();

// True for names that must be in a table: they end like a name of ids.
bool LooksLikeIds(std::string_view name);

// Rewrites the plain ids of `json` to encrypted ones. `where` names the file in errors.
Status EncryptIdFields(const VocabCipher& cipher, IdFormat format, nlohmann::ordered_json& json,
                       std::string_view where);
Status EncryptIdFields(const VocabCipher& cipher, IdFormat format, nlohmann::json& json, std::string_view where);

// The same for the "tokenizer.ggml.*" ids of a GGUF.
Status EncryptIdFields(const VocabCipher& cipher, GgufMetadata& metadata, std::string_view where);

}  // namespace isoveil
