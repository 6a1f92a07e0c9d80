// What must hold of the "tokenizer.*" keys before llama.cpp sees them: it ends the process where tables
// contradict each other, and a file from elsewhere must not be able to do that.
#pragma once

#include <string>

#include "isoveil/base/result.h"
#include "isoveil/format/gguf.h"

namespace isoveil {

// kUnsupported for tokenizers without text or without a rule here; kFormat for lists of different lengths,
// tokens given twice, types out of range and byte tokens that name no byte. `where` names the metadata.
Status CheckVocabularyMetadata(const GgufMetadata& metadata, const std::string& where);

// True for "<0x00>" to "<0xFF>".
bool IsByteToken(std::string_view text);

}  // namespace isoveil
