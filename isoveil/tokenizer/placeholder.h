// The vocabulary that the server gets instead of the real one: opaque names, nothing else.
//
//   PlaceholderVocabulary placeholder = *PlaceholderVocabulary::Make(n_vocab, encrypted_eog_ids);
//   placeholder.AddTo(metadata);                                  // GGUF
//   for (const TextFile& file : placeholder.HfFiles()) ...        // Hugging Face folder
//   placeholder.left_to_client();                                 // the client stops on these itself
//
// The name of encrypted id 0x12ab is "t0012ab": lower-case hex of a fixed width, so that no name is a
// part of another and a stop string can stand for one id. Everything is computed from n_vocab and the
// encrypted ids that end a generation, so it tells the server nothing that these do not.
//
// llama.cpp needs a vocabulary to sample from ("none" aborts) and stops on ids only through a few keys:
// eos, eot and eom stop and nothing more; fim_pad, fim_rep and fim_sep also do. All six are used in this
// order. Ids beyond six are left to the client. llama.cpp then reports a "stop" for all of them alike.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "isoveil/base/result.h"
#include "isoveil/base/token_id.h"
#include "isoveil/format/gguf.h"

namespace isoveil {

struct TextFile {
  std::string name;
  std::string text;
};

class PlaceholderVocabulary {
 public:
  // `end_of_generation` are encrypted ids, most important first (EOS). kInvalidArgument for an empty or
  // too large vocabulary, an id outside of it, or one that is given twice.
  static Result<PlaceholderVocabulary> Make(uint64_t n_vocab, std::vector<WireId> end_of_generation);

  // The name of an encrypted id; `id` must be in the vocabulary.
  std::string Name(WireId id) const;
  // The id of a name, or kInvalidArgument.
  Result<WireId> Id(std::string_view name) const;

  // Adds the "tokenizer.*" keys. kExists if there are any already: they would be plain ones.
  Status AddTo(GgufMetadata& metadata) const;

  // tokenizer.json, tokenizer_config.json and special_tokens_map.json: a WordLevel model that
  // transformers and vLLM open. Stop ids of vLLM come from generation_config.json, see id_fields.h.
  std::vector<TextFile> HfFiles() const;

  // End-of-generation ids for which GGUF has no key.
  const std::vector<WireId>& left_to_client() const { return left_to_client_; }

 private:
  PlaceholderVocabulary(uint64_t n_vocab, unsigned width, std::vector<WireId> stops,
                        std::vector<WireId> left_to_client);

  uint64_t n_vocab_;
  unsigned width_;  // hex digits of a name
  std::vector<WireId> stops_;
  std::vector<WireId> left_to_client_;
};

}  // namespace isoveil
