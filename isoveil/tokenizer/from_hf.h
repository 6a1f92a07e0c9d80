// The vocabulary of a Hugging Face folder as the "tokenizer.*" keys of a GGUF.
//
//   ISOVEIL_ASSIGN_OR_RETURN(GgufMetadata metadata, VocabularyFromHf("Llama-3.2-1B", n_vocab));
//   ISOVEIL_ASSIGN_OR_RETURN(auto vocabulary, Vocabulary::FromMetadata(metadata, "Llama-3.2-1B"));
//
// The keys are those of own_keys.h as well. Reads tokenizer.json, or BERT's vocab.txt where there is none, and, where
// present, tokenizer_config.json, special_tokens_map.json, config.json, generation_config.json, chat_template.jinja and
// chat_template.json.
//
// What is understood, so that Vocabulary gives the ids that Hugging Face's `tokenizers` gives:
//
//   byte-level BPE (GPT-2, Llama 3, Qwen 2 and 3, SmolLM, DBRX, DeepSeek V3)
//       The pre-tokenizer is recognised by its regular expressions and their order; the table is in
//       pre_tokenizers.cc. No normalizer, or NFC, which Vocabulary applies (own_keys.h).
//   BPE with byte fallback over U+2581 (Llama 1 and 2, Mistral, TinyLlama, Gemma)
//       Merged by the rank of the pair, in whatever order the conversion wrote them (ranked_merges.h). The
//       space before the text comes from Prepend, or from Metaspace with any prepend_scheme. The scores for
//       llama.cpp (a token has minus the rank of its first merge) give nearly the same.
//
//   WordPiece (BERT, DistilBERT, ELECTRA, MiniLM, E5, BGE, GTE)
//       With BERT's normalizer and pre-tokenizer, which word_piece.h has; decoded without cleaning up.
//
// Each algorithm is one file, from_hf_*.cc, and a line of the table in from_hf.cc. What the post-processor puts around
// one text and around two (TemplateProcessing, BertProcessing, RobertaProcessing) is read for all of them.
//
// Special tokens are those of added_tokens and no others, whatever llama.cpp would think of their names. What
// ends a generation is what the configurations say and, of the special tokens, those with a customary name
// ("<|im_end|>"). Those with lstrip or rstrip take the white space beside them, as Phi-3's and RoBERTa's.
//
// Everything else (Unigram, an unknown regular expression or normalizer, dropout, an added token
// that wants whole words, ...) is kUnsupported and named: a vocabulary that is nearly right gives a model that
// is nearly right.
//
// Differences that remain, all in rare texts:
//   - An added token with "normalized": true is looked for in the text as it came, not in the normalised one:
//     this matters where its own text changes when normalised, as "<s>" does under Prepend in the oldest
//     Llama folders.
//   - Characters that Unicode 15.0 or a later version assigned: llama.cpp's tables are older. All characters
//     of Unicode 14 were compared.
//   - Text that merges to a control token remains text here: a user must not be able to write one.
//   - Bytes that are no UTF-8 become one U+FFFD for each maximal subpart, not one for each byte.
#pragma once

#include <cstdint>

#include "isoveil/base/file.h"
#include "isoveil/base/result.h"
#include "isoveil/format/gguf.h"
#include "isoveil/tokenizer/hf_tokenizer_files.h"

namespace isoveil {

// `n_vocab` is the number of rows of the embedding: ids that the tokenizer does not have become unused
// tokens with names of their own. kFormat for malformed files, kUnsupported for the above.
Result<GgufMetadata> VocabularyFromHf(const Path& folder, uint64_t n_vocab);
Result<GgufMetadata> VocabularyFromHf(const HfTokenizerFiles& files, uint64_t n_vocab);

}  // namespace isoveil
