// An output format: in which types and files it stores weights, what stands beside them, how a file is read back.
//
//   const Target& target = TargetOf(FormatKind::kGguf);
//   ISOVEIL_ASSIGN_OR_RETURN(ServerFiles server, target.Describe(model, checkpoint, plan, header, cipher, vocabulary));
//
// A new format is a new file beside gguf_target.cc and a line in TargetOf; plan, writing and encryption know none by
// name. The server gets dimensions, encrypted special ids and a placeholder vocabulary. Everything else of the source's
// configuration is dropped by default: only fields that the family reads or lists are kept, so that no name, text or
// tokenizer slips through. DroppedFields lists them. Targets are stateless and live for ever.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "isoveil/format/layout.h"
#include "isoveil/package/vocab_cipher.h"
#include "isoveil/tokenizer/placeholder.h"
#include "isoveil/tokenizer/vocabulary.h"
#include "isoveil/transform/plan.h"

namespace isoveil {

struct ServerFiles {
  GgufMetadata gguf;            // of every GGUF shard's header, without split keys; empty for Hugging Face
  std::vector<TextFile> texts;  // beside the weights
};

class Target {
 public:
  virtual ~Target() = default;
  virtual FormatKind kind() const = 0;
  // Of a file of weights: ".gguf".
  virtual std::string_view extension() const = 0;
  // Whether a file of it is a whole model that llama.cpp runs.
  virtual bool RunsOnLlamaCpp() const = 0;
  // Whether its engines compute what stands above an encoder: poolers, classifiers, logits of masked tokens.
  virtual bool HasEncoderHeads() const = 0;

  // What the header of its files says of the model; empty where files beside them say it. From a source in the same
  // format it is taken over. kUnsupported names a field of the source whose meaning the format cannot carry.
  virtual Result<GgufDescription> Header(const BoundModel& model, const Checkpoint& source) const = 0;
  // In which type a conversion from another format stores the tensor of these weights. kUnsupported if there is none.
  virtual Result<DType> TypeOf(const BoundModel& model, const StoredTensor& stored) const = 0;

  // The file of a plan's shard. `header` is that of ServerFiles.
  virtual Result<FileLayout> LayOut(const Plan& plan, size_t shard, const GgufMetadata& header) const = 0;
  // The tensors of a written file, by the reader that users' engines resemble most.
  virtual Result<std::vector<TensorInfo>> ReadBack(const Path& path) const = 0;

  virtual Result<ServerFiles> Describe(const BoundModel& model, const Checkpoint& source, const Plan& plan,
                                       const GgufMetadata& header, const VocabCipher& cipher,
                                       const Vocabulary& vocabulary) const = 0;
  // The fields of the source's configuration that reach it in no form: "config.json: use_cache", GGUF's keys.
  virtual std::vector<std::string> DroppedFields(const BoundModel& model, const Checkpoint& source) const = 0;
};

const Target& TargetOf(FormatKind kind);

// What servers get instead of a vocabulary: names without meaning, and the encrypted ids that end a generation, EOS
// first.
Result<PlaceholderVocabulary> ServerVocabulary(uint64_t n_vocab, const VocabCipher& cipher,
                                               const Vocabulary& vocabulary);

}  // namespace isoveil
