// StableLM: LayerNorm with biases in front of maps without, RoPE on a quarter of the head.
#include "isoveil/arch/decoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {
namespace {

Status Declare(Builder& b) {
  ISOVEIL_RETURN_IF_ERROR(
      b.config().Accept("qk_layernorm", {false, nullptr}, "norms with a module for each head have no rule yet"));
  // Parallel layers have one norm.
  const bool parallel = !b.Layer(0).Has("ffn_norm");
  return DeclareDecoder(b, {.norm = NormKind::kLayer,
                            .one_norm = parallel,
                            .rotary_fraction = "partial_rotary_factor",
                            .default_rotary_fraction = 0.25});
}

}  // namespace

Family StablelmFamily() {
  return {.name = "stablelm",
          .hf_classes = {{"StableLmForCausalLM", "stablelm", {"StableLmModel", "StableLMEpochForCausalLM"}}},
          .hf = LlamaDialect(),
          .gguf = {},
          .public_fields = {"use_qkv_bias", "use_parallel_residual", "rope_scaling", "rope_parameters"},
          .declare = &Declare,
          .to_gguf = [](ConfigReader& config, uint64_t n_vocab, GgufDescription& gguf) {
            return DecoderToGguf(config, n_vocab, {}, gguf);
          }};
}

}  // namespace isoveil
