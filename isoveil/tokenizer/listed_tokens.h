// The tokens of a vocabulary whose special ones are those that its list says (kSpecialTokensKey).
//
//   ISOVEIL_ASSIGN_OR_RETURN(const auto listed, ListedTokens::Read(metadata, where));
//   if (listed) Load(listed->HiddenFromLlama(metadata));
//
// llama.cpp makes tokens special by their names, merges plain text to special tokens, and takes the longest
// special of a whole text first. It therefore sees special tokens under names that no text can become, and
// text_rules.h finds them instead. A user-defined token that a merge makes as well keeps its name: Hugging
// Face finds it either way. A control token does not: text must never become one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "isoveil/base/result.h"
#include "isoveil/base/token_id.h"
#include "isoveil/format/gguf.h"
#include "isoveil/tokenizer/vocabulary.h"

namespace isoveil {

struct ListedTokens {
  std::vector<std::string> texts;
  std::vector<TokenKind> kinds;
  std::vector<PlainId> ends;  // of a generation, ascending

  // Nothing if the vocabulary is llama.cpp's own. The metadata has passed CheckVocabularyMetadata. kFormat
  // for missing types and ids out of range, kUnsupported for a value of the key that is not known.
  static Result<std::optional<ListedTokens>> Read(const GgufMetadata& metadata, const std::string& where);

  Result<GgufMetadata> HiddenFromLlama(const GgufMetadata& metadata) const;
};

}  // namespace isoveil
