// A model checkpoint in any supported format: what the layers above read.
//
//   ISOVEIL_ASSIGN_OR_RETURN(Checkpoint checkpoint, Checkpoint::Open("Llama-3.2-1B"));
//   for (const TensorView& tensor : checkpoint.tensors()) Use(tensor);
//
// Opens a GGUF file, the first file of a GGUF split, a Hugging Face folder, a .safetensors file beside its
// config.json, or a folder with exactly one GGUF model; a folder with both is read as Hugging Face. Anything
// else is kUnsupported with what was found. Everything is mapped, nothing is read into memory.
// Movable; views stay valid while the checkpoint lives. Immutable; safe to share between threads.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "isoveil/format/gguf.h"
#include "isoveil/format/hf_folder.h"
#include "isoveil/format/lora.h"

namespace isoveil {

enum class FormatKind { kGguf, kHuggingFace };

class Checkpoint {
 public:
  // `lora` names the folder of a LoRA adapter to merge into a Hugging Face model, if it is not empty: see lora.h.
  static Result<Checkpoint> Open(const Path& path, const Path& lora = {});

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
  // Of all shards, in order; those with scales of their own or changed by an adapter are computed.
  std::span<const TensorView> tensors() const { return tensors_; }
  // Null if none is merged in.
  const LoraAdapter* lora() const { return lora_.get(); }
  // All files of weights: the shards, then the adapter's.
  std::vector<Path> weight_files() const;
  // Null if there is none of that name.
  const TensorView* FindTensor(std::string_view name) const;
  // The index of its shard.
  std::optional<size_t> ShardOf(std::string_view name) const;
  // Of all shards' weights.
  uint64_t total_bytes() const;

  // Advice that the tensor will not be read again soon, so that its pages can go.
  void Release(const TensorView& tensor) const;

 private:
  static Result<Checkpoint> OpenModel(const Path& path);
  static Result<Checkpoint> FromFolder(const Path& folder);
  static Result<Checkpoint> FromGguf(const Path& path);
  static Result<Checkpoint> FromHf(const Path& folder, const std::string& weights);
  void AddShard(const Path& path, std::span<const TensorView> tensors);

  std::shared_ptr<const GgufModel> gguf_;
  std::shared_ptr<const HfFolder> hf_;
  std::shared_ptr<const LoraAdapter> lora_;
  std::vector<Shard> shards_;
  std::vector<TensorView> tensors_;

  struct Place {
    size_t tensor;
    size_t shard;
  };
  std::map<std::string, Place, std::less<>> place_;
};

}  // namespace isoveil
