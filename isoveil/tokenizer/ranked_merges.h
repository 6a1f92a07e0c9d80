// Byte-pair encoding over U+2581 with byte fallback, as Hugging Face's `tokenizers` does it: the pair whose
// merge stands first in the list.
//
//   ISOVEIL_ASSIGN_OR_RETURN(auto merges, RankedMerges::Read(metadata, where));   // of kMergesKey
//   merges->Append("\u2581Hello", ids);
//
// llama.cpp merges by the score of the merged token, which is the same only where all merges that make a
// token stand together in the list and none is left out; conversions since 2024 sort merges of equal score by
// length.
//
// Immutable; safe to share between threads.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "isoveil/base/result.h"
#include "isoveil/base/token_id.h"
#include "isoveil/format/gguf.h"
#include "isoveil/tokenizer/pair_merging.h"

namespace isoveil {

class RankedMerges {
 public:
  // Nothing without kMergesKey. The metadata has passed CheckVocabularyMetadata. kFormat for a list that is
  // no list of pairs of ids whose joint text is a token, and for a vocabulary without the 256 bytes.
  static Result<std::optional<RankedMerges>> Read(const GgufMetadata& metadata, const std::string& where);

  // Appends the ids of a text that is well-formed UTF-8 and has U+2581 for spaces. It never becomes a control
  // token.
  void Append(std::string_view text, std::vector<PlainId>& ids) const;

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  Status ReadTokens(const GgufMetadata& metadata, const std::string& where);
  Status ReadMerges(const GgufMetadata& metadata, const std::string& where);
  void AppendCharacter(std::string_view text, size_t at, size_t length, std::vector<Symbol>& symbols) const;

  // Those that text may become.
  std::unordered_map<std::string, int32_t, Hash, std::equal_to<>> ids_;
  std::array<int32_t, 256> bytes_{};
  std::unordered_map<uint64_t, Merged> merges_;  // by both ids
};

}  // namespace isoveil
