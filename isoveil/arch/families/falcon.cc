// Falcon 7B, 40B and the small ones (Falcon 3 is a Llama): attention and feed-forward layer side by side, one or two
// norms with biases in front of maps without, queries, keys and values by turns of query groups, RoPE or ALiBi.
#include "isoveil/arch/decoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {
namespace {

bool Flag(const ConfigReader& config, std::string_view name, bool otherwise) {
  const auto value = config.hf()->value(name, nlohmann::ordered_json());
  return value.is_boolean() ? value.get<bool>() : otherwise;
}

Status Declare(Builder& b) {
  ConfigReader& config = b.config();
  config.Keep(
      {"new_decoder_architecture", "multi_query", "alibi", "parallel_attn", "num_ln_in_parallel_attn", "num_kv_heads"});
  const bool grouped = Flag(config, "new_decoder_architecture", false);
  const bool parallel = grouped || Flag(config, "parallel_attn", true);
  const bool alibi = Flag(config, "alibi", false);
  const bool two_norms = b.Layer(0).Has("ln_attn");
  DecoderOptions options{.norm = NormKind::kLayer,
                         .attn_norm = two_norms ? "ln_attn" : "attn_norm",
                         .ffn_norm = two_norms ? "ln_mlp" : "ffn_norm",
                         .one_norm = parallel && !two_norms,
                         .gated = false,
                         .activation = "activation",
                         .rope = !alibi,
                         .attention = {.fixed_heads = alibi},
                         .sizes = {.ffn_per_width = 4, .n_positions = 2048}};
  // The older models share one key/value head, or none.
  if (!grouped) {
    ISOVEIL_ASSIGN_OR_RETURN(const uint64_t n_heads, config.Count(field::kHeads));
    options.sizes.kv_heads = Flag(config, "multi_query", true) ? 1 : n_heads;
  }
  return DeclareDecoder(b, options);
}

}  // namespace

Family FalconFamily() {
  return {.name = "falcon",
          .hf_classes = {{"FalconForCausalLM", "falcon", {"FalconModel", "RWForCausalLM"}}},
          .hf = {.modules = {{"word_embeddings", {"token_embd"}},
                             {"ln_f", {"output_norm"}},
                             {.name = "lm_head", .roles = {"output"}, .unprefixed = true},
                             {"h.{}.input_layernorm", {"blk.{}.attn_norm"}},
                             {"h.{}.ln_attn", {"blk.{}.ln_attn"}},
                             {"h.{}.ln_mlp", {"blk.{}.ln_mlp"}},
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
          .public_fields = {"bias", "rope_scaling", "rope_parameters"},
          .declare = &Declare};
}

}  // namespace isoveil
