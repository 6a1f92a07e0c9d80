// The parts that decoders and encoders are put together from, with the roles of their weights.
//
//   ISOVEIL_ASSIGN_OR_RETURN(const Sizes sizes, ReadSizes(b.config()));
//   SelfAttention(layer, x, residual, sizes.attention);
#pragma once

#include "isoveil/arch/builder.h"

namespace isoveil {

// The dimensions of a transformer.
struct Sizes {
  uint64_t n_layers = 0;
  uint64_t width = 0;
  uint64_t ffn_width = 0;
  uint64_t n_positions = 0;
  AttentionShape attention;  // without RoPE
};

// What a configuration may leave out.
struct SizeDefaults {
  std::optional<uint64_t> ffn_per_width;  // feed-forward width by width
  std::optional<uint64_t> n_positions;
  std::optional<uint64_t> kv_heads;  // whatever the configuration says
};

// Heads share the width where nothing else is said. kFormat if the query heads do not share the key/value heads evenly.
Result<Sizes> ReadSizes(ConfigReader& config, const SizeDefaults& defaults = {});

// The rotary dimension of a head: what GGUF says, or the fraction of `head_dim` that the member `fraction` of
// config.json says, all of it without one; kFormat if RoPE cannot pair its coordinates.
Result<uint64_t> ReadRotaryDim(ConfigReader& config, uint64_t head_dim, std::string_view fraction = "",
                               double otherwise = 1.0);

// How an elementwise function behaves under scaling.
enum class Activation { kGeneral, kPositive, kOdd };  // GELU, ReLU, tanh

void Activate(Graph& graph, Activation act, SpaceId x);

// The elementwise function that the member `name` of config.json names. kUnsupported for one that is not known to work
// on each coordinate alone.
Result<Activation> ReadActivation(ConfigReader& config, std::string_view name);

// What an attention layer has besides the plain one.
struct AttentionExtras {
  std::optional<Graph::HeadNorm> head_norm;  // attn_q_norm, attn_k_norm
  bool fixed_heads = false;                  // ALiBi
  bool clamped = false;                      // queries, keys and values are clamped to symmetric limits
  std::optional<HeadSetId> heads;            // that other layers have too
};

// attn_q, attn_k, attn_v, attn_output; spaces "heads", "qk", "vo".
void SelfAttention(const Builder& layer, const Reader& in, SpaceId out, const AttentionShape& shape,
                   const AttentionExtras& extras = {});

// act(ffn_gate x) * (ffn_up x), ffn_down; space "ffn". `act` works elementwise.
void GatedFfn(const Builder& layer, const Reader& in, SpaceId out, uint64_t ffn_width);

// Experts with feed-forward layers of their own, and perhaps one that all tokens pass.
struct ExpertShape {
  uint64_t n_experts = 0;
  uint64_t ffn_width = 0;
  uint64_t shared_width = 0;  // 0: none
};

// The numbers of the configuration; `ffn_width` stands for a missing width of experts.
Result<ExpertShape> ReadExperts(ConfigReader& config, uint64_t ffn_width);

// Router ffn_gate_inp; ffn_gate, ffn_up, ffn_down of each expert; ffn_*_shexp, and the gate ffn_gate_inp_shexp if it is
// there, of the shared one. Spaces "experts", "expert.7.ffn", "shared".
void ExpertFfn(const Builder& layer, const Reader& in, SpaceId out, const ExpertShape& shape);

// act(ffn_up x), ffn_down; space "ffn".
void PlainFfn(const Builder& layer, const Reader& in, SpaceId out, uint64_t ffn_width,
              Activation act = Activation::kGeneral);

}  // namespace isoveil
