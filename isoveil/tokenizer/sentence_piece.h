// SentencePiece's byte-pair tokenizer, with the ids that llama.cpp gives, in n log n steps.
//
//   const SentencePiece tokenizer(vocab, std::make_shared<SpecialPartition>(SpecialTokensOf(vocab)));
//   const bool space_prefix = true;
//   ISOVEIL_ASSIGN_OR_RETURN(auto ids, tokenizer.Tokenize("Hello", {.add_special = true}, space_prefix));
//
// llama.cpp's own takes quadratic time for characters without a token (200,000 new lines: five seconds). Two
// neighbours merge whose joint text is a token, the token of the highest score first; what is no token then
// becomes its bytes. Special tokens are found as llama.cpp finds them (special_partition.h).
//
// Immutable; safe to share between threads. Does not keep the vocabulary that it was made from.
#pragma once

#include <llama.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "isoveil/base/result.h"
#include "isoveil/base/token_id.h"
#include "isoveil/tokenizer/special_partition.h"
#include "isoveil/tokenizer/vocabulary.h"

namespace isoveil {

class SentencePiece {
 public:
  SentencePiece(const llama_vocab* vocab, std::shared_ptr<const SpecialPartition> specials);

  // `text` is well-formed UTF-8. kFormat if the vocabulary lacks the token of a byte.
  Result<std::vector<PlainId>> Tokenize(std::string_view text, TokenizeOptions options, bool space_prefix) const;

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  Status AppendText(std::string_view text, std::vector<PlainId>& ids) const;

  std::unordered_map<std::string, int32_t, Hash, std::equal_to<>> ids_;
  std::vector<uint32_t> ranks_;  // by id; 0 has the highest score
  std::array<int32_t, 256> bytes_{};
  std::shared_ptr<const SpecialPartition> specials_;
  int32_t bos_, eos_;
  bool adds_bos_, adds_eos_;
};

// Spaces as SentencePiece writes them.
std::string WithSpaceMarks(std::string_view text);

// The bytes of the character that a well-formed text begins with.
size_t CharacterLength(std::string_view text);

}  // namespace isoveil
