// GPT-2: LayerNorm with biases, learned positions, fused and (in Hugging Face format) transposed
// projections, GELU, a tied head.
#include "isoveil/arch/decoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {
namespace {

Status Declare(Builder& b) {
  ISOVEIL_RETURN_IF_ERROR(
      b.config().Accept("add_cross_attention", {false, nullptr}, "cross attention has no rule yet"));
  return DeclareDecoder(b, {.norm = NormKind::kLayer,
                            .gated = false,
                            .activation = "activation_function",
                            .rope = false,
                            .rows_before_positions = 0,
                            .sizes = {.ffn_per_width = 4}});
}

Status ToGguf(ConfigReader& config, uint64_t, GgufDescription& gguf) {
  constexpr const char* kScores = "llama.cpp divides the scores of all layers by the square root of head_dim";
  ISOVEIL_RETURN_IF_ERROR(
      config.Accept("activation_function", {"gelu_new", "gelu_pytorch_tanh", nullptr}, "llama.cpp computes gelu_new"));
  ISOVEIL_RETURN_IF_ERROR(config.Accept("scale_attn_weights", {true, nullptr}, kScores));
  ISOVEIL_RETURN_IF_ERROR(config.Accept("scale_attn_by_inverse_layer_idx", {false, nullptr}, kScores));
  ISOVEIL_ASSIGN_OR_RETURN(const Sizes sizes, ReadSizes(config, {.ffn_per_width = 4}));
  gguf.Set("feed_forward_length", static_cast<uint32_t>(sizes.ffn_width));
  return Ok();
}

}  // namespace

Family Gpt2Family() {
  const std::vector<std::string> qkv = {"blk.{}.attn_q", "blk.{}.attn_k", "blk.{}.attn_v"};
  return {
      .name = "gpt2",
      .hf_classes = {{"GPT2LMHeadModel", "gpt2", {"GPT2Model"}}},
      // transformers' Conv1D stores {in, out}.
      .hf = {.modules = {{"wte", {"token_embd"}},
                         {"wpe", {"position_embd"}},
                         {"ln_f", {"output_norm"}},
                         {"lm_head", {"output"}, false, true},
                         {"h.{}.ln_1", {"blk.{}.attn_norm"}},
                         {"h.{}.attn.c_attn", qkv, true},
                         {"h.{}.attn.c_proj", {"blk.{}.attn_output"}, true},
                         {"h.{}.ln_2", {"blk.{}.ffn_norm"}},
                         {"h.{}.mlp.c_fc", {"blk.{}.ffn_up"}, true},
                         {"h.{}.mlp.c_proj", {"blk.{}.ffn_down"}, true}},
             .prefixes = {"transformer."},
             .buffers = {"h.{}.attn.bias", "h.{}.attn.masked_bias"}},
      .gguf = {.modules = {{"blk.{}.attn_qkv", qkv},
                           {.name = "position_embd", .roles = {"position_embd"}, .fp32 = true}}},
      .tied_by_default = true,
      .public_fields = {"n_ctx", "scale_attn_weights", "scale_attn_by_inverse_layer_idx", "reorder_and_upcast_attn"},
      .declare = &Declare,
      .to_gguf = &ToGguf};
}

}  // namespace isoveil
