// Two texts as one input: a query and a document, as rerankers read them.
//
//   ISOVEIL_ASSIGN_OR_RETURN(const PairEncoding pair, TokenizePair(vocabulary, "a query", "a document", {.add_special =
//   true}));
//   // BERT: [CLS] a query [SEP] a document [SEP], types 0 0 0 0 1 1 1; RoBERTa: <s> a </s></s> b </s>, types 0
//
// The order, the tokens between and the types are those of the post-processor of a Hugging Face tokenizer. Of a GGUF's
// WordPiece they are BERT's; other GGUF vocabularies do not say.
#pragma once

#include <string_view>
#include <vector>

#include "isoveil/tokenizer/vocabulary.h"

namespace isoveil {

struct PairEncoding {
  std::vector<PlainId> ids;
  std::vector<int32_t> types;  // one for each id
};

// The errors of Vocabulary::Tokenize; kUnsupported for a vocabulary that says nothing about pairs.
Result<PairEncoding> TokenizePair(const Vocabulary& vocabulary, std::string_view first, std::string_view second,
                                  TokenizeOptions options = {});

}  // namespace isoveil
