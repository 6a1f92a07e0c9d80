// Names for content: which model this is, and whether a file is what it was.
//
// The model identity separates the keys of different models: the same root gives unrelated actions for
// each. It is the BLAKE2b-256 of "isoveil-model-1" and, for every tensor in order of its name: name, type,
// shape, and its first and last 4096 bytes, every string and number preceded by its length (docs/keys.md).
// A sample suffices because it only has to differ where models differ: any training step changes every
// weight matrix it touches throughout. So it costs milliseconds, whatever the size.
//
// The tree hash of a file is the SHA-256 of the SHA-256 hashes of its consecutive 16 MiB chunks, so that all cores
// can work on one file.
#pragma once

#include <string>

#include "isoveil/base/file.h"
#include "isoveil/format/checkpoint.h"
#include "isoveil/key/model_key.h"

namespace isoveil {

ModelIdentity IdentifyModel(const Checkpoint& checkpoint);

// Hexadecimal tree hash, on `threads` threads. Pages are released once read, so that a large model does
// not push everything else out of memory.
Result<std::string> TreeHash(const Path& path, unsigned threads);

}  // namespace isoveil
