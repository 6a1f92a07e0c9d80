// The decoder that most families are: RMSNorm before attention with RoPE and grouped keys, RMSNorm before a gated
// feed-forward layer, a head that may be tied. Biases are optional.
//
//   Status Declare(Builder& b) { return DeclareDecoder(b); }
#pragma once

#include "isoveil/arch/blocks.h"
#include "isoveil/arch/family.h"

namespace isoveil {

// Reads the dimensions and states all layers.
Status DeclareDecoder(const Builder& b);

// What a family's graph in llama.cpp does beyond the plain one.
struct DecoderInGguf {
  bool reads_rope_factors = false;  // the tensor "rope_freqs"
};
// Head dimensions, vocabulary, context and RoPE.
Status DecoderToGguf(ConfigReader& config, uint64_t n_vocab, const DecoderInGguf& there, GgufDescription& gguf);

}  // namespace isoveil
