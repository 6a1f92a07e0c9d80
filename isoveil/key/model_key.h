// The keys of one model: a named stream of randomness for each of its spaces.
//
//   ModelKey key(root, identity);
//   KeyStream stream = key.Stream("layer.12.vo");
//
// subkey = BLAKE2b-256 keyed with the root, of
//
//   "isoveil-stream-1" | identity (32 bytes) | length of the label (8 bytes, little-endian) | label
//
// so different models and labels give unrelated streams (docs/keys.md). Immutable; safe to share.
#pragma once

#include <string_view>

#include "isoveil/crypto/hash.h"
#include "isoveil/crypto/key_stream.h"
#include "isoveil/key/key_file.h"

namespace isoveil {

// Which model: a hash of its tensors (transform/identity.h).
using ModelIdentity = Hash256;

// kFormat unless `hex` is 64 lower-case hexadecimal digits.
Result<ModelIdentity> ParseModelIdentity(std::string_view hex, const std::string& where);

class ModelKey {
 public:
  ModelKey(RootKey root, const ModelIdentity& identity) : root_(std::move(root)), identity_(identity) {}

  // Ends the process if 32 bytes of guarded memory cannot be had.
  KeyStream Stream(std::string_view label) const noexcept;

 private:
  RootKey root_;
  ModelIdentity identity_;
};

}  // namespace isoveil
