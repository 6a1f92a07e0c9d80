// A Hugging Face model folder: config.json, safetensors in one file or in shards with an index, tokenizer
// files.
//
//   ISOVEIL_ASSIGN_OR_RETURN(HfFolder folder, HfFolder::Open("Llama-3.2-1B"));
//   folder.config()["hidden_size"];
//
// Index and shards are checked against each other both ways. Weights in other formats (pytorch_model.bin) and
// Git LFS pointers are refused with what to do. Immutable; safe to share between threads.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "isoveil/format/safetensors.h"

namespace isoveil {

class HfFolder {
 public:
  static Result<HfFolder> Open(const Path& folder);

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
  std::span<const Shard> shards() const { return shards_; }
  // The files that a tokenizer may be made of, as far as they are there.
  std::vector<Path> tokenizer_files() const;

 private:
  Path path_;
  nlohmann::ordered_json config_;
  nlohmann::ordered_json generation_config_;
  std::vector<Shard> shards_;
};

// The shard of every tensor by an index file's text: (tensor, shard file name). Names that leave the folder
// are kFormat. Public for its fuzzer.
Result<std::vector<std::pair<std::string, std::string>>> ParseIndex(std::string_view text,
                                                                    const std::string& name);

}  // namespace isoveil
