// A model checkpoint in any supported format: what the layers above read.
//
//   ISOVEIL_ASSIGN_OR_RETURN(Checkpoint checkpoint, Checkpoint::Open("Llama-3.2-1B"));
//   for (const TensorView& tensor : checkpoint.tensors()) Use(tensor);
//
// Opens a GGUF file, the first file of a GGUF split, a Hugging Face folder, a .safetensors file in such a
// folder, or a folder with exactly one GGUF model. Everything is mapped, nothing is read into memory.
// Movable; views stay valid while the checkpoint lives. Immutable; safe to share between threads.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "isoveil/format/gguf.h"
#include "isoveil/format/hf_folder.h"

namespace isoveil {

enum class FormatKind { kGguf, kHuggingFace };

class Checkpoint {
 public:
  static Result<Checkpoint> Open(const Path& path);

  FormatKind kind() const { return gguf_ ? FormatKind::kGguf : FormatKind::kHuggingFace; }
  // Null for the other format.
  const GgufModel* gguf() const { return gguf_.get(); }
  const HfFolder* hf() const { return hf_.get(); }

  // A file of weights, with its tensors in order.
  struct Shard {
    std::string file_name;
    Path path;
    std::vector<TensorInfo> tensors;
  };
  std::span<const Shard> shards() const { return shards_; }
  // Of all shards, in order.
  std::span<const TensorView> tensors() const { return tensors_; }
  // Of all weights.
  uint64_t total_bytes() const;

 private:
  static Result<Checkpoint> FromGguf(const Path& path);
  static Result<Checkpoint> FromHf(const Path& folder);
  void AddShard(const Path& path, std::span<const TensorView> tensors);

  std::shared_ptr<const GgufModel> gguf_;
  std::shared_ptr<const HfFolder> hf_;
  std::vector<Shard> shards_;
  std::vector<TensorView> tensors_;
};

}  // namespace isoveil
