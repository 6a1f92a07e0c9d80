// A Hugging Face tokenizer whose ids are other ones: it encodes text to them and decodes them, wherever tokenizers run.
//
//   ISOVEIL_ASSIGN_OR_RETURN(const HfTokenizerFiles files, HfTokenizerFiles::Read("out/client"));
//   ISOVEIL_ASSIGN_OR_RETURN(const std::vector<TextFile> texts, RenameTokenizer(files, renamed, has_segments));
//   // the id of a token is renamed[plain id]
//
// Gives tokenizer.json, tokenizer_config.json with the chat template, and special_tokens_map.json if there is one,
// which holds texts alone. Moved are model.vocab, added_tokens, the post-processor, padding and the keys of
// added_tokens_decoder; merges are pairs of texts and keep their order. Every added token is an entry of model.vocab
// too: the library takes its id from there, or appends it behind all others.
//
// If the renaming is secret, so is the result.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "isoveil/base/result.h"
#include "isoveil/tokenizer/hf_tokenizer_files.h"
#include "isoveil/tokenizer/placeholder.h"

namespace isoveil {

// `has_segments`: the model takes token types beside ids; where the files name no class, nothing else tells
// transformers. kFormat for an id without a new one, kUnsupported for a vocabulary of another form than
// those of from_hf.h.
Result<std::vector<TextFile>> RenameTokenizer(const HfTokenizerFiles& files, std::span<const int32_t> renamed,
                                              bool has_segments);

}  // namespace isoveil
