// EXAONE 4: norms behind attention and feed-forward layer only, and one in each head of queries and keys; layers that
// see all positions may have no RoPE.
#include "isoveil/arch/decoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {

Family Exaone4Family() {
  return {.name = "exaone4",
          .hf_classes = {{"Exaone4ForCausalLM", "exaone4", {"Exaone4Model"}}},
          .hf = LlamaDialect().With({{"layers.{}.post_attention_layernorm", {"blk.{}.post_attention_norm"}},
                                     {"layers.{}.post_feedforward_layernorm", {"blk.{}.post_ffw_norm"}},
                                     {"layers.{}.self_attn.q_norm", {"blk.{}.attn_q_norm"}},
                                     {"layers.{}.self_attn.k_norm", {"blk.{}.attn_k_norm"}}}),
          .gguf = {},
          .public_fields = {"attention_bias", "rope_scaling", "rope_parameters", "sliding_window",
                            "sliding_window_pattern", "layer_types"},
          .declare = [](Builder& b) {
            return DeclareDecoder(
                b, {.pre_norm = false, .post_norm = true, .attention = {.head_norm = Graph::HeadNorm::kEachHead}});
          }};
}

}  // namespace isoveil
