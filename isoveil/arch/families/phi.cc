// Phi 1, 1.5 and 2: LayerNorm and biases, also at the head, attention and feed-forward layer side by side behind one
// norm, RoPE on a part of the head.
#include "isoveil/arch/decoder.h"
#include "isoveil/arch/families/table.h"

namespace isoveil {
namespace {

Status Declare(Builder& b) {
  ISOVEIL_RETURN_IF_ERROR(
      b.config().Accept("qk_layernorm", {false, nullptr}, "LayerNorm of queries and keys has no rule yet"));
  return DeclareDecoder(b, {.norm = NormKind::kLayer,
                            .one_norm = true,
                            .gated = false,
                            .rotary_fraction = "partial_rotary_factor",
                            .default_rotary_fraction = 0.5});
}

}  // namespace

Family PhiFamily() {
  return {.name = "phi2",
          .hf_classes = {{"PhiForCausalLM", "phi", {"PhiModel"}}},
          .hf = LlamaDialect().With({{"final_layernorm", {"output_norm"}},
                                     {"layers.{}.self_attn.dense", {"blk.{}.attn_output"}},
                                     {"layers.{}.mlp.fc1", {"blk.{}.ffn_up"}},
                                     {"layers.{}.mlp.fc2", {"blk.{}.ffn_down"}}}),
          .gguf = {},
          .public_fields = {"rope_scaling", "rope_parameters"},
          .declare = &Declare,
          .to_gguf = [](ConfigReader& config, uint64_t n_vocab, GgufDescription& gguf) -> Status {
            ISOVEIL_RETURN_IF_ERROR(
                config.Accept("hidden_act", {"gelu_new", "gelu_pytorch_tanh", nullptr}, "llama.cpp computes gelu_new"));
            return DecoderToGguf(config, n_vocab, {}, gguf);
          }};
}

}  // namespace isoveil
