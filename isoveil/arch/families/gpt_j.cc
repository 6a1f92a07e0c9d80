// GPT-J: LayerNorm, attention without and a feed-forward layer with biases side by side behind one norm, neighbours
// turned by RoPE, a bias at the head.
#include "isoveil/arch/decoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {

Family GptJFamily() {
  return {.name = "gptj",
          .hf_classes = {{"GPTJForCausalLM", "gptj", {"GPTJModel"}}},
          .hf = {.modules = {{"wte", {"token_embd"}},
                             {"ln_f", {"output_norm"}},
                             {.name = "lm_head", .roles = {"output"}, .unprefixed = true},
                             {"h.{}.ln_1", {"blk.{}.attn_norm"}},
                             {"h.{}.attn.q_proj", {"blk.{}.attn_q"}},
                             {"h.{}.attn.k_proj", {"blk.{}.attn_k"}},
                             {"h.{}.attn.v_proj", {"blk.{}.attn_v"}},
                             {"h.{}.attn.out_proj", {"blk.{}.attn_output"}},
                             {"h.{}.mlp.fc_in", {"blk.{}.ffn_up"}},
                             {"h.{}.mlp.fc_out", {"blk.{}.ffn_down"}}},
                 .prefixes = {"transformer."},
                 .buffers = {"h.{}.attn.bias", "h.{}.attn.masked_bias", "h.{}.attn.embed_positions"},
                 .pairing = RopeLayout::Pairing::kInterleaved},
          .gguf = {},
          .public_fields = {"scale_attn_weights"},
          .declare = [](Builder& b) {
            return DeclareDecoder(b, {.norm = NormKind::kLayer,
                                      .one_norm = true,
                                      .gated = false,
                                      .activation = "activation_function",
                                      .sizes = {.ffn_per_width = 4}});
          }};
}

}  // namespace isoveil
