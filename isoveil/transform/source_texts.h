// What a checkpoint brings besides weights: its tokenizer, and the texts that the client keeps.
#pragma once

#include <vector>

#include "isoveil/format/checkpoint.h"
#include "isoveil/tokenizer/placeholder.h"

namespace isoveil {

// The tokenizer of a checkpoint as GGUF keys. `n_vocab` is the number of embedding rows.
Result<GgufMetadata> ReadVocabulary(const Checkpoint& checkpoint, uint64_t n_vocab);

// Whether a checkpoint is the server's half of an encryption: placeholder names tell it, nothing else in it does.
bool HasPlaceholderVocabulary(const Checkpoint& checkpoint);

// Text files of the source that the client keeps: tokenizer, chat template, example questions.
Result<std::vector<TextFile>> ClientTexts(const Checkpoint& checkpoint);

}  // namespace isoveil
