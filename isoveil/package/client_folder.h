// The client's half of an encrypted model: the plain vocabulary and, with the key, one codec for each port.
//
//   ISOVEIL_ASSIGN_OR_RETURN(ClientFolder client, ClientFolder::Open("out/client", root_key));
//   ISOVEIL_ASSIGN_OR_RETURN(auto plain, client.vocabulary.Tokenize("Hello", {.add_special = true}));
//   ISOVEIL_ASSIGN_OR_RETURN(auto wire, client.cipher.Encrypt(plain));
//
// Immutable after opening; safe to use from many threads.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "isoveil/key/key_file.h"
#include "isoveil/package/label_head.h"
#include "isoveil/package/manifest.h"
#include "isoveil/package/vector_codec.h"
#include "isoveil/package/vocab_cipher.h"
#include "isoveil/tokenizer/vocabulary.h"

namespace isoveil {

struct ClientFolder {
  Manifest manifest;
  Vocabulary vocabulary;
  VocabCipher cipher;                                            // of ids and logits
  std::map<std::string, VectorCodec, std::less<>> vectors = {};  // by the port's name
  std::optional<LabelHead> head = {};                            // that makes labels here instead of on the server
  std::vector<std::string> examples = {};                        // questions for the chat page to offer

  // kAuth if the model was encrypted with another key; both key ids are named.
  static Result<ClientFolder> Open(const Path& folder, const RootKey& key);
  // The same of a model that writes text; kUnsupported says what another one gives.
  static Result<ClientFolder> OpenText(const Path& folder, const RootKey& key);

  // kUnsupported, naming the folder, says what else the model gives if it does not give `output`.
  Status Gives(const Path& folder, PortKind output) const;
};

}  // namespace isoveil
