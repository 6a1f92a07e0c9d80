// Gemma 1 and 2: Llama with GELU, gains stored less 1 and an embedding scaled by the engine; the second norms what
// layers add to the residual too, and caps scores and logits.
#include "isoveil/arch/decoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {
namespace {

// A gain of 0 is stored for a norm that does nothing.
StoredTensor Norm(std::string name, std::string role) {
  return {.name = std::move(name), .roles = {std::move(role)}, .origin = 1};
}

Status Declare(Builder& b) {
  b.config().Keep({"hidden_act"});
  return DeclareDecoder(b, {.post_norm = b.Layer(0).Has("post_ffw_norm"),
                            .activation = "hidden_activation",
                            .gate_activations = {"gelu_pytorch_tanh", "gelu", nullptr}});
}

Family Gemma(std::string_view name, HfClass hf_class, Dialect hf) {
  return {
      .name = name,
      .hf_classes = {std::move(hf_class)},
      .hf = std::move(hf),
      .gguf = {},
      .tied_by_default = true,
      .public_fields = {"attention_bias", "attn_logit_softcapping", "final_logit_softcapping", "query_pre_attn_scalar",
                        "sliding_window", "cache_implementation", "layer_types", "rope_scaling", "rope_parameters"},
      .declare = &Declare};
}

}  // namespace

Family GemmaFamily() {
  return Gemma("gemma", {"GemmaForCausalLM", "gemma", {"GemmaModel"}},
               LlamaDialect().With({Norm("norm", "output_norm"), Norm("layers.{}.input_layernorm", "blk.{}.attn_norm"),
                                    Norm("layers.{}.post_attention_layernorm", "blk.{}.ffn_norm")}));
}

Family Gemma2Family() {
  return Gemma("gemma2", {"Gemma2ForCausalLM", "gemma2", {"Gemma2Model"}},
               LlamaDialect().With({Norm("norm", "output_norm"), Norm("layers.{}.input_layernorm", "blk.{}.attn_norm"),
                                    Norm("layers.{}.post_attention_layernorm", "blk.{}.post_attention_norm"),
                                    Norm("layers.{}.pre_feedforward_layernorm", "blk.{}.ffn_norm"),
                                    Norm("layers.{}.post_feedforward_layernorm", "blk.{}.post_ffw_norm")}));
}

}  // namespace isoveil
