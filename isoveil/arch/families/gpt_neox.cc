// GPT-NeoX, Pythia, Dolly: LayerNorm and biases, attention and feed-forward layer side by side, queries, keys and
// values by turns of heads.
#include "isoveil/arch/decoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {

Family GptNeoxFamily() {
  return {.name = "gptneox",
          .hf_classes = {{"GPTNeoXForCausalLM", "gpt_neox", {"GPTNeoXModel"}}},
          .hf = {.modules = {{"embed_in", {"token_embd"}},
                             {"final_layer_norm", {"output_norm"}},
                             {.name = "embed_out", .roles = {"output"}, .unprefixed = true},
                             {"layers.{}.input_layernorm", {"blk.{}.attn_norm"}},
                             {.name = "layers.{}.attention.query_key_value",
                              .roles = {"blk.{}.attn_q", "blk.{}.attn_k", "blk.{}.attn_v"},
                              .by_head = true},
                             {"layers.{}.attention.dense", {"blk.{}.attn_output"}},
                             {"layers.{}.post_attention_layernorm", {"blk.{}.ffn_norm"}},
                             {"layers.{}.mlp.dense_h_to_4h", {"blk.{}.ffn_up"}},
                             {"layers.{}.mlp.dense_4h_to_h", {"blk.{}.ffn_down"}}},
                 .prefixes = {"gpt_neox."},
                 .buffers = {"layers.{}.attention.bias", "layers.{}.attention.masked_bias",
                             "layers.{}.attention.rotary_emb.inv_freq"}},
          .gguf = {},
          .public_fields = {"use_parallel_residual", "rotary_emb_base", "partial_rotary_factor", "rope_scaling",
                            "rope_parameters", "attention_bias", "classifier_dropout"},
          .declare = [](Builder& b) {
            return DeclareDecoder(b, {.norm = NormKind::kLayer,
                                      .gated = false,
                                      .rotary_fraction = "rotary_pct",
                                      .default_rotary_fraction = 0.25});
          }};
}

}  // namespace isoveil
