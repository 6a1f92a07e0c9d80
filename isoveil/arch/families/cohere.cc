// Cohere, Command-R, Command-A, Aya: LayerNorm without biases, attention and feed-forward layer side by side behind one
// norm, neighbours turned by RoPE.
#include "isoveil/arch/decoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {
namespace {

Status Declare(Builder& b) {
  ISOVEIL_RETURN_IF_ERROR(
      b.config().Accept("use_qk_norm", {false, nullptr}, "LayerNorm of queries and keys has no rule yet"));
  return DeclareDecoder(b, {.norm = NormKind::kLayer, .one_norm = true});
}

Dialect HfDialect() {
  Dialect dialect = LlamaDialect();
  dialect.pairing = RopeLayout::Pairing::kInterleaved;
  return dialect;
}

}  // namespace

// Layers that see all positions have no RoPE.
Family Cohere2Family() {
  return {.name = "cohere2",
          .hf_classes = {{"Cohere2ForCausalLM", "cohere2", {"Cohere2Model"}}},
          .hf = HfDialect(),
          .gguf = {},
          .tied_by_default = true,
          .public_fields = {"logit_scale", "attention_bias", "rope_scaling", "rope_parameters", "sliding_window",
                            "sliding_window_pattern", "layer_types", "cache_implementation"},
          .declare = &Declare};
}

Family CohereFamily() {
  return {.name = "command-r",
          .hf_classes = {{"CohereForCausalLM", "cohere", {"CohereModel"}}},
          .hf = HfDialect(),
          .gguf = {.modules = {}, .pairing = RopeLayout::Pairing::kInterleaved},
          .tied_by_default = true,
          .public_fields = {"logit_scale", "attention_bias", "rope_scaling", "rope_parameters"},
          .declare = &Declare};
}

}  // namespace isoveil
