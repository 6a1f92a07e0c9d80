// The decoder that most families are: a norm, attention with RoPE, a norm, a feed-forward layer, a head that may be
// tied. Biases are there where the checkpoint has them.
//
//   Status Declare(Builder& b) { return DeclareDecoder(b); }                              // Llama
//   Status Declare(Builder& b) { return DeclareDecoder(b, {.norm = NormKind::kLayer}); }  // StarCoder 2
#pragma once

#include "isoveil/arch/blocks.h"
#include "isoveil/arch/family.h"

namespace isoveil {

enum class NormKind { kRms, kLayer, kBareLayer };  // the last has no weights

// What one family's layers do otherwise than Llama's.
struct DecoderOptions {
  NormKind norm = NormKind::kRms;
  bool pre_norm = true;  // in front of attention and feed-forward layer
  std::string_view attn_norm = "attn_norm";
  std::string_view ffn_norm = "ffn_norm";
  bool post_norm = false;  // post_attention_norm, post_ffw_norm: of what they add to the residual
  bool one_norm = false;   // attention and feed-forward layer stand side by side and read attn_norm
  bool gated = true;
  bool experts = false;  // in the layers that have a router
  std::string_view activation = "hidden_act";
  // Of the gate, where there is one: engines know no other, though any would do.
  std::vector<nlohmann::json> gate_activations = {"silu", nullptr};
  // The member of config.json that says on which part of a head RoPE works; empty: on all of it.
  std::string_view rotary_fraction;
  double default_rotary_fraction = 1.0;
  bool rope = true;
  // Learned positions, position_embd, with that many rows in front of the first.
  std::optional<uint64_t> rows_before_positions = std::nullopt;
  bool embedding_norm = false;  // token_embd_norm, of what becomes the residual
  AttentionExtras attention = {};
  SizeDefaults sizes = {};
};

// Reads the dimensions and states all layers.
Status DeclareDecoder(const Builder& b, const DecoderOptions& options = {});

// What a family's graph in llama.cpp does beyond the plain one.
struct DecoderInGguf {
  bool reads_rope_factors = false;  // the tensor "rope_freqs"
};
// Head dimensions, vocabulary, context and RoPE, of a decoder with RoPE whose declaration has read `config`.
Status DecoderToGguf(ConfigReader& config, uint64_t n_vocab, const DecoderInGguf& there, GgufDescription& gguf);

}  // namespace isoveil
