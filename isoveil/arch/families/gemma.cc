// Gemma 1 to 3, the text: Llama with GELU, gains stored less 1 and an embedding scaled by the engine; the second norms
// what layers add to the residual too, and caps scores and logits; the third norms queries and keys in each head.
#include "isoveil/arch/decoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {
namespace {

// A gain of 0 is stored for a norm that does nothing.
StoredTensor Norm(std::string name, std::string role) {
  return {.name = std::move(name), .roles = {std::move(role)}, .origin = 1};
}

Dialect SandwichDialect() {
  return LlamaDialect().With({Norm("norm", "output_norm"), Norm("layers.{}.input_layernorm", "blk.{}.attn_norm"),
                              Norm("layers.{}.post_attention_layernorm", "blk.{}.post_attention_norm"),
                              Norm("layers.{}.pre_feedforward_layernorm", "blk.{}.ffn_norm"),
                              Norm("layers.{}.post_feedforward_layernorm", "blk.{}.post_ffw_norm")});
}

Status Declare(Builder& b) {
  b.config().Keep({"hidden_act"});
  DecoderOptions options{.post_norm = b.Layer(0).Has("post_ffw_norm"),
                         .activation = "hidden_activation",
                         .gate_activations = {"gelu_pytorch_tanh", "gelu", nullptr}};
  if (b.Layer(0).Has("attn_q_norm")) options.attention.head_norm = Graph::HeadNorm::kEachHead;
  return DeclareDecoder(b, options);
}

Family Gemma(std::string_view name, HfClass hf_class, Dialect hf) {
  return {
      .name = name,
      .hf_classes = {std::move(hf_class)},
      .hf = std::move(hf),
      .gguf = {},
      .tied_by_default = true,
      .public_fields = {"attention_bias", "attn_logit_softcapping", "final_logit_softcapping", "query_pre_attn_scalar",
                        "sliding_window", "sliding_window_pattern", "cache_implementation", "layer_types",
                        "rope_scaling", "rope_parameters", "rope_local_base_freq", "use_bidirectional_attention"},
      .declare = &Declare};
}

}  // namespace

Family GemmaFamily() {
  return Gemma("gemma", {"GemmaForCausalLM", "gemma", {"GemmaModel"}},
               LlamaDialect().With({Norm("norm", "output_norm"), Norm("layers.{}.input_layernorm", "blk.{}.attn_norm"),
                                    Norm("layers.{}.post_attention_layernorm", "blk.{}.ffn_norm")}));
}

Family Gemma3Family() {
  return Gemma("gemma3", {"Gemma3ForCausalLM", "gemma3_text", {"Gemma3TextModel"}},
               SandwichDialect().With({Norm("layers.{}.self_attn.q_norm", "blk.{}.attn_q_norm"),
                                       Norm("layers.{}.self_attn.k_norm", "blk.{}.attn_k_norm")}));
}

Family Gemma2Family() { return Gemma("gemma2", {"Gemma2ForCausalLM", "gemma2", {"Gemma2Model"}}, SandwichDialect()); }

}  // namespace isoveil
