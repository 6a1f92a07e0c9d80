// OPT: LayerNorm and biases, learned positions with two rows in front of the first, ReLU.
#include "isoveil/arch/decoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {
namespace {

Status Declare(Builder& b) {
  ConfigReader& config = b.config();
  ISOVEIL_RETURN_IF_ERROR(
      config.Accept("do_layer_norm_before", {true, nullptr}, "the norms are declared in front of the layers"));
  ISOVEIL_RETURN_IF_ERROR(
      config.Accept("_remove_final_layer_norm", {false, nullptr}, "the last norm is declared in front of the head"));
  const nlohmann::ordered_json width = config.hf()->value("hidden_size", nlohmann::ordered_json());
  ISOVEIL_RETURN_IF_ERROR(
      config.Accept("word_embed_proj_dim", {width, nullptr}, "the embedding is declared as wide as the layers"));
  return DeclareDecoder(b, {.norm = NormKind::kLayer,
                            .gated = false,
                            .activation = "activation_function",
                            .rope = false,
                            .rows_before_positions = 2});
}

}  // namespace

Family OptFamily() {
  return {.name = "opt",
          .hf_classes = {{"OPTForCausalLM", "opt", {"OPTModel"}}},
          .hf = {.modules = {{"decoder.embed_tokens", {"token_embd"}},
                             {"decoder.embed_positions", {"position_embd"}},
                             {"decoder.final_layer_norm", {"output_norm"}},
                             {.name = "lm_head", .roles = {"output"}, .unprefixed = true},
                             {"decoder.layers.{}.self_attn_layer_norm", {"blk.{}.attn_norm"}},
                             {"decoder.layers.{}.self_attn.q_proj", {"blk.{}.attn_q"}},
                             {"decoder.layers.{}.self_attn.k_proj", {"blk.{}.attn_k"}},
                             {"decoder.layers.{}.self_attn.v_proj", {"blk.{}.attn_v"}},
                             {"decoder.layers.{}.self_attn.out_proj", {"blk.{}.attn_output"}},
                             {"decoder.layers.{}.final_layer_norm", {"blk.{}.ffn_norm"}},
                             {"decoder.layers.{}.fc1", {"blk.{}.ffn_up"}},
                             {"decoder.layers.{}.fc2", {"blk.{}.ffn_down"}}},
                 .prefixes = {"model."}},
          .gguf = {},
          .tied_by_default = true,
          .public_fields = {"enable_bias", "layer_norm_elementwise_affine", "dropout", "layerdrop"},
          .declare = &Declare};
}

}  // namespace isoveil
