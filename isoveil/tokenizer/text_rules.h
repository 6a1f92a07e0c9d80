// What Hugging Face does to a text before llama.cpp's tokenizer gets it, where llama.cpp does not.
//
//   TextRules rules;
//   rules.nfc = true;
//   rules.AddSpecial("<|im_end|>", /*always=*/false);
//   ISOVEIL_ASSIGN_OR_RETURN(std::string ready, rules.Apply("cafe\u0301<|im_end|>", /*parse_special=*/true));
//
// Special tokens are found first, from left to right, the longest at each place; the rules then apply to the
// text between them, as the `tokenizers` library does it (AddedVocabulary::extract_and_normalize).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "isoveil/base/result.h"

namespace isoveil {

struct TextRules {
  bool nfc = false;                // normal form C
  bool space_before_text = false;  // unless the text begins with a space or a special token

  // `always`: the token is found in every text, not only where special tokens are parsed.
  void AddSpecial(std::string text, bool always);

  Result<std::string> Apply(std::string_view text, bool parse_special) const;

 private:
  struct Special {
    std::string text;
    bool always;
  };
  std::string_view SpecialAt(std::string_view text, bool parse_special) const;
  Status AppendPlain(std::string_view text, std::string& out) const;

  std::vector<std::vector<Special>> by_first_byte_;
};

}  // namespace isoveil
