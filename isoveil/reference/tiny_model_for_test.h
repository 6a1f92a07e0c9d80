// A small random Llama with the placeholder vocabulary, as a GGUF file: enough to drive a real server.
//
//   const Path model = WriteTinyModel(folder());
#pragma once

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "isoveil/base/file.h"
#include "isoveil/format/gguf.h"
#include "isoveil/reference/evaluator.h"
#include "isoveil/tokenizer/placeholder.h"

namespace isoveil {

struct TinyModel {
  int32_t n_vocab = 300;
  uint32_t width = 64;
  uint32_t n_layers = 2;
  uint32_t n_heads = 4;
  uint32_t kv_heads = 2;
  uint32_t ffn = 96;
  uint32_t n_context = 256;
  std::vector<int32_t> eog = {7};
};

// The metadata of a model of this shape.
inline Result<GgufMetadata> TinyMetadata(const TinyModel& shape) {
  GgufMetadata metadata;
  metadata.Set("general.architecture", std::string("llama"));
  metadata.Set("llama.context_length", shape.n_context);
  metadata.Set("llama.embedding_length", shape.width);
  metadata.Set("llama.block_count", shape.n_layers);
  metadata.Set("llama.feed_forward_length", shape.ffn);
  metadata.Set("llama.attention.head_count", shape.n_heads);
  metadata.Set("llama.attention.head_count_kv", shape.kv_heads);
  metadata.Set("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  metadata.Set("llama.rope.dimension_count", shape.width / shape.n_heads);
  ISOVEIL_ASSIGN_OR_RETURN(
      const PlaceholderVocabulary vocabulary,
      PlaceholderVocabulary::Make(static_cast<uint64_t>(shape.n_vocab), FromModel<WireId>(shape.eog)));
  ISOVEIL_RETURN_IF_ERROR(vocabulary.AddTo(metadata));
  return metadata;
}

inline std::vector<TensorInfo> TinyTensors(const TinyModel& shape) {
  const uint64_t n_vocab = static_cast<uint64_t>(shape.n_vocab);
  const uint64_t width = shape.width;
  const uint64_t kv = width / shape.n_heads * shape.kv_heads;
  std::vector<TensorInfo> tensors = {{"token_embd.weight", DType::kF32, {n_vocab, width}},
                                     {"output_norm.weight", DType::kF32, {width}},
                                     {"output.weight", DType::kF32, {n_vocab, width}}};
  for (uint32_t layer = 0; layer < shape.n_layers; ++layer) {
    const std::vector<std::pair<const char*, Shape>> parts = {
        {"attn_norm", {width}},           {"ffn_norm", {width}},          {"attn_q", {width, width}},
        {"attn_k", {kv, width}},          {"attn_v", {kv, width}},        {"attn_output", {width, width}},
        {"ffn_gate", {shape.ffn, width}}, {"ffn_up", {shape.ffn, width}}, {"ffn_down", {width, shape.ffn}}};
    for (const auto& [name, dims] : parts) {
      tensors.push_back({fmt::format("blk.{}.{}.weight", layer, name), DType::kF32, dims});
    }
  }
  return tensors;
}

// Normal weights of standard deviation 1/sqrt(columns), gains of one; the same at every call.
inline Result<Path> WriteTinyModel(const Path& folder, const TinyModel& shape = {}) {
  ISOVEIL_ASSIGN_OR_RETURN(const GgufMetadata metadata, TinyMetadata(shape));
  const std::vector<TensorInfo> tensors = TinyTensors(shape);
  ISOVEIL_ASSIGN_OR_RETURN(const FileLayout layout, LayOutGguf(metadata, tensors));
  ISOVEIL_ASSIGN_OR_RETURN(const OutputFile file, OutputFile::Create(folder / "tiny.gguf", layout.size));
  ISOVEIL_RETURN_IF_ERROR(file.WriteAt(0, std::as_bytes(std::span(layout.header))));
  std::mt19937 random(1);
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Shape& dims = tensors[i].shape;
    std::vector<float> values(*ElementCount(dims), 1.0F);
    std::normal_distribution<float> normal(0, 1 / std::sqrt(static_cast<float>(dims.back())));
    if (dims.size() == 2) {
      for (float& value : values) value = normal(random);
    }
    ISOVEIL_RETURN_IF_ERROR(file.WriteAt(layout.offsets[i], std::as_bytes(std::span(values))));
  }
  return folder / "tiny.gguf";
}

}  // namespace isoveil
