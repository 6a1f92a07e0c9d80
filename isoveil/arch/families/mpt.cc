// MPT: LayerNorm without biases, ALiBi, fused and perhaps clamped queries, keys and values, a tied head.
#include "isoveil/arch/decoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {
namespace {

Status Declare(Builder& b) {
  using nlohmann::ordered_json;
  const ordered_json* hf = b.config().hf();
  const ordered_json attention = hf->value("attn_config", ordered_json::object());
  b.config().Keep({"attn_config"});
  const auto accept = [&](std::string_view name, const ordered_json& value) -> Status {
    const ordered_json found = attention.is_object() ? attention.value(name, value) : value;
    if (found == value) return Ok();
    return Fail(ErrorCode::kUnsupported, fmt::format("config.json: attn_config.{}", name), "has no rule here");
  };
  ISOVEIL_RETURN_IF_ERROR(accept("attn_type", "multihead_attention"));
  ISOVEIL_RETURN_IF_ERROR(accept("qk_ln", false));
  ISOVEIL_RETURN_IF_ERROR(b.config().Accept("expansion_ratio", {4, nullptr}, "engines know no other"));
  const bool clamped = attention.is_object() && !attention.value("clip_qkv", ordered_json()).is_null();
  return DeclareDecoder(b, {.norm = NormKind::kLayer,
                            .gated = false,
                            .rope = false,
                            .attention = {.fixed_heads = true, .clamped = clamped},
                            .sizes = {.ffn_per_width = 4, .n_positions = 2048}});
}

}  // namespace

Family MptFamily() {
  return {.name = "mpt",
          .hf_classes = {{"MptForCausalLM", "mpt", {"MptModel", "MPTForCausalLM"}}},
          .hf = {.modules = {{"wte", {"token_embd"}},
                             {"norm_f", {"output_norm"}},
                             {.name = "lm_head", .roles = {"output"}, .unprefixed = true},
                             {"blocks.{}.norm_1", {"blk.{}.attn_norm"}},
                             {"blocks.{}.attn.Wqkv", {"blk.{}.attn_q", "blk.{}.attn_k", "blk.{}.attn_v"}},
                             {"blocks.{}.attn.out_proj", {"blk.{}.attn_output"}},
                             {"blocks.{}.norm_2", {"blk.{}.ffn_norm"}},
                             {"blocks.{}.ffn.up_proj", {"blk.{}.ffn_up"}},
                             {"blocks.{}.ffn.down_proj", {"blk.{}.ffn_down"}}},
                 .prefixes = {"transformer."}},
          .gguf = {},
          .tied_by_default = true,
          .public_fields = {"no_bias", "norm_type", "learned_pos_emb", "logit_scale", "resid_pdrop", "emb_pdrop"},
          .declare = &Declare};
}

}  // namespace isoveil
