#include "isoveil/package/client_folder.h"

#include "isoveil/tokenizer/chat_examples.h"

namespace isoveil {

Result<ClientFolder> ClientFolder::Open(const Path& folder, const RootKey& key) {
  ISOVEIL_ASSIGN_OR_RETURN(Manifest manifest, Manifest::Read(folder / kManifestFile));
  if (manifest.key_id != key.key_id()) {
    return Fail(
        ErrorCode::kAuth, folder.string(),
        fmt::format("was encrypted with key {}, and this is key {}", Quoted(manifest.key_id), key.key_id()),
        "use the key that encrypted it");
  }
  ISOVEIL_ASSIGN_OR_RETURN(Vocabulary vocabulary, Vocabulary::Load(folder / kVocabularyFile));
  if (vocabulary.n_tokens() != manifest.n_vocab) {
    return Fail(ErrorCode::kMismatch, (folder / kVocabularyFile).string(),
                fmt::format("expected {} tokens, found {}", manifest.n_vocab, vocabulary.n_tokens()));
  }
  const ModelKey model_key(key, manifest.model_identity);
  ISOVEIL_ASSIGN_OR_RETURN(VocabCipher cipher, VocabCipher::Derive(model_key, manifest.n_vocab));
  ISOVEIL_ASSIGN_OR_RETURN(std::vector<std::string> examples, ReadChatExamples(folder));
  return ClientFolder{std::move(manifest), std::move(vocabulary), std::move(cipher), std::move(examples)};
}

}  // namespace isoveil
