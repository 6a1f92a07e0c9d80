// GLM-4 (0414 and GLM-Z1 among them): Llama with a fused gate, neighbours turned by RoPE on a half of the head; the
// newer ones norm what they add to the residual too.
#include "isoveil/arch/decoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {
namespace {

Dialect HfDialect() {
  Dialect dialect = LlamaDialect().With({{"layers.{}.mlp.gate_up_proj", {"blk.{}.ffn_gate", "blk.{}.ffn_up"}},
                                         {"layers.{}.post_self_attn_layernorm", {"blk.{}.post_attention_norm"}},
                                         {"layers.{}.post_mlp_layernorm", {"blk.{}.post_ffw_norm"}}});
  dialect.pairing = RopeLayout::Pairing::kInterleaved;
  return dialect;
}

}  // namespace

Family GlmFamily() {
  return {.name = "glm4",
          .hf_classes = {{"GlmForCausalLM", "glm", {"GlmModel"}}, {"Glm4ForCausalLM", "glm4", {"Glm4Model"}}},
          .hf = HfDialect(),
          .gguf = {.modules = {}, .pairing = RopeLayout::Pairing::kInterleaved},
          .public_fields = {"attention_bias", "rope_scaling", "rope_parameters"},
          .declare = [](Builder& b) {
            return DeclareDecoder(b, {.post_norm = b.Layer(0).Has("post_attention_norm"),
                                      .rotary_fraction = "partial_rotary_factor",
                                      .default_rotary_fraction = 0.5});
          }};
}

}  // namespace isoveil
