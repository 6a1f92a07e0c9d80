// Phi-3, 3.5 and 4: Llama with fused projections, RoPE on a part of the head in the smallest, long RoPE.
#include "isoveil/arch/decoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {

Family Phi3Family() {
  return {
      .name = "phi3",
      .hf_classes = {{"Phi3ForCausalLM", "phi3", {"Phi3Model"}}},
      .hf = LlamaDialect().With({{"layers.{}.self_attn.qkv_proj", {"blk.{}.attn_q", "blk.{}.attn_k", "blk.{}.attn_v"}},
                                 {"layers.{}.mlp.gate_up_proj", {"blk.{}.ffn_gate", "blk.{}.ffn_up"}}}),
      .gguf = {},
      .public_fields = {"rope_scaling", "original_max_position_embeddings", "sliding_window"},
      .declare = [](Builder& b) { return DeclareDecoder(b, {.rotary_fraction = "partial_rotary_factor"}); }};
}

}  // namespace isoveil
