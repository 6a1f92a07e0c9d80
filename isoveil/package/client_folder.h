// The client's half of an encrypted model: the plain vocabulary and, with the key, the cipher of its ids.
//
//   ISOVEIL_ASSIGN_OR_RETURN(ClientFolder client, ClientFolder::Open("out/client", root_key));
//   ISOVEIL_ASSIGN_OR_RETURN(auto plain, client.vocabulary.Tokenize("Hello", {.add_special = true}));
//   ISOVEIL_ASSIGN_OR_RETURN(auto wire, client.cipher.Encrypt(plain));
//
// Immutable after opening; safe to use from many threads.
#pragma once

#include <string>
#include <vector>

#include "isoveil/key/key_file.h"
#include "isoveil/package/manifest.h"
#include "isoveil/package/vocab_cipher.h"
#include "isoveil/tokenizer/vocabulary.h"

namespace isoveil {

struct ClientFolder {
  Manifest manifest;
  Vocabulary vocabulary;
  VocabCipher cipher;
  std::vector<std::string> examples;  // questions for the chat page to offer

  // kAuth if the model was encrypted with another key; both key ids are named.
  static Result<ClientFolder> Open(const Path& folder, const RootKey& key);
};

}  // namespace isoveil
