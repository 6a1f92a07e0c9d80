// The files around the weights: what the server needs to serve them, and what the client needs to talk.
//
//   ISOVEIL_ASSIGN_OR_RETURN(ServerFiles server, DescribeServer(model, checkpoint, plan, cipher,
//   vocabulary));
//
// The server gets dimensions, encrypted special ids and a placeholder vocabulary. Everything else of the
// source's configuration is dropped by default: only fields that the architecture lists are kept, so
// that no name, text or tokenizer slips through. DroppedFields lists them.
#pragma once

#include <string>
#include <vector>

#include "isoveil/tokenizer/placeholder.h"
#include "isoveil/package/vocab_cipher.h"
#include "isoveil/tokenizer/vocabulary.h"
#include "isoveil/transform/plan.h"

namespace isoveil {

// The tokenizer of a checkpoint as GGUF keys. `n_vocab` is the number of embedding rows.
Result<GgufMetadata> ReadVocabulary(const Checkpoint& checkpoint, uint64_t n_vocab);

// Whether a checkpoint is the server's half of an encryption: placeholder names tell it, nothing else in it does.
bool HasPlaceholderVocabulary(const Checkpoint& checkpoint);

struct ServerFiles {
  GgufMetadata gguf;            // of every GGUF shard's header, without split keys; empty for Hugging Face
  std::vector<TextFile> texts;  // beside the weights
};

// `base` holds the architecture's own keys for a GGUF target, see DescribeGguf.
Result<ServerFiles> DescribeServer(const BoundModel& model, const Checkpoint& checkpoint, const Plan& plan,
                                   const GgufMetadata& base, const VocabCipher& cipher,
                                   const Vocabulary& vocabulary);

// What the header of a GGUF says of the model. From a GGUF source the keys are taken over, strings but the known ones left
// out.
// kUnsupported names a field of a Hugging Face configuration whose meaning GGUF cannot carry.
Result<GgufDescription> DescribeGguf(const BoundModel& model, const Checkpoint& checkpoint);

// The fields of the source's configuration that reach the target in no form: "config.json: use_cache", GGUF's keys.
std::vector<std::string> DroppedFields(const BoundModel& model, const Checkpoint& checkpoint, FormatKind target);

// Text files of the source that the client keeps: tokenizer, chat template, example questions.
Result<std::vector<TextFile>> ClientTexts(const Checkpoint& checkpoint);

}  // namespace isoveil
