// A Hugging Face model folder: config.json, safetensors in one file or in shards with an index, tokenizer
// files.
//
//   ISOVEIL_ASSIGN_OR_RETURN(HfFolder folder, HfFolder::Open("Llama-3.2-1B"));
//   folder.config()["hidden_size"];
//   for (const HfFolder::Shard& shard : folder.shards()) Use(shard.file.tensors());
//
// Index and shards are checked against each other both ways. Weights in other formats (pytorch_model.bin),
// quantised ones (hf_foreign.h) and Git LFS pointers are refused with what to do. Spans live as long as
// the object or a copy. Immutable; safe to share between threads.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "isoveil/format/hf_sentence.h"
#include "isoveil/format/safetensors.h"

namespace isoveil {

class HfFolder {
 public:
  // Reads model.safetensors, or the shards of model.safetensors.index.json; both at once are ambiguous and
  // kFormat. `weights` names another safetensors file of the folder to read instead, or one of its shards.
  static Result<HfFolder> Open(const Path& folder, const std::string& weights = "");

  struct Shard {
    Path path;
    SafetensorsFile file;
  };

  const Path& path() const { return path_; }
  const nlohmann::ordered_json& config() const { return config_; }
  // Null if the folder has none.
  const nlohmann::ordered_json* generation_config() const {
    return generation_config_.is_null() ? nullptr : &generation_config_;
  }
  const SentenceModules& sentence() const { return sentence_; }
  // In the order of their names.
  std::span<const Shard> shards() const { return shards_; }

  // The files that a tokenizer and a chat template may be made of, as far as they are there.
  std::vector<Path> tokenizer_files() const;
  // The same, and the configurations: everything of the folder that is read beside weights.
  std::vector<Path> text_files() const;
  // Whether one of them holds a vocabulary.
  bool has_tokenizer() const;

 private:
  Path path_;
  nlohmann::ordered_json config_;
  nlohmann::ordered_json generation_config_;
  SentenceModules sentence_;
  std::vector<Shard> shards_;
};

}  // namespace isoveil
