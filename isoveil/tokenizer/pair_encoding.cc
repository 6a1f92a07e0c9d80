#include "isoveil/tokenizer/pair_encoding.h"

#include "isoveil/tokenizer/own_keys.h"

namespace isoveil {

Result<PairEncoding> TokenizePair(const Vocabulary& vocabulary, std::string_view first, std::string_view second,
                                  TokenizeOptions options) {
  if (vocabulary.pair_parts().empty()) {
    return Fail(ErrorCode::kUnsupported, "vocabulary", "does not say how two texts become one input",
                "encrypt the model's Hugging Face folder, whose tokenizer.json says it");
  }
  PairEncoding pair;
  const TokenizeOptions text_only = {.parse_special = options.parse_special};
  for (const PairPart& part : vocabulary.pair_parts()) {
    if (part.item >= 0) {
      if (options.add_special) pair.ids.push_back(PlainId{part.item});
    } else {
      ISOVEIL_ASSIGN_OR_RETURN(const std::vector<PlainId> ids,
                               vocabulary.Tokenize(part.item == kFirstText ? first : second, text_only));
      pair.ids.insert(pair.ids.end(), ids.begin(), ids.end());
    }
    pair.types.resize(pair.ids.size(), part.type);
  }
  return pair;
}

}  // namespace isoveil
