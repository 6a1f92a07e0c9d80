// The vocabulary of a Hugging Face folder as the "tokenizer.*" keys of a GGUF.
//
//   ISOVEIL_ASSIGN_OR_RETURN(GgufMetadata metadata, VocabularyFromHf("Llama-3.2-1B", n_vocab));
//   ISOVEIL_ASSIGN_OR_RETURN(auto vocabulary, Vocabulary::FromMetadata(metadata, "Llama-3.2-1B"));
//
// Reads tokenizer.json, and, where present, tokenizer_config.json, special_tokens_map.json, config.json,
// generation_config.json, chat_template.jinja and chat_template.json.
//
// What is understood, so that llama.cpp gives the ids that Hugging Face's `tokenizers` gives:
//
//   byte-level BPE (GPT-2, Llama 3, Qwen 2 and 3, ...)
//       The pre-tokenizer is recognised by its regular expressions and their order; the table is in
//       pre_tokenizers.h. No normalizer, or NFC, which llama.cpp does not apply: see below.
//   BPE with byte fallback over U+2581 (Llama 1 and 2, Mistral, TinyLlama, Phi-3)
//       llama.cpp merges by the score of the merged token, Hugging Face by the rank of the pair; the
//       score of a token is minus the rank of the merge that makes it.
//
// Everything else (Unigram, WordPiece, an unknown regular expression, a normalizer, dropout, an
// added token that strips or wants whole words, ...) is kUnsupported and named: a vocabulary that is
// nearly right gives a model that is nearly right.
//
// The known differences that remain, each one llama.cpp's own: NFC is not applied to the input
// (text that is not in NFC gets other ids, the same ones that llama.cpp gives), and Unicode versions
// of the character classes may differ.
#pragma once

#include <cstdint>

#include "isoveil/base/file.h"
#include "isoveil/base/result.h"
#include "isoveil/format/gguf.h"

namespace isoveil {

// `n_vocab` is the number of rows of the embedding: ids that the tokenizer does not have become unused
// tokens with names of their own. kFormat for malformed files, kUnsupported for the above.
Result<GgufMetadata> VocabularyFromHf(const Path& folder, uint64_t n_vocab);

}  // namespace isoveil
