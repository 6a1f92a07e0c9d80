// Names for content: which model this is, and whether a file is what it was.
//
// The model identity separates the keys of different models: the same root gives unrelated actions for
// each, and tells whether an encryption is still this model's. It is the BLAKE2b-256 of "isoveil-model-2" and, for
// every tensor in order of its name: name, type, shape, and its first and last 4096 bytes; then, because they change
// answers as weights do, the configuration and the tokenizer: of a Hugging Face folder name and content of each such
// file, of GGUF the metadata without split keys; of a LoRA adapter that is merged in, its tensors among the model's and
// its configuration. Every string and number is preceded by its length. A sample of the weights suffices because it
// only has to differ where models differ: any training step changes every weight matrix it touches throughout. So it
// costs milliseconds, whatever the size.
//
// The tree hash of a file is the SHA-256 of the SHA-256 hashes of its consecutive 16 MiB chunks, so that all cores
// can work on one file.
#pragma once

#include <string>

#include "isoveil/base/file.h"
#include "isoveil/format/checkpoint.h"
#include "isoveil/key/model_key.h"

namespace isoveil {

// kIo or kFormat if a file of the folder cannot be read.
Result<ModelIdentity> IdentifyModel(const Checkpoint& checkpoint);

// Hexadecimal tree hash, on `threads` threads. Pages are released once read, so that a large model does
// not push everything else out of memory.
Result<std::string> TreeHash(const Path& path, unsigned threads);

}  // namespace isoveil
