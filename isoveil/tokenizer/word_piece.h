// WordPiece with BERT's normalizer and pre-tokenizer, as Hugging Face's `tokenizers` has them.
//
//   ISOVEIL_ASSIGN_OR_RETURN(auto word_piece, WordPiece::Read(metadata, where));   // of kWordPieceKey
//   word_piece->Append("Hello, wörld", ids);                   // "hello" "," "wor" "##ld"
//
// The text is cleaned (control characters go, every white space is a space), ideographs get spaces beside them, accents
// and capitals go, each if the vocabulary says so. Then it is cut at white space and around each punctuation mark. Of
// a word the longest token at its front is taken, then the longest continuation at the front of the rest; a word that
// cannot be spelled so, or that is too long, is the unknown token as a whole.
//
// Hugging Face knows classes of characters as Unicode 8 had them; bert_characters.h does too. llama.cpp's WordPiece
// always does all four steps, with newer tables, and takes control characters otherwise.
//
// Time is at most that of kMaxWord steps for each character. Immutable; safe to share between threads.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isoveil/base/result.h"
#include "isoveil/base/token_id.h"
#include "isoveil/format/gguf.h"
#include "isoveil/tokenizer/prefix_table.h"

namespace isoveil {

class WordPiece {
 public:
  static constexpr uint64_t kMaxWord = 256;  // characters

  // Nothing without kWordPieceKey. The metadata has passed CheckVocabularyMetadata. kFormat for missing keys,
  // kUnsupported for a step that is not known.
  static Result<std::optional<WordPiece>> Read(const GgufMetadata& metadata, const std::string& where);

  // Appends the ids of well-formed UTF-8. It never becomes a control token, other than the unknown one.
  void Append(std::string_view text, std::vector<PlainId>& ids) const;

  // What a token of this spelling shows behind others: a word has a space before it.
  static std::string PieceOf(std::string_view token);

 private:
  struct Steps {
    bool clean_text = false, chinese_chars = false, strip_accents = false, lowercase = false;
  };
  std::u32string Normalize(std::string_view text) const;
  void AppendWord(std::u32string_view word, std::vector<PlainId>& ids) const;

  Steps steps_;
  uint64_t max_word_ = 0;
  PlainId unknown_{};
  PrefixTable words_, continuations_;
};

}  // namespace isoveil
