// manifest.json in the client's folder: what was made from what, with which key, where the client meets the network,
// and how every tensor was treated.
//
//   ISOVEIL_ASSIGN_OR_RETURN(Manifest manifest, Manifest::Read("out/client/manifest.json"));
//   ModelKey key(root, manifest.model_identity);
//
// It holds no secret: key id, profile, shapes, file hashes, and the group of each axis. The server does not
// get it. Readers accept unknown fields and refuse other major versions by name, but for version 1: it knew ports of
// text alone and had their space in its code.
#pragma once

#include <string>
#include <vector>

#include "isoveil/algebra/client_head.h"
#include "isoveil/algebra/port.h"
#include "isoveil/base/file.h"
#include "isoveil/base/token_id.h"
#include "isoveil/format/checkpoint.h"
#include "isoveil/key/model_key.h"

namespace isoveil {

inline constexpr char kManifestFile[] = "manifest.json";
inline constexpr char kVocabularyFile[] = "vocabulary.gguf";

// A shard of the source. Its content is named by the model identity: hashing it whole would read a checkpoint
// that is larger than memory from the disk once more.
struct SourceFile {
  std::string name;
  uint64_t bytes = 0;
};

struct FileHash {
  std::string name;
  uint64_t bytes = 0;
  std::string tree_hash;
};

struct TensorTreatment {
  std::string name;
  std::string type;
  Shape shape;
  std::vector<std::string> treatment;  // one for each weight in the tensor
};

// What moves in a space of the network: "Perm of ...", "stays".
struct DrawnSpace {
  std::string space;
  uint64_t dim = 0;
  std::string drawn;
  bool operator==(const DrawnSpace&) const = default;
};

struct Manifest {
  std::string key_id;
  ModelIdentity model_identity = {};
  Profile profile = Profile::kExact;
  std::string architecture;
  FormatKind target = FormatKind::kGguf;
  Ports ports;
  std::optional<ClientHead> head;          // makes labels of vectors, on the client
  std::vector<PlainId> end_of_generation;  // plain ids
  std::vector<SourceFile> source_files;
  std::vector<FileHash> server_files;  // all of the server's folder
  std::vector<TensorTreatment> tensors;
  std::vector<std::pair<std::string, std::string>> dropped_tensors;  // name, why
  std::vector<std::string> dropped_fields;

  std::vector<DrawnSpace> drawn;      // what the profile came to; an older manifest has none
  std::vector<std::string> warnings;  // where that is less than the profile's name promises

  // Of the ids; 0 for a network that has none.
  uint64_t n_vocab() const;

  std::string ToJson() const;
  static Result<Manifest> Read(const Path& path);
  // The file's text, `name` for errors.
  static Result<Manifest> Parse(std::string_view text, const std::string& name);
};

// Of a network that reads and writes text: ids in, logits out, both in the space "vocab".
Ports TextPorts(uint64_t n_vocab);

std::string_view PortKindName(PortKind kind);
std::string_view ProfileName(Profile profile);
std::string_view FormatName(FormatKind format);

}  // namespace isoveil
