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

// Heads have their own keys and values, and share the width, where nothing else is said. `ffn_per_width` stands for a
// missing feed-forward width. kFormat if the query heads do not share the key/value heads evenly.
Result<Sizes> ReadSizes(ConfigReader& config, std::optional<uint64_t> ffn_per_width = std::nullopt);

// The rotary dimension of a head, by default all of it; kFormat if RoPE cannot pair its coordinates.
Result<uint64_t> ReadRotaryDim(ConfigReader& config, uint64_t head_dim);

// attn_q, attn_k, attn_v, attn_output; spaces "heads", "qk", "vo".
void SelfAttention(const Builder& layer, const Reader& in, SpaceId out, const AttentionShape& shape);

// act(ffn_gate x) * (ffn_up x), ffn_down; space "ffn". `act` works elementwise.
void GatedFfn(const Builder& layer, const Reader& in, SpaceId out, uint64_t ffn_width);

// act(ffn_up x), ffn_down; space "ffn".
void PlainFfn(const Builder& layer, const Reader& in, SpaceId out, uint64_t ffn_width);

}  // namespace isoveil
