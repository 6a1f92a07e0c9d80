#include "isoveil/package/client_folder.h"

#include "isoveil/tokenizer/chat_examples.h"

namespace isoveil {
namespace {

Result<VocabCipher> DeriveCipher(const Path& folder, const Manifest& manifest, const ModelKey& key) {
  const SpaceRecord* ids = manifest.ports.SpaceOf(PortKind::kIds);
  if (ids == nullptr) {
    return Fail(ErrorCode::kUnsupported, (folder / kManifestFile).string(), "lists no port of ids",
                "use the version that wrote it");
  }
  const SpaceRecord* logits = manifest.ports.SpaceOf(PortKind::kLogits);
  if (logits != nullptr && logits != ids) {
    return Fail(ErrorCode::kUnsupported, (folder / kManifestFile).string(), "has ids and logits of two vocabularies",
                "use the version that wrote it");
  }
  return VocabCipher::Derive(key, *ids);
}

Result<std::map<std::string, VectorCodec, std::less<>>> DeriveVectors(const Manifest& manifest, const ModelKey& key) {
  std::map<std::string, VectorCodec, std::less<>> vectors;
  for (const Port& port : manifest.ports.list) {
    if (port.kind != PortKind::kVectors && port.kind != PortKind::kLabels) continue;
    ISOVEIL_ASSIGN_OR_RETURN(VectorCodec codec, VectorCodec::Derive(key, *manifest.ports.FindSpace(port.space)));
    vectors.emplace(port.name, std::move(codec));
  }
  return vectors;
}

// What people call it.
std::string_view OutputName(PortKind output) {
  switch (output) {
    case PortKind::kLogits: return "text";
    case PortKind::kVectors: return "vectors";
    case PortKind::kLabels: return "labels";
    default: return "such output";
  }
}

std::string CommandFor(PortKind output) {
  switch (output) {
    case PortKind::kLogits: return "`isoveil chat`";
    case PortKind::kVectors: return "`isoveil embed`";
    case PortKind::kLabels: return "`isoveil classify`";
    default: return "";
  }
}

}  // namespace

Result<ClientFolder> ClientFolder::Open(const Path& folder, const RootKey& key) {
  ISOVEIL_ASSIGN_OR_RETURN(Manifest manifest, Manifest::Read(folder / kManifestFile));
  if (manifest.key_id != key.key_id()) {
    return Fail(ErrorCode::kAuth, folder.string(),
                fmt::format("was encrypted with key {}, and this is key {}", Quoted(manifest.key_id), key.key_id()),
                "use the key that encrypted it");
  }
  ISOVEIL_ASSIGN_OR_RETURN(Vocabulary vocabulary, Vocabulary::Load(folder / kVocabularyFile));
  if (vocabulary.n_tokens() != manifest.n_vocab()) {
    return Fail(ErrorCode::kMismatch, (folder / kVocabularyFile).string(),
                fmt::format("expected {} tokens, found {}", manifest.n_vocab(), vocabulary.n_tokens()));
  }
  const ModelKey model_key(key, manifest.model_identity);
  ISOVEIL_ASSIGN_OR_RETURN(VocabCipher cipher, DeriveCipher(folder, manifest, model_key));
  ISOVEIL_ASSIGN_OR_RETURN(auto vectors, DeriveVectors(manifest, model_key));
  std::optional<LabelHead> head;
  if (manifest.head) {
    ISOVEIL_ASSIGN_OR_RETURN(head, LabelHead::Open(folder / kHeadFile, *manifest.head, manifest.ports));
  }
  ISOVEIL_ASSIGN_OR_RETURN(std::vector<std::string> examples, ReadChatExamples(folder));
  return ClientFolder{std::move(manifest), std::move(vocabulary), std::move(cipher),
                      std::move(vectors),  std::move(head),       std::move(examples)};
}

Result<ClientFolder> ClientFolder::OpenText(const Path& folder, const RootKey& key) {
  ISOVEIL_ASSIGN_OR_RETURN(ClientFolder client, Open(folder, key));
  ISOVEIL_RETURN_IF_ERROR(client.Gives(folder, PortKind::kLogits));
  return client;
}

Status ClientFolder::Gives(const Path& folder, PortKind output) const {
  if (manifest.ports.SpaceOf(output) != nullptr) return Ok();
  std::string outputs, use;
  for (const Port& port : manifest.ports.list) {
    if (port.kind == PortKind::kIds || port.kind == PortKind::kSegments) continue;
    outputs += (outputs.empty() ? "" : ", ") + port.name;
    const std::string command = CommandFor(port.kind);
    if (use.find(command) == std::string::npos) use += (use.empty() ? "" : " or ") + command;
  }
  return Fail(ErrorCode::kUnsupported, folder.string(),
              fmt::format("belongs to a model that gives no {}; it gives {}", OutputName(output), outputs),
              "use " + use);
}

}  // namespace isoveil
