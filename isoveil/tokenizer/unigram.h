// Unigram as Hugging Face's `tokenizers` has it: XLM-RoBERTa, T5, ALBERT.
//
//   ISOVEIL_ASSIGN_OR_RETURN(auto unigram, Unigram::Read(metadata, where));   // of kUnigramKey
//   ISOVEIL_RETURN_IF_ERROR(unigram->Append("Hello world", ids));             // "\u2581Hello" "\u2581world"
//
// The text is normalised (unigram_normalizer.h) and cut before each space, which U+2581 stands for; where words are cut
// at white space, each gets one. Of a piece those tokens are taken whose scores have the greatest sum (Viterbi, in
// fp64); a character that no token spells costs 10 more than the worst token, and such characters side by side are the
// unknown token together, or their bytes where the vocabulary has tokens for those. Of equal sums the path whose last
// token begins first is taken.
//
// llama.cpp's own keeps no order of steps, cuts no words and sums in fp32.
//
// Control tokens are never spelled out of text: those that are looked for in normalised text are found there, all
// others before.  Time is the length of the text times that of the longest token.
// Immutable; safe to share between threads.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isoveil/base/result.h"
#include "isoveil/base/token_id.h"
#include "isoveil/format/gguf.h"
#include "isoveil/tokenizer/prefix_table.h"
#include "isoveil/tokenizer/unigram_normalizer.h"

namespace isoveil {

class Unigram {
 public:
  // Nothing without kUnigramKey. The metadata has passed CheckVocabularyMetadata. kFormat for missing keys,
  // kUnsupported for a step that is not known.
  static Result<std::optional<Unigram>> Read(const GgufMetadata& metadata, const std::string& where);

  // Appends the ids of well-formed UTF-8; `parse_special` finds the special tokens of kNormalizedTokensKey. The errors
  // of UnigramNormalizer::Apply.
  Status Append(std::string_view text, bool parse_special, std::vector<PlainId>& ids) const;

  // Whether a special token is found here, in normalised text, and not in the text as it is.
  bool Finds(PlainId id) const;

 private:
  struct Special {
    std::string text;
    PlainId id{};
    bool strips_left = false, strips_right = false;
  };
  Status ReadSpecial(const GgufMetadata& metadata, const std::vector<std::string>& tokens, const std::string& where);
  // Text without special tokens, normalised.
  void AppendText(const std::string& text, std::vector<PlainId>& ids) const;
  void AppendPiece(std::string_view piece, std::vector<PlainId>& ids) const;
  void AppendUnknown(std::string_view text, std::vector<PlainId>& ids) const;

  UnigramNormalizer normalizer_;
  std::vector<Special> special_;
  bool cuts_words_ = false;   // at white space
  bool marks_start_ = false;  // U+2581 before a text that does not begin with it
  PrefixTable tokens_;
  std::vector<double> scores_;  // by id
  double unknown_score_ = 0;
  PlainId unknown_{};
  std::vector<PlainId> bytes_;  // 256, or none
};

}  // namespace isoveil
