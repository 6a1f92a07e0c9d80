// The main job: a checkpoint and a key become an encrypted checkpoint for a server and what the client
// needs to talk to it.
//
//   EncryptOptions options{.profile = Profile::kRotated, .target = FormatKind::kGguf};
//   ISOVEIL_ASSIGN_OR_RETURN(EncryptReport report, Encrypt("Llama-3.2-1B", root_key, "out", options));
//
//   out/server/   upload this: the weights in a standard format, no tokenizer, no names, no text
//   out/client/   keep this: vocabulary.gguf, the plain tokenizer's files, manifest.json
//
// Work goes on in "out.partial" and appears as "out" whole, after everything was written, synced and read
// back. A run that was killed is taken up again by the same call. Anonymous memory stays below the budget
// whatever the model's size: weights pass through from mapped input to written output in panels.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>

#include "isoveil/key/key_file.h"
#include "isoveil/transform/drawn.h"
#include "isoveil/transform/target.h"

namespace isoveil {

struct EncryptOptions {
  Profile profile = Profile::kExact;
  Path lora;                         // a LoRA adapter to merge in, if not empty
  std::optional<FormatKind> target;  // the source's format unless set
  unsigned threads = 0;              // 0: one per core
  uint64_t memory = 256 << 20;       // bytes for the panels of all threads together
  bool requantize = false;           // see BindOptions
  bool powers_of_two = true;         // see BindOptions
  // Called now and then, from any thread, with bytes of weights written and in all.
  std::function<void(uint64_t done, uint64_t total)> progress;
  const std::atomic<bool>* cancel = nullptr;
  // Asked of a result that llama.cpp runs before it is published, such as whether it opens there; its error ends the
  // run. `model` is the first file.
  std::function<Status(const Path& model)> accept;
};

struct EncryptReport {
  std::string architecture;
  std::string key_id;
  Profile profile = Profile::kExact;
  FormatKind target = FormatKind::kGguf;
  uint64_t n_vocab = 0;
  uint64_t tensors = 0;
  uint64_t resumed_tensors = 0;  // finished by an earlier, interrupted run
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  double seconds = 0;
  std::vector<DrawnSpace> drawn;      // see drawn.h
  std::vector<std::string> warnings;  // for people
};

// What Encrypt would do, for `--dry-run`: reads headers only and writes nothing. The plan refers to the
// model, and the model to the checkpoint, so the whole stays in one place.
struct PlannedEncryption {
  Checkpoint checkpoint;
  BoundModel model;
  GgufDescription header;  // see Target::Header
  Plan plan;
  GgufMetadata vocabulary;                  // of the source
  std::vector<std::string> dropped_fields;  // see Target::DroppedFields
  std::vector<std::string> warnings;        // for people
};
// kInvalidArgument for a checkpoint that is encrypted already.
Result<std::unique_ptr<const PlannedEncryption>> PlanEncryption(const Path& source, const EncryptOptions& options);

// What Encrypt writes beside the weights with this key: to compare a server's folder with.
Result<ServerFiles> DescribeEncryption(const PlannedEncryption& planned, const RootKey& root);

// The tokenizer of a checkpoint as GGUF keys, opened once to see that it can be used and has `n_vocab` tokens.
Result<GgufMetadata> ReadUsableVocabulary(const Checkpoint& checkpoint, uint64_t n_vocab);

// kExists if `out` is there; kMismatch if an interrupted run in its place had other options.
Result<EncryptReport> Encrypt(const Path& source, const RootKey& root, const Path& out, const EncryptOptions& options);

struct ConvertOptions {
  Path lora = {};            // as above
  bool widen = false;        // store all weights in fp32
  bool placeholder = false;  // opaque token names instead of the source's vocabulary
  unsigned threads = 0;
};

// The same weights in GGUF format, not encrypted, in the new folder `out`: how `verify` runs a Hugging Face
// folder on llama.cpp.
Status ConvertToGguf(const Path& source, const Path& out, const ConvertOptions& options);

}  // namespace isoveil
