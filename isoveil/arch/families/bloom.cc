// BLOOM: a norm behind the embedding, LayerNorm and biases, ALiBi, queries, keys and values by turns of heads.
#include "isoveil/arch/decoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {
namespace {

Status Declare(Builder& b) {
  ISOVEIL_RETURN_IF_ERROR(b.config().Accept("apply_residual_connection_post_layernorm", {false, nullptr},
                                            "the norms are declared in front of the layers"));
  return DeclareDecoder(b, {.norm = NormKind::kLayer,
                            .gated = false,
                            .rope = false,
                            .embedding_norm = true,
                            .attention = {.fixed_heads = true},
                            .sizes = {.ffn_per_width = 4, .n_positions = 2048}});
}

}  // namespace

Family BloomFamily() {
  return {.name = "bloom",
          .hf_classes = {{"BloomForCausalLM", "bloom", {"BloomModel"}}},
          .hf = {.modules = {{"word_embeddings", {"token_embd"}},
                             {"word_embeddings_layernorm", {"token_embd_norm"}},
                             {"ln_f", {"output_norm"}},
                             {.name = "lm_head", .roles = {"output"}, .unprefixed = true},
                             {"h.{}.input_layernorm", {"blk.{}.attn_norm"}},
                             {.name = "h.{}.self_attention.query_key_value",
                              .roles = {"blk.{}.attn_q", "blk.{}.attn_k", "blk.{}.attn_v"},
                              .by_head = true},
                             {"h.{}.self_attention.dense", {"blk.{}.attn_output"}},
                             {"h.{}.post_attention_layernorm", {"blk.{}.ffn_norm"}},
                             {"h.{}.mlp.dense_h_to_4h", {"blk.{}.ffn_up"}},
                             {"h.{}.mlp.dense_4h_to_h", {"blk.{}.ffn_down"}}},
                 .prefixes = {"transformer."}},
          .gguf = {},
          .tied_by_default = true,
          .public_fields = {"pretraining_tp", "slow_but_exact"},
          .declare = &Declare};
}

}  // namespace isoveil
