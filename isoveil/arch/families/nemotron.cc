// Nemotron and Minitron: LayerNorm with gains stored less 1, squared ReLU, RoPE on a part of the head.
#include "isoveil/arch/decoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {

Family NemotronFamily() {
  const auto norm = [](std::string name, std::string role) {
    return StoredTensor{.name = std::move(name), .roles = {std::move(role)}, .origin = 1};
  };
  return {.name = "nemotron",
          .hf_classes = {{"NemotronForCausalLM", "nemotron", {"NemotronModel"}}},
          .hf = LlamaDialect().With({norm("norm", "output_norm"), norm("layers.{}.input_layernorm", "blk.{}.attn_norm"),
                                     norm("layers.{}.post_attention_layernorm", "blk.{}.ffn_norm")}),
          .gguf = {},
          .public_fields = {"attention_bias", "mlp_bias", "rope_scaling", "rope_parameters"},
          .declare = [](Builder& b) {
            return DeclareDecoder(b, {.norm = NormKind::kLayer,
                                      .gated = false,
                                      .rotary_fraction = "partial_rotary_factor",
                                      .default_rotary_fraction = 0.5});
          }};
}

}  // namespace isoveil
